package console_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"z2mha/internal/console"
	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/readiness"
)

func TestChecksTellAgeAndFix(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	var b bytes.Buffer
	console.Checks(&b, readiness.Assessment{Active: "attic", At: now, Checks: []readiness.Check{
		{What: "it holds", Node: "cellar", OK: true, Evidence: "seen", At: ago(time.Second)},
		{What: "it is old", OK: true, Evidence: "seen", At: ago(90 * time.Second)},
		{What: "it is older", OK: true, Evidence: "seen", At: ago(4 * time.Minute)},
		{What: "it is oldest", OK: true, Evidence: "seen", At: ago(7 * time.Hour)},
		{What: "it is from last week", OK: true, Evidence: "seen", At: ago(7 * 24 * time.Hour)},
		{What: "it has no age", Warning: true, Evidence: "seen", Fix: "mend it"},
		{What: "it is cold", Warning: true, Note: true, Evidence: "seen", Fix: "warm it"},
	}})
	const want = `  ✓ cellar: it holds (seen, just now)
  ✓ network: it is old (seen, 90 s ago)
  ✓ network: it is older (seen, 4 min ago)
  ✓ network: it is oldest (seen, 7 h ago)
  ✓ network: it is from last week (seen, 7 days ago)
  ! network: it has no age (seen)
      → mend it
  · network: it is cold (seen)
      → warm it

ready: the network can move away from attic
`
	if b.String() != want {
		t.Errorf("printed\n%s", b.String())
	}
}

func TestNetworksTellWhatIsSurvived(t *testing.T) {
	var b bytes.Buffer
	console.Networks(&b, []engine.Status{{Network: "home", Active: "attic",
		Checks: []readiness.Check{{What: "it is cold", Warning: true, Note: true, Evidence: "seen"}},
		Coverage: []coverage.Line{
			{Failure: coverage.Stick, Survives: coverage.ByHand, Why: "cellar is ready", Fix: "run it"},
			{Failure: coverage.HomeAssistant, Survives: coverage.Yes, Why: "it goes on", Fix: "no need"},
		}}})
	const want = `home: attic is active
  would Zigbee survive it?
    The stick breaks           by hand  cellar is ready
                                        → run it
    Home Assistant's host dies yes      it goes on
`
	if b.String() != want {
		t.Errorf("printed\n%s", b.String())
	}
	b.Reset()
	console.Networks(&b, []engine.Status{{Network: "home"}})
	if strings.Contains(b.String(), "survive") {
		t.Errorf("printed %q", b.String())
	}
}
