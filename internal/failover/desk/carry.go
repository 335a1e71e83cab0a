package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

// recovery makes the job that takes up a run that was cut off, when it is time; nil
// when it is not, or must not be done now.
func (d *Desk) recovery(f *dossier, now time.Time) *job {
	d.mu.Lock()
	due := !f.recoverAt.IsZero() && !now.Before(f.recoverAt)
	d.mu.Unlock()
	if !due {
		return nil
	}
	held := d.readHold(f)
	d.mu.Lock()
	defer d.mu.Unlock()
	f.recoverAt = time.Time{} // what ends the hold, or the other job, sets it again
	if held || f.job != nil {
		return nil
	}
	j := newJob(Request{Network: f.name})
	j.recovers = true
	d.take(f, j)
	return j
}

// carryOut does one job from begin to end. It belongs to the goroutine that attends
// to the network.
func (d *Desk) carryOut(ctx context.Context, f *dossier, j *job) {
	ended, note, err := d.act(ctx, f, j)
	f.nextLook = time.Now()
	if d.conclude(f, j, ended, note, err) {
		f.nextSticks = f.nextLook
	}
}

// act asks the engine. note is what is worth saying although it worked.
func (d *Desk) act(ctx context.Context, f *dossier, j *job) (ended engine.Ended, note string, err error) {
	watch := func(r engine.Report) { d.report(f, j, r) }
	r := j.request.engineRequest()
	if j.decision != nil {
		r.AcceptRisk, r.Broken = j.risk, deadRadio(j.decision)
	}
	e := d.parts.Engine
	switch {
	case j.recovers:
		err = e.Recover(ctx, f.name, watch)
	case j.request.Verb == Accept:
		return d.accept(ctx, f, j, watch)
	case j.request.Verb == Sync:
		return d.sync(ctx, f, j, watch)
	default:
		do := map[Verb]func(context.Context, engine.Request, engine.Watch) (engine.Ended, error){
			Switchover: e.Switchover, Failover: e.Failover, Stop: e.StopNode, Start: e.StartNode, Seed: e.Seed, Restore: e.Restore,
			Repair: e.Repair, Return: e.Return, Silence: e.Silence}
		ended, err = do[j.request.Verb](ctx, r, watch)
	}
	return ended, "", err
}

func unreachable(s engine.Captured) string {
	names := slices.Collect(maps.Keys(s.Unreachable))
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "nothing new is on " + strings.Join(names, " and ") + ", which could not be reached"
}

// report is the engine.Watch of a job. The engine may settle an earlier run first: what
// comes after an end belongs to the next run.
func (d *Desk) report(f *dossier, j *job, r engine.Report) {
	if r.What != "" {
		d.progress(f, r)
		return
	}
	d.mu.Lock()
	t := f.run
	d.mu.Unlock()
	if t == nil || t.over() {
		if t != nil {
			d.settle(f, t, "")
		}
		t = d.identify(f, j, r)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t.happen(reported(r, time.Now()))
	d.tellStep(f, t, r)
	d.touch()
}

func (d *Desk) progress(f *dossier, r engine.Report) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.run != nil {
		f.run.progress(r)
		d.touch()
	}
}

