package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// An Ended is how a run ended, for callers that show it.
type Ended struct {
	Run     string
	Outcome plan.Outcome
	Plan    plan.Plan
	Facts   Facts
	Err     error // why it is not Completed; nil when it is
}

// An UnsettledError is a run that could neither go on nor be taken back. The next
// start tries again; until then nothing else may act.
type UnsettledError struct {
	Run   string
	Step  plan.Step
	Cause error // what went wrong first; nil after a restart
	Err   error // what stopped the way back
}

func (e *UnsettledError) Error() string {
	s := fmt.Sprintf("run %s is open; it stopped at %q: %v", e.Run, e.Step.Title, e.Err)
	if e.Cause != nil {
		s += fmt.Sprintf(" (it turned back because: %v)", e.Cause)
	}
	return s
}

func (e *UnsettledError) Unwrap() error { return e.Err }

// ErrInterrupted is a person who wanted the run to stop.
var ErrInterrupted = errors.New("interrupted")

// An execution is one run in the hands of this process.
type execution struct {
	c     *Controller
	net   *Network
	plan  plan.Plan
	prog  plan.Progress
	log   Run
	facts Facts
	watch Watch

	resumed bool      // an earlier process began this run
	began   time.Time // this process took the run up
	lenient bool      // the target has served for long: devices may have come and gone
	turning bool      // on the way back
	raised  bool      // this process has raised the old stick's counters
	raises  int       // how often it has tried
	patches int       // how many patches it has asked for

	ahead *network.Capture // read while the old stick was reset, not yet taken

	gathered bool // the nodes were asked for their copies of the odometer
}

// begin journals the plan before anything else happens. It refuses when the network was
// put on hold while the hosts were looked at, which takes long enough to think again.
func (c *Controller) begin(n *Network, p plan.Plan, w Watch) (*execution, error) {
	if !p.DespiteHold {
		if err := c.notHeld(n.Name, "a "+string(p.Kind)); err != nil {
			return nil, err
		}
	}
	p.Created = time.Now()
	p.ID = runID(p)
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write the plan down: %w", err)
	}
	first := plan.Entry{Seq: 1, At: p.Created, Run: p.ID, Event: plan.EventPlanned, Node: p.To, Note: p.Reason, Data: data}
	log, err := c.parts.Journal.Create(first, n.Name)
	if err != nil {
		return nil, fmt.Errorf("open the journal of run %s: %w", p.ID, err)
	}
	prog, err := plan.Replay([]plan.Entry{first})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &execution{c: c, net: n, plan: p, prog: prog, log: log, watch: w, began: time.Now(),
		lenient: lenientKind(p.Kind)}, nil
}

// runID sorts by time and is unique as long as one controller owns the journal.
func runID(p plan.Plan) string {
	return p.Created.UTC().Format("20060102T150405.000") + "-" + string(p.Kind)
}

// resume takes up a run that an earlier process left.
func (c *Controller) resume(n *Network, id string, prog plan.Progress, w Watch) (*execution, error) {
	log, err := c.parts.Journal.Open(n.Name, id)
	if err != nil {
		return nil, fmt.Errorf("open the journal of run %s again: %w", id, err)
	}
	e := &execution{c: c, net: n, plan: prog.Plan, prog: prog, log: log, watch: w, resumed: true, began: time.Now(),
		lenient: lenientKind(prog.Plan.Kind)}
	if err := errors.Join(e.restoreFacts(), e.doubt()); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return e, nil
}

// lenientKind says that the devices may be others than before such a run.
func lenientKind(k plan.Kind) bool {
	return k == plan.KindFailover || k == plan.KindRestore || startsLast(k)
}

// doubt takes note that nobody watched the network's counters for a while.
func (e *execution) doubt() error {
	return e.remember(func(r *network.Record) { r.Odometer = r.Odometer.Doubted() })
}

// note journals one event durably, then tells whoever watches.
func (e *execution) note(ev plan.Event, s plan.Step, ce *evidence, text string, took time.Duration) error {
	entry := plan.Entry{Seq: e.prog.Seq + 1, At: time.Now(), Run: e.plan.ID, Event: ev, Step: s.ID, Node: s.Node, Note: text}
	if ce != nil {
		data, err := json.Marshal(ce)
		if err != nil {
			return fmt.Errorf("write down what was seen: %w", err)
		}
		entry.Data = data
	}
	if err := e.log.Append(entry); err != nil {
		return fmt.Errorf("write the journal of run %s: %w", e.plan.ID, err)
	}
	e.prog = e.prog.After(entry)
	e.c.parts.Log.Info("run", "network", e.net.Name, "run", e.plan.ID, "event", ev, "step", s.ID, "node", s.Node, "note", text, "took", took)
	r := Report{Event: ev, Step: s, Note: text, Took: took}
	if ce != nil {
		r.Saw = ce.Saw
	}
	e.watch(r)
	return nil
}

