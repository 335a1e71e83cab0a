package desk

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

// A tale is a run as it is shown, built from what happened in it: live from the
// engine's reports, or afterwards from its journal. Hearing the same thing twice does
// no harm.
type tale struct {
	run  status.Run
	last evidence          // of the last step that was done or undone
	copy map[string]copied // what was staged, by node
}

// A copied is a generation that was staged.
type copied struct {
	generation int
	at         time.Time
}

// evidence is what the engine journals with a step that is done or undone.
type evidence struct {
	Saw   []string `json:"saw"`
	Facts struct {
		Generation int    `json:"generation"`
		Unproven   string `json:"unproven"`
	} `json:"facts"`
}

// A happening is one thing that happened in a run.
type happening struct {
	at    time.Time
	event plan.Event
	step  plan.Step
	note  string
	saw   []string
	took  time.Duration
}

func newTale(p plan.Plan) *tale {
	t := &tale{run: status.Run{ID: p.ID, Plan: p, By: askedBy(p.Reason), Cause: causeOf(p.Reason), Began: p.Created}, copy: map[string]copied{}}
	for _, s := range p.Steps {
		t.run.Steps = append(t.run.Steps, status.RunStep{Step: s, State: status.StepWaiting})
	}
	return t
}

// taleOf reads a journal; it fails as plan.Replay does, and on a line of a kind that
// this version does not know.
func taleOf(entries []plan.Entry) (*tale, error) {
	for _, e := range entries {
		if !slices.Contains(told, e.Event) {
			return nil, fmt.Errorf("line %d of run %s tells of %q, which is not known here", e.Seq, e.Run, e.Event)
		}
	}
	prog, err := plan.Replay(entries)
	if err != nil {
		return nil, err
	}
	t := newTale(prog.Plan)
	for _, e := range entries {
		h := happening{at: e.At, event: e.Event, note: e.Note}
		h.step, _ = prog.Plan.Step(e.Step)
		if e.Event == plan.EventDone || e.Event == plan.EventUndone {
			t.last = evidence{}
			_ = json.Unmarshal(e.Data, &t.last) // what cannot be read is not shown
			h.saw = t.last.Saw
		}
		t.happen(h)
		if e.Event == plan.EventDone {
			t.staged(h)
		}
	}
	return t, nil
}

// told are the lines that a journal may have.
var told = []plan.Event{plan.EventPlanned, plan.EventBegin, plan.EventDone, plan.EventFailed, plan.EventRung, plan.EventWalkBack,
	plan.EventUndoBegin, plan.EventUndone, plan.EventUndoFailed, plan.EventEnded}

// staged notes what a step has brought to, or taken from, a node's staging.
func (t *tale) staged(h happening) {
	switch h.step.Act {
	case plan.ActCopy, plan.ActFinalCopy:
		t.copy[h.step.Node] = copied{t.last.Facts.Generation, h.at}
	case plan.ActPromote:
		t.copy[h.step.Node] = copied{0, t.copy[h.step.Node].at}
	}
}

// begun says that a step of that kind was begun, however it ended.
func (t *tale) begun(act plan.Act) bool {
	return slices.ContainsFunc(t.run.Steps, func(s status.RunStep) bool { return s.Act == act && s.State != status.StepWaiting })
}

func reported(r engine.Report, now time.Time) happening {
	return happening{at: now, event: r.Event, step: r.Step, note: r.Note, saw: r.Saw, took: r.Took}
}

// happen adds one thing.
func (t *tale) happen(h happening) {
	r := &t.run
	r.What, r.Done, r.Total = "", 0, 0
	switch h.event {
	case plan.EventWalkBack:
		r.Turning = h.note
	case plan.EventEnded:
		r.Ended, r.Outcome = h.at, plan.Outcome(h.note)
	case plan.EventBegin, plan.EventDone, plan.EventFailed, plan.EventRung, plan.EventUndoBegin, plan.EventUndone, plan.EventUndoFailed:
		t.stepped(t.step(h.step), h)
	}
}

