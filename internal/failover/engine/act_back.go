package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// unreadMargin is for link keys when the target's stick could not be read after it
// was silenced: what the odometer adds in doubt, far above what it can have used.
const unreadMargin = 1_000_000

// silence takes a start back: stops the node and reads its stick in HOLD.
func (e *execution) silence(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	stopCtx, cancel := context.WithTimeout(ctx, e.net.Timing.Stop)
	defer cancel()
	saw, err := e.stop(stopCtx, s)
	if err != nil {
		return nil, err
	}
	silence, err := x.Reset(ctx)
	if err != nil {
		return nil, fmt.Errorf("the stick of %s cannot be proven silent: %w", s.Node, err)
	}
	more, err := e.silent(s.Node, silence)
	if err == nil && e.plan.To != e.plan.From { // the old active may come back without being asked
		err = e.remember(func(r *network.Record) { r.MayBeAhead(s.Node) })
	}
	if err != nil {
		return nil, err
	}
	saw = append(append(saw, more...), e.learn(ctx, x, s))
	return append(saw, e.stayDown(ctx, x)...), nil
}

// learn reads what the silenced target has used, so that the old stick can be lifted
// above it. A stick that cannot be read is no reason to leave the home dark: the
// margin is larger then.
func (e *execution) learn(ctx context.Context, x Node, s plan.Step) string {
	e.facts.TargetImage = ""
	got, err := e.readSpoken(ctx, x, s)
	if err != nil {
		return fmt.Sprintf("what it has used could not be read (%v); a large margin is taken", err)
	}
	c, err := got.Image.Counters()
	if err == nil {
		err = e.remember(func(r *network.Record) {
			if e.resumed { // it may have been silent for long, and another one on air
				r.Odometer = r.Odometer.Held(c.NWK)
				return
			}
			r.Odometer = r.Odometer.Captured(c.NWK, time.Now())
		})
	}
	var blob string
	if err == nil {
		blob, err = e.keepMemory(s.Node, got)
	}
	if err != nil {
		return fmt.Sprintf("what it has used could not be kept (%v); a large margin is taken", err)
	}
	e.facts.TargetImage = blob
	return fmt.Sprintf("it has used counters up to %d", c.NWK)
}

// readSpoken reads a stick that has served with the memory that spoke last: its layout is
// that one's, and the home is dark, so only what was there is asked for.
func (e *execution) readSpoken(ctx context.Context, x Node, s plan.Step) (network.StickImage, error) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil || r.Spoke == "" {
		return x.ReadStick(ctx, progressOf(e.watch, s))
	}
	spoke, err := e.image(r.Spoke)
	if err != nil {
		return x.ReadStick(ctx, progressOf(e.watch, s))
	}
	return x.ReadStickKnown(ctx, spoke, progressOf(e.watch, s))
}

// startAgain brings the old active back. If the target may have spoken, the old
// stick's counters are raised above everything it may have used, and read back,
// before the old stick speaks again: also when somebody has started it meanwhile.
// One that was seen to run may still have been ending; then it is started again.
func (e *execution) startAgain(ctx context.Context, s plan.Step) ([]string, error) {
	for {
		saw, err := e.bringBack(ctx, s)
		if !errors.Is(err, errEnded) || sleep(ctx, lookEvery) != nil {
			return saw, err
		}
	}
}

func (e *execution) bringBack(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	saw, err := e.onlyVoice(ctx, s.Node)
	if err != nil {
		return nil, err
	}
	mayRaise := !e.raised && !broken.LowersOnUndo
	if mayRaise && (e.targetMayHaveSpoken() || e.noStrays(s.Node) != nil) {
		more, err := e.raiseOld(ctx, x, s)
		if err != nil {
			return nil, err
		}
		e.raised = true
		if _, err := e.onlyVoice(ctx, s.Node); err != nil { // that took its time
			return nil, err
		}
		saw = append(saw, more...)
	}
	if err := e.letItEnd(ctx, x); err != nil {
		return nil, err
	}
	if _, err := e.startService(ctx, x); err != nil {
		return nil, err
	}
	more, err := e.answersAgain(ctx, s.Node)
	return append(saw, more...), err
}

// targetMayHaveSpoken: it was to start, or it could have and nobody watched since.
func (e *execution) targetMayHaveSpoken() bool {
	return e.prog.BegunAct(plan.ActStart) || e.facts.Behind != "" || e.resumed && (e.prog.BegunAct(plan.ActLoad) || e.prog.BegunAct(plan.ActActivate))
}

