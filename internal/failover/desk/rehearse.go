package desk

import (
	"fmt"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/rehearsal"
	"z2mha/internal/failover/status"
)

// A Policy is how a network is looked after, and when it is moved for practice.
type Policy struct {
	decide.Policy
	Rehearsal rehearsal.Plan
}

// plan keeps the time of the next rehearsal, and deals with one that is over: what was not
// begun in time is skipped and told. It belongs to the goroutine that attends.
func (d *Desk) plan(f *dossier, now time.Time) {
	d.mu.Lock()
	w := &f.watch
	if len(w.policy.Rehearsal.Cron) == 0 || w.notesErr != nil {
		w.due = time.Time{}
		d.mu.Unlock()
		return
	}
	if next := (&watch{policy: w.policy, notes: w.notes}); w.due.IsZero() || w.due.After(now) {
		next.schedule(now)
		if w.due.IsZero() || next.due.Before(w.due) && !next.due.IsZero() { // the clock was set back
			w.due, w.blackout = next.due, next.blackout
		}
	}
	if w.due.After(now) {
		f.nextLook = earlier(f.nextLook, w.due)
	}
	skipped, why := w.overdue(f, now)
	d.mu.Unlock()
	if !skipped.IsZero() {
		_ = d.dealtWith(f, skipped, why) // logged; it is behind us in any case
	}
}

// A rehearsal that went by without us is told for as long as catchUp; of several the newest.
const catchUp = 8 * 24 * time.Hour

// schedule sets the next wanted time. The first one ever lies ahead of us; later ones
// follow the last that was dealt with, so that one which came while we were off is known.
func (w *watch) schedule(now time.Time) {
	last := w.rehearsed(now)
	after := last
	if after.IsZero() {
		after = now
	} else if long := now.Add(-catchUp); after.Before(long) {
		after = long
	}
	n, ok := w.policy.Rehearsal.Next(after, last)
	for ok && rehearsal.Late(n.At, now) {
		next, more := w.policy.Rehearsal.Next(n.At, n.At)
		if !more || !rehearsal.Late(next.At, now) {
			break
		}
		n = next
	}
	if !ok {
		w.due, w.blackout = time.Time{}, ""
		return
	}
	w.due, w.blackout = n.At, n.Blackout
}

// rehearsed is when a rehearsal was dealt with last. More than a day ahead of our clock it was
// noted by one that was far off, and would keep us from the next ones until then.
func (w watch) rehearsed(now time.Time) time.Time {
	if at := w.notes.Rehearsed; !at.After(now.Add(24 * time.Hour)) {
		return at
	}
	return time.Time{}
}

// overdue says that the rehearsal which was due is skipped, and why; the zero time when it
// is not.
func (w *watch) overdue(f *dossier, now time.Time) (at time.Time, why string) {
	switch {
	case w.due.IsZero() || now.Before(w.due):
		return time.Time{}, ""
	case w.blackout != "":
		return w.due, "it is not wanted then (" + w.blackout + ")"
	case rehearsal.Late(w.due, now):
		return w.due, f.whyLate()
	}
	return time.Time{}, ""
}

// whyLate is why nothing came of a rehearsal within its time.
func (f *dossier) whyLate() string {
	w := f.watch
	switch {
	case w.at.Before(w.due):
		return "the controller did not run then"
	case f.hold.On || f.holdErr != nil:
		return "the network is on hold"
	case w.decision == nil:
		return "the network could not be looked at"
	}
	for _, x := range w.decision.Not {
		if x.Action == decide.Rehearse {
			return x.Why
		}
	}
	return first(w.decision.Reasons)
}

// beginRehearsal puts it on disk that a rehearsal was dealt with before it is begun: one
// that is cut off is not made again in the same night. It returns nil when that cannot be.
func (d *Desk) beginRehearsal(f *dossier, j *job) *job {
	d.mu.Lock()
	due := f.watch.due
	d.mu.Unlock()
	if err := d.dealtWith(f, due, ""); err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		f.job, f.doing = nil, ""
		return nil
	}
	return j
}

// dealtWith puts a rehearsal behind us, made or not. why is what spoke against it, "" when
// it was begun. It belongs to the goroutine that attends.
func (d *Desk) dealtWith(f *dossier, at time.Time, why string) error {
	err := d.changeNotes(f, func(n *status.Notes) { n.Rehearsed = at })
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.parts.Log.Error("that a rehearsal was dealt with cannot be stored", "network", f.name, "error", err)
	}
	f.watch.notes.Rehearsed = at
	f.watch.schedule(time.Now())
	if why != "" {
		d.tell(f, status.Event{Type: status.EventRehearsalSkipped, Cause: status.CauseScheduled, By: status.ByController,
			Text: sentence(fmt.Sprintf("the rehearsal of %s was skipped: %s", at.Format("Mon 2 Jan, 15:04"), why))})
	}
	return err
}

// rehearsal names the one that is due now, "" when none is.
func (f *dossier) rehearsal(now time.Time) string {
	w := f.watch
	if w.due.IsZero() || now.Before(w.due) || w.blackout != "" || rehearsal.Late(w.due, now) {
		return ""
	}
	return w.due.Format("Mon 2 Jan, 15:04")
}
