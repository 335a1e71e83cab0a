package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// Capture takes what the running network is now and brings it to every stand-by that
// lacks it: data into staging, devices, keys and a counter to start from onto the parked
// stick. Zigbee goes on all the time. When nothing has changed, nothing is begun.
//
// A capture that is not what it should be is kept, refused, and reaches nobody: that is
// no error, see Captured. Neither is a stand-by that cannot be reached. An error means that nothing could be captured.
func (c *Controller) Capture(ctx context.Context, r CaptureRequest, w Watch) (Captured, error) {
	n, err := c.network(r.Network)
	if err != nil {
		return Captured{}, err
	}
	release, err := c.occupy(n.Name, "a sync")
	if err != nil {
		return Captured{}, err
	}
	defer release()
	if err := c.recover(ctx, n, w); err != nil {
		return Captured{}, err
	}
	p, gone, err := c.planSync(ctx, n)
	out := Captured{Unreachable: gone}
	if err != nil {
		return out, err
	}
	g, refused, err := c.captureActive(ctx, n, p.From, r, &out)
	if err != nil {
		return out, err
	}
	if refused { // the last good one stays, and so does a counter from which it can start
		if g, err = c.newest(n); err != nil || g.Number == 0 {
			return out, err
		}
	}
	if p, err = c.lacking(n, p, g, r.Live && !refused); err != nil || len(p.Steps) == 0 {
		return out, err
	}
	p.Reason, p.Accept = r.Reason, r.AcceptChange
	out.Ended, err = c.carryOut(ctx, n, p, w)
	return out, err
}

// captureActive captures the active and judges what it got. refused says that it was kept
// as something to look at.
func (c *Controller) captureActive(ctx context.Context, n *Network, active string, r CaptureRequest, out *Captured) (_ generation.Generation, refused bool, err error) {
	if r.Live {
		if _, err := c.backUp(ctx, n); err != nil {
			return generation.Generation{}, false, fmt.Errorf("have %s back its coordinator up: %w", active, err)
		}
	}
	x, err := n.node(active)
	if err != nil {
		return generation.Generation{}, false, err
	}
	got, err := x.Capture(ctx, c.parts.Shelf)
	if err != nil {
		return generation.Generation{}, false, err
	}
	before, err := c.newest(n)
	if err != nil {
		return generation.Generation{}, false, err
	}
	g, err := c.take(n, generation.Generation{Source: active, Reason: cmp.Or(r.Reason, "sync"), At: time.Now()}, got, r.AcceptChange)
	if no, ok := errors.AsType[*CaptureRefusedError](err); ok {
		out.Refused, out.Why, out.Generation = no.Number, no.Why, before.Number
		return g, true, nil
	}
	if err != nil {
		return g, false, err
	}
	out.Generation, out.New = g.Number, g.Number != before.Number
	err = c.remember(n.Name, func(rec *network.Record) {
		rec.Captured = time.Now()
		if rec.Active != active {
			rec.Serves(active, time.Now())
		}
		if r.Live {
			rec.BackedUp = rec.Captured
		}
		if r.Live && got.Summary.BackupCounter != 0 {
			rec.Odometer = rec.Odometer.Captured(got.Summary.BackupCounter, rec.Captured)
		}
	})
	if err != nil || !r.Live {
		return g, false, err
	}
	if err := c.spreadOdometer(ctx, n, x); err != nil {
		c.parts.Log.Warn("a copy is missing", "network", n.Name, "node", active, "error", err)
	}
	return g, false, nil
}

// backUp has the running Zigbee2MQTT write down what its stick holds.
func (c *Controller) backUp(ctx context.Context, n *Network) (time.Duration, error) {
	began := time.Now()
	err := n.Bridge.Backup(ctx)
	return time.Since(began), err
}

// A CaptureRefusedError is a capture that must not reach a stand-by.
type CaptureRefusedError struct {
	Node   string
	Number int // on the shelf, 0 when it was not kept
	Why    []string
}

func (e *CaptureRefusedError) Error() string {
	s := fmt.Sprintf("the capture of %s is refused: %s", e.Node, strings.Join(e.Why, ", "))
	if e.Number != 0 {
		return fmt.Sprintf("%s; look at the data directory and the stick of %s; if this is what you want, say so: z2mha accept %d", s, e.Node, e.Number)
	}
	return s
}

