package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// StopNode ends Zigbee2MQTT on r.To and silences its stick. It refuses when a run was
// cut off, since that run's next step may count on the node.
func (c *Controller) StopNode(ctx context.Context, r Request, w Watch) (Ended, error) {
	return c.oneNode(ctx, r, w, c.planStop)
}

// StartNode starts r.To, or the node that was active last when r.To is "", while
// nobody is active.
func (c *Controller) StartNode(ctx context.Context, r Request, w Watch) (Ended, error) {
	return c.oneNode(ctx, r, w, c.planStart)
}

type planner func(ctx context.Context, n *Network, node string) (plan.Plan, error)

func (c *Controller) oneNode(ctx context.Context, r Request, w Watch, planned planner) (Ended, error) {
	n, err := c.network(r.Network)
	if err != nil {
		return Ended{}, err
	}
	release, err := c.occupyUnless(r.DespiteHold, n.Name, "a run on a node")
	if err != nil {
		return Ended{}, err
	}
	defer release()
	if err := c.recover(ctx, n, w); err != nil {
		return Ended{}, err
	}
	p, err := planned(ctx, n, r.To)
	if err != nil {
		return Ended{}, err
	}
	p.Reason, p.Accept, p.DespiteHold = r.Reason, r.AcceptChange, r.DespiteHold
	return c.carryOut(ctx, n, p, w)
}

// PlanStop returns the plan that StopNode would carry out now, with the exact remote
// commands. It changes nothing. PlanStart does the same for StartNode.
func (c *Controller) PlanStop(ctx context.Context, net, node string) (plan.Plan, []Explained, error) {
	return c.preview(ctx, net, node, c.planStop)
}

func (c *Controller) PlanStart(ctx context.Context, net, node string) (plan.Plan, []Explained, error) {
	return c.preview(ctx, net, node, c.planStart)
}

func (c *Controller) preview(ctx context.Context, net, node string, planned planner) (plan.Plan, []Explained, error) {
	n, err := c.network(net)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	p, err := planned(ctx, n, node)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	out, err := explain(n, p)
	return p, out, err
}

// planStop needs only that the node can be looked at: two that are active at once is
// what a stop may be for.
func (c *Controller) planStop(ctx context.Context, n *Network, node string) (plan.Plan, error) {
	if node == "" {
		return plan.Plan{}, &network.RefusedError{What: "stop", Why: "no node was named", Remedy: "name one of " + strings.Join(n.names(), ", ")}
	}
	x, err := n.node(node)
	if err != nil {
		return plan.Plan{}, err
	}
	o, err := x.Observe(ctx)
	if err != nil {
		return plan.Plan{}, &network.RefusedError{What: "stop " + node, Why: err.Error(), Remedy: "make " + node + " reachable, or pull its stick"}
	}
	if err := n.oneOfItsOwn(ctx, x, o); err != nil {
		return plan.Plan{}, err
	}
	return plan.StopNode(n.Name, node, o.Runs(), n.Timing), nil
}

// oneOfItsOwn refuses to reset a stick that another node drives under another name.
func (n *Network) oneOfItsOwn(ctx context.Context, x Node, o network.Observation) error {
	for _, other := range n.Nodes {
		if other.Name() == x.Name() || o.TTYDevice == "" {
			continue
		}
		seen, err := other.Observe(ctx)
		if err != nil || seen.TTYDevice != o.TTYDevice || !seen.Runs() {
			continue
		}
		if seen.HostID == o.HostID || strings.HasPrefix(o.TTYDevice, "tcp://") {
			return &network.RefusedError{What: "stop " + x.Name(), Why: fmt.Sprintf("%s drives the same stick, %s", other.Name(), o.TTYDevice),
				Remedy: "give each node its own stick in the configuration (`dongle`)"}
		}
	}
	return nil
}

// planStart looks whether the node that was active last may start.
func (c *Controller) planStart(ctx context.Context, n *Network, node string) (plan.Plan, error) {
	in, err := c.look(ctx, n, "", false)
	if err != nil {
		return plan.Plan{}, err
	}
	if node == "" {
		node = in.Recorded
	}
	if node != "" {
		if _, err := n.node(node); err != nil {
			return plan.Plan{}, err
		}
	}
	if err := mayStart(ctx, n, in, node); err != nil {
		return plan.Plan{}, err
	}
	return plan.StartNode(n.Name, node, n.without(node), n.Timing), nil
}

// mayStart is about who, before what is on the node is looked at.
func mayStart(ctx context.Context, n *Network, in readiness.Input, node string) error {
	refuse := func(why, remedy string) error {
		return &network.RefusedError{What: "start", Why: why, Remedy: remedy}
	}
	if in.Recorded == "" {
		return refuse("it is not on record which node was active last",
			"start Zigbee2MQTT by hand on the node whose devices are paired")
	}
	if node != in.Recorded {
		return refuse(fmt.Sprintf("%s was active last; %s does not hold what the network is now", in.Recorded, node),
			fmt.Sprintf("start %s, then switch over", in.Recorded))
	}
	for _, v := range in.Views {
		switch {
		case v.Name != node:
		case v.Err != nil:
			return refuse(v.Err.Error(), "make "+v.Name+" reachable")
		case v.Observed != nil && v.Observed.Runs():
			return refuse(fmt.Sprintf("%s is not stopped: %s", v.Name, v.Observed.WhyNotStopped()), "look at "+v.Name+" first")
		}
	}
	if err := othersRest(in, node, "start"); err != nil {
		return err
	}
	return brokerAnswers(ctx, n, "start")
}

