package desk

import (
	"time"

	"z2mha/internal/failover/status"
)

// showWatch fills in what is known, decided and remembered of a network.
func (p picture) showWatch(n *status.Network, now time.Time) {
	w := p.watch
	n.Policy = w.policy.Policy
	if w.decision == nil {
		return
	}
	n.Conditions, n.Decision = w.decision.Conditions, w.shown()
	n.Unacknowledged, n.CoolDown = w.unacknowledged(p.past, now)
	if next, ok := w.policy.Rehearsal.Wanted(now, w.rehearsed(now)); ok && len(w.policy.Rehearsal.Cron) > 0 {
		n.Rehearsal = next.At
	}
}
