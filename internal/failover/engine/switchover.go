package engine

import (
	"context"
	"errors"
	"fmt"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// ErrAlreadyActive is a switchover to the node that is active: nothing was changed.
var ErrAlreadyActive = errors.New("is active already")

// Switchover moves a network to a node. net may be "" when there is one network,
// to may be "" when there is one stand-by. A run that was cut off before is
// finished or taken back first; when that leaves anything open, nothing else is
// begun.
//
// It returns a *network.RefusedError when nothing was begun, ErrAlreadyActive when
// there is nothing to do, and otherwise an Ended that says how it went.
func (c *Controller) Switchover(ctx context.Context, net, to, why string, w Watch) (Ended, error) {
	n, err := c.network(net)
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
	p, err := c.planSwitchover(ctx, n, to)
	if err != nil {
		return Ended{}, err
	}
	p.Reason = why
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
	var ended Ended
	if prog.AfterCrash() == plan.Forward {
		ended = e.execute(ctx)
	} else {
		ended = e.walkBack(ctx, nil)
	}
	if err := e.log.Close(); err != nil {
		return fmt.Errorf("close the journal of run %s: %w", id, err)
	}
	if ended.Outcome == plan.NeedsHelp {
		return ended.Err
	}
	return nil
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
