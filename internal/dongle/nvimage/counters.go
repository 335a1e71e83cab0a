package nvimage

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"z2mha/internal/dongle/zigbee"
)

// Counters are the transmit counters an image holds. The stick saves them from time
// to time only: what was sent on air may be ahead by about 1000.
type Counters struct {
	NWK     zigbee.FrameCounter                 // highest of all places that hold one
	LinkKey map[zigbee.IEEE]zigbee.FrameCounter // trust-centre link keys, by device
	APSKey  map[int]zigbee.FrameCounter         // application link keys, by index
}

// Counters reads the transmit counters; the error is that of Identity.
func (m *Image) Counters() (Counters, error) {
	id, err := m.Identity()
	if err != nil {
		return Counters{}, fmt.Errorf("read frame counters: %w", err)
	}
	c := Counters{
		NWK:     m.nwkCounter(id.ExtPanID),
		LinkKey: make(map[zigbee.IEEE]zigbee.FrameCounter),
		APSKey:  make(map[int]zigbee.FrameCounter),
	}
	for _, id := range m.linkKeys() {
		v := m.items[id]
		c.LinkKey[tclkDevice(v)] = max(c.LinkKey[tclkDevice(v)], counterAt(v, 0))
	}
	for _, id := range m.apsKeys() {
		c.APSKey[int(id.Sub)] = counterAt(m.items[id], apsKeyCounterAt)
	}
	return c, nil
}

// NWK_SEC_MATERIAL_TABLE: frame counter, extended PAN id. The last entry is the
// generic one, with an id of all FF; an entry of zeros is free.
const (
	secMaterialLen = 12
	secExtPanID    = 4
)

const genericExtPanID zigbee.ExtPanID = 0xFFFFFFFFFFFFFFFF

// nwkCounter is the highest counter the network epid may have used: its own
// entries, the generic one and the copy in NWKKEY.
func (m *Image) nwkCounter(epid zigbee.ExtPanID) zigbee.FrameCounter {
	highest := max(m.secMaterial(epid), m.secMaterial(genericExtPanID))
	if v := m.items[OSAL(NwkKey)]; len(v) == nwkKeyLen {
		highest = max(highest, counterAt(v, nwkKeyCounterOffset))
	}
	return highest
}

// secMaterial is the counter stored for a network, 0 when there is none.
func (m *Image) secMaterial(epid zigbee.ExtPanID) zigbee.FrameCounter {
	var highest zigbee.FrameCounter
	for _, sub := range m.entries(NwkSecMaterialTable) {
		v := m.items[Entry(NwkSecMaterialTable, sub)]
		if len(v) == secMaterialLen && zigbee.ExtPanIDFromLE(v[secExtPanID:]) == epid {
			highest = max(highest, counterAt(v, 0))
		}
	}
	return highest
}

// IsCounterOnly says that a change touches frame counters and nothing else, so that
// the stick is a whole coordinator before it, during it and after it.
func (c Change) IsCounterOnly() bool {
	if len(c.Want) != len(c.Have) {
		return false
	}
	want, have := maskCounters(c.ID, c.Want), maskCounters(c.ID, c.Have)
	return want != nil && have != nil && bytes.Equal(want, have)
}

// maskCounters returns a copy of the item's value without its counters; nil for an
// item that holds none.
func maskCounters(id ID, v []byte) []byte {
	masked := bytes.Clone(v)
	switch {
	case id == OSAL(NwkKey) && len(v) == nwkKeyLen:
		clear(masked[nwkKeyPadding:])
	case id.Item == TclkTable && tclkUsed(v):
		clear(masked[:tclkIEEE])
	case id.Item == ApsKeyDataTable && apsKeyUsed(v):
		clear(masked[apsKeyCounterAt:])
	case id.Item == NwkSecMaterialTable && len(v) == secMaterialLen:
		clear(masked[:secExtPanID])
	default:
		return nil
	}
	return masked
}

func counterAt(v []byte, offset int) zigbee.FrameCounter {
	return zigbee.FrameCounter(binary.LittleEndian.Uint32(v[offset:]))
}

// liftAt raises the counter at offset to c; it never lowers it.
func liftAt(v []byte, offset int, c zigbee.FrameCounter) {
	binary.LittleEndian.PutUint32(v[offset:], uint32(max(c, counterAt(v, offset))))
}

// IsAhead says that have is what known tells, or that with a link key's transmit counter
// moved on: what a stick may hold that booted since known was read. A network's counter
// moves only when the network is started, which may change anything, so that one must be
// equal. The padding of NWKKEY is not compared. Nil is an absent item.
func IsAhead(id ID, have, known []byte) bool {
	at, counts := transmitAt(id, known)
	if !counts || len(have) != len(known) || id.Item != TclkTable && id.Item != ApsKeyDataTable {
		return equalItem(id, have, known)
	}
	lifted := bytes.Clone(known)
	liftAt(lifted, at, counterAt(have, at))
	return equalItem(id, have, lifted)
}

// transmitAt is where an item holds a transmit counter; false for one that holds none.
func transmitAt(id ID, v []byte) (int, bool) {
	switch {
	case id == OSAL(NwkKey) && nwkKeyUsed(v):
		return nwkKeyCounterOffset, true
	case id.Item == TclkTable && tclkUsed(v):
		return 0, true
	case id.Item == ApsKeyDataTable && apsKeyUsed(v):
		return apsKeyCounterAt, true
	case id.Item == NwkSecMaterialTable && secMaterialUsed(v):
		return 0, true
	}
	return 0, false
}

// nwkKeyUsed says that there is a key, and not what a boot makes where NWKKEY is missing.
func nwkKeyUsed(v []byte) bool {
	return len(v) == nwkKeyLen && !bytes.Equal(v[1:nwkKeyPadding], make([]byte, nwkKeyPadding-1))
}

// secMaterialUsed says that an entry counts for some network.
func secMaterialUsed(v []byte) bool {
	return len(v) == secMaterialLen && !bytes.Equal(v, make([]byte, secMaterialLen))
}

// Transmit is the item's transmit counter; false for an item that holds none.
func (m *Image) Transmit(id ID) (zigbee.FrameCounter, bool) {
	v := m.items[id]
	at, ok := transmitAt(id, v)
	if !ok {
		return 0, false
	}
	return counterAt(v, at), true
}

// What every boot of a stick adds to the transmit counters of link keys in use.
const (
	bootLinkKey = 11
	bootAPSKey  = 1001
)

// Boot advances m as a boot advances the memory of a stick.
func (m *Image) Boot() {
	for _, id := range m.linkKeys() {
		v := m.items[id]
		liftAt(v, 0, counterAt(v, 0).Add(bootLinkKey))
	}
	for _, id := range m.apsKeys() {
		v := m.items[id]
		liftAt(v, apsKeyCounterAt, counterAt(v, apsKeyCounterAt).Add(bootAPSKey))
	}
}