// readyToStart looks once more, and reads the node's data: Zigbee2MQTT that starts on
// half a directory may form a new network.
func (e *execution) readyToStart(ctx context.Context, s plan.Step) ([]string, error) {
	back, err := e.surveyBack(ctx, s)
	if err != nil {
		return nil, err
	}
	saw, err := e.readyNow(ctx, s)
	return append(back, saw...), err
}

func (e *execution) readyNow(ctx context.Context, s plan.Step) ([]string, error) {
	in, err := e.c.look(ctx, e.net, "", false)
	if err != nil {
		return nil, err
	}
	if err := e.c.noteSpeakers(in.Network, in.Views); err != nil {
		return nil, err
	}
	if err := mayStart(ctx, e.net, in, s.Node); err != nil {
		return nil, err
	}
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	got, err := x.Capture(ctx, e.c.parts.Shelf)
	if err != nil {
		return nil, err
	}
	if err := e.likeLast(got, s.Node); err != nil {
		return nil, err
	}
	data := got.Summary
	data.Members = nil // every step's line in the journal would list them
	e.facts.Data = &data
	return []string{fmt.Sprintf("nobody is active; the data of %s is whole, %d devices", s.Node, got.Summary.Devices)}, nil
}

// likeLast refuses data that tells of another network than the last good generation, or
// of less, unless a person takes it.
func (e *execution) likeLast(got network.Capture, node string) error {
	last, err := e.c.newest(e.net)
	if err != nil || e.plan.Accept {
		return err
	}
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return err
	}
	if why := generation.Judge(last, generation.Generation{Files: got.Files, Summary: got.Summary}, r.Gone()); len(why) > 0 {
		return &network.RefusedError{What: "the data of " + node, Why: strings.Join(why, ", "),
			Remedy: fmt.Sprintf("look at the data directory of %s; if this is what you want, say so with --accept-change", node)}
	}
	return nil
}

// raiseOwn lifts the counters of the stick that is about to start again. Nobody knows
// how often it was started by hand since it was seen last.
func (e *execution) raiseOwn(ctx context.Context, s plan.Step) ([]string, error) {
	if beside(e.plan.Kind) {
		return e.raiseActive(ctx, s)
	}
	kept, err := e.image(e.facts.KeptImage)
	if err != nil {
		return nil, err
	}
	margin, err := e.holdsItsData(kept)
	if err != nil {
		return nil, err
	}
	if why, ok := e.goesOn(kept); ok {
		e.facts.Loaded = time.Now()
		return []string{why}, nil
	}
	saw, err := e.loadRaised(ctx, s, kept, margin)
	if err != nil {
		return nil, err
	}
	e.facts.Loaded = time.Now()
	return saw, nil
}

// loadRaised brings img with raised counters onto the stick, whatever a load that was
// cut off has left there. margin is for link keys.
func (e *execution) loadRaised(ctx context.Context, s plan.Step, img *nvimage.Image, margin uint32) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	if err := mustBeStopped(ctx, x); err != nil {
		return nil, err
	}
	now, err := x.ReadStick(ctx, progressOf(e.watch, s))
	if err != nil {
		return nil, err
	}
	if _, err := e.keepMemory(s.Node, now); err != nil {
		return nil, err
	}
	counters, err := img.Counters()
	if err != nil {
		return nil, err
	}
	if err := e.remember(func(r *network.Record) { r.Odometer = r.Odometer.Held(counters.NWK) }); err != nil {
		return nil, err
	}
	floors, err := e.floors(ctx, s.Node, margin)
	if err != nil {
		return nil, err
	}
	img = img.Clone()
	if e.plan.Kind == plan.KindStart || e.plan.Kind == plan.KindRepair { // another stick may have spoken since this one did
		floors.LinkMargin = max(linksSince(counters.NWK, floors), e.overtakeOthers(ctx, s, img))
	}
	more, err := e.overtakeStrays(ctx, s, img)
	if err != nil {
		return nil, err
	}
	floors.LinkMargin = max(floors.LinkMargin, more)
	want, err := nvimage.Successor(img, now.Image, keepPace(floors, counters.NWK))
	if err != nil {
		return nil, fmt.Errorf("make the image for %s: %w", s.Node, err)
	}
	if err := e.willUse(s.Node, want); err != nil {
		return nil, err
	}
	e.raises++ // each try has an image of its own, so it is a run of its own
	rep, err := e.loadStick(ctx, x, s, network.StickLoad{Run: fmt.Sprintf("%s-raise-%d-%d", e.plan.ID, e.prog.Seq, e.raises), Want: want,
		From: now.Stick, AnyRevision: e.net.AnyRevision, ExpectBefore: now.Image.Hash()})
	if err != nil {
		return nil, err
	}
	return loaded(rep, floors.NWK), nil
}

