package desk

import (
	"context"
	"errors"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
)

// usualOutage is what a switchover is expected to take when none was measured: most of
// it is Zigbee2MQTT's own stop and start.
const usualOutage = 45 * time.Second

// Preview says what r would do now. It waits for a look at the network that is under
// way, since two looks at one stick disturb each other.
func (d *Desk) Preview(ctx context.Context, r Request) (Preview, error) {
	r.By = oneLine(r.By)
	f, err := d.find(&r)
	if err != nil {
		return Preview{}, err
	}
	if r.Verb == Hold || r.Verb == Release {
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
	p, steps, err := d.planOf(ctx, r)
	if errors.Is(err, engine.ErrAlreadyActive) {
		err = asRefusal(newJob(r), err)
	}
	if err != nil {
		return Preview{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return Preview{Request: r, Plan: p, Steps: steps, Interruption: interruption(p, f.past)}, nil
}

func (d *Desk) planOf(ctx context.Context, r Request) (plan.Plan, []engine.Explained, error) {
	e := d.parts.Engine
	switch r.Verb {
	case Stop:
		return e.PlanStop(ctx, r.Network, r.To)
	case Start:
		return e.PlanStart(ctx, r.Network, r.To)
	case Sync:
		return e.PlanSync(ctx, r.Network)
	}
	return e.DryRun(ctx, r.Network, r.To)
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
	case p.Kind != plan.KindSwitchover:
		return out
	}
	out.Expected, out.Measured = before.outages[p.To], true
	if out.Expected == 0 {
		out.Expected = before.outage
	}
	if out.Expected == 0 {
		out.Expected, out.Measured = usualOutage, false
	}
	return out
}