// identify finds out which run has begun to report: the one that is open.
func (d *Desk) identify(f *dossier, j *job, r engine.Report) *tale {
	t := d.unended(f.name)
	if t == nil && j.earlier != "" { // only its last line was missing
		t = d.tale(f.name, j.earlier)
	}
	if t == nil { // the journal cannot be read: what is told must do
		t = newTale(plan.Plan{Kind: j.request.kind(), Network: f.name, Reason: j.request.reason(), Created: time.Now()})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f.run = t
	f.past.unfinished = t.run.ID
	d.reconsider(f)
	if j.recovers || (j.earlier != "" && t.run.ID == j.earlier) {
		return t
	}
	if ev, ok := begun(t.shown()); ok {
		d.tell(f, ev)
	}
	j.begin(t.run.ID)
	return t
}

// tellStep tells what became of one step. d.mu is held.
func (d *Desk) tellStep(f *dossier, t *tale, r engine.Report) {
	kinds := map[plan.Event]status.EventType{
		plan.EventBegin: status.EventStepBegun, plan.EventDone: status.EventStepDone, plan.EventFailed: status.EventStepFailed,
		plan.EventUndoBegin: status.EventStepBegun, plan.EventUndone: status.EventStepUndone, plan.EventUndoFailed: status.EventStepFailed,
	}
	kind, ok := kinds[r.Event]
	if !ok {
		return
	}
	ev := about(&t.run)
	ev.Type, ev.Node, ev.Step, ev.Duration, ev.Text = kind, r.Step.Node, r.Step.Title, r.Took, sentence(r.Step.Title)
	if r.Note != "" {
		ev.Text = sentence(r.Note)
	}
	d.tell(f, ev)
}

// conclude ends a job: what became of its run, or why there was none. It returns
// whether anything was carried out.
func (d *Desk) conclude(f *dossier, j *job, ended engine.Ended, note string, err error) bool {
	d.mu.Lock()
	t := f.run
	d.mu.Unlock()
	if t != nil {
		d.finish(t, ended, err)
		d.settle(f, t, note)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trouble(f, t, j, err)
	tell := j.decision == nil || d.concludeOwn(f, j, ended, err)
	switch {
	case j.started || j.recovers:
		err = nil
	case err != nil && j.decision != nil && !tell:
	case err != nil && j.decision != nil:
		err = d.refuseOwn(f, j, asRefusal(j, err))
	case err != nil:
		err = d.refuseLocked(f, j.request, asRefusal(j, err))
	}
	if t != nil {
		f.settling, f.moved = true, true
		f.sight.status.Unfinished = ""
	}
	f.run, f.job, f.doing = nil, nil, ""
	d.reconsider(f)
	j.end(err)
	return t != nil
}

// finish gives a tale the end that only the engine's answer tells.
func (d *Desk) finish(t *tale, ended engine.Ended, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t.run.ID == "" { // it could not be identified
		t.run.ID, t.run.Plan = ended.Run, ended.Plan
	}
	if ended.Run == t.run.ID && ended.Err != nil {
		t.run.Err = ended.Err.Error()
	}
	if t.over() {
		return
	}
	t.run.Outcome, t.run.Ended = plan.NeedsHelp, time.Now()
	if err != nil {
		t.run.Err = err.Error()
	}
}

// settle puts a run that has ended where it belongs, and tells it.
func (d *Desk) settle(f *dossier, t *tale, note string) {
	full := d.tale(f.name, t.run.ID) // with what reports do not tell
	d.mu.Lock()
	defer d.mu.Unlock()
	if full != nil {
		t.last, t.copy = full.last, full.copy
	}
	failing := f.past.syncFailing
	f.past.add(t)
	f.ended = t.shown()
	f.proven = leftActive(t.run, f.sight.status.Active)
	ev := over(&t.run, t.last.Facts.Unproven, note, failing)
	if ev.Type != status.EventNeedsHelp || f.cries(ev) {
		d.tell(f, ev)
	}
	d.litter(f)
	d.parts.Log.Info("a run has ended", "network", f.name, "run", t.run.ID, "outcome", t.run.Outcome, "outage", t.run.Outage)
}

// leftActive is the node that a run has left on air, "" when that is for the next look
// to say. before is who was seen active before it.
func leftActive(r status.Run, before string) string {
	kind := r.Plan.Kind
	switch {
	case kind == plan.KindFailover && r.Outcome != plan.Completed:
		return ""
	case kind == plan.KindSync || r.Outcome == plan.GivenUp:
		return before
	case kind == plan.KindStop && r.Outcome == plan.Completed && r.Plan.From != before:
		return before
	case kind == plan.KindStop || r.Outcome == plan.NeedsHelp:
		return ""
	case r.Outcome == plan.Completed:
		return r.Plan.To
	case comesBack(kind):
		return r.Plan.From
	}
	return ""
}

// comesBack says that the node that was active serves again when a run was taken back.
func comesBack(k plan.Kind) bool {
	return k == plan.KindSwitchover || k == plan.KindSeed || k == plan.KindRestore
}

// cries says whether a cry for help is a new one: about a run that is tried again and
// again it is told once.
func (f *dossier) cries(ev status.Event) bool {
	about := cmp.Or(ev.Run, ev.Text)
	again := f.helpTold == about
	f.helpTold = about
	return !again
}

// trouble notes whether a run is open now, and when it is tried again. d.mu is held.
func (d *Desk) trouble(f *dossier, t *tale, j *job, err error) {
	open, unsettled := errors.AsType[*engine.UnsettledError](err)
	blind := t == nil && j.recovers && err != nil && !isRefusal(err) && !errors.Is(err, context.Canceled)
	switch {
	case t != nil && t.run.Outcome == plan.NeedsHelp: // told already
		f.openWhy = title(t.run.Plan) + " is not finished" + because(t.run.Err)
	case unsettled || blind:
		if unsettled {
			f.past.unfinished = open.Run
		}
		f.openWhy = err.Error()
		d.cry(f, status.Event{Run: f.past.unfinished, Text: sentence(f.openWhy)})
	case t != nil || err == nil:
		f.openWhy, f.helpTold, f.past.unfinished, f.recoverAt = "", "", "", time.Time{}
		return
	default:
		return
	}
	f.recoverAt = time.Now().Add(recoverEvery)
}

// cry asks for help. d.mu is held.
func (d *Desk) cry(f *dossier, ev status.Event) {
	ev.Type = status.EventNeedsHelp
	ev.Fix = helpFix
	if f.cries(ev) {
		d.tell(f, ev)
	}
}

// helpFix is what can be done about a run that is open.
var helpFix = fmt.Sprintf("make all hosts reachable; it is tried again every %.0f minutes", recoverEvery.Minutes())

func isRefusal(err error) bool {
	_, ok := errors.AsType[*network.RefusedError](err)
	return ok
}

// asRefusal says in the desk's words why nothing was begun.
func asRefusal(j *job, err error) error {
	switch {
	case isRefusal(err):
		return err
	case errors.Is(err, engine.ErrAlreadyActive):
		return j.refusal(err.Error(), "there is nothing to do")
	case errors.Is(err, context.Canceled):
		return j.refusal("the controller is stopping", "ask again when it runs")
	}
	if open, ok := errors.AsType[*engine.UnsettledError](err); ok {
		return j.refusal(open.Error(), "make all hosts reachable; the run that is open comes first")
	}
	return j.refusal(err.Error(), "see the log")
}
