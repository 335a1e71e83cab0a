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
