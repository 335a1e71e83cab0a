package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/backup"
	"z2mha/internal/storage/durable"
)

// restore unpacks a packed state: the same files in a new directory.
func restore(t testing.TB, d backup.Dir) backup.Dir {
	t.Helper()
	to := filepath.Join(t.TempDir(), "state")
	must(t, os.CopyFS(to, os.DirFS(d.State)))
	return backup.Dir{State: to}
}

func TestRestored(t *testing.T) {
	for _, tt := range []struct {
		name   string
		make   func(*testing.T) backup.Dir
		want   bool
		marked bool
	}{
		{name: "is not so before the first start", make: func(t *testing.T) backup.Dir { return backup.Dir{State: t.TempDir()} }},
		{name: "is not so after an ordinary start", make: func(t *testing.T) backup.Dir { return newState(t) }},
		{name: "is not so when only done never ran", marked: true, make: func(t *testing.T) backup.Dir {
			d := newState(t)
			must(t, d.Prepare(noon, "0.2.0", "attic"))
			needBirth(t, d)
			return d
		}},
		{name: "is so for what was packed between prepare and done", want: true, marked: true, make: func(t *testing.T) backup.Dir {
			d := newState(t)
			must(t, d.Prepare(noon, "0.2.0", "attic"))
			return restore(t, d)
		}},
		{name: "is so for what was packed while nothing ran", want: true, make: func(t *testing.T) backup.Dir {
			return restore(t, newState(t))
		}},
		{name: "is so for a marker in a state that was never cleared", want: true, marked: true, make: func(t *testing.T) backup.Dir {
			d := newState(t)
			must(t, d.Prepare(noon, "0.2.0", "attic"))
			d = restore(t, d)
			must(t, os.Remove(filepath.Join(d.State, "place.json")))
			return d
		}},
		{name: "is so for a marker that was cut short", want: true, make: func(t *testing.T) backup.Dir {
			d := newState(t)
			write(t, d, "backed-up.json", `{"at":"2026`)
			return d
		}},
		{name: "is not so after it was cleared", make: func(t *testing.T) backup.Dir {
			d := newState(t)
			must(t, d.Prepare(noon, "0.2.0", "attic"))
			d = restore(t, d)
			must(t, d.Clear())
			return d
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, m, err := tt.make(t).Restored()
			must(t, err)
			if got != tt.want || m.At.IsZero() == tt.marked {
				t.Errorf("restored %v, marker %+v", got, m)
			}
		})
	}
}

// needBirth skips where a marker of ours cannot be told from one that was restored.
func needBirth(t *testing.T, d backup.Dir) {
	t.Helper()
	_, m, err := d.Restored()
	must(t, err)
	if m.Place.Born.IsZero() {
		t.Skip("the file system of the temporary directory knows no time of birth")
	}
}

// What was packed beside the copy may be of different minutes: the copy wins.
func TestAdopt(t *testing.T) {
	d := newState(t)
	whole := tree(t, d.State)
	must(t, d.Prepare(noon, "0.2.0", "attic"))
	mix(t, d)
	got := restore(t, d)
	must(t, got.Adopt())
	must(t, got.Adopt()) // as after a crash
	must(t, got.Clear())
	whole["later.json"] = "made while it was packed"
	if diff := cmp.Diff(whole, tree(t, got.State)); diff != "" {
		t.Errorf("adopted (-want +got):\n%s", diff)
	}
}

func mix(t testing.TB, d backup.Dir) {
	t.Helper()
	write(t, d, "records/home.json", `{"netw`)
	must(t, os.RemoveAll(filepath.Join(d.State, "runs")))
	must(t, os.RemoveAll(filepath.Join(d.State, "shelf", "blobs")))
	write(t, d, "later.json", "made while it was packed")
}

func TestAdoptLeavesTheOriginalAlone(t *testing.T) {
	d := newState(t)
	must(t, d.Prepare(noon, "0.2.0", "attic"))
	write(t, d, "records/home.json", "newer than the copy")
	must(t, d.Adopt())
	if got := tree(t, d.State)["records/home.json"]; got != "newer than the copy" {
		t.Errorf("the older copy was taken: %q", got)
	}
	must(t, d.Clear())
	if _, err := os.Stat(filepath.Join(d.State, "backup", "copy")); err == nil {
		t.Error("the copy was left behind")
	}
}

// Whatever operation a crash comes at, the next start still knows that the state was
// restored, until everything is in place.
func TestAdoptCrashes(t *testing.T) {
	d := newState(t)
	whole := tree(t, d.State)
	must(t, d.Prepare(noon, "0.2.0", "attic"))
	mix(t, d)
	whole["later.json"] = "made while it was packed"
	for n := 1; ; n++ {
		got := restore(t, d)
		crashing := backup.Dir{State: got.State, Disk: durable.Disk{Fault: durable.CrashAt(n)}}
		err := crashing.Adopt()
		if err == nil {
			err = crashing.Clear()
		}
		restored, _, stateErr := got.Restored()
		must(t, stateErr)
		if err != nil && !restored {
			if diff := cmp.Diff(whole, tree(t, got.State), ignoreCopies); diff != "" {
				t.Fatalf("crash at operation %d: forgotten too early (-want +got):\n%s", n, diff)
			}
		}
		must(t, errors.Join(got.Adopt(), got.Clear()))
		if diff := cmp.Diff(whole, tree(t, got.State)); diff != "" {
			t.Fatalf("crash at operation %d (-want +got):\n%s", n, diff)
		}
		if err == nil {
			return
		}
	}
}

// ignoreCopies leaves out what the next start sweeps.
var ignoreCopies = cmp.FilterPath(func(p cmp.Path) bool {
	step, ok := p.Last().(cmp.MapIndex)
	return ok && (strings.HasPrefix(step.Key().String(), "backup/") || strings.HasPrefix(step.Key().String(), "backed-up"))
}, cmp.Ignore())

// A restored state that was not started yet keeps its evidence, whatever hook runs.
func TestHooksOnARestoredState(t *testing.T) {
	d := newState(t)
	must(t, d.Prepare(noon, "0.2.0", "attic"))
	got := restore(t, d)
	before := tree(t, got.State)
	must(t, errors.Join(got.Done(), got.Prepare(noon.AddDate(0, 0, 1), "0.3.0", "cellar"), got.Done()))
	if diff := cmp.Diff(before, tree(t, got.State)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	restored, m, err := restore(t, got).Restored() // a backup of the backup
	must(t, err)
	if !restored || !m.At.Equal(noon) {
		t.Errorf("restored %v, marker %+v", restored, m)
	}
}
