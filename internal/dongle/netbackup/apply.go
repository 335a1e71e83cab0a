package netbackup

import (
	"fmt"
	"strings"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

// Applied counts what Apply changed.
type Applied struct {
	Added   int `json:"added"` // devices
	Removed int `json:"removed"`
	Changed int `json:"changed"`
	Items   int `json:"items"` // of the memory that differ from before
}

// An IdentityError is a backup that is not of the network and coordinator in the stick's
// memory. Where the key alone was changed it is, but all counters began anew with it.
type IdentityError struct {
	Differences []string // keys by fingerprint
	KeyChanged  bool     // and nothing else
}

func (e *IdentityError) Error() string {
	if e.KeyChanged {
		return "the network key was changed since the stick was seeded (" + strings.Join(e.Differences, "; ") +
			"): seed it with a raw image of the active stick"
	}
	return "the backup is not of the network in the stick's memory: " + strings.Join(e.Differences, "; ")
}

// A FullError is a table of the stick that has no room for a device of the backup.
type FullError struct {
	Table  string
	Size   int
	Device zigbee.IEEE
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%s is full: no room for %v in its %d entries; seed the stick with a raw image of the active one",
		e.Table, e.Device, e.Size)
}

// Apply returns base brought to what b says, by the fewest changed items. base is the
// memory of a stick that was seeded with a raw image of this network at some time; it is
// not changed. All that a backup does not tell of stays as it is there: padding, groups,
// settings, the stack's own state. Doing it twice is doing it once.
//
// Devices keep their index in the address manager, to which bindings, children and
// application link keys refer; new ones take the first empty entry. A device that is not
// in b loses its entry and its key, and with them every binding and every child's row
// that refers to the entry: they would come to mean the device that gets it next. A
// device that is no child any more loses its row only, one that became a child gets none:
// the stack makes it when the child speaks. Seeded keys of devices that the address
// manager of base does not know either are left alone, for b cannot tell of those.
//
// Transmit counters only rise: each is the higher one of base's and b's. Receive counters
// are b's, also when base's are higher: the stack drops frames below them (a verified key
// is refused with an old counter), so one that is too high locks the device out, and a
// device that was reset and paired again counts from the start, one time in sixteen under
// the same key. One that is too low takes an old frame once more, which the network layer
// has refused already.
//
// Zigbee2MQTT's own backups tell of application link keys wrongly where the address
// manager has a gap; see FromImage. Such a key stays with the device that base has it
// for.
//
// The error is an *IdentityError, a *FullError, or says why base could not be resumed or
// what in b is not to be had.
func Apply(base *nvimage.Image, b *Backup) (*nvimage.Image, Applied, error) {
	img, applied, err := apply(base, b)
	if err != nil {
		return nil, Applied{}, fmt.Errorf("apply coordinator backup: %w", err)
	}
	return img, applied, nil
}

func apply(base *nvimage.Image, b *Backup) (*nvimage.Image, Applied, error) {
	if err := base.Resumable(); err != nil {
		return nil, Applied{}, fmt.Errorf("the stick's memory is no seed: %w", err)
	}
	if err := sameNetwork(base, b); err != nil {
		return nil, Applied{}, err
	}
	if err := b.storable(); err != nil {
		return nil, Applied{}, err
	}
	r := newRevision(base.Clone(), b)
	if err := r.network(b); err != nil {
		return nil, Applied{}, err
	}
	if err := r.devices(); err != nil {
		return nil, Applied{}, err
	}
	if err := r.img.Raise(nvimage.Floors{NWK: b.FrameCounter}); err != nil {
		return nil, Applied{}, err
	}
	applied := compare(devicesOf(base), devicesOf(r.img))
	applied.Items = len(nvimage.Diff(r.img, base))
	return r.img, applied, nil
}

// sameNetwork lets channel and update id differ, which move with a network.
func sameNetwork(base *nvimage.Image, b *Backup) error {
	have, err := base.Identity()
	if err != nil {
		return err
	}
	level, _, err := base.Network()
	if err != nil {
		return err
	}
	want := b.identity
	want.Channel, want.UpdateID = have.Channel, have.UpdateID
	differences := want.Differences(have)
	if b.SecurityLevel != 0 && b.SecurityLevel != level {
		differences = append(differences, fmt.Sprintf("security level %d is not %d", b.SecurityLevel, level))
	}
	if len(differences) == 0 {
		return nil
	}
	want.Key, want.KeySeq = have.Key, have.KeySeq
	return &IdentityError{Differences: differences, KeyChanged: want == have && (b.SecurityLevel == 0 || b.SecurityLevel == level)}
}

// storable looks for devices that no table could hold.
func (b *Backup) storable() error {
	p := &problems{}
	seen := make(map[zigbee.IEEE]bool)
	for _, d := range b.Devices {
		switch {
		case d.IEEE == 0 || d.IEEE == zigbee.NoIEEE:
			p.add("%v is no device's address", d.IEEE)
		case seen[d.IEEE]:
			p.add("%v is there twice", d.IEEE)
		case d.LinkKey != nil && isBlank(d.LinkKey.Key):
			p.add("the link key of %v is empty", d.IEEE)
		}
		seen[d.IEEE] = true
	}
	return p.err()
}

// isBlank says that the stack would take a place with this key for an empty one.
func isBlank(k zigbee.Key) bool {
	for _, c := range k {
		if c != k[0] {
			return false
		}
	}
	return k[0] == 0 || k[0] == 0xFF
}

func compare(before, after []Device) Applied {
	old := make(map[zigbee.IEEE]Device)
	for _, d := range before {
		old[d.IEEE] = d
	}
	var out Applied
	for _, d := range after {
		was, known := old[d.IEEE]
		switch {
		case !known:
			out.Added++
		case !d.equal(was):
			out.Changed++
		}
		delete(old, d.IEEE)
	}
	out.Removed = len(old)
	return out
}

func (d Device) equal(e Device) bool {
	sameKey := d.LinkKey == e.LinkKey || d.LinkKey != nil && e.LinkKey != nil && *d.LinkKey == *e.LinkKey
	d.LinkKey, e.LinkKey = nil, nil
	return d == e && sameKey
}
