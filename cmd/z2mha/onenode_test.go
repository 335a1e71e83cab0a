package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/holds"
)

// A second hold does not make one out of the first that an automation could release.
func TestHoldOnHold(t *testing.T) {
	dir := t.TempDir()
	h := holds.New(dir, durable.Disk{})
	if err := hold(h, "home", true); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Load("home"); err != nil || !got.On || got.Person {
		t.Errorf("held: %+v, %v", got, err)
	}
	was := status.Hold{On: true, Person: true, Since: time.Unix(1, 0).UTC(), By: "z2mha"}
	if err := h.Save("home", was); err != nil {
		t.Fatal(err)
	}
	if err := hold(h, "home", true); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Load("home"); err != nil || got != was {
		t.Errorf("held again: %+v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "home.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, on := range []bool{true, false} {
		if err := hold(h, "home", on); err != nil {
			t.Fatal(err)
		}
		if got, err := h.Load("home"); err != nil || got.On != on {
			t.Errorf("mended: %+v, %v", got, err)
		}
	}
}
