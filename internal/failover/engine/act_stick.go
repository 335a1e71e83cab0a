package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
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
	got, err := x.ReadStick(ctx, progressOf(e.watch, s))
	if err != nil {
		return nil, err
	}
	blob, err := e.c.parts.Shelf.KeepImage(e.net.Name, s.Node, got.Image.Encode())
	if err != nil {
		return nil, fmt.Errorf("keep the image of the stick: %w", err)
	}
	e.facts.KeptImage, e.facts.KeptHash = blob, got.Image.Hash()
	return []string{fmt.Sprintf("%s, %d items, kept", got.Stick, got.Image.Len())}, nil
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
	blob, err := e.c.parts.Shelf.KeepImage(e.net.Name, s.Node, got.Image.Encode())
	if err != nil {
		return nil, fmt.Errorf("keep the image of the stick: %w", err)
	}
	counters, err := got.Image.Counters()
	if err != nil {
		return nil, err
	}
	if err := e.remember(func(r *network.Record) { r.Odometer = r.Odometer.Captured(counters.NWK, time.Now()) }); err != nil {
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
	floors, err := e.floors(linkMargin)
	if err != nil {
		return nil, err
	}
	want, err := nvimage.Successor(source, local, floors)
	if err != nil {
		return nil, fmt.Errorf("make the image for %s: %w", s.Node, err)
	}
	if err := e.willUse(want); err != nil {
		return nil, err
	}
	rep, err := x.LoadStick(ctx, network.StickLoad{Run: e.plan.ID + "-load", Want: want, From: e.facts.Stick,
		AnyRevision: e.net.AnyRevision, ExpectBefore: e.facts.KeptHash}, progressOf(e.watch, s))
	if err != nil {
		return nil, err
	}
	e.facts.Floors, e.facts.Loaded = floors, time.Now()
	return loaded(rep, floors.NWK), nil
}

func loaded(rep network.LoadReport, floor zigbee.FrameCounter) []string {
	return []string{fmt.Sprintf("%d items written, %d deleted, %d were right already; all read back; frame counter at least %d; the stick says %s",
		rep.Written, rep.Deleted, rep.Unchanged, floor, rep.State)}
}

// floors takes the floor of now from the odometer.
func (e *execution) floors(margin uint32) (nvimage.Floors, error) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	return nvimage.Floors{NWK: r.Odometer.Floor(time.Now()), LinkMargin: margin}, err
}

// willUse records, before any stick holds it, that the counter of img may be used
// on air. It may lie above the floor: a stick's own counter is never lowered.
func (e *execution) willUse(img *nvimage.Image) error {
	c, err := img.Counters()
	if err != nil {
		return err
	}
	return e.remember(func(r *network.Record) { r.Odometer = r.Odometer.Activated(c.NWK, time.Now()) })
}

func (e *execution) image(blob string) (*nvimage.Image, error) {
	r, err := e.c.parts.Shelf.Open(blob)
	if err != nil {
		return nil, fmt.Errorf("open a stick's image: %w", err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, r); err != nil {
		return nil, fmt.Errorf("read a stick's image: %w", err)
	}
	return nvimage.Parse(b.Bytes())
}
