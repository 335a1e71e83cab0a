package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

// askPatience is how long Ask waits to see whether a request is refused. The engine
// looks at every host first.
const askPatience = 30 * time.Second

// A job is a request on its way, or a run of an earlier start that is taken up.
type job struct {
	request  Request
	recovers bool   // nothing was asked for: an earlier run is settled
	earlier  string // run that was open when it was asked, "" when none

	decision *decide.Decision // of the controller itself, nil for what was asked for
	risk     string           // the policy's AcceptRisk, for what was decided

	begun   chan struct{} // closed when its own run has begun
	over    chan struct{} // closed at the end
	started bool          // begun is closed; guarded by Desk.mu
	run     string        // its own, once it has begun; guarded by Desk.mu
	err     error         // why nothing was begun; set before over is closed
}

func newJob(r Request) *job {
	return &job{request: r, begun: make(chan struct{}), over: make(chan struct{})}
}

// begin takes note of its run; "" for what needs none. Desk.mu is held.
func (j *job) begin(run string) {
	if j.run == "" {
		j.run = run
	}
	if !j.started {
		j.started = true
		close(j.begun)
	}
}

func (j *job) end(err error) {
	j.err = err
	close(j.over)
}

// doing names what is being carried out.
func (j *job) doing() string {
	switch r := j.request; {
	case j.recovers:
		return "the recovery of a run that was cut off"
	case r.Cause == status.CauseScheduled:
		return "a rehearsal, the move to " + r.To
	case (r.Verb == Switchover || r.Verb == Failover) && r.To != "":
		return fmt.Sprintf("a %s to %s", r.Verb, r.To)
	case r.Verb == Seed:
		return "the restart that makes the stand-bys ready"
	case r.Verb == Return:
		return fmt.Sprintf("the return of %s as a stand-by", r.To)
	case r.Verb == Silence:
		return "the silencing of " + r.To
	case r.Verb == Accept:
		return fmt.Sprintf("what follows from accepting copy %d", r.Generation)
	case r.Verb == Restore:
		return fmt.Sprintf("a return to copy %d", r.Generation)
	case r.To == "":
		return "a " + string(r.Verb)
	default:
		return fmt.Sprintf("a %s of %s", r.Verb, r.To)
	}
}

func (j *job) refusal(why, remedy string) *network.RefusedError {
	return &network.RefusedError{What: string(j.request.Verb), Why: why, Remedy: remedy}
}

// Ask begins r. It returns when the run was begun or refused, or after half a minute,
// while it is still being looked at: then the run id is "". When ctx ends first, the
// request goes on, and the error is that of ctx.
func (d *Desk) Ask(ctx context.Context, r Request) (run string, err error) {
	r.By, r.Confirmed, r.Cause = oneLine(r.By), oneLine(r.Confirmed), status.CauseManual
	f, err := d.find(&r)
	switch {
	case err == nil && (r.Verb == Hold || r.Verb == Release):
		return "", d.hold(f, r)
	case err == nil && r.Verb == Acknowledge && !r.Unattended:
		return "", d.acknowledge(f, r)
	}
	if err == nil {
		d.readHold(f)
	}
	d.mu.Lock()
	if err == nil {
		err = d.mayBegin(f, r)
	}
	if err != nil {
		defer d.mu.Unlock()
		return "", d.refuseLocked(f, r, err)
	}
	j := newJob(r)
	d.take(f, j)
	f.jobs <- j // never waits: there was no other
	f.putOff()
	d.mu.Unlock()
	return d.await(ctx, j)
}

