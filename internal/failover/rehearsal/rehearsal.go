// Package rehearsal says when a network is moved for practice: the nights that a person
// named by cron expressions, in the home's time zone, less the times in which it must
// not be. It is pure: the same plan and the same times give the same nights.
//
// A cron expression speaks of what a clock on the wall shows, and that clock is set twice
// a year. A time that the wall clock skips is taken as the first minute after it, one that
// it shows twice as the first of the two, so each wanted night comes once. Whatever is
// written, two nights are never closer than Apart.
//
// What it does not know: whether a rehearsal was made. Whoever carries one out passes the
// last one that is dealt with, made or not.
package rehearsal

import (
	"time"

	"github.com/adhocore/gronx"
)

// Apart is the least time between two rehearsals. A day on which the clock is set forward
// has 23 hours.
const Apart = 20 * time.Hour

// Grace is how long after its time a rehearsal may still begin.
const Grace = 30 * time.Minute

// A Plan says when rehearsals are wanted. The zero Plan wants none.
type Plan struct {
	Cron     []Cron
	Zone     *time.Location // nil means UTC
	Blackout []Window
}

// A Night is one time at which a rehearsal is to be made.
type Night struct {
	At time.Time // in the zone of the plan
	// Blackout is the window that it falls into: then it is skipped; "" when in none.
	Blackout string
}

// Next is the first night after a time that is not too close to last, the one that was
// dealt with last; false when there is none.
func (p Plan) Next(after, last time.Time) (Night, bool) {
	if least := last.Add(Apart - time.Nanosecond); !last.IsZero() && least.After(after) {
		after = least
	}
	var first time.Time
	for _, c := range p.Cron {
		if at, ok := c.next(after, p.zone()); ok && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if first.IsZero() {
		return Night{}, false
	}
	return Night{At: first, Blackout: p.blackout(first)}, true
}

// Wanted is Next without the nights that fall into a blackout; false when there is none
// among the next hundred.
func (p Plan) Wanted(after, last time.Time) (Night, bool) {
	for range 100 {
		n, ok := p.Next(after, last)
		if !ok || n.Blackout == "" {
			return n, ok
		}
		after = n.At
	}
	return Night{}, false
}

// Late says that a rehearsal of that time begins no more.
func Late(at, now time.Time) bool { return now.After(at.Add(Grace)) }

func (p Plan) zone() *time.Location {
	if p.Zone == nil {
		return time.UTC
	}
	return p.Zone
}

func (p Plan) blackout(at time.Time) string {
	for _, w := range p.Blackout {
		if w.covers(at) {
			return w.String()
		}
	}
	return ""
}

// next is the first time after one at which the wall clock of a zone comes to c. Wall
// times are kept as if they were of UTC, which skips and repeats none.
func (c Cron) next(after time.Time, zone *time.Location) (time.Time, bool) {
	wall := wallOf(after, zone)
	for range 10 { // times that come twice lie behind us when we are in their second hour
		next, err := gronx.NextTickAfter(string(c), wall, false)
		if err != nil {
			return time.Time{}, false
		}
		if at := first(next, zone); at.After(after) {
			return at, true
		}
		wall = next
	}
	return time.Time{}, false
}

func wallOf(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// first is when the wall clock shows a time first, or jumps over it.
func first(wall time.Time, zone *time.Location) time.Time {
	const around = 15 * time.Hour // more than the largest offset
	var out, gap time.Time
	for _, near := range []time.Time{wall.Add(-around), wall.Add(around)} {
		_, offset := near.In(zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if wallOf(at, zone).Equal(wall) && (out.IsZero() || at.Before(out)) {
			out = at
		}
		if gap.IsZero() || at.Before(gap) {
			gap = at
		}
	}
	if !out.IsZero() {
		return out
	}
	if _, end := gap.ZoneBounds(); !end.IsZero() {
		return end.In(zone) // the clock was set forward over it at that moment
	}
	return gap
}
