package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// ErrAlreadyActive is a switchover to the node that is active: nothing was changed.
var ErrAlreadyActive = errors.New("is active already")

// A Request is what a person or an automation asks for.
type Request struct {
	Network string // "" when there is only one
	To      string // node that takes over; "" when there is one stand-by
	Reason  string // for the journal
	// AcceptChange takes a capture that is unlike the last good one, which is
	// refused otherwise: another network, or one that lost most of its devices.
	AcceptChange bool
}

// Switchover moves a network to a node. A run that was cut off before is
// finished or taken back first; when that leaves anything open, nothing else is
// begun.
//
// It returns a *network.RefusedError when nothing was begun, ErrAlreadyActive when
// there is nothing to do, and otherwise an Ended that says how it went.
func (c *Controller) Switchover(ctx context.Context, r Request, w Watch) (Ended, error) {
	n, err := c.network(r.Network)
	if err != nil {
		return Ended{}, err
	}
	release, err := c.occupy(n.Name, "a switchover")
	if err != nil {
		return Ended{}, err
	}
	defer release()
	if err := c.recover(ctx, n, w); err != nil {
		return Ended{}, err
	}
	p, err := c.planSwitchover(ctx, n, r.To)
	if err != nil {
		return Ended{}, err
	}
	p.Reason, p.Accept = r.Reason, r.AcceptChange
	return c.carryOut(ctx, n, p, w)
}

func (c *Controller) carryOut(ctx context.Context, n *Network, p plan.Plan, w Watch) (Ended, error) {
	e, err := c.begin(n, p, w)
	if err != nil {
		return Ended{}, err
	}
	ended := e.execute(ctx)
	if err := e.log.Close(); err != nil && ended.Err == nil {
		ended.Err = fmt.Errorf("close the journal: %w", err)
	}
	return ended, nil
}

// planSwitchover looks who is active and whether the target could take over.
func (c *Controller) planSwitchover(ctx context.Context, n *Network, to string) (plan.Plan, error) {
	const what = "switchover"
	in, err := c.look(ctx, n, to, false)
	if err != nil {
		return plan.Plan{}, err
	}
	active := readiness.Assess(in).Active
	if active == "" {
		return plan.Plan{}, readiness.Assess(in).Refusal(what)
	}
	if to == "" {
		if to, err = onlyStandby(n, active); err != nil {
			return plan.Plan{}, err
		}
	}
	if _, err := n.node(to); err != nil {
		return plan.Plan{}, err
	}
	if to == active {
		return plan.Plan{}, fmt.Errorf("%s %w", to, ErrAlreadyActive)
	}
	in.To = to
	if err := readiness.Assess(in).Refusal(what); err != nil {
		return plan.Plan{}, err
	}
	return plan.Switchover(n.Name, active, to, n.without(active, to), n.Timing), nil
}

func onlyStandby(n *Network, active string) (string, error) {
	rest := n.without(active)
	if len(rest) == 1 {
		return rest[0], nil
	}
	return "", &network.RefusedError{What: "switchover", Why: fmt.Sprintf("network %s has several stand-bys: %v", n.Name, rest),
		Remedy: "name one with --to"}
}

// DryRun returns the plan that Switchover would carry out now, each step with the
// exact remote commands. It changes nothing.
func (c *Controller) DryRun(ctx context.Context, net, to string) (plan.Plan, []Explained, error) {
	n, err := c.network(net)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	p, err := c.planSwitchover(ctx, n, to)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	out, err := explain(n, p)
	return p, out, err
}

// recover finishes or takes back the run that an earlier process left.
func (c *Controller) recover(ctx context.Context, n *Network, w Watch) error {
	id, prog, err := c.unfinished(n.Name)
	if err != nil || id == "" {
		return err
	}
	e, err := c.resume(n, id, *prog, w)
	if err != nil {
		return err
	}
	ended := e.takeUp(ctx)
	if err := e.log.Close(); err != nil {
		return fmt.Errorf("close the journal of run %s: %w", id, err)
	}
	if ended.Outcome == plan.NeedsHelp {
		return ended.Err
	}
	return nil
}

// takeUp goes on with a run of an earlier process, in the direction that what is
// seen now allows. A target that has served for long is not taken back: that would
// cost the home what happened since. Then a person is asked.
func (e *execution) takeUp(ctx context.Context) Ended {
	if e.prog.AfterCrash(e.targetRuns(ctx)) == plan.Back {
		return e.walkBack(ctx, nil)
	}
	served := time.Since(e.prog.Last)
	err := e.forward(ctx)
	var halt *haltError
	switch t := e.net.Timing; {
	case err == nil:
		return e.end(plan.Completed, nil)
	case errors.As(err, &halt) || served > t.Start+t.Prove+t.Watch:
		return Ended{Run: e.plan.ID, Outcome: plan.NeedsHelp, Plan: e.plan, Facts: e.facts,
			Err: &UnsettledError{Run: e.plan.ID, Step: plan.Step{Title: "finish the move"}, Err: err}}
	}
	return e.walkBack(ctx, err)
}

func (e *execution) targetRuns(ctx context.Context) bool {
	x, err := e.net.node(e.plan.To)
	if err != nil {
		return false
	}
	o, err := x.Observe(ctx)
	return err == nil && o.Active()
}

// Recover does only that, for a controller that starts. It returns nil when no run
// was cut off or the one that was is settled now, and an *UnsettledError when a
// person must look.
func (c *Controller) Recover(ctx context.Context, net string, w Watch) error {
	n, err := c.network(net)
	if err != nil {
		return err
	}
	release, err := c.occupy(n.Name, "a recovery")
	if err != nil {
		return err
	}
	defer release()
	return c.recover(ctx, n, w)
}
