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

// sightPatience is how long a target may take to be looked at after a restart of the
// controller.
const sightPatience = time.Minute

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
	if _, more := e.prog.NextForward(); !more {
		return e.end(plan.Completed, nil)
	}
	target, seen := e.sight(ctx)
	e.lenient = target.Served
	switch e.prog.AfterCrash(target) {
	case plan.Back:
		return e.walkBack(ctx, nil)
	case plan.Ask:
		return e.open("look at the target", fmt.Errorf("%s was to start and may serve the home; make it reachable, then try again: %w", e.plan.To, seen))
	}
	err := e.forward(ctx)
	var halt *haltError
	switch {
	case err == nil:
		return e.end(plan.Completed, nil)
	case errors.As(err, &halt) || target.Served:
		return e.open("finish the move", err)
	}
	return e.walkBack(ctx, err)
}

func (e *execution) open(what string, err error) Ended {
	return e.unsettled(plan.Step{Title: what}, nil, err)
}

// sight looks at the target, more than once if need be: a look that fails says
// nothing about what runs.
func (e *execution) sight(ctx context.Context) (plan.Sight, error) {
	x, err := e.net.node(e.plan.To)
	if err != nil { // a sync has no target
		return plan.Sight{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sightPatience)
	defer cancel()
	o, err := awaitNode(ctx, x, func(network.Observation) bool { return true })
	t := e.net.Timing
	began, _ := e.prog.BeganAct(plan.ActStart)
	served := time.Now().Round(0).Sub(began.Round(0))
	return plan.Sight{Known: err == nil, Runs: err == nil && o.Active(), Served: served < 0 || served > t.Start+t.Prove+t.Watch}, err
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
