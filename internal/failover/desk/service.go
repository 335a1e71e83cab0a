package desk

import (
	"context"
	"sync"
	"time"

	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/status"
)

const (
	// recoverEvery is how often a run that could not be settled is tried again: what was
	// not reachable may be so by then.
	recoverEvery = 5 * time.Minute
	// quietTime is the shortest time between two changes that are told through Changed.
	quietTime = 100 * time.Millisecond
)

// A Desk is the Service. It is a Task: Run does everything, in goroutines that it
// waits for.
type Desk struct {
	parts Parts
	order []string
	news  *news
	ready chan struct{}
	dirty chan struct{} // one place
	sweep chan struct{} // one place: something is to be tidied

	mu      sync.Mutex
	files   map[string]*dossier
	changed chan struct{}
	open    bool // requests are taken
	started time.Time
	clock   time.Time // when it was checked last whether the clock was set
	jumped  time.Time // when the clock was seen to be set, or we were seen to have stood still
}

var _ Service = (*Desk)(nil)

// New makes a Desk for the networks of the engine. It starts nothing.
func New(p Parts) *Desk {
	p = p.withDefaults()
	d := &Desk{parts: p, order: p.Engine.Networks(), news: newNews(p.Events, p.Log), ready: make(chan struct{}),
		dirty: make(chan struct{}, 1), sweep: make(chan struct{}, 1), files: map[string]*dossier{}, changed: make(chan struct{})}
	for _, name := range d.order {
		d.files[name] = newDossier(name, p.Nodes[name], p.Every, p.Capture)
		d.files[name].watch.policy = p.Policy[name]
		if p.Bridge != nil {
			d.files[name].bridge = p.Bridge(name)
		}
	}
	return d
}

func (d *Desk) String() string { return "desk" }

// Ready is closed when requests are taken: what is stored was read. The first looks
// may still be under way.
func (d *Desk) Ready() <-chan struct{} { return d.ready }

// Run attends to every network until ctx ends. A run that is being carried out then
// is interrupted: the engine brings it to a safe point, and that is waited for. Run
// is called once, and returns nil.
func (d *Desk) Run(ctx context.Context) error {
	for _, name := range d.order {
		d.prepare(name)
	}
	d.mu.Lock()
	d.open, d.started = true, time.Now()
	d.mu.Unlock()
	close(d.ready)

	var networks, others sync.WaitGroup
	over := make(chan struct{})
	others.Go(d.news.run)
	others.Go(func() { d.announce(over) })
	others.Go(func() { d.tidyUp(over) })
	others.Go(func() { d.watchClock(over) })
	networks.Go(func() { <-ctx.Done() })
	for _, f := range d.files {
		networks.Go(func() { d.attend(ctx, f) })
		networks.Go(func() { d.mind(ctx, f) })
	}
	networks.Wait()
	d.news.close()
	close(over)
	others.Wait()
	return nil
}

// prepare reads what earlier starts have left of a network.
func (d *Desk) prepare(name string) {
	stored, err := d.parts.Events.Load(name)
	if err != nil {
		d.parts.Log.Error("earlier events cannot be read", "network", name, "error", err)
	}
	p := d.recall(name)
	hold, holdErr := d.parts.Holds.Load(name)
	d.readNotes(d.files[name])
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[name]
	f.past, f.hold, f.holdErr = p, hold, holdErr
	f.remember(stored)
	if p.unfinished != "" {
		f.recoverAt = time.Now()
	}
}

// attend does everything that is done on one network, one thing after the other:
// looks, previews and runs never meet.
func (d *Desk) attend(ctx context.Context, f *dossier) {
	defer d.closeUp(f)
	defer d.hearken(f)()
	defer d.watchNodes(f)()
	t := time.NewTimer(0)
	defer t.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case j := <-f.jobs:
			d.carryOut(ctx, f, j)
		case <-f.arrivals:
			d.takeIn(f)
		case do := <-f.previews:
			do(ctx)
		case <-f.nudge:
			f.nextLook = earlier(f.nextLook, f.looked.Add(leastPause))
		case <-t.C:
			d.due(ctx, f)
		}
		t.Reset(time.Until(d.wakeAt(f)))
	}
}

// due does what the clock asks for.
func (d *Desk) due(ctx context.Context, f *dossier) {
	now := time.Now()
	if j := d.recovery(f, now); j != nil {
		d.carryOut(ctx, f, j)
		return
	}
	d.takeIn(f)
	if j := d.errand(f); j != nil {
		d.carryOut(ctx, f, j)
		return
	}
	if kind, why := d.capturable(f, now); kind != cadence.None {
		d.capture(ctx, f, kind, why)
		return
	}
	if !now.Before(f.nextLook) {
		d.look(ctx, f)
		if j := d.weigh(ctx, f); j != nil {
			d.carryOut(ctx, f, j)
		}
	}
}

