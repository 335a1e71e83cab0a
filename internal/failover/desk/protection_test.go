package desk

import (
	"errors"
	"strings"
	"testing"
	"time"

	"z2mha/internal/failover/readiness"
	"z2mha/internal/failover/status"
)

// wellProtected is a network with nothing to complain about; each case changes it.
func wellProtected() situation {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	return situation{
		now: now, looked: now.Add(-10 * time.Second), every: 15 * time.Second,
		active: "attic", speakers: []string{"attic"}, synced: now.Add(-time.Hour),
		checks:     []readiness.Check{{ID: "one-active", OK: true}},
		candidates: []candidate{{node: "cellar"}},
	}
}

func fails(id, node string) readiness.Check {
	return readiness.Check{ID: id, Node: node, Evidence: id + " fails", Fix: "mend " + id}
}

func warns(id, node string) readiness.Check {
	c := fails(id, node)
	c.Warning = true
	return c
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name    string
		given   func(s *situation)
		is      status.Protection
		beneath status.Protection // "" for the same
		why     string            // in the first reason
	}{
		{"is protected when a stand-by is ready", func(s *situation) {}, status.Protected, "", ""},
		{"is not protected before the first look", func(s *situation) { s.looked = time.Time{} }, status.Unprotected, "", "not been looked at"},
		{"is not protected when a look fails", func(s *situation) { s.lookErr = errors.New("disk is gone") }, status.Unprotected, "", "disk is gone"},
		{"bears with two missing looks", func(s *situation) { s.looked = s.now.Add(-44 * time.Second) }, status.Protected, "", ""},
		{"does not believe a look of three intervals ago", func(s *situation) { s.looked = s.now.Add(-46 * time.Second) }, status.Unprotected, "", "46s old"},
		{"waits with that while something is asked for", func(s *situation) { s.looked, s.busy = s.now.Add(-time.Hour), true }, status.Protected, "", ""},

		{"is not protected when nobody is active", func(s *situation) {
			s.active, s.speakers, s.checks = "", nil, []readiness.Check{fails("one-active", "")}
		}, status.Unprotected, "", "one-active fails"},
		{"is not protected when two are active", func(s *situation) {
			s.active, s.speakers, s.checks = "", []string{"attic", "cellar"}, nil
		}, status.Unprotected, "", "attic and cellar"},
		{"is not protected when the stand-by is not ready", func(s *situation) {
			s.candidates[0].failing = []readiness.Check{warns("autostart", "cellar"), fails("stick-answers", "cellar")}
		}, status.Unprotected, "", "stick-answers fails"},
		{"is not protected when Zigbee2MQTT does not answer", func(s *situation) {
			s.checks = append(s.checks, fails("speaks", "attic"))
			s.candidates[0].failing = []readiness.Check{fails("speaks", "attic")}
		}, status.Unprotected, "", "speaks fails"},
		{"is not protected without a stand-by", func(s *situation) { s.candidates = nil }, status.Unprotected, "", "no stand-by"},
		{"is not protected when an open run needs a person", func(s *situation) { s.open, s.openWhy = "r1", "cellar cannot be looked at" }, status.Unprotected, "", "cellar cannot be looked at"},
		{"is not protected when a run was cut off", func(s *situation) { s.open = "r1" }, status.Unprotected, "", "run r1 was cut off"},

		{"is degraded when a check warns", func(s *situation) { s.checks = append(s.checks, warns("autostart", "cellar")) }, status.Degraded, "", "autostart fails"},
		{"is degraded when a further stand-by is not ready", func(s *situation) {
			s.candidates = append(s.candidates, candidate{"shed", []readiness.Check{fails("space", "shed")}})
		}, status.Degraded, "", "space fails"},
		{"is degraded without a copy", func(s *situation) { s.synced = time.Time{} }, status.Degraded, "", "no copy"},
		{"is degraded when the copy is a day old", func(s *situation) { s.synced = s.now.Add(-25 * time.Hour) }, status.Degraded, "", "25 hours"},
		{"asks for no backup of the stick where none is made on schedule", func(s *situation) { s.live = false }, status.Protected, "", ""},
		{"is degraded without a backup of the stick", func(s *situation) { s.live = true }, status.Degraded, "", "no backup of the running stick"},
		{"bears with a backup of some hours ago", func(s *situation) { s.live, s.backedUp = true, s.now.Add(-23*time.Hour) }, status.Protected, "", ""},
		{"is degraded when the backup is a day old", func(s *situation) { s.live, s.backedUp = true, s.now.Add(-26*time.Hour) }, status.Degraded, "", "26 hours"},
		{"is degraded when a capture was refused, and says which to accept", func(s *situation) {
			s.refused, s.refusedWhy = 7, "a capture of attic was refused: devices are gone"
		}, status.Degraded, "", "devices are gone"},
		{"is degraded when the last move is unproven", func(s *situation) { s.unproven = "no device could be asked" }, status.Degraded, "", "no device could be asked"},
		{"is not troubled by an interview", func(s *situation) {
			s.candidates[0].failing = []readiness.Check{fails("interview", "attic")}
		}, status.Protected, "", ""},

		{"acts while a run is under way, whatever else", func(s *situation) {
			s.run, s.busy, s.hold, s.active = "a switchover", true, status.Hold{On: true}, ""
		}, status.Acting, status.Unprotected, "a switchover is being carried out"},
		{"acts until the look after a run", func(s *situation) { s.settling = true }, status.Acting, status.Protected, "being looked at"},
		{"is held, and says by whom", func(s *situation) { s.hold = status.Hold{On: true, By: "Owner"} }, status.Held, status.Protected, "Owner"},
		{"is held although nobody could take over", func(s *situation) { s.hold, s.candidates = status.Hold{On: true}, nil }, status.Held, status.Unprotected, "on hold"},
		{"is held when the hold cannot be read", func(s *situation) { s.holdErr = errors.New("bad disk") }, status.Held, status.Protected, "bad disk"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := wellProtected()
			tt.given(&s)
			v := judge(s)
			if tt.beneath == "" {
				tt.beneath = tt.is
			}
			if v.is != tt.is || v.beneath != tt.beneath {
				t.Errorf("%s, beneath %s; want %s, %s: %v", v.is, v.beneath, tt.is, tt.beneath, v.reasons)
			}
			wantReason(t, v, tt.why)
		})
	}
}

func wantReason(t testing.TB, v verdict, why string) {
	t.Helper()
	switch {
	case why == "" && len(v.reasons) > 0:
		t.Errorf("reasons %v, want none", v.reasons)
	case why != "" && (len(v.reasons) == 0 || !strings.Contains(v.reasons[0].What, why)):
		t.Errorf("reasons %v, want %q first", v.reasons, why)
	}
	for i, r := range v.reasons {
		for _, other := range v.reasons[:i] {
			if r == other {
				t.Errorf("said twice: %v", r)
			}
		}
	}
}