func (t *tale) stepped(s *status.RunStep, h happening) {
	switch h.event {
	case plan.EventBegin:
		s.State, s.Began, s.Note, s.Saw = status.StepRunning, h.at, "", nil
		t.darkened(s.Step, h.at)
	case plan.EventDone:
		s.State, s.Saw, s.Took = status.StepDone, append(s.Saw, h.saw...), tookOf(s, h)
		if s.Act == plan.ActProve {
			t.lit(h.at)
		}
	case plan.EventFailed:
		s.State, s.Note, s.Took = status.StepFailed, h.note, tookOf(s, h)
		t.run.Err = h.note
	case plan.EventRung:
		s.Saw = append(s.Saw, h.note)
	case plan.EventUndoBegin:
		s.State = status.StepUndoing
	case plan.EventUndone:
		s.State, s.Saw = status.StepUndone, h.saw
		if s.Act == plan.ActStop {
			t.lit(h.at)
		}
	case plan.EventUndoFailed:
		s.State, s.Note = status.StepFailed, h.note
		t.run.Err = h.note
	}
}

// step finds a step, or adds one that the plan does not name.
func (t *tale) step(s plan.Step) *status.RunStep {
	i := slices.IndexFunc(t.run.Steps, func(x status.RunStep) bool { return x.ID == s.ID })
	if i < 0 {
		i = len(t.run.Steps)
		t.run.Steps = append(t.run.Steps, status.RunStep{Step: s, State: status.StepWaiting})
	}
	return &t.run.Steps[i]
}

func tookOf(s *status.RunStep, h happening) time.Duration {
	if h.took > 0 || s.Began.IsZero() {
		return h.took
	}
	return max(0, h.at.Sub(s.Began))
}

// darkened and lit measure the outage: from the first dark step until the new active
// is proven or the old one is back.
func (t *tale) darkened(s plan.Step, at time.Time) {
	if s.Dark && t.run.DarkFrom.IsZero() && t.run.Outage == 0 {
		t.run.DarkFrom = at
	}
}

func (t *tale) lit(at time.Time) {
	if !t.run.DarkFrom.IsZero() {
		t.run.Outage, t.run.DarkFrom = max(0, at.Sub(t.run.DarkFrom)), time.Time{}
	}
}

func (t *tale) progress(r engine.Report) {
	t.run.What, t.run.Done, t.run.Total = r.What, r.Done, r.Total
}

func (t *tale) over() bool { return t.run.Outcome != "" }

// shown is the run as it is now; it does not change any more.
func (t *tale) shown() *status.Run {
	out := t.run
	out.Steps = slices.Clone(t.run.Steps)
	return &out
}

// move is the run as history.
func (t *tale) move() status.Move {
	r := t.run
	m := status.Move{Run: r.ID, At: r.Began, From: r.Plan.From, To: r.Plan.To, Cause: r.Cause, By: r.By,
		Outcome: r.Outcome, Outage: r.Outage, Unproven: t.last.Facts.Unproven}
	if !r.Ended.IsZero() {
		m.Duration = max(0, r.Ended.Sub(r.Began))
	}
	return m
}

// What the engine writes down as the reason of a run that was asked for here, or that the
// controller has begun by itself. What is done by itself is counted by these words, over a
// restart too.
const (
	askedPrefix     = "asked for by "
	decidedReason   = "decided by the controller"
	rehearsalReason = "a rehearsal that was due"
)

func causeOf(reason string) status.Cause {
	switch reason {
	case decidedReason:
		return status.CauseAutomatic
	case rehearsalReason:
		return status.CauseScheduled
	}
	return status.CauseManual
}

func reasonOf(by string) string {
	if by == "" {
		return "asked for"
	}
	return askedPrefix + by
}

func askedBy(reason string) string {
	if causeOf(reason) != status.CauseManual {
		return status.ByController
	}
	for _, prefix := range []string{askedPrefix, "asked for on ", "asked for"} {
		if by, ok := strings.CutPrefix(reason, prefix); ok {
			return by
		}
	}
	return reason
}
