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
