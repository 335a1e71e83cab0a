package inmem

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
)

// Observe looks at the host.
func (x *Host) Observe(ctx context.Context) (o network.Observation, err error) {
	err = x.do(ctx, engine.OpObserve, func() error { o = x.observeLocked(); return nil })
	return o, err
}

// StopService ends Zigbee2MQTT unless it is stuck. The stick stays on air.
func (x *Host) StopService(ctx context.Context) error {
	return x.do(ctx, engine.OpStop, func() error {
		x.wanted = false
		x.backUpLocked()
		switch {
		case x.stuck || !x.running:
		case x.endWait > 0:
			x.endAt, x.endWait = time.Now().Add(x.endWait), 0
		default:
			x.running = x.endAt.After(time.Now())
		}
		return nil
	})
}

// StopFast ends Zigbee2MQTT without its closing backup, unless it saves too slowly or is
// stuck: then that is waited for, and nobody is killed.
func (x *Host) StopFast(ctx context.Context, budget time.Duration) (s network.FastStop, err error) {
	begun := time.Now()
	err = x.do(ctx, engine.OpStopFast, func() error { s = x.stopFastLocked(budget); return nil })
	if err != nil || s.Saved || s.How == notRunning {
		return s, err
	}
	if err := x.StopService(ctx); err != nil {
		return s, err
	}
	err = x.untilEnded(ctx)
	s.Took = time.Since(begun)
	return s, err
}

const notRunning = "it did not run"

// saveTime is what Zigbee2MQTT needs from a TERM to a new database.
const saveTime = 300 * time.Millisecond

func (x *Host) stopFastLocked(budget time.Duration) network.FastStop {
	took := max(x.saveWait, saveTime)
	x.wanted = false
	switch {
	case !x.running:
		return network.FastStop{How: notRunning}
	case x.stuck || x.trouble.Hangs || took > budget:
		return network.FastStop{How: "it was not seen to save; waited for the normal stop"}
	}
	x.running, x.endAt = false, time.Time{}
	return network.FastStop{Saved: true, SaveTook: took, Took: took, Killed: []network.Process{{PID: 1, Command: "node"}},
		How: "saved, then killed"}
}

