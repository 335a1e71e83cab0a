package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// undoBudget bounds taking back one step. The longest is the old active's return on a
// slow stick: stop 1 min, park 1, read 2, write with both readings 5, start and proof
// 4. Running out of time there would leave the home dark.
const undoBudget = 15 * time.Minute

// walkBack takes back what began, last first, and stops at the first thing that
// cannot be proven.
func (e *execution) walkBack(ctx context.Context, cause error) Ended {
	ctx = context.WithoutCancel(ctx)
	undo := e.prog.ToUndo()
	if len(undo) == 0 {
		return e.end(e.emptyHanded(), cause)
	}
	if err := e.mayTurn(ctx); err != nil {
		return e.unsettled(undo[0], cause, err)
	}
	e.turning = true
	if e.prog.WalkBack == "" {
		if err := e.note(plan.EventWalkBack, plan.Step{}, nil, reason(cause), 0); err != nil {
			return e.unsettled(undo[0], cause, err)
		}
	}
	for _, s := range undo {
		err := e.undo(ctx, s)
		var halt *haltError
		if err != nil && s.Act == plan.ActPromote && s.Node != e.plan.From && !errors.As(err, &halt) {
			// New data on a silent stand-by does no harm: the next move stages anew.
			cause = errors.Join(cause, fmt.Errorf("%s keeps the data it was given: %w", s.Node, err))
			continue
		}
		if err != nil {
			return e.unsettled(s, cause, err)
		}
	}
	if e.plan.Kind == plan.KindStop { // nothing of a stop is taken back but what it did to the next boot
		return e.end(plan.GivenUp, cause)
	}
	return e.end(plan.RolledBack, cause)
}

// emptyHanded is how a run ends of which nothing is to be taken back. A repair that has
// stopped the active leaves it silent.
func (e *execution) emptyHanded() plan.Outcome {
	if e.plan.Kind == plan.KindRepair && e.prog.BegunAct(plan.ActStop) {
		return plan.RolledBack
	}
	return plan.GivenUp
}

// mayTurn keeps a target on air that runs while the old active cannot even be looked
// at: silencing it would leave the home with nothing.
func (e *execution) mayTurn(ctx context.Context) error {
	if !e.prog.BegunAct(plan.ActStart) || e.prog.UndoneAct(plan.ActStart) {
		return nil
	}
	to, err1 := e.net.node(e.plan.To)
	from, err2 := e.net.node(e.plan.From)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if o, err := to.Observe(ctx); err != nil || !o.Active() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sightPatience)
	defer cancel()
	if _, err := awaitNode(ctx, from, func(network.Observation) bool { return true }); err != nil {
		return fmt.Errorf("%s stays on air, since %s cannot take over: %w", e.plan.To, e.plan.From, err)
	}
	return nil
}

func reason(cause error) string {
	if cause == nil {
		return "the controller was restarted"
	}
	return cause.Error()
}

func (e *execution) undo(ctx context.Context, s plan.Step) error {
	ctx, cancel := context.WithTimeout(ctx, undoBudget)
	defer cancel()
	if err := e.note(plan.EventUndoBegin, s, nil, s.Undo, 0); err != nil {
		return &haltError{err}
	}
	began := time.Now()
	saw, err := e.tryUndo(ctx, s)
	took := time.Since(began)
	if err != nil {
		if jerr := e.note(plan.EventUndoFailed, s, nil, err.Error(), took); jerr != nil {
			return &haltError{errors.Join(err, jerr)}
		}
		return err
	}
	if err := e.note(plan.EventUndone, s, &evidence{Saw: saw, Facts: e.facts}, "", took); err != nil {
		return &haltError{err}
	}
	return nil
}

const (
	undoTries = 4
	undoPause = 5 * time.Second
)

// tryUndo repeats what may have failed by chance: the home may be dark, and every
// undo looks before it acts.
func (e *execution) tryUndo(ctx context.Context, s plan.Step) (saw []string, err error) {
	for try := 1; ; try++ {
		saw, err = actOf(s.Act).undo(e, ctx, s)
		if err == nil || try == undoTries || sleep(ctx, undoPause) != nil {
			return saw, err
		}
	}
}
