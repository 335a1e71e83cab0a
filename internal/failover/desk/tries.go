package desk

import (
	"errors"
	"fmt"
	"slices"
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

// patience is how often a failover is refused before it counts as tried: what the engine
// refuses because of a broker or host that is away for a moment costs nothing but time.
const patience = 3

// An unfenced node could not be silenced.
type unfenced struct {
	decide.Failed
	lost bool // it could not be looked at then
}

// concludeOwn takes in how a job of the controller's own has ended, and returns whether its
// refusal is worth telling: the same one is told once. d.mu is held.
func (d *Desk) concludeOwn(f *dossier, j *job, ended engine.Ended, err error) (tell bool) {
	w := &f.watch
	if err == nil && ended.Err == nil && ended.Outcome == plan.Completed {
		w.succeeded(j.decision)
		return false
	}
	cause := errors.Join(err, ended.Err)
	if cause == nil {
		cause = errors.New("it did not work")
	}
	now, was := time.Now(), w.tries[keyOf(*j.decision)]
	t := try{n: was.n + 1, why: flat(cause.Error())}
	t.until = now.Add(pauseAfter(t.n))
	if w.tries == nil {
		w.tries = map[string]try{}
	}
	w.tries[keyOf(*j.decision)] = t
	u, unconfirmed := errors.AsType[*engine.UnconfirmedError](cause)
	switch {
	case unconfirmed:
		w.couldNotFence(u, f.lost(u.Node), now)
	case j.started || j.request.Verb != Failover || t.n >= patience:
		w.cameToNothing(*j.decision, cause, now)
	}
	return was.why != t.why
}

func (w *watch) succeeded(dec *decide.Decision) {
	delete(w.tries, keyOf(*dec))
	w.tried = slices.DeleteFunc(slices.Clone(w.tried), func(t decide.Tried) bool { return t.Action == dec.Action })
	if dec.Action == decide.Failover || dec.Action == decide.Silence {
		w.fences = nil
	}
}

// couldNotFence notes that a node could not be silenced.
func (w *watch) couldNotFence(u *engine.UnconfirmedError, lost bool, now time.Time) {
	if w.fences == nil {
		w.fences = map[string]unfenced{}
	}
	w.fences[u.Node] = unfenced{decide.Failed{At: now, Why: u.Why}, lost}
}

// maxTried is how much is remembered of what came to nothing.
const maxTried = 20

// cameToNothing notes that what was decided was of no use.
func (w *watch) cameToNothing(dec decide.Decision, err error, now time.Time) {
	node := dec.Node
	if dec.To != "" && dec.Action != decide.Silence && dec.Action != decide.Return {
		node = dec.To
	}
	w.tried = append(slices.Clone(w.tried), decide.Tried{Action: dec.Action, Node: node, At: now, Why: flat(err.Error())})
	if n := len(w.tried); n > maxTried {
		w.tried = w.tried[n-maxTried:]
	}
}

// lost says that the last look at a node did not work.
func (f *dossier) lost(node string) bool {
	return slices.ContainsFunc(f.sight.status.Nodes, func(n engine.NodeStatus) bool { return n.Name == node && n.Err != nil })
}

// fencesFailed are the nodes that could not be silenced. One that can be asked again may be
// silenced that way.
func (f *dossier) fencesFailed() map[string]decide.Failed {
	out := map[string]decide.Failed{}
	for node, x := range f.watch.fences {
		if !x.lost || f.lost(node) {
			out[node] = x.Failed
		}
	}
	return out
}

// stoppedOnPurpose is who has stopped the active, "" when nobody has.
func (f *dossier) stoppedOnPurpose() string {
	r := f.past.stopped
	if r == nil || r.Plan.From != f.sight.status.Record.Active {
		return ""
	}
	by := r.By
	if by == "" {
		by = "a person"
	}
	return fmt.Sprintf("by %s on %s", by, r.Ended.Local().Format(time.DateTime))
}

// notStopped forgets a stop of a node that somebody has started by hand since.
func (f *dossier) notStopped() {
	if r := f.past.stopped; r != nil && slices.Contains(f.sight.speakers(), r.Plan.From) {
		f.past.stopped = nil
	}
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
