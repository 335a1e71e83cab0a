package shelf_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/shelf"
)

// later opens a shelf two hours from now, when what tests stored is fresh no more.
func later(t testing.TB, dir string, disk durable.Disk) *shelf.Shelf {
	t.Helper()
	s, err := shelf.Open(dir, shelf.Options{Disk: disk, Now: func() time.Time { return time.Now().Add(2 * time.Hour) }})
	must(t, err)
	return s
}

func nothingInUse(string) (shelf.Use, error) { return shelf.Use{}, nil }

// fill stores five generations of one network, one of another, a stick's images and a
// content that nothing names.
func fill(t testing.TB, dir string) {
	t.Helper()
	s := open(t, dir, durable.Disk{})
	for i := range 5 {
		g := whole(t, s, fmt.Sprint("state ", i))
		g.Files = append(g.Files, generation.File{Path: "same.js", SHA256: put(t, s, "same"), Size: 4})
		g.At = noon.Add(time.Duration(i) * time.Hour)
		add(t, s, g)
	}
	other := whole(t, s, "other")
	other.Network = "barn"
	add(t, s, other)
	for i := range 3 {
		_, err := s.KeepImage("home", "attic", []byte(fmt.Sprint("image ", i)))
		must(t, err)
	}
	put(t, s, "orphan")
}

func numbersOf(t testing.TB, s *shelf.Shelf, net string) []int {
	t.Helper()
	all, err := s.List(net)
	must(t, err)
	var out []int
	for _, g := range all {
		out = append(out, g.Number)
	}
	return out
}

// wantWhole checks that everything that is named is there.
func wantWhole(t testing.TB, s *shelf.Shelf) {
	t.Helper()
	for _, net := range []string{"home", "barn"} {
		all, err := s.List(net)
		must(t, err)
		for _, g := range all {
			for _, f := range g.Files {
				read(t, s, f.SHA256)
			}
		}
	}
	images, err := s.Images("home", "attic")
	must(t, err)
	for _, i := range images {
		read(t, s, i.SHA256)
	}
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	s := later(t, dir, durable.Disk{})
	rule := shelf.Retention{Count: 2}
	would, err := s.Surplus("home", rule, nothingInUse)
	must(t, err)
	before := files(t, dir)
	got, err := s.Prune("home", rule, nothingInUse)
	must(t, err)
	if diff := cmp.Diff(would, got); diff != "" {
		t.Errorf("said before and done (-said +done):\n%s", diff)
	}
	after := files(t, dir)
	// Of each of three generations: its file and three contents; then one image and the orphan.
	if want := 3*4 + 2; len(before)-len(after) != want-1 { // the latch is new
		t.Errorf("%d files were, %d are", len(before), len(after))
	}
	if len(got.Generations) != 3 || got.Images != 1 || got.Blobs != 3*3+2 || got.Bytes < 3*300 || len(got.Damaged) != 0 {
		t.Errorf("removed %+v", got)
	}
	if n := numbersOf(t, s, "home"); len(n) != 2 || n[1] != 5 {
		t.Errorf("left: %v", n)
	}
	if n := numbersOf(t, s, "barn"); len(n) != 1 {
		t.Errorf("of another network: %v", n)
	}
	if s.Has(hashOf("orphan")) || !s.Has(hashOf("same")) || s.Has(hashOf("image 0")) {
		t.Error("the wrong contents are left")
	}
	wantWhole(t, s)
	again, err := s.Prune("home", rule, nothingInUse)
	must(t, err)
	if diff := cmp.Diff(shelf.Pruned{Network: "home"}, again); diff != "" {
		t.Errorf("a second time:\n%s", diff)
	}
	if next := add(t, s, whole(t, s, "next")); next.Number != 6 {
		t.Errorf("next number %d", next.Number)
	}
}

func TestPruneKeepsWhatIsInUse(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	s := later(t, dir, durable.Disk{})
	_, err := s.Pin("home", 2)
	must(t, err)
	_, err = s.Prune("home", shelf.Retention{Count: 1}, func(net string) (shelf.Use, error) {
		if net == "home" {
			return shelf.Use{Generations: []int{3}, Blobs: []string{hashOf("orphan")}}, nil
		}
		return shelf.Use{}, nil
	})
	must(t, err)
	if n := numbersOf(t, s, "home"); !slices.Equal(n, []int{2, 3, 5}) {
		t.Errorf("left: %v", n)
	}
	if !s.Has(hashOf("orphan")) {
		t.Error("an image that is on a stick is gone")
	}
	wantWhole(t, s)
}

func TestPruneLeavesFreshContentsAlone(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	s := open(t, dir, durable.Disk{})
	got, err := s.Prune("home", shelf.Retention{Count: 1}, nothingInUse)
	must(t, err)
	if len(got.Generations) != 4 || got.Blobs != 0 || !s.Has(hashOf("orphan")) {
		t.Errorf("removed %+v", got)
	}
}