func (d *Desk) await(ctx context.Context, j *job) (string, error) {
	t := time.NewTimer(askPatience)
	defer t.Stop()
	select {
	case <-j.begun:
	case <-j.over:
		if j.err != nil {
			return "", j.err
		}
	case <-t.C:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return j.run, nil
}

// find resolves the network and completes r; the dossier is nil when there is none.
func (d *Desk) find(r *Request) (*dossier, error) {
	if r.Network == "" && len(d.order) == 1 {
		r.Network = d.order[0]
	}
	if f, ok := d.files[r.Network]; ok {
		return f, d.known(f, r)
	}
	r.Network = oneLine(r.Network)
	what := fmt.Sprintf("network %q", r.Network)
	if r.Network == "" {
		what = "no network named"
	}
	return nil, &network.RefusedError{What: what, Why: "the configuration has " + strings.Join(d.order, ", "), Remedy: "name one of them"}
}

// known refuses verbs and nodes that nobody knows.
func (d *Desk) known(f *dossier, r *Request) error {
	if !slices.Contains(verbs, r.Verb) {
		r.Verb = Verb(oneLine(string(r.Verb)))
		return &network.RefusedError{What: fmt.Sprintf("%q", r.Verb), Why: "nobody knows how to do that",
			Remedy: fmt.Sprintf("ask for one of %s", strings.Trim(fmt.Sprint(verbs), "[]"))}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for _, n := range f.nodes {
		names = append(names, n.Name)
	}
	if r.To == "" || len(names) == 0 || slices.Contains(names, r.To) {
		return nil
	}
	r.To = oneLine(r.To)
	return &network.RefusedError{What: fmt.Sprintf("node %q", r.To), Why: fmt.Sprintf("network %s has the nodes %s", f.name, strings.Join(names, ", ")),
		Remedy: "name one of them"}
}

// mayBegin is what the desk itself has against r. d.mu is held.
func (d *Desk) mayBegin(f *dossier, r Request) error {
	refuse := func(why, remedy string) error {
		return &network.RefusedError{What: string(r.Verb), Why: why, Remedy: remedy}
	}
	switch {
	case r.Unattended && r.Verb.personal():
		return refuse("only a person who has looked may ask for that", "use the page of z2mha, or the command line")
	case !d.open:
		return refuse("the controller is still starting", "ask again in a moment")
	case f.closed:
		return refuse("the controller is stopping", "ask again when it runs")
	case r.DespiteHold && r.Verb != Start:
		return refuse("on hold nothing but a start can be asked for", "release the hold first")
	case r.DespiteHold && r.Unattended:
		return refuse("only a person who has looked may ask for that", "use the page of z2mha, or the command line")
	case broken.IgnoresHold && f.job == nil:
	case f.holdErr != nil && !r.DespiteHold:
		return refuse("whether the network is on hold cannot be read, so it counts as held: "+f.holdErr.Error(), "release the hold first")
	case f.hold.On && !r.DespiteHold:
		return refuse("network "+f.name+" is on hold", "release the hold first")
	case f.job != nil:
		return refuse(f.doing+" is being carried out on this network", "wait until it has ended")
	}
	return nil
}

// take makes j what is being done. d.mu is held.
func (d *Desk) take(f *dossier, j *job) {
	f.job, f.doing, j.earlier = j, j.doing(), f.past.unfinished
	d.touch()
}

// refuseLocked tells a refusal and returns it. f is nil when there is no such
// network: that is told and not kept. d.mu is held.
func (d *Desk) refuseLocked(f *dossier, r Request, err error) error {
	refused := asRefused(r, err)
	ev := status.Event{Type: status.EventRefused, Text: sentence(refused.What + ": " + refused.Why), Fix: refused.Remedy, To: r.To, By: r.By}
	if f == nil {
		ev.At, ev.Network = time.Now(), r.Network
		d.news.add(ev, false)
		return refused
	}
	d.parts.Log.Info("a request was refused", "network", f.name, "verb", r.Verb, "to", r.To, "by", r.By, "why", refused.Why)
	d.tell(f, ev)
	return refused
}

// asRefused is err as a refusal of r.
func asRefused(r Request, err error) *network.RefusedError {
	if refused, ok := errors.AsType[*network.RefusedError](err); ok {
		return refused
	}
	return &network.RefusedError{What: string(r.Verb), Why: err.Error(), Remedy: "see the log"}
}

// hold sets or releases it; that it is so already is fine.
func (d *Desk) hold(f *dossier, r Request) error {
	now, err := d.parts.Holds.Load(f.name)
	if r.Verb == Release && r.Unattended && (err != nil || now.On && now.Person) {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.refuseLocked(f, r, forPerson(now, err))
	}
	if want := r.Verb == Hold; err != nil || now.On != want {
		now = status.Hold{On: want, Since: time.Now(), By: r.By, Person: want && err != nil} // it may have been one that waits for a person
		if err := d.parts.Holds.Save(f.name, now); err != nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.refuseLocked(f, r, &network.RefusedError{What: string(r.Verb), Why: err.Error(), Remedy: "see that the disk of the controller is not full"})
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.setHold(f, now)
	return nil
}

// forPerson is why an automation may not release a hold.
func forPerson(h status.Hold, err error) error {
	why := "a person must look before: the network was put on hold by " + h.By
	if err != nil {
		why = "whether the network is on hold, and by whom, cannot be read"
	}
	return &network.RefusedError{What: string(Release), Why: why, Remedy: "see which host is active, then release the hold on the page of z2mha, or with z2mha release"}
}

// engineRequest is r in the engine's words.
func (r Request) engineRequest() engine.Request {
	return engine.Request{Network: r.Network, To: r.To, Reason: r.reason(), AcceptChange: r.AcceptChange,
		Generation: r.Generation, Confirmed: r.Confirmed, From: r.From, DespiteHold: r.DespiteHold, Rehearsal: r.Cause == status.CauseScheduled}
}

// reason is what the journal says of who asked.
func (r Request) reason() string {
	switch r.Cause {
	case status.CauseAutomatic:
		return decidedReason
	case status.CauseScheduled:
		return rehearsalReason
	}
	return reasonOf(r.By)
}

// kind is that of the plan that r leads to.
func (r Request) kind() plan.Kind {
	if r.Verb == Accept {
		return plan.KindSync
	}
	return plan.Kind(r.Verb)
}
