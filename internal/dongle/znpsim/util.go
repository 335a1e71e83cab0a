package znpsim

import (
	"bytes"
	"encoding/binary"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

var utilCommands = map[uint16]handler{
	0x2700: utilDeviceInfo,
	0x2701: utilNVInfo,
	0x270A: func(_ *Dongle, a *args) []byte { a.u16(); return []byte{0} }, // LED_CONTROL
	0x2749: utilFindDevice,
	0x274A: utilAssocByAddress,
	0x2763: utilAssocRemove,
	0x2764: utilAssocAdd,
}

// noNwk is the short address of a stick without a network, and of nobody.
const noNwk zigbee.NwkAddr = 0xFFFE

// childBit in an ADDRMGR entry marks an associated device.
const childBit byte = 0x01

func (d *Dongle) nwkAddr() uint16 {
	if d.onAir() {
		return 0x0000
	}
	return uint16(noNwk)
}

func utilDeviceInfo(d *Dongle, _ *args) []byte {
	const coordinatorRouterEndDevice = 7
	out := append([]byte{0}, d.ieee().LE()...)
	out = le16(out, d.nwkAddr())
	out = append(out, coordinatorRouterEndDevice, byte(d.state))
	children := d.children()
	out = append(out, byte(len(children)))
	for _, c := range children {
		out = le16(out, uint16(c.nwk))
	}
	return out
}

func utilNVInfo(d *Dongle, _ *args) []byte {
	out := append([]byte{0}, d.ieee().LE()...)
	for _, it := range []struct {
		id     uint16
		length int
	}{{nvimage.ChanList, 4}, {nvimage.PanID, 2}, {nvimage.SecurityLevel, 1}, {nvimage.PrecfgKey, 16}} {
		v, _ := d.osal(it.id)
		out = append(out, append(v, make([]byte, it.length)...)[:it.length]...)
	}
	return out
}

// A child is an associated device as the address manager knows it.
type child struct {
	index uint16
	nwk   zigbee.NwkAddr
	ieee  zigbee.IEEE
}

func (d *Dongle) children() []child {
	var out []child
	d.eachAddress(func(index uint16, v []byte) bool {
		if v[0]&childBit != 0 && v[0] != 0xFF {
			out = append(out, childIn(index, v))
		}
		return true
	})
	return out
}

func childIn(index uint16, v []byte) child {
	return child{index: index, nwk: zigbee.NwkAddr(binary.LittleEndian.Uint16(v[2:])), ieee: zigbee.IEEEFromLE(v[4:])}
}

// eachAddress calls fn with each whole ADDRMGR entry until it returns false.
func (d *Dongle) eachAddress(fn func(index uint16, v []byte) bool) {
	for i := uint16(0); ; i++ {
		v, ok := d.image.Get(nvimage.Entry(nvimage.AddrMgr, i))
		if !ok || len(v) == 12 && !fn(i, v) {
			return
		}
	}
}

// assocLen is the aligned size of an associated device in RAM.
const assocLen = 36

func utilFindDevice(d *Dongle, a *args) []byte {
	index := int(a.u8())
	out := bytes.Repeat([]byte{0xFF}, assocLen)
	if kids := d.children(); index < len(kids) {
		copy(out, assoc(kids[index]))
	}
	return out
}

// assoc is the beginning of an associated device: short address, index, relation.
func assoc(c child) []byte {
	const childRxOff = 1
	out := le16(nil, uint16(c.nwk))
	out = le16(out, c.index)
	return append(out, append([]byte{childRxOff}, make([]byte, assocLen-5)...)...)
}

func utilAssocByAddress(d *Dongle, a *args) []byte {
	ieee, nwk := leIEEE(a), zigbee.NwkAddr(a.u16())
	for _, c := range d.children() {
		if c.ieee == ieee || (ieee == 0 || ieee == zigbee.NoIEEE) && c.nwk == nwk {
			return assoc(c)
		}
	}
	none := make([]byte, assocLen)
	copy(none, []byte{0xFE, 0xFF, 0xFF, 0xFF, 0xFF})
	return none
}

func utilAssocRemove(d *Dongle, a *args) []byte {
	ieee := leIEEE(a)
	status := osalInvalid
	d.eachAddress(func(i uint16, v []byte) bool {
		if v[0]&childBit == 0 || zigbee.IEEEFromLE(v[4:]) != ieee {
			return true
		}
		v[0] &^= childBit
		d.image.Set(nvimage.Entry(nvimage.AddrMgr, i), v)
		d.touched()
		status = osalOK
		return false
	})
	return []byte{status}
}

func utilAssocAdd(d *Dongle, a *args) []byte {
	ieee, nwk := leIEEE(a), zigbee.NwkAddr(a.u16())
	a.u8() // relation
	if a.short || !d.addAddress(childBit, nwk, ieee) {
		return []byte{osalInvalid}
	}
	return []byte{osalOK}
}

// addAddress puts a device into the address manager, or adds to what is there. It is
// false when the table is full or missing.
func (d *Dongle) addAddress(user byte, nwk zigbee.NwkAddr, ieee zigbee.IEEE) bool {
	at, found := uint16(0), false
	d.eachAddress(func(i uint16, v []byte) bool {
		if zigbee.IEEEFromLE(v[4:]) == ieee {
			at, found, user = i, true, user|v[0]
			return false
		}
		if !found && v[0] == 0xFF {
			at, found = i, true
		}
		return true
	})
	if found {
		v := append(le16([]byte{user, 0xFF}, uint16(nwk)), ieee.LE()...)
		d.image.Set(nvimage.Entry(nvimage.AddrMgr, at), v)
		d.touched()
	}
	return found
}
