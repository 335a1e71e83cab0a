package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// Failover moves a network away from a node that cannot serve any more, because a person
// asks for it. The target starts on the last good generation. A node that can be reached
// is stopped and its stick silenced; for one that cannot, r.Confirmed must be the
// person's word that its stick has no power.
func (c *Controller) Failover(ctx context.Context, r Request, w Watch) (Ended, error) {
	n, err := c.network(r.Network)
	if err != nil {
		return Ended{}, err
	}
	release, err := c.occupy(n.Name, "a failover")
	if err != nil {
		return Ended{}, err
	}
	defer release()
	if err := c.recover(ctx, n, w); err != nil {
		return Ended{}, err
	}
	p, err := c.planFailover(ctx, n, r.To, r.Confirmed)
	if err != nil {
		return Ended{}, err
	}
	p.Reason = r.Reason
	return c.carryOut(ctx, n, p, w)
}

// PlanFailover returns the plan that Failover would carry out now, with the exact remote
// commands. It changes nothing.
func (c *Controller) PlanFailover(ctx context.Context, net, to, confirmed string) (plan.Plan, []Explained, error) {
	return c.preview(ctx, net, to, func(ctx context.Context, n *Network, to string) (plan.Plan, error) {
		return c.planFailover(ctx, n, to, confirmed)
	})
}

func (c *Controller) planFailover(ctx context.Context, n *Network, to, confirmed string) (plan.Plan, error) {
	in, err := c.look(ctx, n, to, false)
	if err != nil {
		return plan.Plan{}, err
	}
	from, err := lostNode(in)
	if err != nil {
		return plan.Plan{}, err
	}
	if to == "" {
		if to, err = onlyStandby(n, from); err != nil {
			return plan.Plan{}, err
		}
	}
	if _, err := n.node(to); err != nil {
		return plan.Plan{}, err
	}
	last, err := c.mayFailOver(ctx, n, in, from, to, confirmed)
	if err != nil {
		return plan.Plan{}, err
	}
	return plan.Failover(n.Name, from, to, n.without(from, to), last.Number, confirmed, n.Timing), nil
}

// lostNode is the node that served last, unless it, or another one, does so now.
func lostNode(in readiness.Input) (string, error) {
	refuse := func(why, remedy string) (string, error) {
		return "", &network.RefusedError{What: "failover", Why: why, Remedy: remedy}
	}
	if in.Recorded == "" {
		return refuse("it is not on record which node was active last", "start Zigbee2MQTT by hand on the node whose devices are paired")
	}
	if serves(in) {
		return refuse(fmt.Sprintf("%s serves the home: Zigbee2MQTT runs there and answers over MQTT", in.Bridge.Node), "use `z2mha switchover`, which can be taken back")
	}
	for _, v := range in.Views {
		if v.Name != in.Recorded && v.Observed != nil && v.Observed.Runs() {
			return refuse(fmt.Sprintf("%s is not stopped: %s", v.Name, v.Observed.WhyNotStopped()), "look at "+v.Name+" first")
		}
	}
	return in.Recorded, nil
}

// serves says that a Zigbee2MQTT of this network runs and answers.
func serves(in readiness.Input) bool {
	return readiness.Assess(in).Active != "" && in.Bridge != nil && in.Bridge.Err == nil
}

// mayFailOver is about the target, and about a node that nobody can look at.
func (c *Controller) mayFailOver(ctx context.Context, n *Network, in readiness.Input, from, to, confirmed string) (generation.Generation, error) {
	refuse := func(why, remedy string) (generation.Generation, error) {
		return generation.Generation{}, &network.RefusedError{What: "failover", Why: why, Remedy: remedy}
	}
	if to == from {
		return refuse(fmt.Sprintf("%s is the node that was active", to), fmt.Sprintf("use `z2mha start %s` if it can serve again", to))
	}
	for _, v := range in.Views {
		switch {
		case v.Name != from && v.Err != nil:
			return refuse(fmt.Sprintf("%s cannot be looked at (%v), so its stick may be on air", v.Name, v.Err), "make "+v.Name+" reachable")
		case v.Name != from || confirmed != "":
		case v.Err != nil:
			return generation.Generation{}, &UnconfirmedError{Node: from, Why: fmt.Sprintf("%s cannot be looked at (%v), so its stick may be on air", from, v.Err)}
		case v.Observed != nil && !v.Observed.TTYPresent:
			return generation.Generation{}, &UnconfirmedError{Node: from, Why: stickElsewhere(from) + ", so nobody can tell whether it is on air"}
		}
	}
	if _, err := n.Bridge.State(ctx); err != nil && !broken.IgnoresBroker { // then Zigbee works without it, and nobody could prove the target
		return refuse(fmt.Sprintf("the broker cannot be reached (%v), so nobody can tell who serves the home", err), "see that the broker runs, then look again")
	}
	if !c.canBeLoaded(in, to) {
		return refuse(fmt.Sprintf("the stick of %s was never loaded with this network, and the memory of the old stick was not read in time", to),
			fmt.Sprintf("repair %s, or plug its stick into %s", from, to))
	}
	last, err := c.parts.Shelf.Latest(n.Name)
	if errors.Is(err, generation.ErrNone) {
		return refuse("there is no copy of what the network is", "nothing can take over; repair "+from)
	}
	return last, err
}

