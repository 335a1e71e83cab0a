package shelf_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/shelf"
)

// whole is a generation that Zigbee2MQTT could start from.
func whole(t testing.TB, s *shelf.Shelf, content string, refused ...string) generation.Generation {
	t.Helper()
	g := generation.Generation{Network: "home", Source: "attic", At: noon, Refused: refused}
	for _, path := range []string{"configuration.yaml", "coordinator_backup.json", "database.db"} {
		g.Files = append(g.Files, generation.File{Path: path, SHA256: put(t, s, content+path), Size: int64(len(content + path)), Mode: 0o600})
	}
	return g
}

func TestRefusedIsKeptAndPassedOver(t *testing.T) {
	s := open(t, t.TempDir(), durable.Disk{})
	add(t, s, whole(t, s, "bad", "channel was 15 and is 20"))
	if _, err := s.Latest("home"); !errors.Is(err, generation.ErrNone) {
		t.Errorf("latest of a network with a refused capture only: %v", err)
	}
	add(t, s, whole(t, s, "good"))
	add(t, s, whole(t, s, "bad again", "channel was 15 and is 20"))
	latest, err := s.Latest("home")
	must(t, err)
	newest, err := s.Newest("home")
	must(t, err)
	if latest.Number != 2 || newest.Number != 3 || newest.Usable() {
		t.Errorf("latest %d, newest %d", latest.Number, newest.Number)
	}
}

func TestAccept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, durable.Disk{})
	add(t, s, whole(t, s, "older", "no"))
	add(t, s, whole(t, s, "good"))
	add(t, s, whole(t, s, "new", "no"))
	image := whole(t, s, "image", "imported by hand")
	image.Files = nil
	add(t, s, image)
	for _, tt := range []struct {
		name string
		n    int
		want string
	}{
		{"what was not refused", 2, "was not refused"},
		{"what is older than the newest usable one", 1, "generation 2 is newer and good"},
		{"what Zigbee2MQTT could not start from", 4, "no whole data directory"},
	} {
		_, err := s.Accept("home", tt.n, "anna")
		if refused, ok := errors.AsType[*network.RefusedError](err); !ok || !strings.Contains(refused.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := s.Accept("home", 9, "anna"); !errors.Is(err, generation.ErrNone) {
		t.Errorf("what is not there: %v", err)
	}
	got, err := s.Accept("home", 3, "anna")
	must(t, err)
	latest, err := open(t, dir, durable.Disk{}).Latest("home")
	must(t, err)
	if !got.Usable() || latest.Number != 3 || latest.Accepted.By != "anna" || !latest.Accepted.At.Equal(noon) || len(latest.Refused) != 1 {
		t.Errorf("accepted %+v, latest %+v", got, latest)
	}
	if _, err := s.Accept("home", 3, "bert"); err == nil || !strings.Contains(err.Error(), "by anna") {
		t.Errorf("accepted twice: %v", err)
	}
}

func TestPin(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, durable.Disk{})
	add(t, s, whole(t, s, "good"))
	for _, on := range []bool{true, false} {
		mark := s.Pin
		if !on {
			mark = s.Unpin
		}
		_, err := mark("home", 1)
		must(t, err)
		g, err := open(t, dir, durable.Disk{}).Get("home", 1)
		must(t, err)
		if g.Pinned != on {
			t.Errorf("pinned is %t", g.Pinned)
		}
	}
}

// Whatever operation a crash comes at, the generation is as it was or accepted.
func TestAcceptCrashes(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		s := open(t, dir, durable.Disk{})
		add(t, s, whole(t, s, "new", "no"))
		path := filepath.Join(dir, "home", "000001.json")
		before, err := os.ReadFile(path)
		must(t, err)
		_, err = open(t, dir, durable.Disk{Fault: durable.CrashAt(n)}).Accept("home", 1, "anna")
		after, readErr := os.ReadFile(path)
		must(t, readErr)
		g, getErr := open(t, dir, durable.Disk{}).Get("home", 1)
		must(t, getErr)
		if !bytes.Equal(before, after) && g.Accepted == nil {
			t.Errorf("crash at operation %d left half a mark", n)
		}
		if err == nil {
			if g.Accepted == nil {
				t.Error("accepted, and it does not show")
			}
			return
		}
	}
}

// A second program does not sweep away what the first is writing.
func TestBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, durable.Disk{})
	half, err := durable.Disk{}.Create(filepath.Join(dir, "blobs", "x"), 0o600)
	must(t, err)
	defer half.Abort()
	_, err = shelf.Open(dir, shelf.Options{Beside: true})
	must(t, err)
	must(t, half.Commit())
}