func (d *Desk) wakeAt(f *dossier) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := f.nextLook
	if !f.recoverAt.IsZero() {
		at = earlier(at, f.recoverAt)
	}
	if when, kind, _ := f.rule.Next(f.mayCapture()); kind != cadence.None {
		at = earlier(at, when)
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// closeUp turns away what was asked for too late.
func (d *Desk) closeUp(f *dossier) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f.closed = true
	close(f.gone)
	select {
	case j := <-f.jobs:
		j.end(d.refuseLocked(f, j.request, j.refusal("the controller is stopping", "ask again when it runs")))
		f.job, f.doing = nil, ""
	default:
	}
	d.touch()
}

// Networks is what was seen last.
func (d *Desk) Networks() []status.Network {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	out := make([]status.Network, 0, len(d.order))
	for _, name := range d.order {
		n, _ := d.files[name].show(now)
		out = append(out, n)
	}
	return out
}

// Changed returns a channel that is closed at the next change, ten times a second at
// most.
func (d *Desk) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

// Listen calls tell for every event from now on. A listener whom more than a thousand
// events wait for misses some, with a line in the log. After cancel no call begins.
func (d *Desk) Listen(tell func(status.Event)) (cancel func()) { return d.news.listen(tell) }

// touch says that something is to be shown.
func (d *Desk) touch() {
	select {
	case d.dirty <- struct{}{}:
	default:
	}
}

// announce tells changes, and lets time itself change what is shown.
func (d *Desk) announce(over <-chan struct{}) {
	tick := time.NewTicker(d.parts.Every)
	defer tick.Stop()
	for {
		select {
		case <-over:
			d.wake()
			return
		case <-tick.C:
			d.reconsiderAll()
		case <-d.dirty:
			d.wake()
			pause(over, quietTime)
		}
	}
}

func (d *Desk) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.changed)
	d.changed = make(chan struct{})
}

func pause(over <-chan struct{}, long time.Duration) {
	t := time.NewTimer(long)
	defer t.Stop()
	select {
	case <-over:
	case <-t.C:
	}
}

func (d *Desk) reconsiderAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range d.order {
		d.reconsider(d.files[name])
	}
}

// reconsider tells when protection has changed. d.mu is held.
func (d *Desk) reconsider(f *dossier) {
	d.touch()
	n, v := f.show(time.Now())
	if n.At.IsZero() && f.lookErr == nil && v.is == status.Unprotected {
		return // nothing is known yet: neither is anything lost
	}
	if f.told != v.is {
		ev := status.Event{Type: status.EventProtection, Was: f.told, Is: v.is, Text: v.is.Sentence()}
		if len(n.Reasons) > 0 && v.is != status.Acting {
			ev.Node, ev.Text, ev.Fix = n.Reasons[0].Node, ev.Text+" Reason: "+stop(n.Reasons[0].What), n.Reasons[0].Fix
		}
		f.told = v.is
		d.tell(f, ev)
	}
	if !f.settling && f.doing == "" && !n.At.IsZero() {
		d.redundancy(f, v)
	}
}

// redundancy tells when there is nobody any more who could take over, and when there
// is somebody again; also on hold.
func (d *Desk) redundancy(f *dossier, v verdict) {
	is := v.beneath != status.Unprotected
	was := f.redundant
	f.redundant = &is
	if was == nil || *was == is {
		return
	}
	ev := status.Event{Type: status.EventRedundancyRestored, Text: "A stand-by could take over again."}
	if !is {
		ev = status.Event{Type: status.EventRedundancyLost, Text: "No stand-by could take over now."}
		ev.Node, ev.Text, ev.Fix = v.worst.Node, ev.Text+" Reason: "+stop(v.worst.What), v.worst.Fix
	}
	d.tell(f, ev)
}

// tell sends an event out. d.mu is held.
func (d *Desk) tell(f *dossier, ev status.Event) {
	ev.At, ev.Network, ev.Text, ev.Fix = time.Now(), f.name, flat(ev.Text), flat(ev.Fix)
	keep := f.worthKeeping(ev)
	if keep {
		f.keep(ev)
	}
	d.news.add(ev, keep)
	d.touch()
}

// worthKeeping leaves out single steps, protection that is merely interrupted by a run,
// since the run's own events say that, and refusals by the dozen: an automation that asks
// again and again shall not push out what happened.
func (f *dossier) worthKeeping(ev status.Event) bool {
	switch ev.Type {
	case status.EventStepBegun, status.EventStepDone, status.EventStepFailed, status.EventStepUndone:
		return false
	case status.EventProtection:
		if ev.Is == status.Acting || ev.Is == f.kept {
			return false
		}
		f.kept = ev.Is
	case status.EventRefused:
		if ev.At.Sub(f.refusedFrom) > refusedSpan {
			f.refusedFrom, f.refused = ev.At, 0
		}
		f.refused++
		return f.refused <= maxRefused
	}
	return true
}

// maxRefused refusals are kept within refusedSpan; the others are only told.
const (
	maxRefused  = 5
	refusedSpan = 10 * time.Minute
)
