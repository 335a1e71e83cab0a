package desk

import (
	"slices"

	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/failover/status"
)

// input is what the last look is judged by, with the sticks' earlier answers in it.
func (s sight) input(to string) readiness.Input {
	views := slices.Clone(s.status.Views)
	for i, v := range views {
		if r, ok := s.sticks[v.Name]; ok && v.Stick == nil && v.StickErr == nil {
			views[i].Stick, views[i].StickErr, views[i].StickAt = r.state, r.err, r.at
		}
	}
	return readiness.Input{Network: s.status.Network, To: to, Views: views, Bridge: s.status.Bridge,
		Recorded: s.status.Record.Active, Unfinished: s.status.Unfinished, Now: s.at, Known: s.status.Known}
}

// coverage is which failures the home survives, by the last look.
func (s sight) coverage() []coverage.Line { return s.judge("").coverage }

// holdings are what is on record of a node's stick and data.
func (s sight) holdings(n *status.Node) {
	rec := s.status.Record
	n.Stick, n.Ledger, n.Staged = rec.Sticks[n.Name], rec.Ledgers[n.Name], rec.Staged[n.Name]
}
