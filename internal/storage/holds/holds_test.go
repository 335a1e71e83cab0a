package holds_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/holds"
)

func TestHold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "holds")
	h := holds.New(dir, durable.Disk{})
	if got, err := h.Load("home"); err != nil || got.On {
		t.Fatalf("nobody ever held it: %+v, %v", got, err)
	}
	want := status.Hold{On: true, Since: time.Date(2026, 3, 4, 3, 31, 0, 0, time.UTC), By: `Owner <"page">`}
	if err := h.Save("home", want); err != nil {
		t.Fatal(err)
	}
	other := holds.New(dir, durable.Disk{}) // another program
	got, err := other.Load("home")
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v, hold (-want +got):\n%s", err, d)
	}
	if said, err := other.Held("home"); err != nil || !strings.Contains(said, "home is on hold since 2026-03-04") || !strings.Contains(said, "Owner") {
		t.Errorf("held: %q, %v", said, err)
	}
	if err := other.Save("home", status.Hold{}); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Load("home"); err != nil || got != (status.Hold{}) {
		t.Errorf("after the release: %+v, %v", got, err)
	}
	if said, err := h.Held("home"); err != nil || said != "" {
		t.Errorf("after the release: %q, %v", said, err)
	}
}

func TestFullDiskKeepsTheHold(t *testing.T) {
	dir := t.TempDir()
	if err := holds.New(dir, durable.Disk{}).Save("home", status.Hold{On: true, By: "Owner"}); err != nil {
		t.Fatal(err)
	}
	full := holds.New(dir, durable.Disk{Fault: durable.FailOn(durable.OpWrite, syscall.ENOSPC)})
	if err := full.Save("home", status.Hold{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("full disk: %v", err)
	}
	if got, err := full.Load("home"); err != nil || !got.On {
		t.Errorf("after a full disk: %+v, %v", got, err)
	}
}

func TestDamagedHold(t *testing.T) {
	dir := t.TempDir()
	h := holds.New(dir, durable.Disk{})
	if err := os.WriteFile(filepath.Join(dir, "home.json"), []byte(`{"on":tr`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Load("home"); err == nil || !strings.Contains(err.Error(), "home.json") {
		t.Errorf("got %v, want an error that names the file", err)
	}
	if err := h.Save("home", status.Hold{}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Load("home"); err != nil {
		t.Error(err)
	}
}

func TestNameThatLeadsElsewhere(t *testing.T) {
	h := holds.New(t.TempDir(), durable.Disk{})
	_, err := h.Load("../x")
	if err == nil || h.Save("../x", status.Hold{}) == nil {
		t.Error("a name that leads elsewhere was accepted")
	}
}