// execute carries the plan out, or takes it back when a step cannot be proven.
func (e *execution) execute(ctx context.Context) Ended {
	err := e.forward(ctx)
	if err == nil {
		return e.end(plan.Completed, nil)
	}
	var halt *haltError
	if errors.As(err, &halt) || e.prog.DoneAct(plan.ActRecord) { // what is on record is not taken back
		return Ended{Run: e.plan.ID, Outcome: plan.NeedsHelp, Plan: e.plan, Facts: e.facts, Err: err}
	}
	return e.walkBack(ctx, err)
}

// A haltError ends a run on the spot: what cannot be written down must not be
// done, not even backwards. The next start takes it up.
type haltError struct{ err error }

func (e *haltError) Error() string { return e.err.Error() }
func (e *haltError) Unwrap() error { return e.err }

func (e *execution) forward(ctx context.Context) error {
	for {
		s, ok := e.prog.NextForward()
		if !ok {
			return nil
		}
		if ctx.Err() != nil && e.mayBreakOff() {
			return fmt.Errorf("%w before %q", ErrInterrupted, s.Title)
		}
		if s.IfBehind && e.facts.Behind == "" {
			if err := e.note(plan.EventDone, s, &evidence{Saw: e.notBehind(), Facts: e.facts}, "", 0); err != nil {
				return &haltError{err}
			}
			continue
		}
		if err := e.step(ctx, s); err != nil {
			return err
		}
	}
}

// mayBreakOff says that a person may end the run here. A repair has nothing to go back to
// once the active is stopped.
func (e *execution) mayBreakOff() bool {
	return !e.prog.BegunAct(plan.ActStart) && !(e.plan.Kind == plan.KindRepair && e.prog.BegunAct(plan.ActStop))
}

// step does one step. Once the home is dark, an interruption no longer cuts a step
// short: it ends at the step's own boundary. What comes after a start is done whole.
func (e *execution) step(ctx context.Context, s plan.Step) error {
	if !broken.ActsFirst {
		if err := e.note(plan.EventBegin, s, nil, "", 0); err != nil {
			return &haltError{err}
		}
	}
	if s.Dark || !e.mayBreakOff() {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, s.Budget)
	defer cancel()
	began := time.Now()
	saw, err := actOf(s.Act).do(e, ctx, s)
	took := time.Since(began)
	if broken.ActsFirst {
		if err := e.note(plan.EventBegin, s, nil, "", 0); err != nil {
			return &haltError{err}
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", s.Title, err)
		if jerr := e.note(plan.EventFailed, s, nil, err.Error(), took); jerr != nil {
			return &haltError{errors.Join(err, jerr)}
		}
		return err
	}
	if err := e.note(plan.EventDone, s, &evidence{Saw: saw, Facts: e.facts}, "", took); err != nil {
		return &haltError{err}
	}
	return nil
}

func (e *execution) unsettled(s plan.Step, cause, err error) Ended {
	return Ended{Run: e.plan.ID, Outcome: plan.NeedsHelp, Plan: e.plan, Facts: e.facts,
		Err: &UnsettledError{Run: e.plan.ID, Step: s, Cause: cause, Err: err}}
}

// end closes the run. One whose end cannot be written down is not over: the next
// start would take it up under a newer one.
func (e *execution) end(o plan.Outcome, cause error) Ended {
	if err := e.note(plan.EventEnded, plan.Step{}, nil, string(o), 0); err != nil {
		return e.unsettled(plan.Step{Title: "write down that the run is " + string(o)}, cause, err)
	}
	return Ended{Run: e.plan.ID, Outcome: o, Plan: e.plan, Facts: e.facts, Err: cause}
}

// evidence is the Data of a done or undone line.
type evidence struct {
	Saw   []string `json:"saw"`
	Facts Facts    `json:"facts"`
}

func (e *execution) restoreFacts() error {
	if e.prog.Evidence == nil {
		return nil
	}
	var ev evidence
	if err := json.Unmarshal(e.prog.Evidence, &ev); err != nil {
		return fmt.Errorf("read what run %s had seen: %w", e.plan.ID, err)
	}
	e.facts = ev.Facts
	return nil
}
