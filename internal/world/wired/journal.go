package wired

import (
	"encoding/json"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/storage/holds"
	"z2mha/internal/storage/journal"
)

// A bomb kills the controller at a line of its journal.
type bomb struct {
	after bool // it is on disk, or else just before
	count int  // that many lines from now
	again time.Duration
}

// explode counts a line, and has the controller die there if that was to be.
func (c *controller) explode(after bool) {
	w := c.w
	w.mu.Lock()
	b := w.bomb
	if b == nil || b.after != after || w.now != c {
		w.mu.Unlock()
		return
	}
	if b.count--; b.count > 0 {
		w.mu.Unlock()
		return
	}
	w.bomb = nil
	w.mu.Unlock()
	w.killController(b.again)
}

// lines are the journal of a controller. What is begun is looked at: never on hold, never
// two at once, and no move away from a lost node while the broker is down.
type lines struct {
	*journal.Journal
	c    *controller
	held *holds.Holds
}

func (l lines) Create(first plan.Entry, net string) (engine.Run, error) {
	l.c.explode(false)
	r, err := l.Journal.Create(first, net)
	if err != nil {
		return nil, err
	}
	l.begun(first)
	l.c.explode(true)
	return run{r, l.c}, nil
}

func (l lines) Open(net, id string) (engine.Run, error) {
	r, err := l.Journal.Open(net, id)
	if err != nil {
		return nil, err
	}
	return run{r, l.c}, nil
}

func (l lines) begun(e plan.Entry) {
	w := l.c.w
	if why, err := l.held.Held(network); err != nil || why != "" {
		w.breaks("I7", "run %s is begun although %s %v", e.Run, why, err)
	}
	var p plan.Plan
	_ = json.Unmarshal(e.Data, &p)
	w.log("journal %s %s", e.Run, p.Kind)
	w.mu.Lock()
	others, down := len(w.open), w.noBroker
	w.open[e.Run] = true
	w.mu.Unlock()
	if others > 0 {
		w.breaks("I6", "run %s is begun while another one is open", e.Run)
	}
	if p.Kind == plan.KindFailover && !down.IsZero() && time.Since(down) > 2*time.Second {
		w.breaks("I7", "run %s is begun while the broker is down", e.Run)
	}
}

type run struct {
	engine.Run
	c *controller
}

func (r run) Append(e plan.Entry) error {
	r.c.explode(false)
	if err := r.Run.Append(e); err != nil {
		return err
	}
	r.c.w.log("journal %s %s %s %s", e.Run, e.Event, e.Step, e.Note)
	if e.Event == plan.EventEnded {
		r.c.w.mu.Lock()
		delete(r.c.w.open, e.Run)
		r.c.w.mu.Unlock()
	}
	r.c.explode(true)
	return nil
}
