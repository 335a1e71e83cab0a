package znpsim

import (
	"errors"
	"sync"

	"z2mha/internal/dongle/unpi"
)

// ErrAttached is returned by Serve while another client is served.
var ErrAttached = errors.New("stick is in use by another client")

// ErrUnplugged is returned by Serve while the stick is out of its socket.
var ErrUnplugged = errors.New("stick is unplugged")

// maxQueue bounds what waits for a client that does not read; the rest is lost, as on
// a line without flow control.
const maxQueue = 4096

// A link is the stick's end of the line: what waits to go out, and whether somebody
// is there. Without a client, frames are lost.
type link struct {
	mu       sync.Mutex
	attached bool
	gone     bool
	queue    []unpi.Frame
	wake     chan struct{} // has a token when queue may hold something
	unplug   chan struct{} // closed while gone
}

func newLink() link {
	return link{wake: make(chan struct{}, 1), unplug: make(chan struct{})}
}

func (l *link) push(f unpi.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.attached || len(l.queue) >= maxQueue {
		return
	}
	l.queue = append(l.queue, f)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *link) pop() (unpi.Frame, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return unpi.Frame{}, false
	}
	f := l.queue[0]
	l.queue = l.queue[1:]
	return f, true
}

func (l *link) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = nil
}

// attach takes the line for one client and returns what closes when it is cut.
func (l *link) attach() (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.gone:
		return nil, ErrUnplugged
	case l.attached:
		return nil, ErrAttached
	}
	l.attached = true
	l.queue = nil
	return l.unplug, nil
}

func (l *link) detach() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attached = false
	l.queue = nil
}

func (l *link) setPlugged(in bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone == !in {
		return
	}
	l.gone = !in
	if l.gone {
		close(l.unplug)
	} else {
		l.unplug = make(chan struct{})
	}
}
