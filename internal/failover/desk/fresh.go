package desk

import (
	"fmt"
	"time"

	"z2mha/internal/failover/readiness"
)

// staleAfter is how many intervals may pass before a copy is called stale.
const staleAfter = 3

const checkFresh = "fresh"

// fresh is the check that the copies are as young as they should be. It warns and does
// not lower the protection by itself; a copy of a day ago does. false when nothing is
// captured on schedule, or nothing was captured yet.
func (p picture) fresh(now time.Time) (readiness.Check, bool) {
	rec := p.sight.status.Record
	if !p.rule.On() || rec.Captured.IsZero() {
		return readiness.Check{}, false
	}
	c := readiness.Check{ID: checkFresh, Node: p.sight.status.Active, What: "The copies are young enough", OK: true, Evidence: "the data was captured " + ago(now, rec.Captured)}
	if !rec.BackedUp.IsZero() {
		c.Evidence += ", the stick backed up " + ago(now, rec.BackedUp)
	}
	data, stick := now.Sub(rec.Captured) > staleAfter*p.rule.Files, now.Sub(rec.BackedUp) > staleAfter*p.rule.Backup
	if !data && !stick {
		return c, true
	}
	c.OK, c.Warning, c.Fix = false, true, "it is tried again and again; sync now to see what is wrong"
	c.Evidence = "stale: " + c.Evidence
	if p.missed != "" {
		c.Evidence += "; the last try: " + flat(p.missed)
	}
	return c, true
}

func ago(now, then time.Time) string {
	d := max(0, now.Sub(then))
	switch {
	case d < time.Minute:
		return "within the last minute"
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min ago", d.Minutes())
	}
	return fmt.Sprintf("%.0f hours ago", d.Hours())
}
