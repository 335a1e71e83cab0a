package desk

import (
	"errors"
	"maps"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

// A try is something that was decided and could not be done.
type try struct {
	n     int
	until time.Time // it is not tried again before
	why   string
}

// tryPauses is how long after a try the same thing is not tried again.
var tryPauses = []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}

func pauseAfter(n int) time.Duration { return tryPauses[min(n, len(tryPauses))-1] }

// fenceMemory is how long it is remembered that a node could not be silenced. Longer than
// the longest pause: until it is tried again, a person is asked.
const fenceMemory = 11 * time.Minute

// concludeOwn takes in how a job of the controller's own has ended, and returns whether its
// refusal is worth telling: the same one is told once. d.mu is held.
func (d *Desk) concludeOwn(f *dossier, j *job, ended engine.Ended, err error) (tell bool) {
	now, w := time.Now(), &f.watch
	if err == nil && ended.Err == nil && ended.Outcome == plan.Completed {
		delete(w.tries, j.decided)
		if j.request.Verb == Failover || j.request.Verb == Silence {
			w.fences = nil
		}
		return false
	}
	cause := errors.Join(err, ended.Err)
	if cause == nil {
		cause = errors.New("it did not work")
	}
	was := w.tries[j.decided]
	t := try{n: was.n + 1, why: flat(cause.Error())}
	t.until = now.Add(pauseAfter(t.n))
	if w.tries == nil {
		w.tries = map[string]try{}
	}
	w.tries[j.decided] = t
	if u, ok := errors.AsType[*engine.UnconfirmedError](cause); ok {
		if w.fences == nil {
			w.fences = map[string]decide.Failed{}
		}
		w.fences[u.Node] = decide.Failed{At: now, Why: u.Why}
	}
	return was.why != t.why
}

// fencesFailed are the nodes that could not be silenced, not too long ago.
func (f *dossier) fencesFailed(now time.Time) map[string]decide.Failed {
	out := maps.Clone(f.watch.fences)
	maps.DeleteFunc(out, func(node string, x decide.Failed) bool { return now.Sub(x.At) > fenceMemory })
	return out
}

// settled forgets what could not be done once nothing is wrong any more.
func (w *watch) settled(dec decide.Decision) {
	if dec.Action == decide.Nothing && !troubled(dec.Conditions) {
		w.tries, w.fences = nil, nil
	}
}

// refuseOwn tells why what was decided was not begun; the home is as it was. d.mu is held.
func (d *Desk) refuseOwn(f *dossier, j *job, err error) error {
	refused := asRefused(j.request, err)
	d.parts.Log.Info("what was decided was not begun", "network", f.name, "verb", j.request.Verb, "to", j.request.To, "why", refused.Why)
	ev := status.Event{Type: status.EventRefused, Text: sentence(refused.What + ": " + refused.Why), Fix: refused.Remedy, To: j.request.To,
		By: j.request.By, Cause: j.request.Cause}
	if j.request.Cause == status.CauseScheduled {
		ev.Type, ev.Text = status.EventRehearsalSkipped, sentence("there was no rehearsal: "+refused.Why)
	}
	d.tell(f, ev)
	return refused
}