// untilEnded waits for a stop that takes its time.
func (x *Host) untilEnded(ctx context.Context) error {
	for {
		var running, ends bool
		x.locked(func() { running, ends = x.running, !x.endAt.IsZero() })
		if !running {
			return nil
		}
		if !ends {
			return errHeld
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}

// lookEvery is the time between two looks at an end that takes its time.
const lookEvery = 100 * time.Millisecond

// backUpLocked is Zigbee2MQTT's closing backup: it writes down what the stick has saved.
func (x *Host) backUpLocked() {
	if raw, err := backupOf(x.nv); err == nil && x.running {
		x.data = maps.Clone(x.data)
		x.data["coordinator_backup.json"] = raw
	}
}

// backupOf is what Zigbee2MQTT writes down of a stick.
func backupOf(nv *nvimage.Image) (string, error) {
	b, err := netbackup.FromImage(nv, "zigbee-herdsman@10.9.2", time.Now())
	if err != nil {
		return "", err
	}
	raw, err := b.Encode()
	return string(raw), err
}

// StartService starts Zigbee2MQTT.
func (x *Host) StartService(ctx context.Context) error {
	return x.do(ctx, engine.OpStart, func() error {
		if x.boot == masked {
			x.boot = x.unmasked
		}
		x.wanted = true
		x.startLocked()
		return nil
	})
}

// SetAutostart changes what Observe says of the next boot.
func (x *Host) SetAutostart(ctx context.Context, on bool) error {
	op := map[bool]engine.Op{true: engine.OpEnable, false: engine.OpDisable}[on]
	return x.do(ctx, op, func() error { x.bootLocked(on); return nil })
}

// bootLocked notes a start at boot given to a node that does not serve the home, or to
// a second one: the next power cut would put it on air.
func (x *Host) bootLocked(on bool) {
	if on && !x.running {
		x.home.violateLocked("I1: %s shall start at boot and does not run", x.name)
	}
	for _, other := range x.home.hosts {
		if on && other != x && other.boot == "yes" && !other.off {
			x.home.violateLocked("I1: %s shall start at boot as %s does", x.name, other.name)
		}
	}
	x.boot = map[bool]string{true: "yes", false: "no"}[on]
}

var errHelper = errors.New("the stick is held by znp-helper (pid 7)")

var errHeld = errors.New("the stick is held by node (pid 1)")

// stickOp runs f when nobody holds the stick.
func (x *Host) stickOp(ctx context.Context, op engine.Op, f func() error) error {
	return x.do(ctx, op, func() error {
		if x.running {
			return errHeld
		}
		if time.Now().Before(x.ours) {
			return errHelper
		}
		if err := x.stickErrLocked(op); err != nil {
			return err
		}
		return f()
	})
}

// InspectStick tells whether the stick is on air.
func (x *Host) InspectStick(ctx context.Context) (s network.StickState, err error) {
	err = x.stickOp(ctx, engine.OpInspect, func() error {
		s = network.StickState{State: "HOLD", Silent: !x.onAir, Stick: x.stick}
		if x.onAir {
			s.State = "COORDINATOR"
		}
		return nil
	})
	return s, err
}

// Park resets the stick when it is on air.
func (x *Host) Park(ctx context.Context) (s network.Silence, err error) {
	err = x.stickOp(ctx, engine.OpPark, func() error {
		s = network.Silence{State: "HOLD", Reset: x.onAir, Stick: x.stick}
		if x.onAir {
			x.resetLocked()
		}
		return nil
	})
	return s, err
}

// Reset resets the stick.
func (x *Host) Reset(ctx context.Context) (s network.Silence, err error) {
	err = x.stickOp(ctx, engine.OpReset, func() error {
		x.resetLocked()
		s = network.Silence{State: "HOLD", Reset: true, Stick: x.stick}
		return nil
	})
	return s, err
}

// ReadStick copies the stick's memory.
func (x *Host) ReadStick(ctx context.Context, _ engine.Progress) (s network.StickImage, err error) {
	err = x.stickOp(ctx, engine.OpReadStick, func() error {
		s = network.StickImage{Stick: x.stick, Image: x.nv.Clone()}
		return nil
	})
	return s, err
}

// LoadStick replaces the stick's memory in HOLD. A fault named
// "NAME.load-stick.torn" leaves it half loaded, without its configured flag.
func (x *Host) LoadStick(ctx context.Context, l network.StickLoad, _ engine.Progress) (r network.LoadReport, err error) {
	err = x.stickOp(ctx, engine.OpLoadStick, func() error {
		if x.onAir {
			return errors.New("the stick is on air, park it first")
		}
		if l.ExpectBefore != "" && l.ExpectBefore != x.nv.Hash() && len(nvimage.Diff(l.Want, x.nv)) > 0 {
			return errors.New("the stick no longer holds what was kept")
		}
		if err := nvimage.CheckFit(l.Want, l.From, x.nv, x.stick, nvimage.Fit{AnyRevision: l.AnyRevision}); err != nil {
			return err
		}
		if before, known := x.loads[l.Run]; known && before != l.Want.Hash() {
			return fmt.Errorf("run %s was begun with another image", l.Run)
		}
		if err := x.failedWriteLocked(); err != nil {
			return err
		}
		x.loads[l.Run] = l.Want.Hash()
		x.fallsLocked(l.Want)
		r = network.LoadReport{Before: x.nv, State: "HOLD"}
		want := l.Want.Clone()
		want.Overtake(x.nv)
		for _, c := range nvimage.Diff(want, x.nv) {
			r.Written, r.Bytes, r.Boots = r.Written+1, r.Bytes+len(c.Want), 1
		}
		x.nv, x.yields = want, !l.Want.Configured()
		if r.Boots > 0 {
			x.bootStickLocked()
		}
		if err := errors.Join(x.home.failLocked(x.name+".load-stick.torn"), x.wentWrongLocked(TornWrite)); err != nil {
			x.nv.Delete(nvimage.OSAL(nvimage.HasConfiguredZStack3))
			return err
		}
		return x.wentWrongLocked(LostWrite)
	})
	return r, err
}

// ReadStickKnown copies the stick's memory, all of it.
func (x *Host) ReadStickKnown(ctx context.Context, _ *nvimage.Image, _ engine.Progress) (s network.StickImage, err error) {
	err = x.stickOp(ctx, engine.OpReadKnown, func() error {
		s = network.StickImage{Stick: x.stick, Image: x.nv.Clone()}
		return nil
	})
	return s, err
}

// PatchStick changes the stick's memory in HOLD when it is what is known of it. A fault
// named "NAME.patch-stick.torn" leaves it half patched, without its configured flag,
// until the same patch comes again under the same run. One named "NAME.patch-stick.lost"
// does all of it, and the answer is lost.
func (x *Host) PatchStick(ctx context.Context, p network.StickPatch, _ engine.Progress) (r network.PatchReport, err error) {
	err = x.stickOp(ctx, engine.OpPatchStick, func() error {
		if x.onAir {
			return errors.New("the stick is on air, park it first")
		}
		if err := x.fitsLocked(p); err != nil {
			return err
		}
		r, err = x.patchLocked(p)
		return err
	})
	return r, err
}

// fitsLocked compares the whole memory with what is known of it, where a real stick is
// asked for a few items only.
func (x *Host) fitsLocked(p network.StickPatch) error {
	if p.From != x.stick {
		return fmt.Errorf("the patch is of %s, the stick runs %s", p.From, x.stick)
	}
	if err := nvimage.CheckFit(p.Want, p.From, p.Known, x.stick, nvimage.Fit{}); err != nil {
		return err
	}
	act := p.Known.Hash() + p.Want.Hash()
	if before, begun := x.loads[p.Run]; begun && before != act {
		return fmt.Errorf("run %s was begun with another patch", p.Run)
	} else if begun {
		return nil
	}
	for _, c := range nvimage.Diff(p.Known, x.nv) {
		if !nvimage.IsAhead(c.ID, c.Have, c.Want) {
			return fmt.Errorf("%w: %v", network.ErrStickChanged, c.ID)
		}
	}
	x.loads[p.Run] = act
	return nil
}

func (x *Host) patchLocked(p network.StickPatch) (network.PatchReport, error) {
	want := p.Known.Patched(p.Want, nil)
	want.Overtake(x.nv)
	changes := nvimage.Diff(want, x.nv)
	r := network.PatchReport{State: "HOLD", Stick: x.stick, Exchanges: 14 + 2*len(changes)}
	for _, c := range changes {
		if c.Want == nil {
			r.Deleted++
			continue
		}
		r.Written++
		r.Bytes += len(c.Want)
	}
	if err := x.failedWriteLocked(); err != nil {
		return network.PatchReport{}, err
	}
	x.fallsLocked(want)
	x.nv = want
	if err := errors.Join(x.home.failLocked(x.name+".patch-stick.torn"), x.wentWrongLocked(TornWrite)); err != nil {
		x.nv.Delete(nvimage.OSAL(nvimage.HasConfiguredZStack3))
		return network.PatchReport{}, err
	}
	if p.Reset {
		x.resetLocked()
		r.Boots = 1
	}
	r.Now = x.nv.Clone()
	return r, errors.Join(x.home.failLocked(x.name+".patch-stick.lost"), x.wentWrongLocked(LostWrite))
}

// KeepOdometer keeps a copy on the host.
func (x *Host) KeepOdometer(ctx context.Context, network string, o odometer.Odometer) error {
	return x.do(ctx, engine.OpKeepOdometer, func() error {
		if x.trouble.Full {
			return errFull
		}
		x.odometers[network] = o
		return nil
	})
}

// Odometer returns that copy.
func (x *Host) Odometer(ctx context.Context, network string) (o odometer.Odometer, err error) {
	err = x.do(ctx, engine.OpOdometer, func() error { o = x.odometers[network]; return nil })
	return o, err
}

// fallsLocked notes a counter that a load would lower.
func (x *Host) fallsLocked(want *nvimage.Image) {
	now, err1 := x.nv.Counters()
	next, err2 := want.Counters()
	a, err3 := x.nv.Identity()
	b, err4 := want.Identity()
	if errors.Join(err1, err2, err3, err4) == nil && a.ExtPanID == b.ExtPanID && next.NWK < now.NWK {
		x.home.violateLocked("I2: the counter on the stick of %s falls from %d to %d", x.name, now.NWK, next.NWK)
	}
	x.linkFallsLocked(want)
}

// Capture reads the data directory.
func (x *Host) Capture(ctx context.Context, depot engine.Depot) (c network.Capture, err error) {
	var data map[string]string
	err = x.do(ctx, engine.OpCapture, func() error { data = maps.Clone(x.data); return nil })
	if err != nil {
		return c, err
	}
	for _, path := range slices.Sorted(maps.Keys(data)) {
		f := generation.File{Path: path, Size: int64(len(data[path])), SHA256: sum(data[path]), Mode: 0o600}
		if err := depot.Put(f.SHA256, strings.NewReader(data[path])); err != nil {
			return c, err
		}
		c.Files = append(c.Files, f)
	}
	c.Summary = x.summaryOf(data)
	return c, nil
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// Stage fills staging.
func (x *Host) Stage(ctx context.Context, g generation.Generation, depot engine.Depot, _ engine.Progress) (network.StageReport, error) {
	next := map[string]string{}
	var r network.StageReport
	for _, f := range g.Files {
		content, err := read(depot, f.SHA256)
		if err != nil {
			return r, err
		}
		next[f.Path] = content
		r.FilesSent, r.BytesSent = r.FilesSent+1, r.BytesSent+f.Size
	}
	return r, x.do(ctx, engine.OpStage, func() error {
		if x.trouble.Full {
			return errFull
		}
		x.staging = next
		return nil
	})
}

func read(depot engine.Depot, hash string) (string, error) {
	r, err := depot.Open(hash)
	if err != nil {
		return "", err
	}
	defer r.Close()
	var b bytes.Buffer
	_, err = io.Copy(&b, r)
	return b.String(), err
}

// Promote exchanges staging and data, once for each run.
func (x *Host) Promote(ctx context.Context, run string) error {
	return x.do(ctx, engine.OpPromote, func() error {
		if x.promoted == run {
			return nil
		}
		if x.staging == nil {
			return errors.New("nothing is staged")
		}
		x.previous, x.data, x.staging, x.promoted = x.data, x.staging, nil, run
		x.mark = x.name
		return nil
	})
}

// Unpromote takes that back.
func (x *Host) Unpromote(ctx context.Context, run string) error {
	return x.do(ctx, engine.OpUnpromote, func() error {
		if x.promoted != run {
			return nil
		}
		x.data, x.staging, x.previous, x.promoted = x.previous, x.data, nil, ""
		return nil
	})
}

// Explain names the operation; there is no command behind it.
func (x *Host) Explain(op engine.Op) []string { return []string{fmt.Sprintf("%s (in memory)", op)} }
