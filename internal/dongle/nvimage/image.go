// Package nvimage is the memory of a TI Z-Stack 3.x coordinator stick as a value: a
// set of items that can be read from and written to zigpy-znp's JSON dumps byte for
// byte, compared, checked against a stick it is to be loaded on, and brought ahead
// of every frame counter that may have been used.
//
// Items are raw bytes in stored order; all integers in them are little-endian. The
// package knows only the items that identify a network, tell of its devices or count
// frames, and copies the rest. It does no I/O, and what it prints never contains a
// value: network and link keys are among them.
package nvimage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
)

// An Image is a set of NV items. It owns their bytes: Set copies in and Get hands
// out a copy. The zero Image is not usable; see New.
//
// An image may hold items for which the dump format has no name (see ID.Known);
// Encode leaves those out, and so does Hash.
type Image struct {
	items map[ID][]byte
	order atomic.Pointer[[]ID] // the items in dump order, nil until somebody asks
}

// New returns an empty image.
func New() *Image { return &Image{items: make(map[ID][]byte)} }

// Get returns the item's value.
func (m *Image) Get(id ID) ([]byte, bool) {
	v, ok := m.items[id]
	return bytes.Clone(v), ok
}

// Set stores a copy of value, replacing what was there. It panics on an empty value:
// an item without bytes does not exist on a stick; see Delete.
func (m *Image) Set(id ID, value []byte) {
	if len(value) == 0 {
		panic(fmt.Sprintf("nvimage: empty value for %v", id))
	}
	m.put(id, value)
}

// put is Set for a value that may be shared.
func (m *Image) put(id ID, value []byte) {
	if _, known := m.items[id]; !known {
		m.order.Store(nil)
	}
	m.items[id] = bytes.Clone(value)
}

// Delete removes the item; absent is fine.
func (m *Image) Delete(id ID) {
	m.order.Store(nil)
	delete(m.items, id)
}

// Len is the number of items.
func (m *Image) Len() int { return len(m.items) }

// IDs are the items in dump order.
func (m *Image) IDs() []ID { return slices.Clone(m.ordered()) }

// ordered is IDs, for who only reads.
func (m *Image) ordered() []ID {
	if known := m.order.Load(); known != nil {
		return *known
	}
	ids := slices.SortedFunc(maps.Keys(m.items), ID.compare)
	m.order.Store(&ids)
	return ids
}

// Sorted returns ids in dump order, each once.
func Sorted(ids []ID) []ID {
	sorted := slices.SortedFunc(slices.Values(ids), ID.compare)
	return slices.Compact(sorted)
}

// Clone returns an image that shares nothing with m.
func (m *Image) Clone() *Image {
	c := &Image{items: make(map[ID][]byte, len(m.items))}
	for id, v := range m.items {
		c.items[id] = bytes.Clone(v)
	}
	c.order.Store(m.order.Load())
	return c
}

// Equal says that both hold the same items with the same bytes, padding included.
// For "nothing to write" see Diff.
func (m *Image) Equal(other *Image) bool {
	return other != nil && maps.EqualFunc(m.items, other.items, bytes.Equal)
}

// Hash is the lower-case hex SHA-256 of Encode.
func (m *Image) Hash() string {
	sum := sha256.Sum256(m.Encode())
	return hex.EncodeToString(sum[:])
}

// String tells the size only; the values are secrets.
func (m *Image) String() string { return fmt.Sprintf("image of %d items", m.Len()) }

// Format keeps the values out of %v, %+v, %x and every other verb.
func (m *Image) Format(f fmt.State, _ rune) { fmt.Fprint(f, m.String()) }

// LogValue keeps the values out of logs.
func (m *Image) LogValue() slog.Value { return slog.StringValue(m.String()) }

// byteAt returns one byte of an item; false when the item is absent or shorter.
func (m *Image) byteAt(id ID, offset int) (byte, bool) {
	v := m.items[id]
	if offset >= len(v) {
		return 0, false
	}
	return v[offset], true
}

// entries are the indices a table has, ascending.
func (m *Image) entries(table uint16) []uint16 {
	var out []uint16
	for _, id := range m.ordered() {
		if id.Item == table {
			out = append(out, id.Sub)
		}
	}
	return out
}
