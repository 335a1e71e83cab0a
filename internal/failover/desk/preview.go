package desk

import (
	"cmp"
	"context"
	"errors"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
)

// What runs are expected to take when none was measured. Most of it is Zigbee2MQTT's own
// stop and start; a fast switchover spares the closing backup and whatever asks a stick.
const (
	usualOutage   = 45 * time.Second
	usualFast     = 5 * time.Second
	usualYield    = usualOutage + 20*time.Second // Zigbee2MQTT restores its backup
	usualTakeover = 30 * time.Second             // of a failover, from its begin
)

// Preview says what r would do now. It waits for a look at the network that is under
// way, since two looks at one stick disturb each other.
func (d *Desk) Preview(ctx context.Context, r Request) (Preview, error) {
	r.By, r.Confirmed = oneLine(r.By), oneLine(r.Confirmed)
	f, err := d.find(&r)
	if err != nil {
		return Preview{}, err
	}
	if r.Verb == Hold || r.Verb == Release || r.Verb == Acknowledge {
		return Preview{Request: r, Interruption: Interruption{None: true}}, nil
	}
	d.readHold(f)
	d.mu.Lock()
	err = d.mayBegin(f, r)
	if err != nil {
		d.mu.Unlock()
		return Preview{}, err
	}
	f.waiting++
	f.putOff()
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		f.waiting--
	}()
	return d.inQuiet(ctx, f, r)
}

// inQuiet makes the preview when nobody looks at the network or acts on it.
func (d *Desk) inQuiet(ctx context.Context, f *dossier, r Request) (p Preview, err error) {
	done := make(chan struct{})
	do := func(desk context.Context) {
		defer close(done)
		ctx, cancel := context.WithTimeout(ctx, lookPatience)
		defer cancel()
		defer context.AfterFunc(desk, cancel)()
		p, err = d.preview(ctx, f, r)
	}
	t := time.NewTimer(lookPatience)
	defer t.Stop()
	select {
	case <-t.C:
		return Preview{}, newJob(r).refusal("something else is being carried out on this network", "wait until it has ended")
	case f.previews <- do:
		<-done
		return p, err
	case <-f.gone:
		return Preview{}, newJob(r).refusal("the controller is stopping", "ask again when it runs")
	case <-ctx.Done():
		return Preview{}, ctx.Err()
	}
}

func (d *Desk) preview(ctx context.Context, f *dossier, r Request) (Preview, error) {
	out := Preview{Request: r, Interruption: Interruption{None: true}}
	var err error
	if r.Verb == Accept {
		out.Why, err = d.parts.Engine.WhyRefused(r.Network, r.Generation)
		return out, err
	}
	out.Plan, out.Steps, err = d.planOf(ctx, r)
	if _, unconfirmed := errors.AsType[*engine.UnconfirmedError](err); unconfirmed && r.Confirmed == "" {
		out.NeedsWord = true
		out.Plan, out.Steps, err = d.parts.Engine.PlanFailover(ctx, r.Network, r.To, "a person has confirmed that it has no power")
		out.Plan.Confirmed = ""
	}
	if errors.Is(err, engine.ErrAlreadyActive) {
		err = asRefusal(newJob(r), err)
	}
	if err != nil {
		return Preview{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Verb == Failover && r.Confirmed == "" && f.watch.decision != nil && questionID(*f.watch.decision) == "fence "+out.Plan.From {
		out.NeedsWord = true // every other way was tried
	}
	out.Interruption = interruption(out.Plan, f.past)
	return out, nil
}

func (d *Desk) planOf(ctx context.Context, r Request) (plan.Plan, []engine.Explained, error) {
	e := d.parts.Engine
	switch r.Verb {
	case Seed:
		return e.PlanSeed(ctx, r.Network)
	case Failover:
		return e.PlanFailover(ctx, r.Network, r.To, r.Confirmed)
	case Restore:
		return e.PlanRestore(ctx, r.Network, r.Generation)
	case Stop:
		return e.PlanStop(ctx, r.Network, r.To)
	case Start:
		return e.PlanStart(ctx, r.Network, r.To)
	case Repair:
		return e.PlanRepair(ctx, r.Network, r.To)
	case Return:
		return e.PlanReturn(ctx, r.Network, r.To)
	case Sync:
		return e.PlanSync(ctx, r.Network)
	}
	return e.DryRun(ctx, r.engineRequest())
}

// interruption is how long a plan is expected to leave the home without Zigbee.
func interruption(p plan.Plan, before past) Interruption {
	var out Interruption
	for _, s := range p.Steps {
		if s.Dark {
			out.AtMost += s.Budget
		}
	}
	switch {
	case out.AtMost == 0:
		return Interruption{None: true}
	case p.Kind == plan.KindStop:
		return Interruption{Forever: true}
	case p.Kind == plan.KindStart:
		return out
	}
	out.Expected = cmp.Or(before.outages[restOf(p, p.To)], before.outages[restOf(p, "")])
	out.Measured = out.Expected > 0
	out.Expected = cmp.Or(out.Expected, usual(p))
	return out
}

func usual(p plan.Plan) time.Duration {
	switch {
	case p.Kind == plan.KindFailover:
		return usualTakeover
	case p.Fast:
		return usualFast
	case p.Yield:
		return usualYield
	}
	return usualOutage
}
