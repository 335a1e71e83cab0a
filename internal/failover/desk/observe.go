package desk

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"z2mha/internal/failover/clues"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/readiness"
)

// hurry is the pause between looks when something has begun to be wrong.
const hurry = 1500 * time.Millisecond

// mind listens to what stirs in a network and asks its radio when it was not heard for
// long, beside the looks: they may wait for a host, and captures take minutes. It goes on
// while the network is held, and ends with ctx.
func (d *Desk) mind(ctx context.Context, f *dossier) {
	if f.bridge == nil {
		return
	}
	defer f.bridge.Stirs(func() { signal(f.stirred) })()
	var probes sync.WaitGroup
	defer probes.Wait()
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.stirred:
			d.startle(f)
		case <-f.glimpsed:
		case <-t.C:
		}
		what, at := d.dueProbe(f)
		if what != clues.None && !time.Now().Before(at) {
			d.beginProbe(f, what)
			probes.Go(func() { d.probe(ctx, f, what) })
			continue // it tells when it is over
		}
		if t.Stop(); what != clues.None {
			t.Reset(time.Until(at))
		}
	}
}

// signal says that something is there to be done; saying it twice changes nothing.
func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// startle has a network looked at now. A look or a capture by schedule that is under way
// began before that, and gives way.
func (d *Desk) startle(f *dossier) {
	d.mu.Lock()
	f.putOff()
	d.mu.Unlock()
	f.soon()
}

// dueProbe is what is to be asked next, and when. Nothing is while a run is under way: it
// has proofs of its own.
func (d *Desk) dueProbe(f *dossier) (clues.Probe, time.Time) {
	signs, now := d.signs(f), time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.doing != "" {
		return clues.None, time.Time{}
	}
	return f.clues.Due(d.input(f, signs, now))
}

func (d *Desk) beginProbe(f *dossier, what clues.Probe) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f.clues.Begin(what, time.Now())
}

func (d *Desk) probe(ctx context.Context, f *dossier, what clues.Probe) {
	answers, err := clues.Make(ctx, f.bridge, what, time.Now())
	now := time.Now()
	d.parts.Log.Debug("the radio was asked", "network", f.name, "probe", what, "answers", answers, "error", err)
	d.mu.Lock()
	if ctx.Err() == nil {
		f.clues.End(what, now, answers, err)
	} else {
		f.clues.GiveUp()
	}
	d.mu.Unlock()
	signal(f.glimpsed)
	if err != nil {
		f.soon()
	}
}

// signs are what is heard of a network; nothing where nobody listens. d.mu must not be
// held: whoever tells of them has a lock of its own.
func (d *Desk) signs(f *dossier) engine.Signs {
	if f.bridge == nil {
		return engine.Signs{}
	}
	return f.bridge.Signs()
}

// input is all that is known of a network. d.mu is held.
func (d *Desk) input(f *dossier, signs engine.Signs, now time.Time) health.Input {
	n := clues.Now{At: now, Network: f.name, Record: f.sight.status.Record, Signs: signs,
		Controller: health.Controller{Started: d.started, Jumped: d.jumped, Alone: d.alone(signs)}}
	for _, x := range f.nodes {
		n.Nodes = append(n.Nodes, x.Name)
	}
	return f.clues.Input(n)
}

// alone says, when nothing at all can be reached, how that is known: neither the broker
// nor any host of any network. d.mu is held.
func (d *Desk) alone(signs engine.Signs) string {
	if signs.Broker.Connected || signs.Broker.Since.IsZero() {
		return ""
	}
	var hosts []string
	for _, name := range d.order {
		f := d.files[name]
		for _, n := range f.nodes {
			if !f.clues.Lost(n.Name) {
				return ""
			}
			hosts = append(hosts, n.Name)
		}
	}
	if len(hosts) == 0 {
		return ""
	}
	return "neither the broker nor any host can be reached: " + strings.Join(hosts, ", ")
}

// watchNodes takes note of every look at a node until the desk closes, as soon as it ends.
func (d *Desk) watchNodes(f *dossier) (cancel func()) {
	if d.parts.Sighted == nil {
		return func() {}
	}
	return d.parts.Sighted(f.name, func(v readiness.View) { d.saw(f, v) })
}

func (d *Desk) saw(f *dossier, views ...readiness.View) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range views {
		f.clues.Saw(v, now)
	}
}

// nextLookAt is when the look is due that follows one which began and ended then.
func (d *Desk) nextLookAt(f *dossier, began, ended time.Time) time.Time {
	pause := d.parts.Every
	if f.bridge != nil {
		signs := d.signs(f)
		d.mu.Lock()
		if clues.Hurried(d.input(f, signs, ended)) {
			pause = min(pause, hurry)
		}
		d.mu.Unlock()
	}
	if at := began.Add(pause); at.After(ended) {
		return at
	}
	return ended.Add(leastPause)
}

// tick is how often the clock is looked at.
const tick = 5 * time.Second

// watchClock looks at the clock between the looks, too.
func (d *Desk) watchClock(over <-chan struct{}) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for d.checkClock(); ; d.checkClock() {
		select {
		case <-over:
			return
		case <-t.C:
		}
	}
}

// checkClock notes when the clock was set and when we have stood still since it was checked
// last: what was heard and seen before tells nothing of the time in between. It is checked
// before each decision, so that none is made by a clock that has just moved.
func (d *Desk) checkClock() {
	d.mu.Lock()
	now, last := time.Now(), d.clock
	d.clock = now
	wall, truth := now.Round(0).Sub(last.Round(0)), now.Sub(last)
	jumped := !last.IsZero() && clues.Jumped(wall, truth, tick)
	if jumped {
		d.jumped = now
	}
	d.mu.Unlock()
	if jumped {
		d.parts.Log.Warn("the clock was set, or nothing was done for a while", "set_by", wall-truth, "late_by", truth-tick)
		d.Look("")
	}
}

// Evidence is all that is known of a network now, as decisions are made from it; false when
// there is no such network.
func (d *Desk) Evidence(network string) (health.Input, bool) {
	f := d.files[network]
	if f == nil {
		return health.Input{}, false
	}
	signs := d.signs(f)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.input(f, signs, time.Now()), true
}

// CorrectState puts a network's bridge/state right after a late last will, and tells how
// that is known. See engine.CorrectState.
func (d *Desk) CorrectState(ctx context.Context, network string) (evidence string, err error) {
	f := d.files[network]
	if f == nil || f.bridge == nil {
		return "", errors.New("nobody listens to the broker for network " + network)
	}
	d.mu.Lock()
	active := f.sight.status.Record.Active
	d.mu.Unlock()
	return engine.CorrectState(ctx, f.bridge, active)
}
