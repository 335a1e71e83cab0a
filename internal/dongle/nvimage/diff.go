package nvimage

import (
	"bytes"
	"fmt"
	"slices"
)

// A Change is one item that differs. Want nil means that the item is to be deleted,
// Have nil that it is absent. The bytes may be keys; String tells lengths only.
type Change struct {
	ID         ID
	Want, Have []byte
}

func (c Change) String() string {
	switch {
	case c.Want == nil:
		return fmt.Sprintf("%v: %d bytes too many on the stick", c.ID, len(c.Have))
	case c.Have == nil:
		return fmt.Sprintf("%v: absent, want %d bytes", c.ID, len(c.Want))
	case len(c.Want) != len(c.Have):
		return fmt.Sprintf("%v: %d bytes, want %d", c.ID, len(c.Have), len(c.Want))
	}
	return fmt.Sprintf("%v: other content (%d bytes)", c.ID, len(c.Have))
}

// Format keeps the values out of %v, %+v, %x and every other verb.
func (c Change) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// Diff lists what to change to turn have into want, in dump order. Two things are
// not compared because they mean nothing: POLL_RATE_OLD16, a view of POLL_RATE that
// must never be written, and the three padding bytes of NWKKEY.
func Diff(want, have *Image) []Change {
	var out []Change
	for _, id := range union(want, have) {
		w, h := want.items[id], have.items[id]
		if id != OSAL(PollRateOld16) && !equalItem(id, w, h) {
			out = append(out, Change{ID: id, Want: bytes.Clone(w), Have: bytes.Clone(h)})
		}
	}
	return out
}

func union(a, b *Image) []ID {
	ids := a.ordered()
	for _, id := range b.ordered() {
		if _, both := a.items[id]; !both { // seldom: then all of them are put in order
			return Sorted(slices.Concat(ids, b.ordered()))
		}
	}
	return ids
}

// NWKKEY: sequence number, key, padding, counter.
const (
	nwkKeyLen           = 24
	nwkKeyPadding       = 17
	nwkKeyCounterOffset = 20
)

func equalItem(id ID, a, b []byte) bool {
	if id == OSAL(NwkKey) && len(a) == nwkKeyLen && len(b) == nwkKeyLen {
		return bytes.Equal(a[:nwkKeyPadding], b[:nwkKeyPadding]) &&
			bytes.Equal(a[nwkKeyCounterOffset:], b[nwkKeyCounterOffset:])
	}
	return bytes.Equal(a, b)
}
