package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	// Careful moves the network the slow way, although the stand-by is warm: the memory
	// of the old stick is read whole in between.
	Careful bool
	// Yield leaves it to Zigbee2MQTT to restore its backup onto the target's stick.
	Yield bool
	// Confirmed is a person's word, in words to be kept, that the stick of a node which
	// cannot be reached has no power.
	Confirmed string
	// From is the node that a failover leaves, as whoever asks has seen it: another one is
	// refused, since neither a person's word nor a decision was about it. "" takes the one
	// that was active last.
	From string
	// AcceptRisk is decide.RiskWords when a failover shall go on although nobody can prove
	// that the old active is silent; anything else counts as "".
	AcceptRisk string
	// Broken is why a failover moves away from a node whose Zigbee2MQTT runs and answers:
	// what was found wrong with its radio. Without it such a node is not left.
	Broken string
	// Generation is what is to be brought back.
	Generation int
	// Rehearsal is a move for practice: the fast way, unless Careful says otherwise, and
	// refused where a real one would only warn.
	Rehearsal bool
	// DespiteHold is a person's wish that a node is started although the network is on hold.
	DespiteHold bool
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
	p, err := c.planSwitchover(ctx, n, r)
	if err != nil {
		return Ended{}, err
	}
	p.Reason, p.Accept = r.Reason, r.AcceptChange
	p.Rehearsal = r.Rehearsal
	ended, err := c.carryOut(ctx, n, p, w)
	if err != nil || ended.Outcome != plan.GivenUp || !errors.Is(ended.Err, errNotWarm) || r.Rehearsal {
		return ended, err
	}
	r.To, r.Careful = p.To, true
	if p, err = c.planSwitchover(ctx, n, r); err != nil { // nothing was touched yet
		return ended, err
	}
	p.Reason, p.Accept = r.Reason+"; the fast way was given up: "+ended.Err.Error(), r.AcceptChange
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
//
// A stand-by whose stick is known takes over the fast way, unless another is wanted.
func (c *Controller) planSwitchover(ctx context.Context, n *Network, r Request) (plan.Plan, error) {
	const what = "switchover"
	to := r.To
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
	p, err := c.way(n, active, r, to)
	if err != nil {
		return plan.Plan{}, err
	}
	a := readiness.Assess(forPlan(in, p))
	if err := a.Refusal(what); err != nil || !r.Rehearsal {
		return p, err
	}
	return p, rehearsable(a, in, p, r)
}

// warmChecks are those that only keep the fast way shut, or may do so before the move.
var warmChecks = []string{"identity", "current", "reserved", "staged", "hold"}

// rehearsable refuses practice at a bad time: what a move can make good on its way, a home
// need not be without Zigbee for.
func rehearsable(a readiness.Assessment, in readiness.Input, p plan.Plan, r Request) error {
	var why []string
	for _, c := range a.Checks {
		if !r.Careful && c.Node == p.To && !c.OK && slices.Contains(warmChecks, c.ID) {
			why = append(why, c.Node+": "+c.Evidence)
		}
	}
	if !p.Fast && !r.Careful {
		why = append(why, fmt.Sprintf("the move to %s would be a careful one, which reads and loads sticks while the home has no Zigbee", p.To))
	}
	if in.Bridge != nil && in.Bridge.PermitJoin {
		why = append(why, "joining is open")
	}
	if in.Unfinished != "" {
		why = append(why, "run "+in.Unfinished+" was cut off")
	}
	if len(why) == 0 {
		return nil
	}
	return &network.RefusedError{What: "rehearsal", Why: strings.Join(why, "; "), Remedy: "it is tried again another time; `z2mha preflight` shows what is missing"}
}

// way chooses how the network moves.
func (c *Controller) way(n *Network, active string, r Request, to string) (plan.Plan, error) {
	others := n.without(active, to)
	if r.Yield {
		return plan.YieldingSwitchover(n.Name, active, to, others, n.Timing), nil
	}
	warm, err := c.warmth(n, to)
	if err != nil || r.Careful || !warm {
		return plan.Switchover(n.Name, active, to, others, n.Timing), err
	}
	return plan.FastSwitchover(n.Name, active, to, others, n.Timing), nil
}

// forPlan is what an assessment must know of the plan. One that brings the memory of one
// stick onto another needs the same firmware on both.
func forPlan(in readiness.Input, p plan.Plan) readiness.Input {
	in.Copies = !p.Fast && !p.Yield
	in.AnyRevision = in.AnyRevision || p.Yield
	return in
}

// warmth says that a stick is known to hold the network. Whether it still does, and what
// it lacks, the run finds out before the home is without Zigbee.
func (c *Controller) warmth(n *Network, node string) (bool, error) {
	r, err := c.parts.Memory.Load(n.Name)
	on := r.Sticks[node]
	return on.Image != "" && !on.Writing && on.Generation != 0 && on.Trouble == "", err
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
func (c *Controller) DryRun(ctx context.Context, r Request) (plan.Plan, []Explained, error) {
	n, err := c.network(r.Network)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	p, err := c.planSwitchover(ctx, n, r)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	out, err := explain(n, p)
	return p, out, err
}
