package desk

import (
	"slices"
	"time"

	"z2mha/internal/failover/status"
)

// errandPatience is how old an errand may be: later nobody expects it any more.
const errandPatience = 2 * time.Minute

// errands are the verbs that a person may ask for on the command line beside a server.
var errands = []Verb{Failover, Start, Repair, Return}

// errand takes out what was asked for on the command line, and makes it a job; nil when
// there is none, or it is refused. It is gone from the disk before anything is done, so it
// is done once at most.
func (d *Desk) errand(f *dossier) *job {
	d.readNotes(f)
	d.mu.Lock()
	waits := f.watch.notes.Errand != nil
	d.mu.Unlock()
	if !waits || d.parts.Notes == nil {
		return nil
	}
	var e *status.Errand
	err := d.changeNotes(f, func(n *status.Notes) { e, n.Errand = n.Errand, nil })
	if err != nil {
		d.parts.Log.Error("an errand cannot be taken out, so it is not done", "network", f.name, "error", err)
		return nil
	}
	if e == nil {
		return nil
	}
	r := Request{Network: f.name, Verb: Verb(e.Verb), From: e.From, To: e.To, By: oneLine(e.By), Confirmed: oneLine(e.Confirmed), DespiteHold: e.DespiteHold, Cause: status.CauseManual}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.mayRun(f, r, time.Since(e.At)); err != nil {
		_ = d.refuseLocked(f, r, err) // told; nobody waits for it
		return nil
	}
	j := newJob(r)
	d.take(f, j)
	return j
}

// mayRun is what is against an errand of that age. d.mu is held.
func (d *Desk) mayRun(f *dossier, r Request, age time.Duration) error {
	switch {
	case !slices.Contains(errands, r.Verb):
		return newJob(r).refusal("that cannot be asked for beside a server", "ask on the page")
	case age > errandPatience || age < -errandPatience:
		return newJob(r).refusal("it was asked for too long ago", "ask again")
	}
	return d.mayBegin(f, r)
}
