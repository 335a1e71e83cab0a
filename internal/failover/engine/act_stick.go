package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// linkMargin is added to every link-key counter that moves to another stick. The
// source was read after its reset, which itself has stepped over every counter
// used on air (+11 trust-centre, +1001 application keys); the margin covers what
// the stick's own store may have lost.
const linkMargin = 2500

// keepStick puts what is on the target's stick on the shelf before anything is
// written to it.
func (e *execution) keepStick(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	got, err := e.readLike(ctx, x, s)
	if err != nil {
		return nil, err
	}
	blob, err := e.keepMemory(s.Node, got)
	if err != nil {
		return nil, err
	}
	e.facts.KeptImage, e.facts.KeptHash = blob, got.Image.Hash()
	return []string{fmt.Sprintf("%s, %d items, kept", got.Stick, got.Image.Len())}, nil
}

// readLike reads a stick, in fewer exchanges where the home waits and its layout is known:
// from what it was started with.
func (e *execution) readLike(ctx context.Context, x Node, s plan.Step) (network.StickImage, error) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err == nil && e.plan.Kind == plan.KindRepair && r.Spoke != "" {
		if known, err := e.image(r.Spoke); err == nil {
			if got, err := x.ReadStickKnown(ctx, known, progressOf(e.watch, s)); err == nil {
				return got, nil
			}
		}
	}
	return x.ReadStick(ctx, progressOf(e.watch, s))
}

// readStick reads the network's memory from the silenced stick and makes sure that
// it is the network that was on air.
func (e *execution) readStick(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	got, err := x.ReadStick(ctx, progressOf(e.watch, s))
	if err != nil {
		return nil, err
	}
	if err := e.isOurNetwork(got.Image); err != nil {
		return nil, err
	}
	blob, err := e.keepMemory(s.Node, got)
	if err != nil {
		return nil, err
	}
	counters, err := got.Image.Counters()
	if err != nil {
		return nil, err
	}
	err = e.remember(func(r *network.Record) {
		r.Odometer = r.Odometer.Captured(counters.NWK, time.Now())
		r.Seed, r.SeedStick = blob, got.Stick
	})
	if err != nil {
		return nil, err
	}
	id, err := got.Image.Identity()
	if err != nil {
		return nil, err
	}
	e.facts.StickImage, e.facts.Stick, e.facts.KeyFingerprint = blob, got.Stick, id.Key.Fingerprint()
	return []string{fmt.Sprintf("%s, %d items, frame counter %d", got.Stick, got.Image.Len(), counters.NWK)}, nil
}

func (e *execution) isOurNetwork(img *nvimage.Image) error {
	if broken.StartsHalfLoaded {
		return nil
	}
	if err := img.Resumable(); err != nil {
		return fmt.Errorf("the stick holds no network that Zigbee2MQTT could go on with: %w", err)
	}
	id, err := img.Identity()
	if err != nil {
		return err
	}
	if diff := e.facts.Before.ofStick(id); len(diff) > 0 {
		return fmt.Errorf("the stick does not hold the network that was on air: %s", strings.Join(diff, ", "))
	}
	return nil
}

// load writes the network's memory onto the target's stick, above every counter
// that was or may have been used. The odometer knows of it before the stick does.
func (e *execution) load(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	if err := mustBeStopped(ctx, x); err != nil {
		return nil, err
	}
	source, err := e.image(e.facts.StickImage)
	if err != nil {
		return nil, err
	}
	local, err := e.image(e.facts.KeptImage)
	if err != nil {
		return nil, err
	}
	floors, err := e.floors(ctx, s.Node, linkMargin)
	if err != nil {
		return nil, err
	}
	margin, err := e.overtakeStrays(ctx, s, source)
	if err != nil {
		return nil, err
	}
	floors.LinkMargin = max(floors.LinkMargin, margin)
	want, err := nvimage.Successor(source, local, floors)
	if err != nil {
		return nil, fmt.Errorf("make the image for %s: %w", s.Node, err)
	}
	if err := e.willUse(s.Node, want); err != nil {
		return nil, err
	}
	rep, err := e.loadStick(ctx, x, s, network.StickLoad{Run: e.plan.ID + "-load", Want: want, From: e.facts.Stick,
		AnyRevision: e.net.AnyRevision, ExpectBefore: e.facts.KeptHash})
	if err != nil {
		return nil, err
	}
	e.facts.Floors, e.facts.Loaded = floors, time.Now()
	return loaded(rep, floors.NWK), nil
}

