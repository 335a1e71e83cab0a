package znpsim

import (
	"log/slog"
	"sync"
	"time"

	"z2mha/internal/dongle/zigbee"
)

// MediumOptions configure a medium. Log may be nil.
type MediumOptions struct {
	Log *slog.Logger
}

// A Medium is the air that sticks and devices share. It keeps the record of who was
// on air and what devices made of it.
type Medium struct {
	log *slog.Logger

	mu      sync.Mutex // guards everything on the medium, sticks and devices included
	closed  bool
	tasks   map[*task]struct{}
	pending sync.WaitGroup // one per task
	dongles []*Dongle
	devices []*Device
	record  Record
	highest map[voice]zigbee.FrameCounter
}

// NewMedium returns an empty medium.
func NewMedium(o MediumOptions) *Medium {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Medium{
		log:     log,
		tasks:   make(map[*task]struct{}),
		highest: make(map[voice]zigbee.FrameCounter),
		record:  Record{DeliveredTo: make(map[string]int), ReplaysBy: make(map[string]int), RejoinsBy: make(map[string]int)},
	}
}

// Close stops every timer, waits for those that run and writes image files. Serve
// calls end by their context, not by Close.
func (m *Medium) Close() error {
	m.mu.Lock()
	m.closed = true
	for t := range m.tasks {
		m.drop(t)
	}
	dongles := m.dongles
	m.mu.Unlock()
	m.pending.Wait()
	var first error
	for _, d := range dongles {
		if err := d.save(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Dongles are the sticks on the medium, in order of their making.
func (m *Medium) Dongles() []*Dongle {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*Dongle(nil), m.dongles...)
}

// Devices are the devices on the medium, in order of their making.
func (m *Medium) Devices() []*Device {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*Device(nil), m.devices...)
}

// A task is something that will happen on the medium.
type task struct{ timer *time.Timer }

// after runs fn, under the lock, when d has passed. The caller holds the lock.
func (m *Medium) after(d time.Duration, fn func()) {
	if m.closed {
		return
	}
	t := new(task)
	m.tasks[t] = struct{}{}
	m.pending.Add(1)
	t.timer = time.AfterFunc(d, func() {
		defer m.pending.Done()
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.tasks, t)
		if !m.closed {
			fn()
		}
	})
}

// drop forgets a task; one that runs already finds the medium closed.
func (m *Medium) drop(t *task) {
	delete(m.tasks, t)
	if t.timer.Stop() {
		m.pending.Done()
	}
}
