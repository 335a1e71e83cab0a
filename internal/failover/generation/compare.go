package generation

import (
	"fmt"
	"slices"
	"strings"

	"z2mha/internal/dongle/zigbee"
)

// A Difference is what one generation has that another has not. It holds no secret:
// of files only their names, of the key only fingerprints.
type Difference struct {
	Identity []string   `json:"identity,omitempty"` // sentences, such as "channel was 15 and is 20"
	Added    []Member   `json:"added,omitempty"`
	Removed  []Member   `json:"removed,omitempty"`
	Renamed  []Renaming `json:"renamed,omitempty"`

	// DevicesWere and DevicesAre count; when Unlisted, one of the two does not tell
	// which devices it has, and nothing is in the lists above.
	DevicesWere int  `json:"devices_were"`
	DevicesAre  int  `json:"devices_are"`
	Unlisted    bool `json:"unlisted,omitempty"`

	CounterWas zigbee.FrameCounter `json:"counter_was"` // of coordinator_backup.json
	CounterIs  zigbee.FrameCounter `json:"counter_is"`
	KeysWere   int                 `json:"keys_were"` // link keys in it
	KeysAre    int                 `json:"keys_are"`

	FilesAdded   []string `json:"files_added,omitempty"`
	FilesRemoved []string `json:"files_removed,omitempty"`
	FilesChanged []string `json:"files_changed,omitempty"` // content or mode

	StickChanged bool `json:"stick_changed,omitempty"` // both have an image, and they differ
}

// A Renaming is a device that goes by another name.
type Renaming struct {
	IEEE zigbee.IEEE `json:"ieee"`
	Was  string      `json:"was"`
	Is   string      `json:"is"`
}

// Compare says what happened between two generations, whichever is the newer.
func Compare(before, after Generation) Difference {
	was, is := before.Summary, after.Summary
	d := Difference{
		Identity:    identity(was, is),
		DevicesWere: was.Devices, DevicesAre: is.Devices, Unlisted: !was.listed() || !is.listed(),
		CounterWas: was.BackupCounter, CounterIs: is.BackupCounter, KeysWere: was.BackupKeys, KeysAre: is.BackupKeys,
		StickChanged: before.StickImage != "" && after.StickImage != "" && before.StickImage != after.StickImage,
	}
	if !d.Unlisted {
		d.Added, d.Removed, d.Renamed = missing(is, was), missing(was, is), renamed(was, is)
	}
	d.FilesAdded, _ = filesOf(after, before)
	d.FilesRemoved, d.FilesChanged = filesOf(before, after)
	return d
}

func renamed(was, is Summary) []Renaming {
	now := is.byAddress()
	var out []Renaming
	for _, m := range was.Members {
		if n, ok := now[m.IEEE]; ok && n.Name != m.Name {
			out = append(out, Renaming{IEEE: m.IEEE, Was: m.Name, Is: n.Name})
		}
	}
	return out
}

// filesOf names the files that only a has, and those that both have and that differ.
func filesOf(a, b Generation) (only, differ []string) {
	for _, f := range a.Files {
		g, ok := b.File(f.Path)
		switch {
		case !ok:
			only = append(only, f.Path)
		case f.SHA256 != g.SHA256 || f.Mode != g.Mode:
			differ = append(differ, f.Path)
		}
	}
	slices.Sort(only)
	slices.Sort(differ)
	return only, differ
}

// Empty says that nothing differs.
func (d Difference) Empty() bool { return len(d.parts()) == 0 }

// Lines tells the difference in plain sentences.
func (d Difference) Lines() []string {
	if lines := d.parts(); len(lines) > 0 {
		return lines
	}
	return []string{"nothing differs"}
}

func (d Difference) String() string { return strings.Join(d.Lines(), "\n") }

func (d Difference) parts() []string {
	out := slices.Clone(d.Identity)
	for _, m := range d.Added {
		out = append(out, "device added: "+m.String())
	}
	for _, m := range d.Removed {
		out = append(out, "device removed: "+m.String())
	}
	for _, r := range d.Renamed {
		out = append(out, fmt.Sprintf("device %v renamed: %s → %s", r.IEEE, orNone(r.Was), orNone(r.Is)))
	}
	if d.Unlisted && d.DevicesWere != d.DevicesAre {
		out = append(out, fmt.Sprintf("%d devices → %d; which ones is not known for the older one", d.DevicesWere, d.DevicesAre))
	}
	out = append(out, d.counters()...)
	for _, f := range []struct {
		what  string
		paths []string
	}{{"files added", d.FilesAdded}, {"files removed", d.FilesRemoved}, {"files changed", d.FilesChanged}} {
		if len(f.paths) > 0 {
			out = append(out, f.what+": "+strings.Join(f.paths, ", "))
		}
	}
	if d.StickChanged {
		out = append(out, "the image of the stick's memory differs")
	}
	return out
}

func (d Difference) counters() []string {
	var out []string
	if d.CounterWas != d.CounterIs {
		out = append(out, fmt.Sprintf("frame counter in coordinator_backup.json: %d → %d", d.CounterWas, d.CounterIs))
	}
	if d.KeysWere != d.KeysAre {
		out = append(out, fmt.Sprintf("link keys in coordinator_backup.json: %d → %d", d.KeysWere, d.KeysAre))
	}
	return out
}

func orNone(name string) string {
	if name == "" {
		return "no name"
	}
	return name
}
