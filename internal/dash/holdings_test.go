package dash

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/failover/status"
	"z2mha/web"
)

func TestCoverage(t *testing.T) {
	n := status.Network{Coverage: []coverage.Line{
		{Failure: coverage.Process, Survives: coverage.ByHand, Why: "cellar is ready", Fix: "run it"},
		{Failure: coverage.HomeAssistant, Survives: coverage.Yes, Why: "it goes on"},
		{Failure: coverage.Broker, Survives: coverage.No, Why: "nobody hears"},
	}}
	want := []web.Cover{
		{State: web.LightWarn, What: "Zigbee2MQTT crashes", Answer: "By hand", Why: "Cellar is ready. Run it."},
		{State: web.LightGood, What: "Home Assistant's host dies", Answer: "Yes", Why: "It goes on."},
		{State: web.LightBad, What: "The broker dies", Answer: "No", Why: "Nobody hears."},
	}
	if diff := cmp.Diff(want, networkOf(n, noon).Covers); diff != "" {
		t.Error(diff)
	}
}

func TestChecksShowTheirAgeWhenItIsNotThatOfTheLook(t *testing.T) {
	old := noon.Add(-4 * time.Minute)
	n := status.Network{At: noon, Checks: []readiness.Check{
		{What: "new", OK: true, At: noon.Add(-time.Second)}, {What: "old", OK: true, At: old}, {What: "ageless", OK: true},
		{What: "cold", Warning: true, Note: true, At: old}, {What: "warns", Warning: true},
	}}
	want := []web.Check{
		{State: web.LightWarn, What: "Warns"}, {State: web.LightUnknown, What: "Cold", At: old},
		{State: web.LightGood, What: "New"}, {State: web.LightGood, What: "Old", At: old}, {State: web.LightGood, What: "Ageless"},
	}
	if diff := cmp.Diff(want, networkOf(n, noon).Checks); diff != "" {
		t.Error(diff)
	}
}

func TestHoldings(t *testing.T) {
	if got := holdings(status.Node{}); got != nil {
		t.Errorf("of a node of which nothing is known: %+v", got)
	}
	x := status.Node{
		Stick:  network.StickRecord{Image: "abc", Generation: 14, Reserved: 123456, Verified: noon, Trouble: "it refused item 3"},
		Staged: network.StagedRecord{Generation: 15, At: noon},
		Ledger: network.StickLedger{Since: noon, Loads: 1, Items: 412, Bytes: 18_400, Boots: 3},
	}
	want := []web.Fact{
		{Label: "On its stick", Text: "copy number 14", At: noon}, {Label: "Frame counter on it", Text: "123456"},
		{Label: "Not kept current", Text: "it refused item 3"}, {Label: "Data beside it", Text: "copy number 15", At: noon},
		{Label: "Written to the stick", Text: "412 items in 1 load"}, {Label: "Bytes written", Text: "18 kB"},
		{Label: "Times it was booted", Text: "3"}, {Label: "Counted since", At: noon},
	}
	if diff := cmp.Diff(want, nodeOf(status.Network{}, x).More); diff != "" {
		t.Error(diff)
	}
	if got := holdings(status.Node{Stick: network.StickRecord{Image: "abc"}}); len(got) != 1 || got[0].Text != "this network" {
		t.Errorf("of a stick that was read and not loaded: %+v", got)
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 9_999: "9999 B", 18_400: "18 kB", 25_000_000: "25 MB"} {
		if got := sizeOf(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
