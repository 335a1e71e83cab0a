package generation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
)

// home is a capture with n devices, all with link keys in the backup.
func home(n int) generation.Generation {
	g := generation.Generation{Number: 7, Files: []generation.File{{Path: "configuration.yaml", Size: 900, SHA256: "c"}}}
	g.Summary = generation.Summary{PanID: "0x1a62", ExtPanID: "0x00000000000000aa", Channel: 15, Coordinator: "0x00124b0000000001",
		KeyFingerprint: "1111aaaa", BackupCounter: 5250}
	for i := range n {
		g.Summary.Members = append(g.Summary.Members, generation.Member{IEEE: device(i), Name: fmt.Sprintf("lamp %d", i), LinkKey: true})
	}
	return count(g)
}

func device(i int) zigbee.IEEE { return zigbee.IEEE(0xa00 + i) }

// count makes the rest of a capture fit its members.
func count(g generation.Generation) generation.Generation {
	n := len(g.Summary.Members)
	g.Summary.Devices, g.Summary.Named, g.Summary.BackupDevices, g.Summary.BackupKeys = n, n, n, n
	g.Files = append(slices.Clip(g.Files[:1]), generation.File{Path: "database.db", Size: int64(150 + 1500*n), SHA256: fmt.Sprint(n)})
	return g
}

// without removes the devices in between.
func without(g generation.Generation, from, to int) generation.Generation {
	g.Summary.Members = slices.Delete(slices.Clone(g.Summary.Members), from, to)
	return count(g)
}

func devices(n int) []zigbee.IEEE {
	var out []zigbee.IEEE
	for i := range n {
		out = append(out, device(i))
	}
	return out
}

// old is a generation from before members were noted.
func old(g generation.Generation) generation.Generation {
	g.Summary.Members, g.Summary.Named, g.Summary.BackupDevices, g.Summary.BackupKeys = nil, 0, 0, 0
	return g
}

func TestJudge(t *testing.T) {
	change := func(f func(*generation.Generation)) generation.Generation {
		g := home(12)
		g.Summary.Members, g.Files = slices.Clone(g.Summary.Members), slices.Clone(g.Files)
		f(&g)
		return g
	}
	var none generation.Generation
	for _, tt := range []struct {
		name   string
		before generation.Generation
		after  generation.Generation
		left   []zigbee.IEEE
		want   string // "" accepts
	}{
		{name: "accepts the same again", before: home(12), after: home(12)},
		{name: "accepts a first capture", before: none, after: home(12)},
		{name: "accepts a first capture of a network without devices", before: none, after: home(0)},
		{name: "accepts new devices and new names", before: home(12), after: change(func(g *generation.Generation) {
			g.Summary.Members[0].Name = "hall"
			g.Summary.Members = append(g.Summary.Members, generation.Member{IEEE: 0xfff})
			*g = count(*g)
		})},
		{name: "accepts ten devices that were removed on purpose", before: home(12), after: without(home(12), 0, 10), left: devices(10)},
		{name: "accepts the removal of the only device", before: home(1), after: without(home(1), 0, 1), left: devices(1)},
		{name: "accepts an emptied database that a person took", before: without(home(12), 0, 12), after: without(home(12), 0, 12)},
		{name: "accepts a counter that grew", before: home(12), after: change(func(g *generation.Generation) { g.Summary.BackupCounter = 9000 })},
		{name: "accepts what an older generation does not tell", before: old(home(12)), after: home(12)},

		{name: "refuses a database emptied after a failed start", before: home(12), after: without(home(12), 0, 12),
			want: "database.db holds no device (there were 12): a start on another stick empties it"},
		{name: "refuses it when an older generation only counts", before: old(home(12)), after: without(home(12), 0, 12), want: "there were 12"},
		{name: "refuses it as a first capture when names are left", before: none, after: change(func(g *generation.Generation) {
			g.Summary.Members, g.Summary.Devices, g.Summary.BackupKeys = nil, 0, 0
		}), want: "database.db holds no device (configuration.yaml names 12)"},
		{name: "refuses it as a first capture when link keys are left", before: none, after: change(func(g *generation.Generation) {
			g.Summary.Members, g.Summary.Devices, g.Summary.Named = nil, 0, 0
		}), want: "coordinator_backup.json has the link keys of 12"},
		{name: "refuses it as a first capture when Zigbee2MQTT's own copy is larger", before: none, after: change(func(g *generation.Generation) {
			*g = without(*g, 0, 12)
			g.Files = append(g.Files, generation.File{Path: "database.db.backup", Size: 18000})
		}), want: "database.db.backup is larger"},
		{name: "names the one device that vanished", before: home(12), after: without(home(12), 3, 4),
			want: "lamp 3 (0x0000000000000a03) went from database.db and was not seen to leave"},
		{name: "names a few and counts the rest", before: home(12), after: without(home(12), 0, 10),
			want: "lamp 0 (0x0000000000000a00), lamp 1 (0x0000000000000a01), lamp 2 (0x0000000000000a02) and 7 more went from database.db and were not seen to leave"},
		{name: "names only those without a leave", before: home(12), after: without(home(12), 0, 11), left: devices(10),
			want: "lamp 10 (0x0000000000000a0a) went"},
		{name: "takes a leave of a stranger for none", before: home(12), after: without(home(12), 0, 1), left: []zigbee.IEEE{0xbbb},
			want: "lamp 0 (0x0000000000000a00) went"},
		{name: "counts where an older generation does not list", before: old(home(12)), after: without(home(12), 0, 2), left: devices(1),
			want: "10 of 12 devices are left, and 1 were seen to leave"},
		{name: "refuses another channel", before: home(12), after: change(func(g *generation.Generation) { g.Summary.Channel = 20 }),
			want: "channel was 15 and is 20"},
		{name: "refuses another stick put in by hand", before: home(12), after: change(func(g *generation.Generation) { g.Summary.Coordinator = "0x00124b0000000002" }),
			want: "coordinator address was 0x00124b0000000001 and is 0x00124b0000000002"},
		{name: "refuses another PAN", before: home(12), after: change(func(g *generation.Generation) { g.Summary.PanID = "0x1a63" }), want: "PAN id was 0x1a62 and is 0x1a63"},
		{name: "refuses another extended PAN", before: home(12), after: change(func(g *generation.Generation) { g.Summary.ExtPanID = "0x00000000000000ab" }), want: "extended PAN id was"},
		{name: "refuses another key", before: home(12), after: change(func(g *generation.Generation) { g.Summary.KeyFingerprint = "2222bbbb" }), want: "network key was 1111aaaa and is 2222bbbb"},
		{name: "refuses a counter that fell", before: home(12), after: change(func(g *generation.Generation) { g.Summary.BackupCounter = 1250 }),
			want: "the frame counter in coordinator_backup.json fell from 5250 to 1250"},
		{name: "refuses entries that lost what they held", before: home(12), after: change(func(g *generation.Generation) { g.Files[1].Size = 2000 }),
			want: "database.db shrank from 18150 to 2000 bytes although no device is gone"},
		{name: "refuses a backup of the stick that lost devices", before: home(12), after: change(func(g *generation.Generation) {
			for i := range 5 {
				g.Summary.Members[i].LinkKey = false
			}
		}), want: "coordinator_backup.json no longer has the link keys of lamp 0 (0x0000000000000a00), lamp 1 (0x0000000000000a01), lamp 2 (0x0000000000000a02) and 2 more"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := generation.Judge(tt.before, tt.after, tt.left)
			if tt.want == "" && got != nil {
				t.Errorf("refused: %q", got)
			}
			if tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}

// Whatever devices leave: when each was seen to, the capture is taken; when one was
// not, it is refused and that one is named, unless so many are that names run out.
func TestJudgeOfLeavings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(t, "devices")
		before := home(n)
		stays := rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "stays")
		after := before
		after.Summary.Members = nil
		var left []zigbee.IEEE
		for i, m := range before.Summary.Members {
			if stays[i] {
				after.Summary.Members = append(after.Summary.Members, m)
			} else {
				left = append(left, m.IEEE)
			}
		}
		after = count(after)
		if got := generation.Judge(before, after, left); got != nil {
			t.Fatalf("refused although all were seen to leave: %q", got)
		}
		if len(left) == 0 {
			return
		}
		unseen := rapid.IntRange(0, len(left)-1).Draw(t, "unseen")
		got := strings.Join(generation.Judge(before, after, slices.Delete(slices.Clone(left), unseen, unseen+1)), "\n")
		if got == "" || after.Summary.Devices > 0 && !strings.Contains(got, left[unseen].String()) {
			t.Fatalf("%v vanished, and the guards say %q", left[unseen], got)
		}
	})
}

