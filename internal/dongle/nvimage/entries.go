package nvimage

import (
	"bytes"
	"encoding/binary"

	"z2mha/internal/dongle/zigbee"
)

// The entries of the device tables as values. What an entry holds beside them is padding
// or belongs to the stack alone; the Put functions leave it as it is.

// Bits of Address.User.
const (
	UserChild    uint8 = userChild
	UserSecurity uint8 = userSecurity
	UserBinding  uint8 = 4
)

// An Address is a used entry of ADDRMGR. Others refer to it by its index:
// APS_LINK_KEY_TABLE, BINDING_TABLE and DEVICE_LIST.
type Address struct {
	User uint8
	Nwk  zigbee.NwkAddr
	IEEE zigbee.IEEE
}

// Address reads an entry of ADDRMGR; false when it is empty or absent.
func (m *Image) Address(index uint16) (Address, bool) {
	v := m.items[Entry(AddrMgr, index)]
	if len(v) != addrMgrLen || v[0] == addrMgrErased {
		return Address{}, false
	}
	a := Address{
		User: v[0],
		Nwk:  zigbee.NwkAddr(binary.LittleEndian.Uint16(v[addrMgrNwk:])),
		IEEE: zigbee.IEEEFromLE(v[addrMgrIEEE:]),
	}
	return a, a.IEEE != 0 && a.IEEE != zigbee.NoIEEE
}

// PutAddress writes an entry of ADDRMGR, which must be there.
func (m *Image) PutAddress(index uint16, a Address) {
	v := m.items[Entry(AddrMgr, index)]
	v[0] = a.User
	binary.LittleEndian.PutUint16(v[addrMgrNwk:], uint16(a.Nwk))
	copy(v[addrMgrIEEE:], a.IEEE.LE())
}

// KeyVerified are the attributes of a trust-centre link key in use. With any other the
// stack uses another key with the device, and does not look at its receive counter.
const KeyVerified uint8 = 2

// A SeededKey is a used entry of TCLK_TABLE: a link key that follows from TCLK_SEED; see
// DeriveKey.
type SeededKey struct {
	Tx, Rx     zigbee.FrameCounter
	IEEE       zigbee.IEEE
	Attributes uint8
	Shift      uint8
}

const (
	tclkRx         = 4
	tclkAttributes = 16
)

// SeededKey reads an entry of TCLK_TABLE; false when it is empty or absent.
func (m *Image) SeededKey(index uint16) (SeededKey, bool) {
	v := m.items[Entry(TclkTable, index)]
	if !tclkUsed(v) {
		return SeededKey{}, false
	}
	return SeededKey{Tx: counterAt(v, 0), Rx: counterAt(v, tclkRx), IEEE: tclkDevice(v),
		Attributes: v[tclkAttributes], Shift: v[tclkShift]}, true
}

// PutSeededKey writes an entry of TCLK_TABLE, which must be there.
func (m *Image) PutSeededKey(index uint16, k SeededKey) {
	v := m.items[Entry(TclkTable, index)]
	putCounters(v, k.Tx, k.Rx)
	copy(v[tclkIEEE:], k.IEEE.LE())
	v[tclkAttributes], v[tclkShift] = k.Attributes, k.Shift
}

// DeriveKey is the link key of a device: the seed rotated left by shift bytes, with the
// device's address laid over it twice.
func DeriveKey(seed zigbee.Key, device zigbee.IEEE, shift uint8) zigbee.Key {
	var key zigbee.Key
	addr := device.LE()
	for i := range key {
		key[i] = seed[(i+int(shift))%len(seed)] ^ addr[i%len(addr)]
	}
	return key
}

// ShiftOf is the shift by which DeriveKey makes that key; false when none of the 16 does.
func ShiftOf(seed zigbee.Key, device zigbee.IEEE, key zigbee.Key) (uint8, bool) {
	for shift := range uint8(len(seed)) {
		if DeriveKey(seed, device, shift) == key {
			return shift, true
		}
	}
	return 0, false
}

