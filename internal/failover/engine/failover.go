package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// Failover moves a network away from a node that cannot serve any more. The target starts
// on the last good generation, once the old active was silenced by the first rung of the
// ladder that gives proof: its stick's own word, its USB device taken away, a fence that is
// configured, or r.Confirmed, a person's word that its stick has no power.
//
// It returns an *UnconfirmedError before anything is touched when no rung could give proof,
// and an Ended with one, in which nothing was started, when all of them were tried.
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
	p, err := c.planFailover(ctx, n, r)
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
		return c.planFailover(ctx, n, Request{To: to, Confirmed: confirmed})
	})
}

func (c *Controller) planFailover(ctx context.Context, n *Network, r Request) (plan.Plan, error) {
	in, err := c.look(ctx, n, r.To, false)
	if err == nil {
		err = c.noteSpeakers(n.Name, in.Views)
	}
	if err != nil {
		return plan.Plan{}, err
	}
	from, err := lostNode(in, r.Broken)
	if err != nil {
		return plan.Plan{}, err
	}
	if r.From != "" && r.From != from {
		return plan.Plan{}, &network.RefusedError{What: "failover", Why: fmt.Sprintf("it was asked for to leave %s, and meanwhile %s is the node that was active last", r.From, from),
			Remedy: "look again, and ask again if it is still wanted"}
	}
	if r.To == "" {
		if r.To, err = onlyStandby(n, from); err != nil {
			return plan.Plan{}, err
		}
	}
	if _, err := n.node(r.To); err != nil {
		return plan.Plan{}, err
	}
	if r.AcceptRisk != decide.RiskWords {
		r.AcceptRisk = ""
	}
	p := plan.Failover(n.Name, from, r.To, n.without(from, r.To), 0, r.Confirmed, n.Timing)
	p.Risk, p.Broken = r.AcceptRisk, r.Broken
	p.Climb(n.fenceNames(from))
	last, err := c.mayFailOver(ctx, n, in, p)
	p.Generation = last.Number
	return p, err
}

// lostNode is the node that served last, unless it, or another one, does so now. One that
// is broken may run and answer all the same.
func lostNode(in readiness.Input, broken string) (string, error) {
	refuse := func(why, remedy string) (string, error) {
		return "", &network.RefusedError{What: "failover", Why: why, Remedy: remedy}
	}
	if in.Recorded == "" {
		return refuse("it is not on record which node was active last", "start Zigbee2MQTT by hand on the node whose devices are paired")
	}
	if active := readiness.Assess(in).Active; serves(in) && (broken == "" || active != in.Recorded) {
		return refuse(fmt.Sprintf("%s serves the home: Zigbee2MQTT runs there and answers over MQTT", active), "use `z2mha switchover`, which can be taken back")
	}
	for _, v := range in.Views {
		if v.Name != in.Recorded && v.Observed != nil && v.Observed.Runs() {
			return refuse(fmt.Sprintf("%s is not stopped: %s", v.Name, v.Observed.WhyNotStopped()), "look at "+v.Name+" first")
		}
	}
	return in.Recorded, answersUnseen(in)
}

// answersUnseen is about a node that cannot be looked at, and whose Zigbee2MQTT is there: it
// is the way to it that is broken, and the home has Zigbee.
func answersUnseen(in readiness.Input) error {
	for _, v := range in.Views {
		if v.Name == in.Recorded && v.Err != nil && in.Bridge != nil && in.Bridge.Err == nil {
			return &network.RefusedError{What: "failover",
				Why:    fmt.Sprintf("%s cannot be looked at (%v), but Zigbee2MQTT answers over MQTT: the home has Zigbee", v.Name, v.Err),
				Remedy: fmt.Sprintf("see why %s cannot be reached; if it shall be left all the same, take its power away first", v.Name)}
		}
	}
	return nil
}

// serves says that a Zigbee2MQTT of this network runs and answers.
func serves(in readiness.Input) bool {
	return readiness.Assess(in).Active != "" && in.Bridge != nil && in.Bridge.Err == nil
}