// Unwrap makes it a refusal like any other.
func (e *CaptureRefusedError) Unwrap() error {
	remedy := fmt.Sprintf("look at the data directory and the stick of %s", e.Node)
	if e.Number != 0 {
		remedy += fmt.Sprintf("; if this is what you want, say so: z2mha accept %d", e.Number)
	}
	return &network.RefusedError{What: "the capture of " + e.Node, Why: strings.Join(e.Why, ", "), Remedy: remedy}
}

func refusedCapture(node string, number int, why []string) error {
	return &CaptureRefusedError{Node: node, Number: number, Why: why}
}

// take puts a capture on the shelf and returns it with its number, or that of an equal
// one. One that tells of another network than the last good one, or of less, is kept as
// refused: the error is then a *CaptureRefusedError.
func (c *Controller) take(n *Network, g generation.Generation, got network.Capture, accept bool) (generation.Generation, error) {
	g.Network, g.Files, g.Summary = n.Name, got.Files, got.Summary
	last, err := c.newest(n)
	if err != nil {
		return g, err
	}
	rec, err := c.parts.Memory.Load(n.Name)
	if err != nil {
		return g, err
	}
	if g.Refused = generation.Judge(last, g, rec.Gone()); broken.TakesShrunken || broken.CapturesStandby {
		g.Refused = nil
	}
	if len(g.Refused) == 0 && last.Number != 0 && last.Source == g.Source && last.Hash == g.ContentHash() {
		return last, c.noteGood(n.Name, last)
	}
	if len(g.Refused) > 0 && accept {
		g.Accepted = &generation.Accepted{By: g.Reason, At: time.Now()}
	}
	if !g.Usable() {
		return c.refuse(n, g)
	}
	if g, err = c.parts.Shelf.Add(g); err != nil {
		return g, fmt.Errorf("put the capture on the shelf: %w", err)
	}
	return g, c.noteGood(n.Name, g)
}

// refuse keeps a capture that must not reach a stand-by, once for each content.
func (c *Controller) refuse(n *Network, g generation.Generation) (generation.Generation, error) {
	newest, err := c.parts.Shelf.Newest(n.Name)
	if err != nil && !errors.Is(err, generation.ErrNone) {
		return g, err
	}
	if err != nil || newest.Usable() || newest.Hash != g.ContentHash() {
		if newest, err = c.parts.Shelf.Add(g); err != nil {
			return g, fmt.Errorf("put the refused capture on the shelf: %w", err)
		}
	}
	if err := c.remember(n.Name, func(r *network.Record) { r.Refused = newest.Number }); err != nil {
		return newest, err
	}
	return newest, refusedCapture(g.Source, newest.Number, g.Refused)
}

// noteGood takes note that g is a good one. Whoever left and is still in it has left since
// it was read.
func (c *Controller) noteGood(net string, g generation.Generation) error {
	return c.remember(net, func(r *network.Record) {
		r.Refused = 0
		r.Left = slices.DeleteFunc(r.Left, func(l network.Leaving) bool {
			return !slices.ContainsFunc(g.Summary.Members, func(m generation.Member) bool { return m.IEEE == l.IEEE })
		})
	})
}

// lacking leaves in the plan what the stand-bys lack of g. With a live backup every stick
// is looked at: what it holds is then known afresh.
func (c *Controller) lacking(n *Network, p plan.Plan, g generation.Generation, live bool) (plan.Plan, error) {
	r, err := c.parts.Memory.Load(n.Name)
	if err != nil {
		return p, err
	}
	var steps []plan.SyncStep
	for _, node := range p.Others {
		s := plan.SyncStep{Node: node, Stage: r.Staged[node].Generation != g.Number, Warm: live || c.behind(n.Name, r, node, g)}
		if s.Stage || s.Warm {
			steps = append(steps, s)
		}
	}
	out := plan.Sync(n.Name, p.From, g.Number, steps)
	if r.BootOwed && len(p.Others) == len(n.Nodes)-1 { // else nobody can see whether another one has it
		out.Enable(p.From)
	}
	return out, nil
}

// behind says that a stick holds another coordinator state than g, or no counter from
// which it could start tomorrow.
func (c *Controller) behind(net string, r network.Record, node string, g generation.Generation) bool {
	on := r.Sticks[node]
	if on.Image == "" || on.Writing || !r.Odometer.Covers(on.Reserved, time.Now()) {
		return on.Trouble == "" // what cannot be helped is tried with the next live backup
	}
	was, err := c.parts.Shelf.Get(net, on.Generation)
	if err != nil {
		return true
	}
	had, _ := was.File(backupFile)
	has, _ := g.File(backupFile)
	return had.SHA256 != has.SHA256
}

