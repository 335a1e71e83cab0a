package decide_test

import (
	"testing"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
)

func TestACrashIsRepairedInPlace(t *testing.T) {
	now := time.Date(2026, 3, 4, 3, 0, 0, 0, time.UTC)
	in := decide.Input{Policy: decide.DefaultPolicy, Standbys: []decide.Standby{{Node: "cellar", Ready: true, Warm: true, Generation: 3}}}
	tick := func(d time.Duration) decide.Decision {
		n := now.Add(d)
		in.Health = health.Input{Now: n, Recorded: "attic", Broker: health.Broker{Connected: true}, Bridge: health.Bridge{At: now, Asked: now},
			Nodes: []health.Node{
				{Name: "attic", Looked: n, Seen: &network.Observation{At: n, TTYPresent: true, TTY: "/dev/ttyA"}},
				{Name: "cellar", Looked: n, Silent: now, Seen: &network.Observation{At: n, TTYPresent: true, TTY: "/dev/ttyA"}},
			}}
		out := decide.Decide(in)
		in.Memory = out.Memory
		t.Log(d, out.Action, out.Reasons, out.Memory)
		return out
	}
	tick(0)
	if got := tick(5 * time.Second); got.Action != decide.Repair {
		t.Errorf("got %v", got)
	}
}