func TestCompare(t *testing.T) {
	before, after := home(3), without(home(3), 0, 1)
	after.Summary.Members[0].Name = "hall"
	after.Summary.Members[1].Name = ""
	after.Summary.Members = append(after.Summary.Members, generation.Member{IEEE: 0xfff, Name: "plug"})
	after.Summary.Devices, after.Summary.BackupCounter, after.Summary.BackupKeys, after.Summary.Channel = 3, 6250, 2, 20
	after.Files = []generation.File{{Path: "database.db", SHA256: "new"}, {Path: "state.json", SHA256: "s"}}
	before.StickImage, after.StickImage = "one", "two"
	want := `channel was 15 and is 20
device added: plug (0x0000000000000fff)
device removed: lamp 0 (0x0000000000000a00)
device 0x0000000000000a01 renamed: lamp 1 → hall
device 0x0000000000000a02 renamed: lamp 2 → no name
frame counter in coordinator_backup.json: 5250 → 6250
link keys in coordinator_backup.json: 3 → 2
files added: state.json
files removed: configuration.yaml
files changed: database.db
the image of the stick's memory differs`
	if got := generation.Compare(before, after).String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := generation.Compare(old(before), old(without(home(3), 0, 1))).String(); !strings.Contains(got, "3 devices → 2; which ones is not known") {
		t.Errorf("older generations: %s", got)
	}
	if d := generation.Compare(before, before); !d.Empty() || d.String() != "nothing differs" {
		t.Errorf("the same: %s", d)
	}
}

// What is added in one direction is removed in the other.
func TestCompareIsEven(t *testing.T) {
	members := rapid.Custom(func(t *rapid.T) generation.Generation {
		g := home(0)
		for i := range 12 {
			if rapid.Bool().Draw(t, "there") {
				g.Summary.Members = append(g.Summary.Members, generation.Member{IEEE: device(i), Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")})
			}
		}
		return count(g)
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := members.Draw(t, "a"), members.Draw(t, "b")
		there, back := generation.Compare(a, b), generation.Compare(b, a)
		if !slices.Equal(there.Added, back.Removed) || !slices.Equal(there.Removed, back.Added) || len(there.Renamed) != len(back.Renamed) {
			t.Fatalf("there %v\nback %v", there, back)
		}
		if a.Summary.Devices+len(there.Added)-len(there.Removed) != b.Summary.Devices {
			t.Fatalf("%d devices, %d added, %d removed, %d in the end", a.Summary.Devices, len(there.Added), len(there.Removed), b.Summary.Devices)
		}
	})
}
