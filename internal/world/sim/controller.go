package sim

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

// errDied is what a controller that was killed gets from everything it does.
var errDied = errors.New("the controller has died")

// A controller is one process of the program, from its start to its end. What it does
// after its death reaches nobody.
type controller struct {
	w      *World
	number int
	desk   *desk.Desk
	engine *engine.Controller
	cancel context.CancelFunc
	died   atomic.Bool
	gone   chan struct{}
}

// boot starts a controller unless one runs.
func (w *World) boot() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now != nil || w.ended {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.started++
	c := &controller{w: w, number: w.started, cancel: cancel, gone: make(chan struct{})}
	log := slog.New(w.logs())
	c.engine = engine.New(engine.Parts{
		Networks: []engine.Network{{Name: home, Nodes: c.nodes(), Bridge: bridge{w.home.Bridge(), c}, Fences: c.fences(), Timing: plan.DefaultTiming()}},
		Journal:  journal{w.disk.Journal(), c}, Shelf: shelf{w.disk.Shelf(), c}, Memory: memory{w.disk.Memory(), c},
		Held: w.holds.Held, Log: log,
	})
	c.desk = desk.New(desk.Parts{Engine: c.engine, History: journal{w.disk.Journal(), c}, Events: &w.events, Holds: &w.holds,
		Capture: cadence.Default(), Membership: c.engine.Membership,
		Bridge: c.engine.Bridge, Sighted: c.engine.Sighted, Log: log,
		Decide: decide.Decide, Policy: map[string]desk.Policy{home: {Policy: w.story.policy()}}, Rungs: c.engine.Rungs,
		Notes: &w.notes, Decisions: decisions{c}})
	w.now = c
	w.processes.Go(func() {
		_ = c.desk.Run(ctx)
		close(c.gone)
	})
	w.log("the controller starts")
}

// kill ends the controller that runs, as a power cut does, and lets another one start
// after a while.
func (w *World) kill(again time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killLocked(again)
}

func (w *World) killLocked(again time.Duration) {
	if w.now == nil {
		return
	}
	w.now.died.Store(true)
	w.now.cancel()
	w.now = nil
	w.log("the controller dies")
	if again > 0 {
		time.AfterFunc(again, w.boot)
	}
}

// A bomb kills the controller at a point of its work.
type bomb struct {
	at    string // "journal" or "act"
	after bool   // the point, or else just before it
	count int    // that many points from now
	again time.Duration
	met   func()
}

// explode counts a point of work, and dies there if that was to be.
func (c *controller) explode(at string, after bool) {
	w := c.w
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.bomb
	if b == nil || b.at != at || b.after != after || w.now != c {
		return
	}
	if b.count--; b.count > 0 {
		return
	}
	w.bomb = nil
	b.met()
	w.log("killed at a %s, after it: %v", at, after)
	w.killLocked(b.again)
}

// enter lets a controller begin an operation, unless it is dead; one that stands still
// goes on later.
func (c *controller) enter(ctx context.Context) error {
	for {
		if c.died.Load() {
			return errDied
		}
		wait := c.w.pausedFor()
		if wait <= 0 {
			return ctx.Err()
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// events are what was told, on a disk that survives the controller.
type events struct {
	mu   sync.Mutex
	all  []status.Event
	tell func(status.Event)
}

func (e *events) Load(string) ([]status.Event, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]status.Event(nil), e.all...), nil
}

func (e *events) Append(ev status.Event) error {
	e.mu.Lock()
	e.all = append(e.all, ev)
	e.mu.Unlock()
	e.tell(ev)
	return nil
}

// holds are who holds the network.
type holds struct {
	mu   sync.Mutex
	hold status.Hold
}

func (h *holds) Load(string) (status.Hold, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hold, nil
}

func (h *holds) Save(_ string, hold status.Hold) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hold = hold
	return nil
}

func (h *holds) Held(string) (string, error) {
	hold, _ := h.Load("")
	if !hold.On {
		return "", nil
	}
	return "the network is on hold by " + hold.By, nil
}

// notes are what must not be forgotten of a network's watch.
type notes struct {
	mu sync.Mutex
	n  status.Notes
}

func (n *notes) Load(string) (status.Notes, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.n, nil
}

func (n *notes) Change(_ string, change func(*status.Notes)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.n)
	return nil
}

// decisions are only looked at.
type decisions struct{ c *controller }

func (d decisions) Keep(in decide.Input, dec decide.Decision) (int, bool, error) {
	d.c.w.log("decided %s %s %s: %v", dec.Action, dec.Node, dec.To, dec.Reasons)
	d.c.w.rules.after(event{what: decided, input: &in, decision: &dec})
	return 0, false, nil
}
