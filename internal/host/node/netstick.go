package node

import (
	"context"
	"errors"
	"fmt"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/port"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
)

// netStick is a coordinator in the network. Such devices serve one client; who
// that is can be seen on the node's host, so the host is asked first.
type netStick struct{ n *Node }

// with speaks to the coordinator when no program on the host does.
func (s netStick) with(ctx context.Context, use func(context.Context, *znp.Client) error) error {
	r, err := s.n.probe(ctx)
	if err != nil {
		return err
	}
	o := observation(r)
	o.TTY = s.n.cfg.Dongle
	if o.Runs() {
		return &network.RefusedError{What: "use " + s.n.cfg.Dongle, Why: o.WhyNotStopped(), Remedy: "stop Zigbee2MQTT first"}
	}
	ctx, cancel := context.WithTimeout(ctx, s.n.cfg.Timeouts.Memory)
	defer cancel()
	rw, err := port.Open(ctx, s.n.cfg.Dongle)
	if err != nil {
		return err
	}
	c := znp.NewClient(rw, znp.Options{Log: s.n.cfg.Log})
	defer c.Close()
	if err := c.Connect(ctx); err != nil {
		return fmt.Errorf("%s: %w", s.n.cfg.Dongle, err)
	}
	return use(ctx, c)
}

func (s netStick) inspect(ctx context.Context) (state network.StickState, err error) {
	err = s.with(ctx, func(ctx context.Context, c *znp.Client) error {
		info, err := c.DeviceInfo(ctx)
		if err != nil {
			return err
		}
		stick, err := c.Version(ctx)
		state = network.StickState{
			State: nvram.StateName(info.State), Silent: info.State == znp.StateHold, Address: info.IEEE, Stick: stick,
		}
		return err
	})
	return state, err
}

func (s netStick) park(ctx context.Context) (network.Silence, error) {
	return s.silence(ctx, nvram.Park)
}
func (s netStick) reset(ctx context.Context) (network.Silence, error) {
	return s.silence(ctx, nvram.Reset)
}

func (s netStick) silence(ctx context.Context, act func(context.Context, *znp.Client) (nvram.Silence, error)) (silence network.Silence, err error) {
	err = s.with(ctx, func(ctx context.Context, c *znp.Client) error {
		got, err := act(ctx, c)
		silence = network.Silence{State: got.State, Reset: got.Reset, Address: got.Address, Stick: got.Stick}
		return err
	})
	return silence, err
}

func (s netStick) read(ctx context.Context, known *nvimage.Image, progress engine.Progress) (image network.StickImage, err error) {
	err = s.with(ctx, func(ctx context.Context, c *znp.Client) (err error) {
		if err := mustHold(ctx, c); err != nil {
			return err
		}
		if image.Stick, err = c.Version(ctx); err != nil {
			return err
		}
		if known != nil {
			image.Image, err = nvram.ReadKnown(ctx, c, known.Layout(), steps(progress, "read"))
			return err
		}
		image.Image, err = nvram.Read(ctx, c, steps(progress, "read"))
		return err
	})
	return image, err
}

func mustHold(ctx context.Context, c *znp.Client) error {
	info, err := c.DeviceInfo(ctx)
	if err == nil && info.State != znp.StateHold {
		err = fmt.Errorf("%w: its state is %s", nvram.ErrNotHold, nvram.StateName(info.State))
	}
	return err
}

// load writes from here, so what was on the stick must be kept here: by the
// caller, who shows with ExpectBefore that it was.
func (s netStick) load(ctx context.Context, load network.StickLoad, progress engine.Progress) (report network.LoadReport, err error) {
	if load.ExpectBefore == "" {
		return report, errors.New("what is on the stick has not been kept yet")
	}
	err = s.with(ctx, func(ctx context.Context, c *znp.Client) error {
		report.Before = load.Want.Clone() // unless something differs
		phase := string(nvram.PhaseCompare)
		r, err := nvram.Write(ctx, c, load.Want, nvram.WriteOptions{
			From: load.From, AnyRevision: load.AnyRevision, ExpectBefore: load.ExpectBefore,
			Keep:     func(before *nvimage.Image) error { report.Before = before.Clone(); return nil },
			Phase:    func(p nvram.Phase) { phase = string(p) },
			Progress: func(done, total int) { steps(progress, phase)(done, total) },
		})
		report.Written, report.Deleted, report.Unchanged = r.Written, r.Deleted, r.Unchanged
		report.Bytes, report.Boots = r.Bytes, r.Boots
		report.Exchanges = r.Compare.Exchanges + r.Write.Exchanges + r.ReadBack.Exchanges
		if err != nil {
			return err
		}
		report.State = nvram.StateName(znp.StateHold)
		return mustHold(ctx, c)
	})
	return report, err
}

func steps(progress engine.Progress, step string) nvram.Progress {
	return func(done, total int) {
		if progress != nil {
			progress(step, done, total)
		}
	}
}

func (s netStick) explain(op engine.Op) []string {
	return append(s.n.lines(s.n.ofHelper(s.n.probeCall())),
		fmt.Sprintf("(from here, over ZNP to %s) %s", s.n.cfg.Dongle, op))
}