// An APSKey is a used entry of APS_KEY_DATA_TABLE: a link key as itself. Which device it
// is for stands in APS_LINK_KEY_TABLE.
type APSKey struct {
	Key    zigbee.Key
	Tx, Rx zigbee.FrameCounter
}

// APSKey reads an entry of APS_KEY_DATA_TABLE; false when it is empty or absent.
func (m *Image) APSKey(index uint16) (APSKey, bool) {
	v := m.items[Entry(ApsKeyDataTable, index)]
	if !apsKeyUsed(v) {
		return APSKey{}, false
	}
	return APSKey{Key: zigbee.Key(v[:apsKeyCounterAt]), Tx: counterAt(v, apsKeyCounterAt), Rx: counterAt(v, apsKeyCounterAt+4)}, true
}

// PutAPSKey writes an entry of APS_KEY_DATA_TABLE, which must be there.
func (m *Image) PutAPSKey(index uint16, k APSKey) {
	v := m.items[Entry(ApsKeyDataTable, index)]
	copy(v, k.Key[:])
	putCounters(v[apsKeyCounterAt:], k.Tx, k.Rx)
}

// putCounters writes a transmit counter and the receive counter behind it.
func putCounters(v []byte, tx, rx zigbee.FrameCounter) {
	binary.LittleEndian.PutUint32(v, uint32(tx))
	binary.LittleEndian.PutUint32(v[4:], uint32(rx))
}

// An APSLink is a used slot of APS_LINK_KEY_TABLE: which device an APS key is for.
type APSLink struct {
	Slot    int
	Address uint16 // index in ADDRMGR
	Key     uint16 // index in APS_KEY_DATA_TABLE
}

// APS_LINK_KEY_TABLE: number of used slots, then slots of address index, key index,
// authentication, padding. The stack reads every slot in its place.
const (
	linkHeader        = 2
	linkLen           = 6
	linkAuth          = 4
	linkNobody uint16 = 0xFFFE
)

// APSLinks are the used slots, and how many slots there are.
func (m *Image) APSLinks() (used []APSLink, slots int) {
	v := m.items[OSAL(ApsLinkKeyTable)]
	slots = max(len(v)-linkHeader, 0) / linkLen
	for i := range slots {
		s := v[linkHeader+i*linkLen:]
		addr, key := binary.LittleEndian.Uint16(s), binary.LittleEndian.Uint16(s[2:])
		if addr < linkNobody && (addr != 0 || s[linkAuth] != 0) {
			used = append(used, APSLink{Slot: i, Address: addr, Key: key})
		}
	}
	return used, slots
}

// PutAPSLink fills a slot with what the stack calls an authenticated key.
func (m *Image) PutAPSLink(l APSLink) {
	const authenticated = 1
	m.putLink(l, authenticated)
	m.countLinks()
}

// FreeAPSLink empties a slot the way the stack does.
func (m *Image) FreeAPSLink(slot int) {
	m.putLink(APSLink{Slot: slot, Address: linkNobody}, 0)
	m.countLinks()
}

func (m *Image) putLink(l APSLink, auth byte) {
	s := m.items[OSAL(ApsLinkKeyTable)][linkHeader+l.Slot*linkLen:]
	binary.LittleEndian.PutUint16(s, l.Address)
	binary.LittleEndian.PutUint16(s[2:], l.Key)
	s[linkAuth] = auth
}

// countLinks brings the header up to date. The stack leaves zeros in slots that were
// never used and reads none of them while the header is 0; above that it takes them for
// keys of the device at index 0, so they become empty slots in so many words.
func (m *Image) countLinks() {
	used, slots := m.APSLinks()
	taken := make(map[int]bool)
	for _, l := range used {
		taken[l.Slot] = true
	}
	for slot := range slots {
		if !taken[slot] {
			m.putLink(APSLink{Slot: slot, Address: linkNobody}, 0)
		}
	}
	binary.LittleEndian.PutUint16(m.items[OSAL(ApsLinkKeyTable)], uint16(len(used)))
}

