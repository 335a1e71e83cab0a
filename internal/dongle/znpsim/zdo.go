package znpsim

import (
	"encoding/binary"
	"time"

	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
)

// statusNotOnNetwork answers what needs a network while there is none.
const statusNotOnNetwork byte = 0xC2

var zdoCommands = map[uint16]handler{
	0x2536: zdoPermitJoin,
	0x2537: zdoNwkUpdate,
	0x2526: zdoDiscover,
	0x253E: accept(2), // MSG_CB_REGISTER
	0x253F: accept(2), // MSG_CB_REMOVE
	0x2540: zdoStartup,
	0x2545: zdoRouteDiscovery,
	0x254A: zdoFindGroup,
	0x254B: zdoAddGroup,
	0x2550: zdoNwkInfo,
}

func zdoStartup(d *Dongle, a *args) []byte {
	delay := time.Duration(a.u16()) * time.Millisecond
	if !a.short {
		d.after(0, func() { d.start(delay) })
	}
	return []byte{0}
}

func zdoNwkInfo(d *Dongle, _ *args) []byte {
	out := append(le16(nil, d.nwkAddr()), byte(d.state))
	if !d.onAir() {
		out = le16(le16(out, 0xFFFF), uint16(noNwk))
		return append(out, make([]byte, 17)...)
	}
	id := d.net.id
	out = le16(le16(out, uint16(id.PanID)), 0)
	out = append(out, id.ExtPanID.LE()...)
	out = append(out, make([]byte, 8)...)
	return append(out, byte(id.Channel))
}

// zdoPermitJoin opens or closes the network for joining: the coordinator alone, or,
// broadcast, everywhere.
func zdoPermitJoin(d *Dongle, a *args) []byte {
	mode, dst, seconds := a.u8(), a.u16(), a.u8()
	a.u8()
	if a.short || !d.onAir() {
		return []byte{statusNotOnNetwork}
	}
	const broadcastMode = 0x0F
	if mode == broadcastMode {
		d.broadcast()
	}
	d.net.permitUntil = time.Now().Add(time.Duration(seconds) * time.Second)
	d.after(10*time.Millisecond, func() {
		d.indicate(unpi.ZDO, 0xB6, le16Status(0, 0))
		d.indicate(unpi.ZDO, 0xCB, []byte{seconds})
	})
	if mode != broadcastMode && dst != 0 && dst < 0xFFF8 {
		d.unicast(zigbee.NwkAddr(dst), func(*Device) {}, nil)
	}
	if seconds > 0 {
		d.m.doorOpens(d)
	}
	return []byte{0}
}

// le16Status is what a minimal ZDO response consists of.
func le16Status(src zigbee.NwkAddr, status byte) []byte {
	return append(le16(nil, uint16(src)), status)
}

// zdoNwkUpdate moves the network to another channel when that is what it asks for;
// devices that believe the sender move along.
func zdoNwkUpdate(d *Dongle, a *args) []byte {
	a.u16()
	a.u8()
	mask, duration := a.u32(), a.u8()
	a.rest()
	if a.short || !d.onAir() {
		return []byte{statusNotOnNetwork}
	}
	const changeChannel = 0xFE
	ch, ok := onlyChannel(mask)
	if duration != changeChannel || !ok {
		d.after(10*time.Millisecond, func() { d.indicate(unpi.ZDO, 0xB8, append(le16Status(0, 0), make([]byte, 9)...)) })
		return []byte{0}
	}
	c, sent := d.nextCounter()
	for _, dev := range d.m.devices {
		if sent && !dev.sleeps() && dev.hear(d.net.id, c) == accepted {
			dev.net.Channel = ch
		}
	}
	d.after(time.Second, func() {
		d.net.id.Channel, d.net.mask = ch, mask
		d.net.id.UpdateID++
		d.persist()
	})
	return []byte{0}
}

func onlyChannel(mask uint32) (zigbee.Channel, bool) {
	for ch := zigbee.Channel(11); ch <= 26; ch++ {
		if mask == 1<<ch {
			return ch, true
		}
	}
	return 0, false
}

func zdoRouteDiscovery(d *Dongle, a *args) []byte {
	a.bytes(4)
	if a.short || !d.onAir() {
		return []byte{statusNotOnNetwork}
	}
	d.broadcast()
	return []byte{0}
}

func zdoFindGroup(d *Dongle, a *args) []byte {
	ep, group := a.u8(), a.u16()
	out := make([]byte, 19)
	name, ok := d.groups[uint32(ep)<<16|uint32(group)]
	if !ok {
		out[0] = 1
		return out
	}
	binary.LittleEndian.PutUint16(out[1:], group)
	out[3] = byte(len(name))
	copy(out[4:], name)
	return out
}

func zdoAddGroup(d *Dongle, a *args) []byte {
	ep, group, name := a.u8(), a.u16(), a.bytes(int(a.u8()))
	if a.short {
		return nil
	}
	d.groups[uint32(ep)<<16|uint32(group)] = string(name[:min(len(name), 15)])
	return []byte{0}
}
