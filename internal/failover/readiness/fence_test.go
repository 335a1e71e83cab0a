package readiness_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
)

// runs is a home whose attic is active.
func runs() readiness.Input {
	p := []network.Process{{PID: 7, Command: "node"}}
	attic := &network.Observation{Node: "attic", TTY: "/dev/attic", TTYPresent: true, TTYHolders: p, DataHolders: p, HostID: "attic"}
	cellar := &network.Observation{Node: "cellar", TTY: "/dev/cellar", TTYPresent: true, HostID: "cellar"}
	return readiness.Input{Network: "home", Now: time.Now(), Views: []readiness.View{{Name: "attic", Observed: attic}, {Name: "cellar", Observed: cellar}}}
}

func TestFence(t *testing.T) {
	for _, tt := range []struct {
		name  string
		given readiness.Fencing
		is    string // "", good, note or warning
		says  string
	}{
		{"is not asked for where a person acts anyway", readiness.Fencing{}, "", ""},
		{"is missing", readiness.Fencing{Automatic: true}, "warning", "the network waits for a person"},
		{"is missing, though another node has one", readiness.Fencing{Automatic: true, Fences: map[string][]string{"cellar": {"a plug"}}}, "warning", "waits for a person"},
		{"is there", readiness.Fencing{Automatic: true, Fences: map[string][]string{"attic": {"a plug", "a relay"}}}, "good", "a plug, a relay"},
		{"is accepted to be a person", readiness.Fencing{Automatic: true, ByPerson: map[string]bool{"attic": true}}, "note", "that was accepted"},
		{"is not waited for", readiness.Fencing{Automatic: true, AcceptRisk: true, Fences: map[string][]string{"attic": {"a plug"}}}, "note", "two coordinators may speak at once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := runs()
			in.Fencing = tt.given
			checks := readiness.Assess(in).Checks
			i := slices.IndexFunc(checks, func(c readiness.Check) bool { return c.ID == "fence" })
			is, says := "", ""
			if i >= 0 {
				c := checks[i]
				is, says = "warning", c.Evidence
				switch {
				case c.OK:
					is = "good"
				case c.Blocks():
					is = "blocks"
				case c.Note:
					is = "note"
				}
				if !c.OK && c.Fix == "" || c.Node != "attic" {
					t.Errorf("%+v", c)
				}
			}
			if is != tt.is || !strings.Contains(says, tt.says) {
				t.Errorf("%s: %q", is, says)
			}
		})
	}
}

func TestStickThatWasTakenOffUSB(t *testing.T) {
	in := runs()
	in.Views[1].Observed.TTYPresent = false
	in.Record.Fenced = map[string]network.Fenced{"cellar": {Rung: network.ByUnplug, By: "USB device 1-2"}}
	for _, c := range readiness.Assess(in).Checks {
		if c.ID == "stick-present" && c.Node == "cellar" && (!strings.Contains(c.Evidence, "USB device 1-2") || !strings.Contains(c.Fix, "pull it and plug it in again")) {
			t.Errorf("%+v", c)
		}
	}
}
