package desk

import (
	"fmt"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/readiness"
)

// standbys are all nodes but the one on record, with what speaks against their taking
// over from a node that is lost. What is wrong with that one is not held against them.
func (s sight) standbys(now time.Time) []decide.Standby {
	var out []decide.Standby
	in := s.input("")
	checks := readiness.Assess(in).Checks
	for _, v := range in.Views {
		if v.Name == s.status.Record.Active {
			continue
		}
		b := decide.Standby{Node: v.Name, Generation: s.status.Generation, Age: s.age(now)}
		b.Warm, _ = readiness.Warm(in, v.Name)
		b.Why = against(v.Name, checks)
		if !b.Warm && !s.loadable(v.Name) {
			b.Why = append(b.Why, "its stick was never loaded with this network; run `z2mha seed` while the active works")
		}
		if b.Generation == 0 {
			b.Why = append(b.Why, "there is no copy of what the network is")
		}
		b.Ready = len(b.Why) == 0
		out = append(out, b)
	}
	return out
}

// against is what the checks of one node say that would stop it, with what to do.
func against(node string, checks []readiness.Check) []string {
	var out []string
	for _, c := range checks {
		if c.Node != node && c.ID != readiness.Distinct || !c.Blocks() {
			continue
		}
		why := c.Evidence
		if c.Fix != "" {
			why = fmt.Sprintf("%s; %s", why, c.Fix)
		}
		out = append(out, flat(why))
	}
	return out
}

// loadable says that there is a memory for a node's stick without the active's.
func (s sight) loadable(node string) bool {
	rec := s.status.Record
	_, holds := s.status.Known.Holds[node]
	return holds || rec.Seed != "" || rec.Sticks[node].Generation != 0
}

// age is how old the newest accepted copy is.
func (s sight) age(now time.Time) time.Duration {
	at := s.status.LastSync
	if c := s.status.Record.Captured; c.After(at) {
		at = c
	}
	if at.IsZero() {
		return 0
	}
	return max(0, now.Sub(at))
}
