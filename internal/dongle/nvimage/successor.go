package nvimage

import (
	"bytes"
	"fmt"

	"z2mha/internal/dongle/zigbee"
)

// Successor returns the image to load on the stick whose memory is local, so that
// it takes over from source: source's items, nothing cleared at the next start, and
// every transmit counter at least at source's, at local's where both mean the same
// network or link key, and then raised by f. Receive counters stay as in source.
// POLL_RATE_OLD16 is left out, because it must never be written. local may be nil.
//
// LinkMargin is added at every call. Who loads the same stick again and again and
// knows local to be ahead already passes a smaller one.
//
// The error says why source's network could not be resumed.
func Successor(source, local *Image, f Floors) (*Image, error) {
	if err := source.Resumable(); err != nil {
		return nil, fmt.Errorf("the source image cannot take over: %w", err)
	}
	next := source.Clone()
	next.Delete(OSAL(PollRateOld16))
	next.Set(OSAL(StartupOption), []byte{0})
	if local != nil {
		next.Overtake(local)
	}
	if err := next.Raise(f); err != nil {
		return nil, err
	}
	return next, nil
}

// Overtake lifts every transmit counter of m to that of other where both count the
// same thing: the same network (extended PAN id or network key), the same device's
// trust-centre key under the same seed, the same application key. It lowers
// nothing and touches nothing else; what it cannot read it leaves alone.
func (m *Image) Overtake(other *Image) {
	m.overtakeNWK(other)
	if bytes.Equal(m.items[OSAL(TclkSeed)], other.items[OSAL(TclkSeed)]) {
		m.overtakeLinkKeys(other)
	}
	m.overtakeAPSKeys(other)
}

func (m *Image) overtakeNWK(other *Image) {
	id, err := m.Identity()
	if err != nil || len(m.items[OSAL(NwkKey)]) != nwkKeyLen {
		return
	}
	theirs, err := other.Identity()
	c := other.secMaterial(id.ExtPanID)
	switch {
	case err == nil && theirs.ExtPanID == id.ExtPanID:
		c = max(c, other.nwkCounter(id.ExtPanID))
	case other.holdsKey(id.Key):
		c = max(c, counterAt(other.items[OSAL(NwkKey)], nwkKeyCounterOffset))
	}
	if c > m.nwkCounter(id.ExtPanID) {
		m.raiseNWK(id.ExtPanID, c)
	}
}

// holdsKey says that the counter in NWKKEY counts frames under that key, even when
// nothing else of the network is left.
func (m *Image) holdsKey(key zigbee.Key) bool {
	v := m.items[OSAL(NwkKey)]
	return len(v) == nwkKeyLen && bytes.Equal(v[1:nwkKeyPadding], key[:])
}

func (m *Image) overtakeLinkKeys(other *Image) {
	highest := make(map[zigbee.IEEE]zigbee.FrameCounter)
	for _, id := range other.linkKeys() {
		v := other.items[id]
		highest[tclkDevice(v)] = max(highest[tclkDevice(v)], counterAt(v, 0))
	}
	for _, id := range m.linkKeys() {
		v := m.items[id]
		liftAt(v, 0, highest[tclkDevice(v)])
	}
}

func (m *Image) overtakeAPSKeys(other *Image) {
	highest := make(map[zigbee.Key]zigbee.FrameCounter)
	for _, id := range other.apsKeys() {
		v := other.items[id]
		key := zigbee.Key(v[:apsKeyCounterAt])
		highest[key] = max(highest[key], counterAt(v, apsKeyCounterAt))
	}
	for _, id := range m.apsKeys() {
		v := m.items[id]
		liftAt(v, apsKeyCounterAt, highest[zigbee.Key(v[:apsKeyCounterAt])])
	}
}