// Entries are the indices that a table has, ascending.
func (m *Image) Entries(table uint16) []uint16 { return m.entries(table) }

// Free is the first empty entry of a table; false when it is full. A table without
// device entries has none.
func (m *Image) Free(table uint16) (uint16, bool) {
	for _, sub := range m.entries(table) {
		if isEmpty(table, m.items[Entry(table, sub)]) {
			return sub, true
		}
	}
	return 0, false
}

// isEmpty knows the address manager's empty entries in two shapes: all FF as the stack
// makes them, and all zeros but for the padding on a stick that Zigbee2MQTT restored.
func isEmpty(table uint16, v []byte) bool {
	switch table {
	case AddrMgr:
		return len(v) == addrMgrLen && (len(bytes.Trim(v, "\xFF")) == 0 ||
			v[0] == 0 && bytes.Equal(v[addrMgrNwk:], make([]byte, addrMgrLen-addrMgrNwk)))
	case BindingTable, DeviceList:
		return len(v) == EntryLen(table) && len(bytes.Trim(v, "\xFF")) == 0
	case TclkTable:
		return len(v) == tclkLen && !tclkUsed(v)
	case ApsKeyDataTable:
		return len(v) == apsKeyLen && !apsKeyUsed(v)
	}
	return false
}

// Erase empties an entry of a device table: it becomes a copy of one that is empty, or
// of what the stack makes at its first start where none is.
func (m *Image) Erase(table, index uint16) {
	if sub, ok := m.Free(table); ok {
		m.items[Entry(table, index)] = bytes.Clone(m.items[Entry(table, sub)])
		return
	}
	v := m.items[Entry(table, index)]
	switch clear(v); table {
	case AddrMgr, BindingTable, DeviceList:
		copy(v, bytes.Repeat([]byte{0xFF}, len(v)))
	case TclkTable:
		v[tclkAttributes] = 0xFF
	}
}

// BINDING_TABLE: endpoint, address or group, index in ADDRMGR or group.
// DEVICE_LIST: short address, index in ADDRMGR, as the stack has it in RAM.
const (
	bindingToGroup = 1
	refersAt       = 2
)

// ForgetAddress empties every binding and child that refers to an entry of ADDRMGR, so
// that they do not come to mean the device which gets the entry next.
func (m *Image) ForgetAddress(index uint16) {
	m.ForgetChild(index)
	for _, sub := range m.entries(BindingTable) {
		if v := m.items[Entry(BindingTable, sub)]; refers(BindingTable, v, index) && v[1] != bindingToGroup {
			m.Erase(BindingTable, sub)
		}
	}
}

// ForgetChild empties the DEVICE_LIST entry that refers to an entry of ADDRMGR.
func (m *Image) ForgetChild(index uint16) {
	for _, sub := range m.entries(DeviceList) {
		if refers(DeviceList, m.items[Entry(DeviceList, sub)], index) {
			m.Erase(DeviceList, sub)
		}
	}
}

// RenameChild gives a child's DEVICE_LIST entry its new short address.
func (m *Image) RenameChild(index uint16, nwk zigbee.NwkAddr) {
	for _, sub := range m.entries(DeviceList) {
		if v := m.items[Entry(DeviceList, sub)]; refers(DeviceList, v, index) {
			binary.LittleEndian.PutUint16(v, uint16(nwk))
		}
	}
}

func refers(table uint16, v []byte, index uint16) bool {
	return len(v) == EntryLen(table) && !isEmpty(table, v) && !bytes.Equal(v, make([]byte, len(v))) &&
		binary.LittleEndian.Uint16(v[refersAt:]) == index
}
