package sim

import (
	"context"
	"errors"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
	"z2mha/internal/world/inmem"
)

// sshPatience is when a connection from which nothing comes is given up.
const sshPatience = 30 * time.Second

var (
	errRefused = errors.New("connection refused")
	errNothing = errors.New("nothing came back in time")
)

// latencies are what an operation takes when all is well.
var latencies = map[engine.Op]time.Duration{
	engine.OpObserve: 60 * time.Millisecond, engine.OpStop: time.Second, engine.OpStopFast: 400 * time.Millisecond, engine.OpStart: 500 * time.Millisecond,
	engine.OpPark: time.Second, engine.OpReset: 2 * time.Second, engine.OpInspect: 300 * time.Millisecond, engine.OpReadStick: 20 * time.Second,
	engine.OpReadKnown: 5 * time.Second, engine.OpLoadStick: 30 * time.Second, engine.OpPatchStick: 3 * time.Second, engine.OpCapture: time.Second,
	engine.OpListen: 4 * time.Second, engine.OpUnplug: time.Second, engine.OpReplug: time.Second, engine.OpStage: time.Second, engine.OpPromote: 200 * time.Millisecond, engine.OpUnpromote: 200 * time.Millisecond,
}

// changing operations act on a node, so there must be a step that says so beforehand.
var changing = map[engine.Op]bool{engine.OpStop: true, engine.OpStopFast: true, engine.OpStart: true, engine.OpEnable: true, engine.OpDisable: true,
	engine.OpPark: true, engine.OpReset: true, engine.OpLoadStick: true, engine.OpPatchStick: true, engine.OpStage: true,
	engine.OpUnplug: true, engine.OpReplug: true, engine.OpPromote: true, engine.OpUnpromote: true}

// A node is a host as one controller reaches it.
type node struct {
	engine.Node
	host *inmem.Host
	c    *controller
}

func (c *controller) nodes() []engine.Node {
	var out []engine.Node
	for _, name := range c.w.names {
		h := c.w.home.Host(name)
		out = append(out, &node{h, h, c})
	}
	return out
}

// do carries an operation to the host and its answer back, and has the rules looked at.
func (n *node) do(ctx context.Context, op engine.Op, act func() error) error {
	w, name := n.c.w, n.host.Name()
	if err := n.c.enter(ctx); err != nil {
		return err
	}
	if changing[op] {
		n.c.explode("act", false)
	}
	if err := n.c.reach(ctx, name, op); err != nil {
		return err
	}
	if n.c.died.Load() {
		return errDied
	}
	w.rules.after(event{what: opBegins, node: name, op: op})
	err := act()
	w.rules.after(event{what: opEnds, node: name, op: op, err: err})
	w.log("%s %s: %v", name, op, err)
	if changing[op] {
		n.c.explode("act", true)
	}
	if n.c.died.Load() {
		return errDied
	}
	if lost := w.lose(ctx, name); lost != nil {
		return lost
	}
	return err
}

func (n *node) Observe(ctx context.Context) (o network.Observation, err error) {
	err = n.do(ctx, engine.OpObserve, func() error { o, err = n.Node.Observe(ctx); return err })
	return o, err
}

func (n *node) StopService(ctx context.Context) error {
	return n.do(ctx, engine.OpStop, func() error { return n.Node.StopService(ctx) })
}

func (n *node) StartService(ctx context.Context) error {
	return n.do(ctx, engine.OpStart, func() error { return n.Node.StartService(ctx) })
}

func (n *node) StopFast(ctx context.Context, budget time.Duration) (s network.FastStop, err error) {
	err = n.do(ctx, engine.OpStopFast, func() error { s, err = n.Node.StopFast(ctx, budget); return err })
	return s, err
}

func (n *node) SetAutostart(ctx context.Context, on bool) error {
	op := map[bool]engine.Op{true: engine.OpEnable, false: engine.OpDisable}[on]
	return n.do(ctx, op, func() error { return n.Node.SetAutostart(ctx, on) })
}

func (n *node) InspectStick(ctx context.Context) (s network.StickState, err error) {
	err = n.do(ctx, engine.OpInspect, func() error { s, err = n.Node.InspectStick(ctx); return err })
	return s, err
}

func (n *node) Park(ctx context.Context) (s network.Silence, err error) {
	err = n.do(ctx, engine.OpPark, func() error { s, err = n.Node.Park(ctx); return err })
	return s, err
}

func (n *node) Reset(ctx context.Context) (s network.Silence, err error) {
	err = n.do(ctx, engine.OpReset, func() error { s, err = n.Node.Reset(ctx); return err })
	return s, err
}

func (n *node) ReadStick(ctx context.Context, p engine.Progress) (s network.StickImage, err error) {
	err = n.do(ctx, engine.OpReadStick, func() error { s, err = n.Node.ReadStick(ctx, p); return err })
	return s, err
}

func (n *node) ReadStickKnown(ctx context.Context, known *nvimage.Image, p engine.Progress) (s network.StickImage, err error) {
	err = n.do(ctx, engine.OpReadKnown, func() error { s, err = n.Node.ReadStickKnown(ctx, known, p); return err })
	return s, err
}

func (n *node) LoadStick(ctx context.Context, l network.StickLoad, p engine.Progress) (r network.LoadReport, err error) {
	err = n.do(ctx, engine.OpLoadStick, func() error {
		n.c.w.rules.after(event{what: stickIsWritten, node: n.host.Name(), expects: l.ExpectBefore})
		r, err = n.Node.LoadStick(ctx, l, p)
		return err
	})
	return r, err
}

