package plan

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// An Event is the kind of a journal line.
type Event string

const (
	EventPlanned    Event = "planned"     // Data is the Plan
	EventBegin      Event = "begin"       // the step is about to act
	EventDone       Event = "done"        // Data is what was read back
	EventFailed     Event = "failed"      // Note says why
	EventRung       Event = "rung"        // one way to silence a node gave no proof; Note says which, and why
	EventWalkBack   Event = "walk-back"   // Note says why
	EventUndoBegin  Event = "undo-begin"  // the step is about to be taken back
	EventUndone     Event = "undone"      // Data is what was read back
	EventUndoFailed Event = "undo-failed" // Note says why; a person must look
	EventEnded      Event = "ended"       // Note is the Outcome
)

// An Entry is one line of a run's journal. Entries carry no secret.
type Entry struct {
	Seq   int             `json:"seq"`
	At    time.Time       `json:"at"`
	Run   string          `json:"run"`
	Event Event           `json:"event"`
	Step  string          `json:"step,omitempty"`
	Node  string          `json:"node,omitempty"`
	Note  string          `json:"note,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
}

// An Outcome is how a run ended.
type Outcome string

const (
	Completed  Outcome = "completed"   // the plan was carried out
	GivenUp    Outcome = "given-up"    // nothing had been changed that the home notices
	RolledBack Outcome = "rolled-back" // the old active works again
	NeedsHelp  Outcome = "needs-help"  // a person must look before anything acts again
)

// Progress is what a journal says of its run.
type Progress struct {
	Plan     Plan
	Begun    map[string]bool
	Since    map[string]time.Time       // when a step began first
	Done     map[string]json.RawMessage // evidence by step id
	Undone   map[string]bool
	Evidence json.RawMessage // of the last step that was done or undone
	Stuck    string          // step whose undo failed last, "" when none
	WalkBack string          // why the run turned back, "" when it did not
	Outcome  Outcome
	Last     time.Time
	Seq      int
}

// ErrNoPlan is a journal whose first line is not a plan: the controller died
// before it could have acted.
var ErrNoPlan = errors.New("the journal has no plan in its first line")

// Replay reads a journal back. It fails with ErrNoPlan when nothing was planned.
func Replay(entries []Entry) (Progress, error) {
	p := Progress{Begun: map[string]bool{}, Since: map[string]time.Time{}, Done: map[string]json.RawMessage{}, Undone: map[string]bool{}}
	if len(entries) == 0 || entries[0].Event != EventPlanned {
		return p, ErrNoPlan
	}
	if err := json.Unmarshal(entries[0].Data, &p.Plan); err != nil {
		return p, fmt.Errorf("read the plan of run %s: %w", entries[0].Run, err)
	}
	for _, e := range entries {
		p.apply(e)
	}
	return p, nil
}

// After is the progress with one more line.
func (p Progress) After(e Entry) Progress {
	p.apply(e)
	return p
}

func (p *Progress) apply(e Entry) {
	p.Last, p.Seq = e.At, e.Seq
	switch e.Event {
	case EventPlanned, EventFailed, EventRung:
	case EventBegin:
		if !p.Begun[e.Step] {
			p.Begun[e.Step], p.Since[e.Step] = true, e.At
		}
	case EventDone:
		p.Done[e.Step], p.Evidence = e.Data, e.Data
	case EventWalkBack:
		p.WalkBack = cmp.Or(e.Note, "no reason is on record")
	case EventUndoBegin:
		p.Stuck = ""
	case EventUndone:
		p.Undone[e.Step], p.Evidence = true, e.Data
	case EventUndoFailed:
		p.Stuck = e.Step
	case EventEnded:
		p.Outcome = Outcome(e.Note)
	default:
		panic(fmt.Sprintf("plan: unknown journal event %q", e.Event))
	}
}

// Ended says that nothing is left to do for this run.
func (p Progress) Ended() bool { return p.Outcome != "" }

// BegunAct says whether a step of that kind has begun.
func (p Progress) BegunAct(a Act) bool {
	for _, s := range p.Plan.Steps {
		if s.Act == a && p.Begun[s.ID] {
			return true
		}
	}
	return false
}

// BeganAct is when the step of that kind began first.
func (p Progress) BeganAct(a Act) (time.Time, bool) {
	for _, s := range p.Plan.Steps {
		if at, ok := p.Since[s.ID]; ok && s.Act == a {
			return at, true
		}
	}
	return time.Time{}, false
}

// DoneAct says whether a step of that kind is done.
func (p Progress) DoneAct(a Act) bool {
	for _, s := range p.Plan.Steps {
		if _, ok := p.Done[s.ID]; ok && s.Act == a {
			return true
		}
	}
	return false
}

// UndoneAct says whether a step of that kind was taken back.
func (p Progress) UndoneAct(a Act) bool {
	for _, s := range p.Plan.Steps {
		if s.Act == a && p.Undone[s.ID] {
			return true
		}
	}
	return false
}

// A Way is how a run goes on that an earlier controller left.
type Way string

const (
	Forward Way = "forward"
	Back    Way = "back"
	Ask     Way = "ask" // touch nothing, tell a person
)

// A Sight is what was seen of the target of such a run.
type Sight struct {
	Known  bool // it could be looked at
	Runs   bool // its Zigbee2MQTT runs
	Served bool // it was to start so long ago that it may have served the home since
}

// AfterCrash decides how a run that a controller left behind goes on. Before the
// target was to start, and once it was silenced again, the old active is brought
// back. A target that runs is gone on with, as that is as safe and shorter, also when
// a way back was given up so long ago that it has served the home since; one that
// cannot be looked at is left alone. One that does not run was loaded too long ago to
// speak: back.
func (p Progress) AfterCrash(target Sight) Way {
	switch {
	case !p.BegunAct(ActStart) || p.UndoneAct(ActStart):
		return Back
	case !target.Known:
		return Ask
	case !target.Runs:
		return Back
	case p.WalkBack == "" || target.Served:
		return Forward
	}
	return Back
}

// NextForward is the first step that is not done.
func (p Progress) NextForward() (Step, bool) {
	for _, s := range p.Plan.Steps {
		if _, ok := p.Done[s.ID]; !ok {
			return s, true
		}
	}
	return Step{}, false
}

// ToUndo lists the steps to take back, last first: all that began, whether or not
// they ended, and were not taken back yet.
func (p Progress) ToUndo() []Step {
	var out []Step
	for i := len(p.Plan.Steps) - 1; i >= 0; i-- {
		s := p.Plan.Steps[i]
		if s.Undo != "" && p.Begun[s.ID] && !p.Undone[s.ID] {
			out = append(out, s)
		}
	}
	return out
}
