package home

import (
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
)

// The home's Zigbee network and its devices: made-up addresses and a made-up key.
var (
	networkKey = zigbee.Key{0x5A, 0x32, 0x4D, 0x48, 0x41, 0x20, 0x64, 0x65, 0x6D, 0x6F, 0x20, 0x68, 0x6F, 0x6D, 0x65, 0x21}

	// Identity is what every device of the home believes in. The address is the
	// attic stick's own.
	Identity = zigbee.Identity{
		PanID: 0x3A7C, ExtPanID: 0x5B1E90D2C47F3A86, Channel: 20,
		IEEE: atticIEEE, Key: networkKey,
	}
)

const (
	atticIEEE  zigbee.IEEE = 0x00124B0029A1C001
	cellarIEEE zigbee.IEEE = 0x00124B0029A1C002 // until the first switchover
	lampIEEE   zigbee.IEEE = 0x00124B0031D00A01
	sensorIEEE zigbee.IEEE = 0x00124B0031D00A02
	sleepyIEEE zigbee.IEEE = 0x00124B0031D00A03
)

// A device is a member of the network as Zigbee2MQTT's files describe it.
type device struct {
	ieee     zigbee.IEEE
	nwk      zigbee.NwkAddr
	name     string
	kind     string // Router, EndDevice
	model    string // a model that Zigbee2MQTT knows
	maker    string
	power    string
	deviceID uint16
	clusters []uint16
	state    string // JSON, for state.json
	radio    znpsim.Kind
}

// LampName is the friendly name of the lamp, and so its topic.
const LampName = "living room lamp"

var devices = []device{
	{
		ieee: lampIEEE, nwk: 0x4E21, name: LampName, kind: "Router",
		model: "BASICZBR3", maker: "SONOFF", power: "Mains (single phase)",
		deviceID: 0x0100, clusters: []uint16{0, 6}, radio: znpsim.Lamp,
		state: `{"state":"OFF","linkquality":180}`,
	},
	{
		ieee: sensorIEEE, nwk: 0x71B3, name: "hall sensor", kind: "EndDevice",
		model: "TH01", maker: "eWeLink", power: "Battery",
		deviceID: 0x0302, clusters: []uint16{0, 1, 0x0402}, radio: znpsim.Sensor,
		state: `{"temperature":20.5,"battery":90}`,
	},
	{
		ieee: sleepyIEEE, nwk: 0x0D5A, name: "cellar thermometer", kind: "EndDevice",
		model: "TH01", maker: "eWeLink", power: "Battery",
		deviceID: 0x0302, clusters: []uint16{0, 1, 0x0402}, radio: znpsim.SleepyChild,
		state: `{"temperature":14.2,"battery":75}`,
	},
}

// lastHeard is the frame counter that every device heard last from the attic's
// stick: above what the stick has saved, as always.
const lastHeard = znpsim.FirstCounter + 600

// onRadio is the device as it lives on the medium.
func (d device) onRadio() znpsim.DeviceSpec {
	return znpsim.DeviceSpec{
		Name: d.name, Kind: d.radio, IEEE: d.ieee, Nwk: d.nwk, Network: Identity, LastCounter: lastHeard,
	}
}
