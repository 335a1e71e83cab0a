package znp

import (
	"context"
	"encoding/binary"
	"fmt"

	"z2mha/internal/dongle/zigbee"
)

// A DeviceState is what a stick's network layer is doing.
type DeviceState uint8

const (
	StateHold            DeviceState = 0 // booted and silent; the only state in which NV is written
	StateInit            DeviceState = 1
	StateDiscovering     DeviceState = 2
	StateJoining         DeviceState = 3
	StateRejoining       DeviceState = 4
	StateEndDeviceUnauth DeviceState = 5
	StateEndDevice       DeviceState = 6
	StateRouter          DeviceState = 7
	StateCoordStarting   DeviceState = 8
	StateCoordinator     DeviceState = 9 // on air as coordinator
	StateOrphan          DeviceState = 10
)

var stateNames = [...]string{
	StateHold:            "hold",
	StateInit:            "initialised, not started",
	StateDiscovering:     "discovering networks",
	StateJoining:         "joining",
	StateRejoining:       "rejoining",
	StateEndDeviceUnauth: "end device, not authenticated",
	StateEndDevice:       "end device",
	StateRouter:          "router",
	StateCoordStarting:   "starting as coordinator",
	StateCoordinator:     "coordinator",
	StateOrphan:          "orphan",
}

func (s DeviceState) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("unknown state %d", uint8(s))
}

// DeviceInfo is what UTIL_GET_DEVICE_INFO says.
type DeviceInfo struct {
	IEEE     zigbee.IEEE
	Nwk      zigbee.NwkAddr
	Type     uint8 // bit mask of what the firmware could be: 1 coordinator, 2 router, 4 end device
	State    DeviceState
	Children []zigbee.NwkAddr // devices associated with the stick
}

// DeviceInfo reads the stick's address and state. The state is the evidence for being
// silent (StateHold) or on air (StateCoordinator).
func (c *Client) DeviceInfo(ctx context.Context) (DeviceInfo, error) {
	const fixed = 14
	d, err := c.ask(ctx, utilDeviceInfo, nil, fixed)
	if err != nil {
		return DeviceInfo{}, err
	}
	if d[0] != 0 {
		return DeviceInfo{}, &StatusError{Command: utilDeviceInfo.String(), Status: d[0]}
	}
	if want := fixed + 2*int(d[13]); len(d) < want {
		return DeviceInfo{}, tooShort(utilDeviceInfo, len(d), want)
	}
	return DeviceInfo{
		IEEE:     zigbee.IEEEFromLE(d[1:]),
		Nwk:      zigbee.NwkAddr(binary.LittleEndian.Uint16(d[9:])),
		Type:     d[11],
		State:    DeviceState(d[12]),
		Children: nwkAddrs(d[fixed : fixed+2*int(d[13])]),
	}, nil
}

func nwkAddrs(d []byte) []zigbee.NwkAddr {
	var addrs []zigbee.NwkAddr
	for ; len(d) >= 2; d = d[2:] {
		addrs = append(addrs, zigbee.NwkAddr(binary.LittleEndian.Uint16(d)))
	}
	return addrs
}

// ExtNwkInfo is what ZDO_EXT_NWK_INFO says about the network in effect.
type ExtNwkInfo struct {
	Nwk       zigbee.NwkAddr
	State     DeviceState
	PanID     zigbee.PanID
	Parent    zigbee.NwkAddr
	ExtPanID  zigbee.ExtPanID
	ParentExt zigbee.IEEE
	Channel   zigbee.Channel
}

// ExtNwkInfo reads the network in effect. In StateHold it may be what was stored
// rather than what is used.
func (c *Client) ExtNwkInfo(ctx context.Context) (ExtNwkInfo, error) {
	d, err := c.ask(ctx, zdoExtNwkInfo, nil, 24)
	if err != nil {
		return ExtNwkInfo{}, err
	}
	return ExtNwkInfo{
		Nwk:       zigbee.NwkAddr(binary.LittleEndian.Uint16(d)),
		State:     DeviceState(d[2]),
		PanID:     zigbee.PanID(binary.LittleEndian.Uint16(d[3:])),
		Parent:    zigbee.NwkAddr(binary.LittleEndian.Uint16(d[5:])),
		ExtPanID:  zigbee.ExtPanIDFromLE(d[7:]),
		ParentExt: zigbee.IEEEFromLE(d[15:]),
		Channel:   zigbee.Channel(d[23]),
	}, nil
}
