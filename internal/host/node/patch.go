package node

import (
	"context"
	"errors"
	"fmt"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
)

// ReadStickKnown reads the memory of a stick whose layout is that of known. Repeating it
// is harmless.
func (n *Node) ReadStickKnown(ctx context.Context, known *nvimage.Image, progress engine.Progress) (network.StickImage, error) {
	s, err := n.stick.read(ctx, known, progress)
	return s, n.wrap("read the stick", err)
}

// PatchStick brings the stick from p.Known to p.Want. A lost connection does not stop it;
// the node comes back to it under p.Run. A stick in the network that is cut off is taken
// up again by this process only: another one finds that it has changed.
func (n *Node) PatchStick(ctx context.Context, p network.StickPatch, progress engine.Progress) (network.PatchReport, error) {
	if p.Run == "" || p.Known == nil || p.Want == nil {
		return network.PatchReport{}, n.wrap("patch the stick", errors.New("a patch needs a run id and two images"))
	}
	r, err := n.stick.patch(ctx, p, progress)
	return r, n.wrap("patch the stick", err)
}

func (s hostStick) patch(ctx context.Context, p network.StickPatch, progress engine.Progress) (network.PatchReport, error) {
	// The helper gets parts, which tell nothing of tables' sizes.
	if err := nvimage.CheckFit(p.Want, p.From, p.Known, p.From, nvimage.Fit{}); err != nil {
		return network.PatchReport{}, err
	}
	c := s.n.patchCall(p)
	c.progress = progress
	r, err := callAgain[helperapi.PatchResult](ctx, s.n, c)
	if e, ok := errors.AsType[*helperapi.Error](err); ok && e.Exit == helperapi.ExitDiffers {
		err = fmt.Errorf("%w: %w", network.ErrStickChanged, err)
	}
	if err != nil {
		return network.PatchReport{}, err
	}
	ahead := make(map[nvimage.ID]zigbee.FrameCounter)
	for _, a := range r.Ahead {
		ahead[nvimage.ID{Item: a.Item, Sub: a.Sub}] = a.Counter
	}
	report := network.PatchReport{
		Written: r.Written, Deleted: r.Deleted, Bytes: r.Bytes, Boots: r.Boots,
		Exchanges: r.Cost.Exchanges, State: r.State, Stick: r.Stick,
		Now: p.Known.Patched(p.Want, ahead),
	}
	if r.Boots > 0 {
		report.Now.Boot()
	}
	if r.State != helperapi.StateHold {
		return report, fmt.Errorf("the stick is in state %s after the patch", r.State)
	}
	return report, nil
}

// patch writes from here. What was on the stick is known to the caller; the old values
// of the run are kept in memory, for this process to take it up again.
func (s netStick) patch(ctx context.Context, p network.StickPatch, progress engine.Progress) (report network.PatchReport, err error) {
	err = s.with(ctx, func(ctx context.Context, c *znp.Client) error {
		phase := string(nvram.PhaseCompare)
		r, err := nvram.Patch(ctx, c, p.Known, p.Want, nvram.PatchOptions{
			From: p.From, Reset: p.Reset, Resume: s.n.patching(p),
			Keep:     func(before *nvimage.Image) error { s.n.setPatching(p, before); return nil },
			Phase:    func(next nvram.Phase) { phase = string(next) },
			Progress: func(done, total int) { steps(progress, phase)(done, total) },
		})
		report = network.PatchReport{
			Written: r.Written, Deleted: r.Deleted, Bytes: r.Bytes, Boots: r.Boots,
			Exchanges: r.Cost().Exchanges, State: r.State, Stick: r.Stick, Now: r.Now,
		}
		if errors.Is(err, nvram.ErrChanged) {
			err = fmt.Errorf("%w: %w", network.ErrStickChanged, err)
		}
		return err
	})
	if err == nil {
		s.n.setPatching(p, nil)
	}
	return report, err
}

// A begun patch of a stick in the network, with the old values of what it changes.
type begun struct {
	patch string // run, and hashes of the images
	old   *nvimage.Image
}

func nameOf(p network.StickPatch) string { return p.Run + " " + p.Known.Hash() + " " + p.Want.Hash() }

// patching is what a patch that was cut off has kept, nil for a new one.
func (n *Node) patching(p network.StickPatch) *nvimage.Image {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.begun.patch != nameOf(p) {
		return nil
	}
	return n.begun.old
}

func (n *Node) setPatching(p network.StickPatch, old *nvimage.Image) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.begun = begun{nameOf(p), old}
}