// A content that somebody has just asked for is about to be named.
func TestPruneLeavesAskedForContentsAlone(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	s := later(t, dir, durable.Disk{})
	if !s.Has(hashOf("orphan")) {
		t.Fatal("it is not there")
	}
	_, err := s.Prune("home", shelf.Retention{Count: 1}, nothingInUse)
	must(t, err)
	if !s.Has(hashOf("orphan")) {
		t.Error("it is gone")
	}
}

func TestPruneBesideDamage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage string // file
		change func([]byte) []byte
	}{
		{"a generation", "home/000003.json", func(b []byte) []byte { return bytes.Replace(b, []byte("database.db"), []byte("database.bd"), 1) }},
		{"a generation of another network", "barn/000001.json", func([]byte) []byte { return nil }},
		{"a list of stick images", "home/sticks/attic.jsonl", func(b []byte) []byte { return append([]byte("{\n"), b...) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir)
			path := filepath.Join(dir, tt.damage)
			b, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, tt.change(b), 0o600))
			damaged, err := os.ReadFile(path)
			must(t, err)
			s := later(t, dir, durable.Disk{})
			got, err := s.Prune("home", shelf.Retention{Count: 1}, nothingInUse)
			must(t, err)
			if diff := cmp.Diff([]string{path}, got.Damaged); diff != "" || got.Blobs != 0 || !s.Has(hashOf("orphan")) || len(got.Generations) < 3 {
				t.Errorf("removed %+v", got)
			}
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, damaged) {
				t.Errorf("the damaged file was changed: %v", err)
			}
		})
	}
}

func TestPruneRefuses(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	s := later(t, dir, durable.Disk{})
	before := files(t, dir)
	unknown := errors.New("the record cannot be read")
	if _, err := s.Prune("home", shelf.Retention{Count: 1}, func(string) (shelf.Use, error) { return shelf.Use{}, unknown }); !errors.Is(err, unknown) {
		t.Errorf("it is not known what is in use: %v", err)
	}
	backup, err := durable.WaitLatch(filepath.Join(dir, shelf.PruneLatch), true)
	must(t, err)
	_, err = s.Prune("home", shelf.Retention{Count: 1}, nothingInUse)
	if refused, ok := errors.AsType[*network.RefusedError](err); !ok || !strings.Contains(refused.Error(), "backup") {
		t.Errorf("while a backup is made: %v", err)
	}
	must(t, backup.Release())
	if after := files(t, dir); len(after) != len(before)+1 {
		t.Errorf("something was removed: %d files were, %d are", len(before), len(after))
	}
}

// Whatever operation a crash comes at, what is named is there, the newest usable
// generation above all, and the next tidying ends what this one began.
func TestPruneCrashes(t *testing.T) {
	full := t.TempDir()
	fill(t, full)
	want := -1
	for n := 1; ; n++ {
		dir := t.TempDir()
		must(t, os.CopyFS(dir, os.DirFS(full)))
		_, err := later(t, dir, durable.Disk{Fault: durable.CrashAt(n)}).Prune("home", shelf.Retention{Count: 2}, nothingInUse)
		s := later(t, dir, durable.Disk{})
		wantWhole(t, s)
		if g, latestErr := s.Latest("home"); latestErr != nil || g.Number != 5 {
			t.Fatalf("crash at operation %d: latest %d, %v", n, g.Number, latestErr)
		}
		_, againErr := s.Prune("home", shelf.Retention{Count: 2}, nothingInUse)
		must(t, againErr)
		if left := len(files(t, dir)); want < 0 {
			want = left
		} else if left != want {
			t.Errorf("crash at operation %d: %d files are left in the end, not %d", n, left, want)
		}
		if err == nil {
			return
		}
	}
}

// Two programs store, mark and tidy at a time; no generation loses a content.
func TestPruneBesideCaptures(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s := later(t, dir, durable.Disk{})
		for i := range 15 {
			g := whole(t, s, fmt.Sprint("captured ", i%3))
			g.At = noon.Add(time.Duration(10+i) * time.Hour)
			if _, err := s.Add(g); err != nil {
				t.Errorf("capture %d: %v", i, err)
			}
		}
	}()
	tidy, err := shelf.Open(dir, shelf.Options{Beside: true, Now: func() time.Time { return time.Now().Add(2 * time.Hour) }})
	must(t, err)
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if _, err := tidy.Prune("home", shelf.Retention{Count: 3}, nothingInUse); err != nil {
			t.Error(err)
		}
	}
	wantWhole(t, tidy)
	if n := numbersOf(t, tidy, "home"); n[len(n)-1] != 20 {
		t.Errorf("numbers %v", n)
	}
}
