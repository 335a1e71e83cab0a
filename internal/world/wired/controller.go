package wired

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/host/node"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
	"z2mha/internal/storage/decisions"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/events"
	"z2mha/internal/storage/holds"
	"z2mha/internal/storage/journal"
	"z2mha/internal/storage/memory"
	"z2mha/internal/storage/notes"
	"z2mha/internal/storage/shelf"
	"z2mha/internal/world/memnet"
	"z2mha/internal/z2m/bridge"
)

// network is the name of the only one.
const network = "home"

var errDied = errors.New("the controller has died")

// A controller is one process of the program, from its start to its end, put together as
// "z2mha serve" does it. After its death it reaches nobody, and its disk takes nothing.
type controller struct {
	w      *World
	desk   *desk.Desk
	engine *engine.Controller
	cancel context.CancelFunc
	gone   chan struct{}

	mu    sync.Mutex // guards what follows
	dead  bool
	conns []net.Conn
}

// boot starts a controller unless one runs.
func (w *World) boot() {
	w.mu.Lock()
	if w.now != nil || w.ended {
		w.mu.Unlock()
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &controller{w: w, cancel: cancel, gone: make(chan struct{})}
	w.now = c
	w.mu.Unlock()
	w.log("the controller starts")
	w.work.Go(func() {
		defer close(c.gone)
		if err := c.run(ctx); err != nil {
			w.log("the controller ended: %v", err)
		}
	})
}

// killController ends the one that runs as a power cut does, and has another one start
// after a while.
func (w *World) killController(again time.Duration) {
	w.mu.Lock()
	c := w.now
	w.now = nil
	w.mu.Unlock()
	if c == nil {
		return
	}
	w.log("the controller dies")
	c.die()
	w.later(again, w.boot)
}

func (c *controller) die() {
	c.mu.Lock()
	c.dead = true
	conns := c.conns
	c.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
	}
	c.cancel()
}

// run is the life of a controller.
func (c *controller) run(ctx context.Context) (err error) {
	state := c.w.state()
	disk := durable.Disk{Fault: c.fault}
	log := slog.New(c.w.logs())
	kept, err := shelf.Open(filepath.Join(state, "shelf"), shelf.Options{Disk: disk})
	if err != nil {
		return err
	}
	var opened closers
	defer func() { err = errors.Join(err, opened.close()) }()
	held := holds.New(filepath.Join(state, "holds"), disk)
	runs := lines{journal.New(filepath.Join(state, "runs"), disk), c, held}
	net, err := c.network(ctx, log, &opened)
	if err != nil {
		return err
	}
	c.engine = engine.New(engine.Parts{
		Networks: []engine.Network{net}, Journal: runs, Shelf: kept, Memory: memory.New(filepath.Join(state, "records"), disk),
		Held: held.Held, HostID: "host-controller", Log: log,
	})
	told := events.New(filepath.Join(state, "events"), disk, log)
	opened.add(told)
	d := desk.New(desk.Parts{
		Engine: c.engine, History: runs, Events: told, Holds: held, Log: log,
		Decide: decide.Decide, Rungs: c.engine.Rungs, Policy: map[string]desk.Policy{network: {Policy: decide.DefaultPolicy}},
		Notes:     notes.New(filepath.Join(state, "notes"), disk),
		Decisions: decisions.New(filepath.Join(state, "decisions"), "simulation", disk, log),
		Capture:   cadence.Default(), Membership: c.engine.Membership, Bridge: c.engine.Bridge, Sighted: c.engine.Sighted,
	})
	d.Listen(c.w.told)
	c.w.mu.Lock()
	c.desk = d
	c.w.mu.Unlock()
	return d.Run(ctx)
}

type closers struct{ all []io.Closer }

func (o *closers) add(c io.Closer) { o.all = append(o.all, c) }

func (o *closers) close() (err error) {
	for i := len(o.all) - 1; i >= 0; i-- {
		err = errors.Join(err, o.all[i].Close())
	}
	return err
}

func (c *controller) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// fault is the disk of the controller.
func (c *controller) fault(durable.Op, string) error {
	dead := c.isDead()
	c.w.mu.Lock()
	full := c.w.full
	c.w.mu.Unlock()
	switch {
	case dead:
		return errDied
	case full:
		return syscall.ENOSPC
	}
	return nil
}

// network is wired as in production.
func (c *controller) network(ctx context.Context, log *slog.Logger, opened *closers) (engine.Network, error) {
	out := engine.Network{Name: network, Timing: plan.DefaultTiming(), Policy: decide.DefaultPolicy, Fences: c.fences()}
	mqtt, err := bus.Open(bus.Config{Server: "mqtt://broker:1883", ClientID: "z2mha", Log: log, Dialer: c.dialer(c.w.toBroker)})
	if err != nil {
		return out, err
	}
	opened.add(mqtt)
	br, err := bridge.New(ctx, mqtt, "zigbee2mqtt", log)
	if err != nil {
		return out, err
	}
	opened.add(closing(br.Close))
	out.Bridge = br
	for _, h := range c.w.hosts {
		n, err := c.node(h, log)
		if err != nil {
			return out, err
		}
		opened.add(n)
		out.Nodes = append(out.Nodes, n)
	}
	return out, nil
}

type closing func()

func (f closing) Close() error { f(); return nil }

func (c *controller) node(h *Host, log *slog.Logger) (*node.Node, error) {
	dial := c.dialer(h.ssh)
	return node.New(node.Config{
		Name: h.name, Dongle: h.tty, Data: h.data, HelperDir: filepath.Join(h.dir, "bin"), State: h.state(), Log: log,
		SSH: remote.Config{Address: h.name + ":22", User: "pi", Signer: c.w.key, KnownHosts: filepath.Join(c.w.state(), "known_hosts"), Log: log,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }},
		Service: service.Config{Kind: service.Systemd, Unit: "zigbee2mqtt"}, Broker: "broker:1883",
		Helper: func(string) ([]byte, error) { return program, nil },
	})
}

// dialer dials for a controller, unless that is dead.
func (c *controller) dialer(l *memnet.Line) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := l.Dial(ctx)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.dead {
			return nil, errors.Join(errDied, conn.Close())
		}
		c.conns = append(c.conns, conn)
		return conn, nil
	}
}
