package nvimage

import (
	"z2mha/internal/dongle/zigbee"
)

// Part returns an image of those items of m that ids name.
func (m *Image) Part(ids []ID) *Image {
	part := New()
	for _, id := range ids {
		if v, ok := m.items[id]; ok {
			part.put(id, v)
		}
	}
	return part
}

// Overlay puts every item of other into m.
func (m *Image) Overlay(other *Image) {
	for id, v := range other.items {
		m.put(id, v)
	}
}

// Patched is what a stick reads that held m and had what differs in want written,
// where it was ahead with the counters that ahead names, by item.
func (m *Image) Patched(want *Image, ahead map[ID]zigbee.FrameCounter) *Image {
	p := m.Clone()
	for _, c := range Diff(want, m) {
		if c.Want == nil {
			p.Delete(c.ID)
			continue
		}
		p.Set(c.ID, c.Want)
	}
	if _, ok := p.items[OSAL(PollRateOld16)]; ok {
		p.ViewPollRate()
	}
	for id, c := range ahead {
		v := p.items[id]
		if at, ok := transmitAt(id, v); ok {
			liftAt(v, at, c)
		}
	}
	return p
}

// ViewPollRate sets POLL_RATE_OLD16 to what a stick shows there: the first two bytes of
// POLL_RATE.
func (m *Image) ViewPollRate() {
	if v := m.items[OSAL(PollRate)]; len(v) >= 2 {
		m.Set(OSAL(PollRateOld16), v[:2])
	}
}

// OwnSecMaterial are the entries that hold the counter of the network m is on: its own,
// and the generic one when that is in use.
func (m *Image) OwnSecMaterial() []ID {
	network, err := m.Identity()
	if err != nil {
		return nil
	}
	var out []ID
	for _, sub := range m.entries(NwkSecMaterialTable) {
		id := Entry(NwkSecMaterialTable, sub)
		v := m.items[id]
		if !secMaterialUsed(v) {
			continue
		}
		if e := zigbee.ExtPanIDFromLE(v[secExtPanID:]); e == network.ExtPanID || e == genericExtPanID && counterAt(v, 0) > 0 {
			out = append(out, id)
		}
	}
	return out
}

// LinkKeys are the entries in use of the trust-centre link key table.
func (m *Image) LinkKeys() []ID { return m.linkKeys() }
