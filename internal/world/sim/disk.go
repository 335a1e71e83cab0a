package sim

import (
	"errors"
	"io"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// errNoSpace is the controller's disk when it is full.
var errNoSpace = errors.New("no space left on the controller's disk")

// writes says whether the controller can write to its disk now.
func (c *controller) writes() error {
	if c.died.Load() {
		return errDied
	}
	return c.w.space()
}

type journal struct {
	engine.Journal
	c *controller
}

func (j journal) Create(first plan.Entry, net string) (engine.Run, error) {
	r := run{nil, j.c}
	err := r.write(first, func() (err error) { r.Run, err = j.Journal.Create(first, net); return err })
	return r, err
}

func (j journal) Open(net, id string) (engine.Run, error) {
	r, err := j.Journal.Open(net, id)
	return run{r, j.c}, err
}

type run struct {
	engine.Run
	c *controller
}

func (r run) Append(e plan.Entry) error {
	return r.write(e, func() error { return r.Run.Append(e) })
}

func (r run) write(e plan.Entry, act func() error) error {
	r.c.explode("journal", false)
	if err := r.c.writes(); err != nil {
		return err
	}
	if err := act(); err != nil {
		return err
	}
	r.c.w.log("journal %s %s %s %s", e.Run, e.Event, e.Step, e.Note)
	r.c.w.rules.after(event{what: journaled, entry: e})
	r.c.explode("journal", true)
	if r.c.died.Load() {
		return errDied
	}
	return nil
}

func (r run) Close() error { return nil }

type shelf struct {
	engine.Shelf
	c *controller
}

func (s shelf) Put(hash string, r io.Reader) error {
	if err := s.c.writes(); err != nil {
		return err
	}
	return s.Shelf.Put(hash, r)
}

func (s shelf) Add(g generation.Generation) (generation.Generation, error) {
	if err := s.c.writes(); err != nil {
		return g, err
	}
	g, err := s.Shelf.Add(g)
	if err == nil {
		s.c.w.rules.after(event{what: captured, gen: g})
	}
	return g, err
}

func (s shelf) Accept(net string, number int, by string) (generation.Generation, error) {
	if err := s.c.writes(); err != nil {
		return generation.Generation{}, err
	}
	return s.Shelf.Accept(net, number, by)
}

func (s shelf) KeepImage(net, node string, image []byte) (string, error) {
	if err := s.c.writes(); err != nil {
		return "", err
	}
	return s.Shelf.KeepImage(net, node, image)
}

type memory struct {
	engine.Memory
	c *controller
}

func (m memory) Save(r network.Record) error {
	if err := m.c.writes(); err != nil {
		return err
	}
	return m.Memory.Save(r)
}
