package desk

import (
	"context"
	"strings"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/status"
)

const (
	// lookPatience is how long one look may take.
	lookPatience = time.Minute
	// leastPause is the shortest time between two looks, however often they are asked for.
	leastPause = time.Second
	// giveWay is how long a look that was put off lets others go first.
	giveWay = 100 * time.Millisecond
)

// Look asks for a fresh look soon; "" means all networks.
func (d *Desk) Look(network string) {
	for name, f := range d.files {
		if network == "" || network == name {
			f.soon()
		}
	}
}

// look looks at one network. It belongs to the goroutine that attends to it.
func (d *Desk) look(ctx context.Context, f *dossier) {
	d.readHold(f)
	began := time.Now()
	sticks := !began.Before(f.nextSticks) && !d.changing(f)
	st, err := d.lookOnce(ctx, f, sticks)
	now := time.Now()
	if err == nil && d.parts.Sighted == nil {
		d.saw(f, st.Views...)
	}
	f.looked = now
	f.nextLook = d.nextLookAt(f, began, now)
	signal(f.glimpsed)
	if err == nil && sticks {
		f.nextSticks = now.Add(d.parts.SticksEvery)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delayed := f.delayed
	f.delayed = false
	if err != nil && (ctx.Err() != nil || delayed) {
		f.nextLook = now.Add(giveWay)
		return
	}
	f.lookErr, f.settling, f.unlooked = err, false, false
	if err != nil {
		d.parts.Log.Warn("a look did not work", "network", f.name, "error", err)
	} else {
		f.sight, f.moved = f.sight.after(st, now, now.Sub(began)), false
		d.seen(f, now)
	}
	d.reconsider(f)
}

// lookOnce can be put off while it does not ask sticks: what asks one holds it for a
// moment longer, and whoever came then would find it held.
func (d *Desk) lookOnce(ctx context.Context, f *dossier, sticks bool) (engine.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	d.mu.Lock()
	if f.delayed = f.wanted(); f.delayed {
		d.mu.Unlock()
		return engine.Status{}, context.Canceled
	}
	f.lookNo++
	if !sticks {
		f.stopLook = cancel
		if !f.cadence.Owed.IsZero() {
			d.cutLookSoon(f)
		}
	}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		f.stopLook = nil
	}()
	return d.parts.Engine.Look(ctx, f.name, sticks)
}

// changing says that a capture will begin soon, which must not wait for sticks.
func (d *Desk) changing(f *dossier) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !f.cadence.FullOwed.IsZero()
}

// seen draws conclusions from a look that worked. d.mu is held.
func (d *Desk) seen(f *dossier, now time.Time) {
	if len(f.nodes) == 0 {
		for _, v := range f.sight.status.Views {
			f.nodes = append(f.nodes, Node{Name: v.Name})
		}
	}
	speakers := f.sight.speakers()
	if len(speakers) > 1 && !f.split {
		d.tell(f, status.Event{Type: status.EventSplitBrain, Text: "Two nodes run Zigbee2MQTT at the same time: " + strings.Join(speakers, " and ") + ".",
			Fix: "stop all but the one that your devices answer"})
	}
	f.split = len(speakers) > 1
	d.seenRecord(f, now)
	switch open := f.sight.status.Unfinished; {
	case open == "":
		f.past.unfinished, f.openWhy, f.recoverAt = "", "", time.Time{}
	case f.recoverAt.IsZero():
		f.recoverAt = now.Add(recoverEvery)
	}
}

// readHold takes over what another program may have changed, and returns whether the
// network is held.
func (d *Desk) readHold(f *dossier) bool {
	hold, err := d.parts.Holds.Load(f.name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		if f.holdErr == nil {
			d.parts.Log.Error("whether a network is held cannot be read; it counts as held", "network", f.name, "error", err)
		}
		f.holdErr = err
		d.reconsider(f)
		return true
	}
	d.setHold(f, hold)
	return hold.On
}

// setHold takes a hold that is on disk. d.mu is held.
func (d *Desk) setHold(f *dossier, hold status.Hold) {
	was := f.hold
	changed := f.holdErr != nil || was != hold
	f.hold, f.holdErr = hold, nil
	switch {
	case !was.On && hold.On:
		d.tell(f, status.Event{Type: status.EventHoldSet, By: hold.By, Text: "The network is on hold: it is watched, and nothing is done until it is released."})
	case was.On && !hold.On:
		d.tell(f, status.Event{Type: status.EventHoldReleased, By: hold.By, Text: "The hold was released."})
	}
	if !changed {
		return
	}
	if !hold.On && f.unfinished() != "" {
		f.recoverAt = time.Now()
	}
	f.soon()
	d.reconsider(f)
}
