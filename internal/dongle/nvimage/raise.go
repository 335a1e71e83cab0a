package nvimage

import (
	"bytes"
	"fmt"

	"z2mha/internal/dongle/zigbee"
)

// Floors say how far ahead a stick must start.
type Floors struct {
	// NWK is the network counter to start from at least.
	NWK zigbee.FrameCounter
	// LinkMargin is added to the transmit counter of every used link key.
	LinkMargin uint32
}

// Raise brings the transmit counters up to f, in place: every copy of the network
// counter to the highest of them and f.NWK, every used link key by f.LinkMargin. It
// lowers nothing, stops at the end of the counter's range, and leaves receive
// counters alone, since raising those would lock the peers out. The error says why
// the image's network cannot be told; the image is then unchanged.
func (m *Image) Raise(f Floors) error {
	id, err := m.Identity()
	if err != nil {
		return fmt.Errorf("raise frame counters: %w", err)
	}
	if _, err := m.sized(NwkKey, nwkKeyLen); err != nil {
		return fmt.Errorf("raise frame counters: %w", err)
	}
	if len(m.entries(NwkSecMaterialTable)) == 0 {
		return fmt.Errorf("raise frame counters: %s is missing: the image is incomplete", TableName(NwkSecMaterialTable))
	}
	m.raiseNWK(id.ExtPanID, max(f.NWK, m.nwkCounter(id.ExtPanID)))
	for _, id := range m.linkKeys() {
		v := m.items[id]
		liftAt(v, 0, counterAt(v, 0).Add(uint64(f.LinkMargin)))
	}
	for _, id := range m.apsKeys() {
		v := m.items[id]
		liftAt(v, apsKeyCounterAt, counterAt(v, apsKeyCounterAt).Add(uint64(f.LinkMargin)))
	}
	return nil
}

// raiseNWK lifts every copy of the network's counter to c. Where the network has no
// entry of its own it takes the first free one; where all are taken, the generic
// entry, which the stack falls back on.
func (m *Image) raiseNWK(epid zigbee.ExtPanID, c zigbee.FrameCounter) {
	liftAt(m.items[OSAL(NwkKey)], nwkKeyCounterOffset, c)
	own := false
	for _, v := range m.secMaterials() {
		switch e := zigbee.ExtPanIDFromLE(v[secExtPanID:]); {
		case e == epid:
			own = true
			liftAt(v, 0, c)
		case e == genericExtPanID && counterAt(v, 0) > 0:
			liftAt(v, 0, c)
		}
	}
	if !own && c > 0 {
		m.createSecMaterial(epid, c)
	}
}

func (m *Image) createSecMaterial(epid zigbee.ExtPanID, c zigbee.FrameCounter) {
	all := m.secMaterials()
	for i, v := range all {
		generic := i == len(all)-1
		if !generic && !bytes.Equal(v, make([]byte, secMaterialLen)) {
			continue
		}
		if generic {
			epid = genericExtPanID
		}
		copy(v[secExtPanID:], epid.LE())
		liftAt(v, 0, c)
		return
	}
}

// secMaterials are the table's values, the image's own bytes.
func (m *Image) secMaterials() [][]byte {
	var out [][]byte
	for _, sub := range m.entries(NwkSecMaterialTable) {
		if v := m.items[Entry(NwkSecMaterialTable, sub)]; len(v) == secMaterialLen {
			out = append(out, v)
		}
	}
	return out
}
