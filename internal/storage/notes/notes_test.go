package notes_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/notes"
)

func TestNotes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "notes")
	n := notes.New(dir, durable.Disk{})
	if got, err := n.Load("home"); err != nil || !cmp.Equal(got, status.Notes{}) {
		t.Fatalf("nothing was noted: %+v, %v", got, err)
	}
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	want := status.Notes{Acknowledged: noon, By: "Owner", Rehearsed: noon.Add(time.Hour), Forgot: noon.Add(time.Minute),
		Errand: &status.Errand{At: noon, By: "Owner", Verb: "failover", To: "cellar", Confirmed: "unplugged"}}
	if err := n.Save("home", want); err != nil {
		t.Fatal(err)
	}
	got, err := notes.New(dir, durable.Disk{}).Load("home") // another program
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if other, err := n.Load("annex"); err != nil || !cmp.Equal(other, status.Notes{}) {
		t.Errorf("another network: %+v, %v", other, err)
	}
}

func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "home.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := notes.New(dir, durable.Disk{}).Load("home"); err == nil || !strings.Contains(err.Error(), "home.json is damaged") {
		t.Errorf("got %v", err)
	}
	if err := notes.New(dir, durable.Disk{}).Save("../home", status.Notes{}); err == nil {
		t.Error("a name led out of the directory")
	}
}

// Two programs that note at the same time lose nothing of one another.
func TestChangeByTwoPrograms(t *testing.T) {
	dir := t.TempDir()
	var both sync.WaitGroup
	const times = 50
	one, other := notes.New(dir, durable.Disk{}), notes.New(dir, durable.Disk{})
	count := func(n *notes.Notes, change func(*status.Notes)) {
		for range times {
			if err := n.Change("home", change); err != nil {
				t.Error(err)
			}
		}
	}
	zero := time.Unix(0, 0).UTC()
	later := func(at *time.Time) {
		if at.IsZero() {
			*at = zero
		}
		*at = at.Add(time.Second)
	}
	both.Go(func() { count(one, func(n *status.Notes) { later(&n.Acknowledged) }) })
	both.Go(func() { count(other, func(n *status.Notes) { later(&n.Rehearsed) }) })
	both.Wait()
	got, err := one.Load("home")
	if want := zero.Add(times * time.Second); err != nil || !got.Acknowledged.Equal(want) || !got.Rehearsed.Equal(want) {
		t.Errorf("%+v, %v", got, err)
	}
}
