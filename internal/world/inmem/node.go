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
	"strconv"
	"strings"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
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

// backUpLocked is Zigbee2MQTT's closing backup: it writes down what the stick has saved.
func (x *Host) backUpLocked() {
	if c, err := x.nv.Counters(); err == nil && x.running {
		x.data = maps.Clone(x.data)
		x.data["coordinator_backup.json"] = fmt.Sprint(uint32(c.NWK))
	}
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
		if on && other != x && other.boot == "yes" {
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
		x.loads[l.Run] = l.Want.Hash()
		x.fallsLocked(l.Want)
		r = network.LoadReport{Written: len(nvimage.Diff(l.Want, x.nv)), Before: x.nv, State: "HOLD"}
		x.nv = l.Want.Clone()
		if err := x.home.failLocked(x.name + ".load-stick.torn"); err != nil {
			x.nv.Delete(nvimage.OSAL(nvimage.HasConfiguredZStack3))
			return err
		}
		return nil
	})
	return r, err
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
	c.Summary = generation.Summary{Devices: len(x.home.Devices)}
	if n, err := strconv.ParseUint(data["coordinator_backup.json"], 10, 32); err == nil {
		c.Summary.BackupCounter = zigbee.FrameCounter(n)
	}
	stick := x.Stick()
	if x.filed != nil {
		stick = x.filed
	}
	if id, err := stick.Identity(); err == nil {
		c.Summary.PanID, c.Summary.Coordinator, c.Summary.KeyFingerprint = id.PanID.String(), id.IEEE.String(), id.Key.Fingerprint()
		if x.editedKey != "" {
			c.Summary.KeyFingerprint = x.editedKey
		}
	}
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
	return r, x.do(ctx, engine.OpStage, func() error { x.staging = next; return nil })
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