// reserve puts the counter of img on record before any stick holds it: from then on
// somebody may start the network with it. Until it was read back nothing is believed of
// the stick: a helper goes on writing also when this controller dies.
func (e *execution) reserve(node string, img *nvimage.Image) error {
	c, err := img.Counters()
	if err != nil { // it counts for no network
		c.NWK = 0
	}
	return e.rememberStick(node, func(r *network.StickRecord) { r.Reserved, r.Writing = max(r.Reserved, c.NWK), true })
}

// loadStick loads a stick and puts on record what it holds then, and what that took.
func (e *execution) loadStick(ctx context.Context, x Node, s plan.Step, l network.StickLoad) (network.LoadReport, error) {
	if err := e.reserve(s.Node, l.Want); err != nil {
		return network.LoadReport{}, err
	}
	if broken.KeepsNothing {
		l.ExpectBefore = ""
	}
	rep, err := x.LoadStick(ctx, l, progressOf(e.watch, s))
	if err != nil && !broken.StartsHalfLoaded {
		// What it holds now is not known; reading it will tell.
		return rep, errors.Join(err, e.rememberStick(s.Node, func(r *network.StickRecord) { r.Image = "" }))
	}
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return rep, err
	}
	holds := l.Want.Clone()
	if rep.Before != nil {
		holds.Overtake(rep.Before)
	}
	if _, err := e.keepMemory(s.Node, network.StickImage{Stick: r.Sticks[s.Node].Stick, Image: holds}); err != nil {
		return rep, err
	}
	return rep, e.wear(s.Node, rep.Written+rep.Deleted, rep.Bytes, rep.Boots)
}

func loaded(rep network.LoadReport, floor zigbee.FrameCounter) []string {
	return []string{fmt.Sprintf("%d items written, %d deleted, %d were right already; all read back; frame counter at least %d; the stick says %s",
		rep.Written, rep.Deleted, rep.Unchanged, floor, rep.State)}
}

// floors takes the floor of now from the odometer, for a stick that is to start. It is
// above what is reserved on every other stick: those are silent, but a person may have
// started one meanwhile.
func (e *execution) floors(ctx context.Context, node string, margin uint32) (nvimage.Floors, error) {
	if broken.LeavesCounters {
		return nvimage.Floors{}, nil
	}
	r, err := e.odometer(ctx)
	return nvimage.Floors{NWK: floorFor(r, node, time.Now()), LinkMargin: margin}, err
}

// linksSince is the margin for link keys that were last known when the network's counter
// stood at known: every frame under a link key is a frame of the network too.
func linksSince(known zigbee.FrameCounter, f nvimage.Floors) uint32 {
	return max(f.LinkMargin, uint32(f.NWK-min(known, f.NWK)))
}

// keepPace lifts the network's counter by what is added to link keys, where the stick
// holds now: so no link key ever gains on it, which linksSince counts on.
func keepPace(f nvimage.Floors, now zigbee.FrameCounter) nvimage.Floors {
	f.NWK = max(f.NWK, now.Add(uint64(f.LinkMargin)))
	return f
}

func floorFor(r network.Record, node string, now time.Time) zigbee.FrameCounter {
	floor := r.Odometer.Floor(now)
	for other, on := range r.Sticks {
		if other != node && on.Reserved > 0 {
			floor = max(floor, r.Odometer.FloorOver(on.Reserved, now))
		}
	}
	return floor
}

// willUse records, before any stick holds it, that the counter of img may be used
// on air. It may lie above the floor: a stick's own counter is never lowered.
func (e *execution) willUse(node string, img *nvimage.Image) error {
	c, err := img.Counters()
	if err != nil {
		return err
	}
	blob, err := e.c.parts.Shelf.KeepImage(e.net.Name, node, img.Encode())
	if err != nil {
		return fmt.Errorf("keep what will be used: %w", err)
	}
	return e.remember(func(r *network.Record) {
		r.Odometer, r.Spoke = r.Odometer.Activated(c.NWK, time.Now()), blob
	})
}

func (e *execution) image(blob string) (*nvimage.Image, error) { return e.c.image(blob) }
