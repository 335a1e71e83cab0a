package memory_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/memory"
)

var _ engine.Memory = (*memory.Memory)(nil)

func TestRecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	m := memory.New(dir, durable.Disk{})
	empty, err := m.Load("home")
	if err != nil || empty.Network != "home" || empty.Active != "" {
		t.Fatalf("nothing remembered: %+v, %v", empty, err)
	}
	want := network.Record{
		Network: "home", Active: "attic",
		Since:  time.Date(2026, 3, 4, 3, 31, 0, 0, time.UTC),
		Silent: map[string]time.Time{"cellar": time.Date(2026, 3, 4, 3, 30, 0, 0, time.UTC)},
	}
	if err := m.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := memory.New(dir, durable.Disk{}).Load("home")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("record (-want +got):\n%s", d)
	}

	full := memory.New(dir, durable.Disk{Fault: durable.FailOn(durable.OpWrite, syscall.ENOSPC)})
	if err := full.Save(network.Record{Network: "home"}); err == nil {
		t.Error("full disk: no error")
	}
	if got, err := m.Load("home"); err != nil || got.Active != "attic" {
		t.Errorf("after a full disk: %+v, %v", got, err)
	}
}

func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	m := memory.New(dir, durable.Disk{})
	for name, content := range map[string]string{"torn": `{"netw`, "foreign": `{"network":"home"}`} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Load(name); err == nil || !strings.Contains(err.Error(), name+".json") {
			t.Errorf("%s: %v, want an error that names the file", name, err)
		}
	}
	if err := m.Save(network.Record{Network: "../x"}); err == nil {
		t.Error("a name that leads elsewhere was accepted")
	}
}