func (n *node) PatchStick(ctx context.Context, p network.StickPatch, progress engine.Progress) (r network.PatchReport, err error) {
	err = n.do(ctx, engine.OpPatchStick, func() error { r, err = n.Node.PatchStick(ctx, p, progress); return err })
	return r, err
}

func (n *node) Unplug(ctx context.Context) (u network.Unplugged, err error) {
	err = n.do(ctx, engine.OpUnplug, func() error { u, err = n.Node.Unplug(ctx); return err })
	return u, err
}

func (n *node) Replug(ctx context.Context) error {
	return n.do(ctx, engine.OpReplug, func() error { return n.Node.Replug(ctx) })
}

func (n *node) Listen(ctx context.Context, who zigbee.Identity) (h network.Heard, err error) {
	err = n.do(ctx, engine.OpListen, func() error {
		h, err = n.Node.Listen(ctx, who)
		n.c.w.rules.after(event{what: listened, node: n.host.Name(), heard: err == nil && h.Coordinator})
		return err
	})
	return h, err
}

func (n *node) KeepOdometer(ctx context.Context, net string, o odometer.Odometer) error {
	return n.do(ctx, engine.OpKeepOdometer, func() error { return n.Node.KeepOdometer(ctx, net, o) })
}

func (n *node) Odometer(ctx context.Context, net string) (o odometer.Odometer, err error) {
	err = n.do(ctx, engine.OpOdometer, func() error { o, err = n.Node.Odometer(ctx, net); return err })
	return o, err
}

func (n *node) Capture(ctx context.Context, d engine.Depot) (c network.Capture, err error) {
	err = n.do(ctx, engine.OpCapture, func() error { c, err = n.Node.Capture(ctx, d); return err })
	return c, err
}

func (n *node) Stage(ctx context.Context, g generation.Generation, d engine.Depot, p engine.Progress) (r network.StageReport, err error) {
	err = n.do(ctx, engine.OpStage, func() error { r, err = n.Node.Stage(ctx, g, d, p); return err })
	return r, err
}

func (n *node) Promote(ctx context.Context, run string) error {
	return n.do(ctx, engine.OpPromote, func() error { return n.Node.Promote(ctx, run) })
}

func (n *node) Unpromote(ctx context.Context, run string) error {
	return n.do(ctx, engine.OpUnpromote, func() error { return n.Node.Unpromote(ctx, run) })
}

// A bridge is what one controller hears over MQTT.
type bridge struct {
	engine.Bridge
	c *controller
}

// do asks over MQTT. What nobody answers takes as long as it is waited for.
func (b bridge) do(ctx context.Context, op string, act func() error) error {
	if err := b.c.enter(ctx); err != nil {
		return err
	}
	if err := sleep(ctx, b.c.jitter("", 80*time.Millisecond)); err != nil {
		return err
	}
	err := act()
	b.c.w.heard(op)
	b.c.w.rules.after(event{what: opEnds, node: "bridge", op: engine.Op(op), err: err})
	if errors.Is(err, engine.ErrBridgeSilent) {
		<-ctx.Done()
	}
	if b.c.died.Load() {
		return errDied
	}
	return err
}

// A backup takes a while, and nobody waits for one for ever.
const (
	backupTakes    = 6 * time.Second
	backupPatience = time.Minute
)

func (b bridge) State(ctx context.Context) (s engine.BridgeState, err error) {
	err = b.do(ctx, "state", func() error { s, err = b.Bridge.State(ctx); return err })
	return s, err
}

func (b bridge) Refresh(ctx context.Context) (i engine.BridgeInfo, err error) {
	err = b.do(ctx, "refresh", func() error { i, err = b.Bridge.Refresh(ctx); return err })
	return i, err
}

func (b bridge) Devices(ctx context.Context, since time.Time) (d []engine.BridgeDevice, err error) {
	err = b.do(ctx, "devices", func() error { d, err = b.Bridge.Devices(ctx, since); return err })
	return d, err
}

func (b bridge) Ask(ctx context.Context, devices []engine.BridgeDevice, enough int) (out []zigbee.IEEE, err error) {
	err = b.do(ctx, "ask", func() error { out, err = b.Bridge.Ask(ctx, devices, enough); return err })
	if err == nil && len(out) < min(enough, len(devices)) {
		<-ctx.Done()
	}
	return out, err
}

func (b bridge) CloseJoining(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, backupPatience)
	defer cancel()
	return b.do(ctx, "close-joining", func() error { return b.Bridge.CloseJoining(ctx) })
}

func (b bridge) Backup(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, backupPatience)
	defer cancel()
	if err := sleep(ctx, backupTakes); err != nil {
		return err
	}
	return b.do(ctx, "backup", func() error { return b.Bridge.Backup(ctx) })
}

func (b bridge) AskStick(ctx context.Context) error {
	return b.do(ctx, "ask-stick", func() error { return b.Bridge.AskStick(ctx) })
}

func (b bridge) CheckCoordinator(ctx context.Context) error {
	return b.do(ctx, "check-coordinator", func() error { return b.Bridge.CheckCoordinator(ctx) })
}

func (b bridge) Correct(ctx context.Context, online bool) error {
	return b.do(ctx, "correct", func() error { return b.Bridge.Correct(ctx, online) })
}