// overtakeOthers lifts img to the counters of every other stick that may have spoken for
// this network, and returns the margin for link keys that covers those it cannot read.
func (e *execution) overtakeOthers(ctx context.Context, s plan.Step, img *nvimage.Image) (margin uint32) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return unreadMargin
	}
	for _, name := range e.net.without(s.Node) {
		on, ours := r.Sticks[name]
		if !ours {
			continue
		}
		other, err := e.image(on.Image)
		if on.Image == "" || on.Writing || err != nil { // it was started, or half written, since it was read last
			other, err = e.readOther(ctx, name, s)
		}
		if err != nil {
			margin = unreadMargin
			continue
		}
		img.Overtake(other)
	}
	return margin
}

func (e *execution) readOther(ctx context.Context, node string, s plan.Step) (*nvimage.Image, error) {
	x, err := e.net.node(node)
	if err != nil {
		return nil, err
	}
	m, err := e.readWhole(ctx, x, plan.Step{ID: s.ID, Act: s.Act, Node: node})
	return m.Image, err
}

// wholeStick makes sure that a raise which did not end well leaves a stick from which
// the node can be started another time.
func (e *execution) wholeStick(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	if o, err := observeSoon(ctx, x); err == nil && o.Active() { // it was silenced, so it was somebody else
		return []string{"somebody has started Zigbee2MQTT on it meanwhile"}, nil
	}
	now, err := x.ReadStick(ctx, progressOf(e.watch, s))
	if err != nil {
		return nil, err
	}
	if now.Image.Resumable() == nil {
		return []string{"its memory is whole"}, nil
	}
	kept, err := e.image(e.facts.KeptImage)
	if err != nil {
		return nil, err
	}
	if kept.Resumable() != nil {
		return []string{"its memory was not whole before either"}, nil
	}
	return e.loadRaised(ctx, s, kept, unreadMargin)
}

// holdsItsData compares the stick with the data beside it, and makes what it holds the
// identity that Zigbee2MQTT must tell afterwards. It returns the margin for link keys.
func (e *execution) holdsItsData(img *nvimage.Image) (margin uint32, err error) {
	if err := img.Resumable(); err != nil {
		return 0, fmt.Errorf("the stick holds no network that Zigbee2MQTT could go on with: %w", err)
	}
	id, err := img.Identity()
	if err != nil {
		return 0, err
	}
	e.facts.Before = &Baseline{Coordinator: id.IEEE, PanID: id.PanID, ExtPanID: id.ExtPanID, Channel: id.Channel}
	refuse := func(why string) (uint32, error) {
		return 0, &network.RefusedError{What: "start", Why: why, Remedy: "see that this is the stick that belongs to this host"}
	}
	data := e.facts.Data
	if key := data.KeyFingerprint; key != "" && key != id.Key.Fingerprint() {
		return refuse(fmt.Sprintf("the network key in the data directory (%s) is not the one on the stick (%s)", key, id.Key.Fingerprint()))
	}
	if diff := e.facts.Before.inData(*data); len(diff) > 0 {
		return refuse("the stick and the data directory tell of two networks: " + strings.Join(diff, ", "))
	}
	return e.noOlder(img, data.BackupCounter)
}

// noOlder refuses a stick that is behind the backup which Zigbee2MQTT has made of it: it
// was put back to an earlier state, or is another one. With a person's consent its
// counters are lifted far.
func (e *execution) noOlder(img *nvimage.Image, backup zigbee.FrameCounter) (margin uint32, err error) {
	c, err := img.Counters()
	if err != nil {
		return 0, err
	}
	if c.NWK >= backup || backup <= odometer.BootSkip { // what a backup says when a stick has no counter yet
		return linkMargin, nil
	}
	if !e.plan.Accept {
		return 0, &network.RefusedError{What: "start",
			Why:    fmt.Sprintf("what is on the stick is older than the data beside it: its frame counter is %d, and Zigbee2MQTT has seen %d", c.NWK, backup),
			Remedy: "put the stick back that served last; if there is no other, say so with --accept-change, and expect that devices paired since do not answer"}
	}
	return unreadMargin, e.remember(func(r *network.Record) { r.Odometer = r.Odometer.Held(backup).Doubted() })
}

// proveStart asks whoever can be asked. That nobody answers yet is told and no reason
// to go silent again.
func (e *execution) proveStart(ctx context.Context, s plan.Step, x Node, saw []string, watched time.Time) ([]string, error) {
	heard, err := e.witness(ctx, s)
	if err != nil {
		return nil, err
	}
	if e.facts.Unproven = ""; len(e.facts.Witnesses) == 0 {
		e.facts.Unproven = "no device has answered yet"
		heard = []string{"unproven: " + e.facts.Unproven}
	}
	saw = append(saw, heard...)
	return append(saw, fmt.Sprintf("it stayed up for %s", e.net.Timing.Watch)), e.staysUp(ctx, x, watched)
}