// letItEnd waits for an old active that still runs, since the stop that this run
// asked for may be under way and slow. One that goes on running was never stopped,
// or does not obey, and serves the home.
func (e *execution) letItEnd(ctx context.Context, x Node) error {
	o, err := x.Observe(ctx)
	if err != nil || o.Stopped() || e.raised {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, e.net.Timing.Stop)
	defer cancel()
	if _, err := awaitNode(wait, x, network.Observation.Stopped); err == nil {
		return nil
	}
	o, err = x.Observe(ctx)
	if err == nil && !o.Active() && !o.Stopped() {
		err = fmt.Errorf("%s is neither stopped nor running: %s", x.Name(), o.WhyNotStopped())
	}
	return err
}

// raiseOld lifts the counters of the old stick, in HOLD, above everything the target
// may have used. It starts from what the stick holds now, and keeps that first.
func (e *execution) raiseOld(ctx context.Context, x Node, s plan.Step) ([]string, error) {
	stopCtx, cancel := context.WithTimeout(ctx, e.net.Timing.Stop)
	defer cancel()
	if _, err := e.stop(stopCtx, s); err != nil {
		return nil, err
	}
	if _, err := x.Park(ctx); err != nil {
		return nil, err
	}
	now, err := x.ReadStick(ctx, progressOf(e.watch, s))
	if err != nil {
		return nil, err
	}
	if _, err := e.keepMemory(s.Node, now); err != nil {
		return nil, err
	}
	img, err := e.wholeAgain(now.Image)
	if err != nil {
		return nil, err
	}
	margin, err := e.overtakeTarget(img)
	if err != nil {
		return nil, err
	}
	more, err := e.overtakeStrays(ctx, s, img)
	if err != nil {
		return nil, err
	}
	floors, err := e.floors(ctx, s.Node, max(margin, more))
	if err != nil {
		return nil, err
	}
	c, err := img.Counters()
	if err == nil {
		err = img.Raise(keepPace(floors, c.NWK))
	}
	if err != nil {
		return nil, fmt.Errorf("raise the counters of %s: %w", s.Node, err)
	}
	if err := e.willUse(s.Node, img); err != nil {
		return nil, err
	}
	e.raises++ // each try has an image of its own, so it is a run of its own
	rep, err := e.loadStick(ctx, x, s, network.StickLoad{Run: fmt.Sprintf("%s-back-%d-%d", e.plan.ID, e.prog.Seq, e.raises), Want: img,
		From: now.Stick, AnyRevision: e.net.AnyRevision, ExpectBefore: now.Image.Hash()})
	if err != nil {
		return nil, err
	}
	return loaded(rep, floors.NWK), nil
}

// wholeAgain is what the old stick holds now, or, where an earlier way back was cut
// off in mid-load, what it held when it was silenced, above both.
func (e *execution) wholeAgain(now *nvimage.Image) (*nvimage.Image, error) {
	img := now.Clone()
	if why := now.Resumable(); why != nil {
		source, err := e.wholeMemory()
		if err != nil {
			return nil, fmt.Errorf("what the old stick holds is not whole (%w), and %w", why, err)
		}
		if img, err = nvimage.Successor(source, now, nvimage.Floors{}); err != nil {
			return nil, err
		}
	}
	return img, e.isOurNetwork(img)
}

// wholeMemory is what the old stick held when it was silenced. A fast move reads nothing
// from it then: what a way back was about to write onto it is on record as well.
func (e *execution) wholeMemory() (*nvimage.Image, error) {
	blob := e.facts.StickImage
	if blob == "" {
		r, err := e.c.parts.Memory.Load(e.net.Name)
		if err != nil {
			return nil, err
		}
		blob = r.Spoke
	}
	if blob == "" {
		return nil, errors.New("no memory of it was kept")
	}
	return e.image(blob)
}

// overtakeTarget lifts img to the counters of the target's stick and returns the
// margin for link keys that is still to be added.
func (e *execution) overtakeTarget(img *nvimage.Image) (margin uint32, err error) {
	if e.facts.TargetImage == "" {
		return unreadMargin, nil
	}
	target, err := e.image(e.facts.TargetImage)
	if err != nil {
		return 0, err
	}
	img.Overtake(target)
	return linkMargin, nil
}

// answersAgain waits until the old active speaks on MQTT with the old identity.
func (e *execution) answersAgain(ctx context.Context, node string) ([]string, error) {
	info, err := e.hear(ctx, node, true)
	if err != nil {
		return nil, err
	}
	saw := []string{fmt.Sprintf("Zigbee2MQTT on %s answers, channel %d, PAN id %s", node, info.Channel, info.PanID)}
	got, err := e.witnesses(ctx)
	if err != nil {
		e.facts.Unproven = err.Error()
		got = []string{"unproven: " + err.Error()}
	}
	return append(saw, got...), e.remember(func(r *network.Record) {
		if e.raised {
			r.Spoken = nil
		}
		if r.Active != node {
			r.Active, r.Since = node, time.Now()
		}
		r.Unproven = e.facts.Unproven
	})
}
