package nvimage

import (
	"bytes"
	"encoding/binary"

	"z2mha/internal/dongle/zigbee"
)

// A Device is one peer that the stick keeps.
type Device struct {
	IEEE    zigbee.IEEE    `json:"ieee"`
	Nwk     zigbee.NwkAddr `json:"nwk"`   // NoNwk when the stick does not know it
	Child   bool           `json:"child"` // joined to the coordinator itself
	LinkKey bool           `json:"link_key"`
}

// NoNwk stands for an unknown short address.
const NoNwk zigbee.NwkAddr = 0xFFFE

// ADDRMGR: user bits, padding, short address, address. Erased is all FF.
const (
	addrMgrLen    = 12
	addrMgrNwk    = 2
	addrMgrIEEE   = 4
	userChild     = 1
	userSecurity  = 2
	addrMgrErased = 0xFF
)

// TCLK_TABLE: tx counter, rx counter, address, attributes, key type, seed shift, IC index.
const (
	tclkLen   = 20
	tclkIEEE  = 8
	tclkShift = 18
)

// Devices lists the stick's peers: those of the address manager in table order,
// then any that have a trust-centre link key only.
func (m *Image) Devices() []Device {
	var out []Device
	index := make(map[zigbee.IEEE]int)
	for _, sub := range m.entries(AddrMgr) {
		if d, ok := addrMgrDevice(m.items[Entry(AddrMgr, sub)]); ok {
			index[d.IEEE] = len(out)
			out = append(out, d)
		}
	}
	for _, id := range m.linkKeys() {
		ieee := tclkDevice(m.items[id])
		i, known := index[ieee]
		if !known {
			i = len(out)
			index[ieee] = i
			out = append(out, Device{IEEE: ieee, Nwk: NoNwk})
		}
		out[i].LinkKey = true
	}
	return out
}

func addrMgrDevice(v []byte) (Device, bool) {
	if len(v) != addrMgrLen || v[0] == addrMgrErased || v[0]&(userChild|userSecurity) == 0 {
		return Device{}, false
	}
	d := Device{
		IEEE:    zigbee.IEEEFromLE(v[addrMgrIEEE:]),
		Nwk:     zigbee.NwkAddr(binary.LittleEndian.Uint16(v[addrMgrNwk:])),
		Child:   v[0]&userChild != 0,
		LinkKey: v[0]&userSecurity != 0,
	}
	return d, d.IEEE != zigbee.NoIEEE && d.IEEE != 0
}

// linkKeys are the used entries of the trust-centre link key table.
func (m *Image) linkKeys() []ID {
	var out []ID
	for _, sub := range m.entries(TclkTable) {
		id := Entry(TclkTable, sub)
		if tclkUsed(m.items[id]) {
			out = append(out, id)
		}
	}
	return out
}

func tclkUsed(v []byte) bool {
	if len(v) != tclkLen {
		return false
	}
	ieee := tclkDevice(v)
	return ieee != 0 && ieee != zigbee.NoIEEE
}

func tclkDevice(v []byte) zigbee.IEEE { return zigbee.IEEEFromLE(v[tclkIEEE:]) }

// APS_KEY_DATA_TABLE: key, tx counter, rx counter.
const (
	apsKeyLen       = 24
	apsKeyCounterAt = 16
)

// apsKeys are the used entries of the application link key table.
func (m *Image) apsKeys() []ID {
	var out []ID
	for _, sub := range m.entries(ApsKeyDataTable) {
		id := Entry(ApsKeyDataTable, sub)
		if apsKeyUsed(m.items[id]) {
			out = append(out, id)
		}
	}
	return out
}

func apsKeyUsed(v []byte) bool {
	if len(v) != apsKeyLen {
		return false
	}
	key := v[:apsKeyCounterAt]
	return !bytes.Equal(key, bytes.Repeat([]byte{0}, len(key))) && !bytes.Equal(key, bytes.Repeat([]byte{0xFF}, len(key)))
}
