package znpsim

import (
	"encoding/binary"
	"slices"

	"z2mha/internal/dongle/nvimage"
)

func addrMgrEntry(i uint16) nvimage.ID { return nvimage.Entry(nvimage.AddrMgr, i) }

// Clusters, profile and device ids.
const (
	clBasic       uint16 = 0x0000
	clPower       uint16 = 0x0001
	clOnOff       uint16 = 0x0006
	clTemperature uint16 = 0x0402

	profileHA      uint16 = 0x0104
	deviceLamp     uint16 = 0x0100
	deviceSensor   uint16 = 0x0302
	deviceEndpoint byte   = 1
)

// Commands of every cluster, and statuses.
const (
	zclRead              byte = 0x00
	zclReadRsp           byte = 0x01
	zclWrite             byte = 0x02
	zclWriteRsp          byte = 0x04
	zclConfigure         byte = 0x06
	zclConfigureRsp      byte = 0x07
	zclReadConfigure     byte = 0x08
	zclReadConfigureRsp  byte = 0x09
	zclReport            byte = 0x0A
	zclDefaultRsp        byte = 0x0B
	zclSuccess           byte = 0x00
	zclUnsupportedClust  byte = 0x81
	zclUnsupportedGlobal byte = 0x82
	zclUnsupportedAttr   byte = 0x86
	zclReadOnly          byte = 0x88
	zclNotFound          byte = 0x8B
)

// Bits of frame control.
const (
	fcCluster      byte = 0x01
	fcManufacturer byte = 0x04
	fcFromServer   byte = 0x08
	fcNoDefault    byte = 0x10
)

// An attribute is read-only, and of a fixed type.
type attribute struct {
	id   uint16
	kind byte
	get  func(*Device) []byte
}

// ZCL types.
const (
	typeBool   byte = 0x10
	typeU8     byte = 0x20
	typeEnum8  byte = 0x30
	typeI16    byte = 0x29
	typeString byte = 0x42
)

var attributes = map[uint16][]attribute{
	clBasic: {
		{0x0000, typeU8, func(*Device) []byte { return []byte{3} }},
		{0x0004, typeString, func(*Device) []byte { return zclString("z2mha") }},
		{0x0005, typeString, func(dev *Device) []byte { return zclString("sim-" + string(dev.spec.Kind)) }},
		{0x0007, typeEnum8, (*Device).powerSource},
		{0x4000, typeString, func(*Device) []byte { return zclString("1.0") }},
	},
	clPower:       {{0x0021, typeU8, func(*Device) []byte { return []byte{180} }}}, // battery, half percents
	clOnOff:       {{0x0000, typeBool, func(dev *Device) []byte { return []byte{boolByte(dev.on)} }}},
	clTemperature: {{0x0000, typeI16, func(dev *Device) []byte { return le16(nil, uint16(dev.temperature)) }}},
}

func zclString(s string) []byte { return append([]byte{byte(len(s))}, s...) }

func (dev *Device) powerSource() []byte {
	const mains, battery = 1, 3
	if dev.routes() {
		return []byte{mains}
	}
	return []byte{battery}
}

func (dev *Device) endpoint() endpoint {
	ep := endpoint{number: deviceEndpoint, profile: profileHA, device: deviceSensor, in: []uint16{clBasic, clPower, clTemperature}}
	if dev.spec.Kind == Lamp {
		ep.device, ep.in = deviceLamp, []uint16{clBasic, clOnOff}
	}
	return ep
}

// application carries out one ZCL frame that the device believes, and answers it.
func (dev *Device) application(d *Dongle, f apsFrame) {
	if f.dstEP != deviceEndpoint && f.dstEP != 0xFF {
		return
	}
	a := &args{b: f.data}
	fc := a.u8()
	if fc&fcManufacturer != 0 {
		a.u16()
	}
	seq, cmd := a.u8(), a.u8()
	if a.short || fc&fcFromServer != 0 {
		return
	}
	dev.commands++
	answer, payload := dev.execute(f.cluster, fc, cmd, a)
	if answer == zclDefaultRsp {
		failed := payload[1] != zclSuccess
		if fc&fcNoDefault != 0 && !failed {
			return
		}
	}
	dev.m.after(airTime, func() {
		dev.send(f.cluster, f.srcEP, append([]byte{fcFromServer | fcNoDefault, seq, answer}, payload...))
	})
}

// execute returns the command and payload of the answer.
func (dev *Device) execute(cluster uint16, fc, cmd byte, a *args) (byte, []byte) {
	switch {
	case !slices.Contains(dev.endpoint().in, cluster):
		return zclDefaultRsp, []byte{cmd, zclUnsupportedClust}
	case fc&fcCluster != 0:
		return zclDefaultRsp, []byte{cmd, dev.clusterCommand(cluster, cmd)}
	}
	switch cmd {
	case zclRead:
		return zclReadRsp, dev.readAttributes(cluster, a)
	case zclWrite:
		return zclWriteRsp, []byte{zclReadOnly, 0, 0}
	case zclConfigure:
		return zclConfigureRsp, []byte{zclSuccess}
	case zclReadConfigure:
		return zclReadConfigureRsp, append([]byte{zclNotFound}, a.rest()...)
	}
	return zclDefaultRsp, []byte{cmd, zclUnsupportedGlobal}
}

func (dev *Device) clusterCommand(cluster uint16, cmd byte) byte {
	const off, on, toggle = 0, 1, 2
	const unsupported = 0x81
	if cluster != clOnOff {
		return unsupported
	}
	switch cmd {
	case off, on:
		dev.set(cmd == on)
	case toggle:
		dev.set(!dev.on)
	default:
		return unsupported
	}
	return zclSuccess
}

func (dev *Device) readAttributes(cluster uint16, a *args) []byte {
	var out []byte
	for len(a.b) >= 2 {
		id := a.u16()
		i := slices.IndexFunc(attributes[cluster], func(at attribute) bool { return at.id == id })
		if i < 0 {
			out = append(le16(out, id), zclUnsupportedAttr)
			continue
		}
		at := attributes[cluster][i]
		out = append(le16(out, id), zclSuccess, at.kind)
		out = append(out, at.get(dev)...)
	}
	return out
}

// reportState sends the state without being asked.
func (dev *Device) reportState() {
	dev.reports++
	cluster := clTemperature
	if dev.spec.Kind == Lamp {
		cluster = clOnOff
	}
	at := attributes[cluster][0]
	payload := binary.LittleEndian.AppendUint16([]byte{fcFromServer | fcNoDefault, dev.nextSeq(), zclReport}, at.id)
	payload = append(append(payload, at.kind), at.get(dev)...)
	dev.send(cluster, deviceEndpoint, payload)
}

func (dev *Device) nextSeq() byte {
	dev.seq++
	return dev.seq
}

// send reaches the hosts of whatever sticks the device believes.
func (dev *Device) send(cluster uint16, to byte, data []byte) {
	if !dev.alive() {
		return
	}
	f := apsFrame{dstEP: to, srcEP: deviceEndpoint, cluster: cluster, trans: dev.nextSeq(), data: data}
	for _, d := range dev.m.listeners(dev) {
		d.incoming(dev, f)
	}
}