// NoteLeft takes note that a device has left the network, so that the next capture may
// lack it.
func (c *Controller) NoteLeft(net string, l network.Leaving) error {
	return c.remember(net, func(r *network.Record) {
		if !slices.ContainsFunc(r.Left, func(x network.Leaving) bool { return x.IEEE == l.IEEE }) {
			r.Left = append(r.Left, l)
		}
	})
}

// Membership calls tell with every change of a network from now on, until cancel is
// called.
func (c *Controller) Membership(net string, tell func(Membership)) (cancel func()) {
	n, err := c.network(net)
	if err != nil {
		return func() {}
	}
	return n.Bridge.Watch(tell)
}

// WhyRefused says why a capture was refused; it refuses to tell of one that was not.
func (c *Controller) WhyRefused(net string, number int) ([]string, error) {
	n, err := c.network(net)
	if err != nil {
		return nil, err
	}
	refuse := func(why, remedy string) error {
		return &network.RefusedError{What: fmt.Sprintf("accept %d", number), Why: why, Remedy: remedy}
	}
	g, err := c.parts.Shelf.Get(n.Name, number)
	switch {
	case errors.Is(err, generation.ErrNone):
		return nil, refuse("there is no generation of that number", "`z2mha shelf list` shows those that there are")
	case err != nil:
		return nil, err
	case g.Usable():
		return nil, refuse("that generation was not refused", "there is nothing to do")
	}
	return g.Refused, nil
}

// Accept takes a refused capture for what the network is from now on: a person's word,
// which by gives. It brings nothing anywhere; the next capture does.
func (c *Controller) Accept(net string, number int, by string) (generation.Generation, error) {
	n, err := c.network(net)
	if err != nil {
		return generation.Generation{}, err
	}
	release, err := c.occupy(n.Name, "an accept")
	if err != nil {
		return generation.Generation{}, err
	}
	defer release()
	g, err := c.parts.Shelf.Accept(n.Name, number, by)
	if err != nil {
		return g, err
	}
	return g, c.remember(n.Name, func(r *network.Record) {
		if r.Refused == number { // a newer one may have been refused since
			r.Refused = 0
		}
	})
}

// remember changes a network's record on disk.
func (c *Controller) remember(net string, change func(*network.Record)) error {
	c.recording.Lock()
	defer c.recording.Unlock()
	r, err := c.parts.Memory.Load(net)
	if err != nil {
		return err
	}
	r.Network = net
	change(&r)
	return c.parts.Memory.Save(r)
}

// planSync looks whose data could be copied to whom now, and who is out of reach.
func (c *Controller) planSync(ctx context.Context, n *Network) (plan.Plan, map[string]error, error) {
	in, err := c.look(ctx, n, "", false)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	a := readiness.Assess(in).ForSync()
	if err := a.Refusal("sync"); err != nil {
		return plan.Plan{}, nil, err
	}
	targets, gone := reachable(in, a.Active)
	var steps []plan.SyncStep
	for _, node := range targets {
		steps = append(steps, plan.SyncStep{Node: node, Stage: true, Warm: true})
	}
	return plan.Sync(n.Name, a.Active, 0, steps), gone, nil
}

// PlanSync returns the plan that Capture would carry out now if there were something new, with the exact remote
// commands. It changes nothing.
func (c *Controller) PlanSync(ctx context.Context, net string) (plan.Plan, []Explained, error) {
	return c.preview(ctx, net, "", func(ctx context.Context, n *Network, _ string) (plan.Plan, error) {
		p, gone, err := c.planSync(ctx, n)
		if err == nil && len(gone) == len(n.Nodes)-1 {
			err = &network.RefusedError{What: "sync", Why: "no stand-by can be reached", Remedy: "make one reachable"}
		}
		return p, err
	})
}

func reachable(in readiness.Input, active string) ([]string, map[string]error) {
	var names []string
	gone := map[string]error{}
	for _, v := range in.Views {
		switch {
		case v.Name == active:
		case v.Err != nil:
			gone[v.Name] = v.Err
		default:
			names = append(names, v.Name)
		}
	}
	return names, gone
}
