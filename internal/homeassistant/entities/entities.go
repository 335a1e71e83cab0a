// Package entities keeps Home Assistant's picture of the networks right: it announces
// the devices over MQTT, publishes their states and events, and carries commands to
// the desk.
//
// What it guarantees: what is retained can be read at any time and is not about
// something that is gone; a command or an event is never retained; a command that the
// broker had kept is never carried out; a command that is not carried out is answered
// by an event that says why. What it does not: that an event arrives when nobody
// listens. Events wait while the broker is away, but not for Home Assistant.
package entities

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
)

// A Bus is the connection to the broker. Whoever opens it gives it Will.
type Bus interface {
	Publish(ctx context.Context, m bus.Message) error
	Subscribe(ctx context.Context, filter string, handle func(bus.Message)) (cancel func(), err error)
	Watch(tell func(bus.Status)) (cancel func())
}

// A Shelf keeps what was published once, so that it can be taken back after a restart
// with another configuration. Load returns nothing, without an error, when nothing
// was saved yet.
type Shelf interface {
	Load() ([]byte, error)
	Save([]byte) error
}

// Config says what to publish, where, and who carries out what is asked for.
type Config struct {
	Bus     Bus
	Desk    desk.Service
	Shelf   Shelf
	Options discovery.Options
	// Off takes everything back that was published before, and publishes nothing.
	Off bool
	Log *slog.Logger // nothing is logged when nil
	// Delay is the pause before an announcement, 1 to 5 s at random when nil: not
	// everybody speaks at once when Home Assistant starts.
	Delay func() time.Duration
}

// Will is the last will for the connection to the broker: retained, QoS 1.
func Will(base string) (topic string, payload []byte) {
	m := discovery.Will(base)
	return m.Topic, m.Payload
}

// Entities is the whole of it. Run it once.
type Entities struct {
	cfg   Config
	log   *slog.Logger
	lanes lanes
	wake  chan struct{} // holds one token while something of heard is new

	mu    sync.Mutex // guards heard
	heard heard
}

// heard is what happened since the publisher looked last.
type heard struct {
	connected bool
	link      int  // counts connections
	birth     bool // Home Assistant has started
	missing   bool // somebody else says that we are not there: the will of an old connection
	events    []status.Event
}

// New makes Entities; nothing happens before Run.
func New(cfg Config) *Entities {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Delay == nil {
		cfg.Delay = func() time.Duration { return time.Second + rand.N(4*time.Second) }
	}
	return &Entities{cfg: cfg, log: cfg.Log, lanes: newLanes(), wake: make(chan struct{}, 1)}
}

func (e *Entities) String() string { return "Home Assistant entities" }

// Run publishes and obeys until ctx ends; then it says "offline" and returns nil. The
// bus must stay open until then.
func (e *Entities) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer e.cfg.Bus.Watch(e.hearBus)()
	if !e.cfg.Off {
		defer e.cfg.Desk.Listen(e.hearEvent)()
		for _, lane := range e.lanes.all() {
			workers.Go(func() { e.work(ctx, lane) })
		}
		defer e.subscribe(ctx)()
	}
	newPublisher(e).run(ctx)
	return nil
}

// subscribe listens to Home Assistant, to commands, and to what the broker says about
// us. What the broker forbids is logged; the rest goes on.
func (e *Entities) subscribe(ctx context.Context) (cancel func()) {
	o := e.cfg.Options
	handlers := map[string]func(bus.Message){o.Status(): e.hearStatus}
	for _, topic := range o.BirthTopics() {
		handlers[topic] = e.hearBirth
	}
	for _, filter := range o.CommandFilters() {
		handlers[filter] = e.hearCommand
	}
	var cancels []func()
	for filter, handle := range handlers {
		cancel, err := e.cfg.Bus.Subscribe(ctx, filter, handle)
		if err != nil {
			e.log.Warn("Home Assistant is not heard", "filter", filter, "err", err)
			continue
		}
		cancels = append(cancels, cancel)
	}
	return func() {
		for _, cancel := range cancels {
			cancel()
		}
	}
}

func (e *Entities) hearBus(s bus.Status) {
	e.note(func(h *heard) {
		h.connected = s.Connected
		if s.Connected {
			h.link++
		}
	})
}

func (e *Entities) hearBirth(m bus.Message) {
	if string(m.Payload) == "online" {
		e.note(func(h *heard) { h.birth = true })
	}
}

// hearStatus notices the late will of a connection that was cut: it overwrites what
// the new one had said.
func (e *Entities) hearStatus(m bus.Message) {
	if string(m.Payload) == "offline" {
		e.note(func(h *heard) { h.missing = true })
	}
}

// maxEvents wait for the broker; the oldest go first.
const maxEvents = 50

func (e *Entities) hearEvent(event status.Event) {
	e.note(func(h *heard) {
		if len(h.events) == maxEvents {
			h.events = h.events[1:]
		}
		h.events = append(h.events, event)
	})
}

func (e *Entities) note(change func(*heard)) {
	e.mu.Lock()
	change(&e.heard)
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// take returns what was heard; births and the like are told once. The events stay,
// see event.
func (e *Entities) take() heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.heard
	h.events = nil
	e.heard.birth, e.heard.missing = false, false
	return h
}

// event takes the oldest event that waits.
func (e *Entities) event() (event status.Event, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.heard.events) == 0 {
		return status.Event{}, false
	}
	event = e.heard.events[0]
	e.heard.events = e.heard.events[1:]
	return event, true
}