// mayFailOver is about the target, and about nodes that nobody can look at.
func (c *Controller) mayFailOver(ctx context.Context, n *Network, in readiness.Input, p plan.Plan) (generation.Generation, error) {
	refuse := func(why, remedy string) (generation.Generation, error) {
		return generation.Generation{}, &network.RefusedError{What: "failover", Why: why, Remedy: remedy}
	}
	from, to := p.From, p.To
	if to == from {
		return refuse(fmt.Sprintf("%s is the node that was active", to), fmt.Sprintf("use `z2mha start %s` if it can serve again", to))
	}
	for _, v := range in.Views {
		if err := n.mayBeSilenced(v, in.Record, p); err != nil {
			return generation.Generation{}, err
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

// mayBeSilenced says whether a node is silent, or there is a way to make it so that may
// work as far as can be seen.
func (n *Network) mayBeSilenced(v readiness.View, r network.Record, p plan.Plan) error {
	_, proven := r.Silent[v.Name]
	switch {
	case v.Name == p.To && v.Err != nil, v.Name != p.From && v.Err != nil && !proven:
		return &network.RefusedError{What: "failover", Why: fmt.Sprintf("%s cannot be looked at (%v), so its stick may be on air", v.Name, v.Err),
			Remedy: "make " + v.Name + " reachable"}
	case v.Name != p.From || p.Confirmed != "" || p.Risk != "" || len(n.Fences[v.Name]) > 0:
		return nil
	case v.Err != nil:
		return &UnconfirmedError{Node: v.Name, Why: fmt.Sprintf("%s cannot be looked at (%v), so its stick may be on air", v.Name, v.Err)}
	case v.Observed != nil && !v.Observed.TTYPresent && r.Fenced[v.Name].Rung != network.ByUnplug:
		return &UnconfirmedError{Node: v.Name, Why: stickElsewhere(v.Name) + ", so nobody can tell whether it is on air"}
	}
	return nil
}

// canBeLoaded says that a stick holds the network, or that there is a whole memory to load
// it from: without the active nobody can make one.
func (c *Controller) canBeLoaded(in readiness.Input, node string) bool {
	_, loaded := in.Holds[node]
	return loaded || in.Record.Seed != "" || in.Record.Sticks[node].Generation != 0
}

// deadPatience is how long an answer over MQTT is waited for the second time.
const deadPatience = 5 * time.Second

// dead looks once more, before anything is touched, and takes what the generation tells
// of the network for what Zigbee2MQTT must tell afterwards.
func (e *execution) dead(ctx context.Context, s plan.Step) ([]string, error) {
	in, err := e.c.lookWithin(ctx, e.net, e.plan.To, false, deadPatience)
	if err != nil {
		return nil, err
	}
	from, err := lostNode(in, e.plan.Broken)
	if err != nil {
		return nil, err
	}
	if from != s.Node {
		return nil, &network.RefusedError{What: "failover", Why: fmt.Sprintf("%s was active last, no longer %s", from, s.Node)}
	}
	if _, err := e.c.mayFailOver(ctx, e.net, in, e.plan); err != nil {
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

func stickElsewhere(node string) string {
	return fmt.Sprintf("the stick of %s is not plugged in there", node)
}

// An UnconfirmedError is a failover for which nobody can prove that Node is silent: only a
// person can, or a fence that works.
type UnconfirmedError struct {
	Node, Why string
	Fences    []string  // that were tried, in words
	Running   bool      // a program was seen to drive the stick, so nobody's word counts
	What      plan.Kind // that was given up; "" for a failover
}

func (e *UnconfirmedError) Error() string { return e.refusal().Error() }

// Unwrap makes it a refusal like any other.
func (e *UnconfirmedError) Unwrap() error { return e.refusal() }

func (e *UnconfirmedError) refusal() *network.RefusedError {
	return &network.RefusedError{What: cmp.Or(string(e.What), string(plan.KindFailover)), Why: e.Why, Remedy: e.remedy()}
}

// remedy is exactly what a person can do.
func (e *UnconfirmedError) remedy() string {
	var all []string
	if len(e.Fences) > 0 {
		all = append(all, fmt.Sprintf("see why %s did not cut the power, and try again", strings.Join(e.Fences, " and ")))
	}
	if e.Running || e.What == plan.KindSilence { // which takes nobody's word either
		return strings.Join(append(all, fmt.Sprintf("take the power from %s itself, or pull its stick, and try again", e.Node)), "; or ")
	}
	return strings.Join(append(all, fmt.Sprintf("make %s reachable with its stick, or see that the stick has no power, and say so with --confirm-unplugged", e.Node)), "; or ")
}
