package wired_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/desk"
	"z2mha/internal/world/wired"
)

// TestSwitchoverAndKill moves a network, and then has it repaired, over SSH, SFTP and MQTT.
func TestSwitchoverAndKill(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w, err := wired.New(dir, true, "attic", "cellar")
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				t.Log(strings.Join(w.Log(), "\n"))
			}
		}()
		w.Begin()
		if !w.Served(5 * time.Minute) {
			t.Fatal("the home is not served before anything has happened")
		}
		if err := w.Ask(desk.Request{Verb: desk.Seed}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if err := w.Ask(desk.Request{Verb: desk.Switchover}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if on := w.OnAir(); len(on) != 1 || on[0] != "cellar" {
			t.Errorf("on air after the switchover: %v", on)
		}
		w.Kill("cellar")
		if !w.Served(2*time.Minute) || w.OnAir()[0] != "cellar" {
			t.Errorf("on air after a process was killed: %v", w.OnAir())
		}
		for _, wrong := range w.Wrong() {
			t.Error(wrong)
		}
	})
}
