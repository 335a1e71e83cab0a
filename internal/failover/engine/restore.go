package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// Restore brings a kept generation back onto the active.
func (c *Controller) Restore(ctx context.Context, r Request, w Watch) (Ended, error) {
	return c.oneNode(ctx, r, w, func(ctx context.Context, n *Network, _ string) (plan.Plan, error) {
		return c.planRestore(ctx, n, r.Generation)
	})
}

// PlanRestore returns the plan that Restore would carry out now.
func (c *Controller) PlanRestore(ctx context.Context, net string, number int) (plan.Plan, []Explained, error) {
	return c.preview(ctx, net, "", func(ctx context.Context, n *Network, _ string) (plan.Plan, error) {
		return c.planRestore(ctx, n, number)
	})
}

func (c *Controller) planRestore(ctx context.Context, n *Network, number int) (plan.Plan, error) {
	g, err := c.parts.Shelf.Get(n.Name, number)
	if errors.Is(err, generation.ErrNone) {
		return plan.Plan{}, &network.RefusedError{What: "restore", Why: fmt.Sprintf("there is no generation %d", number), Remedy: "`z2mha shelf list` shows those that there are"}
	}
	if err != nil {
		return plan.Plan{}, err
	}
	if !g.Whole() {
		return plan.Plan{}, &network.RefusedError{What: "restore", Why: fmt.Sprintf("generation %d is no whole data directory, so Zigbee2MQTT could not start from it", number),
			Remedy: "choose another; `z2mha shelf list` shows those that there are"}
	}
	if err := c.sameNetworkAsNow(n, g); err != nil {
		return plan.Plan{}, err
	}
	active, others, err := c.activeWithSilentOthers(ctx, n, "restore")
	if err != nil {
		return plan.Plan{}, err
	}
	return plan.Restore(n.Name, active, others, g.Number, n.Timing), nil
}

// sameNetworkAsNow refuses a generation of another network before anybody types a word.
// The copy step compares with what is on air.
func (c *Controller) sameNetworkAsNow(n *Network, g generation.Generation) error {
	now, err := c.newest(n)
	if err != nil || now.Number == 0 {
		return err
	}
	was, is := now.Summary, g.Summary
	if was.PanID == is.PanID && was.ExtPanID == is.ExtPanID && was.KeyFingerprint == is.KeyFingerprint && was.Coordinator == is.Coordinator {
		return nil
	}
	return &network.RefusedError{What: "restore", Why: fmt.Sprintf("generation %d is of another network than generation %d, which is the newest good one", g.Number, now.Number),
		Remedy: "choose a generation of this network"}
}

// copyBack keeps the active's data as it is, and puts the wanted generation into its
// staging.
func (e *execution) copyBack(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	why := []string{"it was replaced on purpose"}
	got, err := x.Capture(ctx, e.c.parts.Shelf)
	if err != nil && len(got.Files) == 0 {
		return nil, fmt.Errorf("keep the data as it is now: %w", err)
	}
	if err != nil { // damaged data are a reason to bring others back; they are kept all the same
		why = append(why, err.Error())
	}
	now, err := e.c.parts.Shelf.Add(generation.Generation{Network: e.net.Name, Source: s.Node, At: time.Now(), Files: got.Files, Summary: got.Summary,
		Reason: fmt.Sprintf("before generation %d was brought back", e.plan.Generation), Refused: why, Pinned: true})
	if err != nil {
		return nil, fmt.Errorf("keep the data as it is now: %w", err)
	}
	g, err := e.c.parts.Shelf.Get(e.net.Name, e.plan.Generation)
	if err != nil {
		return nil, err
	}
	id, _, err := e.identityOfGeneration()
	if err != nil {
		return nil, err
	}
	if diff := e.facts.Before.identity(id); len(diff) > 0 {
		return nil, &network.RefusedError{What: "restore", Why: fmt.Sprintf("generation %d is of another network: %s", g.Number, strings.Join(diff, ", ")),
			Remedy: "choose a generation of this network"}
	}
	saw, err := e.stage(ctx, s, g)
	return append([]string{fmt.Sprintf("the data as it is now is generation %d", now.Number)}, saw...), err
}

// rewrite brings the stick to the devices and keys of the wanted generation. Its
// counters go on from above everything that was used.
func (e *execution) rewrite(ctx context.Context, s plan.Step) ([]string, error) {
	_, b, err := e.coordinatorState()
	if err != nil {
		return nil, err
	}
	was, err := e.image(e.facts.StickImage)
	if err != nil {
		return nil, err
	}
	if b, err = e.aheadOfRemoved(ctx, s, was, b); err != nil {
		return nil, err
	}
	want, err := e.warmImage(ctx, was, b)
	if err != nil {
		return nil, err
	}
	return e.rewriteTo(ctx, s, want)
}

// aheadOfRemoved is b with link-key counters above what may have been used, after b, under
// keys that the stick does not hold any more: a device that was taken off by force has
// its key still.
func (e *execution) aheadOfRemoved(ctx context.Context, s plan.Step, was *nvimage.Image, b *netbackup.Backup) (*netbackup.Backup, error) {
	now, err := netbackup.FromImage(was, "", time.Time{})
	if err != nil {
		return nil, err
	}
	floors, err := e.floors(ctx, s.Node, linkMargin)
	if err != nil {
		return nil, err
	}
	return ahead(b, linksSince(b.FrameCounter, floors), func(d netbackup.Device) bool {
		return !slices.ContainsFunc(now.Devices, func(x netbackup.Device) bool {
			return x.IEEE == d.IEEE && x.LinkKey != nil && x.LinkKey.Key == d.LinkKey.Key
		})
	}), nil
}

// rewriteBack gives the stick the devices and keys that it had.
func (e *execution) rewriteBack(ctx context.Context, s plan.Step) ([]string, error) {
	was, err := e.image(e.facts.StickImage)
	if err != nil {
		return nil, err
	}
	return e.rewriteTo(ctx, s, was)
}

func (e *execution) rewriteTo(ctx context.Context, s plan.Step, want *nvimage.Image) ([]string, error) {
	saw, err := e.loadRaised(ctx, s, want, linkMargin)
	if err == nil {
		e.facts.Loaded = time.Now()
	}
	return saw, err
}

// adopt makes what was brought back the last good generation, so that the next capture
// is compared with that.
func (e *execution) adopt() ([]string, error) {
	g, err := e.c.parts.Shelf.Get(e.net.Name, e.plan.Generation)
	if err != nil {
		return nil, &haltError{err}
	}
	g.Reason = fmt.Sprintf("generation %d was brought back", g.Number)
	g.Source, g.At, g.Pinned, g.StickImage = e.plan.From, time.Now(), false, ""
	g.Accepted = &generation.Accepted{By: "whoever had it brought back", At: g.At}
	if g, err = e.c.parts.Shelf.Add(g); err != nil {
		return nil, &haltError{err}
	}
	return []string{fmt.Sprintf("it is generation %d from now on", g.Number)}, e.c.noteGood(e.net.Name, g)
}