// canBeLoaded says that a stick holds the network, or that there is a whole memory to load
// it from: without the active nobody can make one.
func (c *Controller) canBeLoaded(in readiness.Input, node string) bool {
	_, loaded := in.Holds[node]
	return loaded || in.Record.Seed != "" || in.Record.Sticks[node].Generation != 0
}

// dead looks once more, before anything is touched, and takes what the generation tells
// of the network for what Zigbee2MQTT must tell afterwards.
func (e *execution) dead(ctx context.Context, s plan.Step) ([]string, error) {
	in, err := e.c.look(ctx, e.net, e.plan.To, false)
	if err != nil {
		return nil, err
	}
	from, err := lostNode(in)
	if err != nil {
		return nil, err
	}
	if from != s.Node {
		return nil, &network.RefusedError{What: "failover", Why: fmt.Sprintf("%s was active last, no longer %s", from, s.Node)}
	}
	if _, err := e.c.mayFailOver(ctx, e.net, in, from, e.plan.To, e.plan.Confirmed); err != nil {
		return nil, err
	}
	id, g, err := e.identityOfGeneration()
	if err != nil {
		return nil, err
	}
	e.facts.Before = id
	return []string{fmt.Sprintf("nobody serves the home; generation %d of %s, %d devices, is what %s starts with",
		g.Number, g.At.Format(time.DateTime), g.Summary.Devices, e.plan.To)}, nil
}

func (e *execution) identityOfGeneration() (*Baseline, generation.Generation, error) {
	_, b, err := e.coordinatorState()
	if err != nil {
		return nil, generation.Generation{}, err
	}
	g, err := e.generation()
	id := b.Identity()
	return &Baseline{Coordinator: id.IEEE, PanID: id.PanID, ExtPanID: id.ExtPanID, Channel: id.Channel}, g, err
}

// fenceLost climbs the ladder for a node that cannot serve: what still runs there is
// stopped and its stick reset; where it cannot be reached, a person's word counts.
func (e *execution) fenceLost(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	o, err := observeSoon(ctx, x)
	if err != nil {
		saw, err := e.confirmedSilent(err)
		if err != nil {
			return nil, err
		}
		return []string{saw}, e.remember(func(r *network.Record) { r.BootOwed = true })
	}
	if err := e.noteServing(ctx, x, o); err != nil {
		return nil, err
	}
	if o.Enabled == "yes" {
		if err := e.takeBoot(ctx, x); err != nil {
			return nil, err
		}
	}
	stopped, err := e.stop(ctx, s)
	if err != nil {
		return nil, err
	}
	if !o.TTYPresent {
		return e.takenAtWord(x, stopped, stickElsewhere(x.Name()))
	}
	if err := sleep(ctx, e.net.Timing.Settle); err != nil {
		return nil, err
	}
	fenced, err := e.resetStick(ctx, s)
	if err != nil {
		return e.takenAtWord(x, stopped, fmt.Sprintf("the stick of %s cannot be silenced (%v)", x.Name(), err))
	}
	return append(stopped, fenced...), nil
}

// takenAtWord is about a host that answers and a stick that does not, or is not there any
// more: only a person knows whether it has power.
func (e *execution) takenAtWord(x Node, saw []string, why string) ([]string, error) {
	if e.plan.Confirmed == "" {
		return nil, &UnconfirmedError{Node: x.Name(), Why: why + ", so nobody can tell whether it is on air"}
	}
	return append(saw, why, e.plan.Confirmed), nil
}

func stickElsewhere(node string) string {
	return fmt.Sprintf("the stick of %s is not plugged in there", node)
}

// An UnconfirmedError is a failover that takes a person's word: nobody can ask the stick
// of Node whether it is silent.
type UnconfirmedError struct{ Node, Why string }

func (e *UnconfirmedError) Error() string { return e.refusal().Error() }

// Unwrap makes it a refusal like any other.
func (e *UnconfirmedError) Unwrap() error { return e.refusal() }

func (e *UnconfirmedError) refusal() *network.RefusedError {
	return &network.RefusedError{What: "failover", Why: e.Why,
		Remedy: fmt.Sprintf("make %s reachable with its stick, or see that the stick has no power, and say so with --confirm-unplugged", e.Node)}
}

// confirmedSilent takes a person's word for a node that cannot be asked.
func (e *execution) confirmedSilent(err error) (string, error) {
	if e.plan.Confirmed == "" {
		return "", err
	}
	return fmt.Sprintf("%s cannot be asked (%v); %s", e.plan.From, err, e.plan.Confirmed), nil
}
