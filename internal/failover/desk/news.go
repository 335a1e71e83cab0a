package desk

import (
	"log/slog"
	"sync"
	"time"

	"z2mha/internal/failover/status"
)

const (
	// farBehind is how many events may wait for one listener.
	farBehind = 1000
	// lastWords is how long listeners may take for what waits when the desk closes.
	lastWords = 5 * time.Second
)

// news carries events out, in the order in which they happened: first to disk, then
// to every listener, each in a goroutine of its own, so that a slow one keeps nobody
// waiting. One that is farBehind misses what comes until it has caught up; what it
// missed is counted in the log. That is better than never to tell it anything again.
type news struct {
	store Events
	log   *slog.Logger

	mu        sync.Mutex
	queue     []item
	seq       int // of the item queued last
	listeners []*listener
	running   bool
	closed    bool
	wake      chan struct{} // one place
	wg        sync.WaitGroup
}

type item struct {
	seq  int
	ev   status.Event
	keep bool
}

type listener struct {
	tell   func(status.Event)
	since  int // it hears what was queued after
	queue  chan status.Event
	stop   chan struct{}
	missed int
}

func newNews(store Events, log *slog.Logger) *news {
	return &news{store: store, log: log, wake: make(chan struct{}, 1)}
}

// add queues one event; keep says to store it.
func (n *news) add(ev status.Event, keep bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.seq++
	n.queue = append(n.queue, item{n.seq, ev, keep})
	n.poke()
}

func (n *news) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *news) listen(tell func(status.Event)) (cancel func()) {
	l := &listener{tell: tell, queue: make(chan status.Event, farBehind), stop: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	l.since = n.seq
	n.listeners = append(n.listeners, l)
	if n.running {
		n.wg.Go(l.hear)
	}
	var once sync.Once
	return func() { once.Do(func() { n.forget(l) }) }
}

func (n *news) forget(l *listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, x := range n.listeners {
		if x == l {
			n.listeners = append(n.listeners[:i:i], n.listeners[i+1:]...)
		}
	}
	close(l.stop)
}

// hear tells one listener after the other event.
func (l *listener) hear() {
	for {
		select {
		case <-l.stop:
			return
		case ev, more := <-l.queue:
			if !more {
				return
			}
			select {
			case <-l.stop:
				return
			default:
				l.tell(ev)
			}
		}
	}
}

// run carries out what is queued until close was called and nothing is left.
func (n *news) run() {
	n.mu.Lock()
	n.running = true
	for _, l := range n.listeners {
		n.wg.Go(l.hear)
	}
	n.mu.Unlock()
	for n.deliver() {
		<-n.wake
	}
	n.finish()
}

// deliver empties the queue; false when there will be no more.
func (n *news) deliver() bool {
	for {
		n.mu.Lock()
		if len(n.queue) == 0 {
			defer n.mu.Unlock()
			return !n.closed
		}
		next := n.queue[0]
		n.queue = n.queue[1:]
		n.mu.Unlock()
		if next.keep {
			if err := n.store.Append(next.ev); err != nil {
				n.log.Error("an event cannot be stored", "network", next.ev.Network, "type", next.ev.Type, "error", err)
			}
		}
		n.pass(next)
	}
}

func (n *news) pass(next item) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.listeners {
		if next.seq <= l.since {
			continue
		}
		select {
		case l.queue <- next.ev:
			if l.missed > 0 {
				n.log.Warn("a listener that was too slow has missed events", "missed", l.missed)
				l.missed = 0
			}
		default:
			if l.missed == 0 {
				n.log.Warn("a listener is too slow and misses events", "waiting", farBehind)
			}
			l.missed++
		}
	}
}

// close lets run end once everything is told.
func (n *news) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	n.poke()
}

// finish waits for the listeners, but not for one that never comes back.
func (n *news) finish() {
	n.mu.Lock()
	n.running = false
	for _, l := range n.listeners {
		close(l.queue)
	}
	n.listeners = nil
	n.mu.Unlock()
	done := make(chan struct{})
	go func() {
		n.wg.Wait()
		close(done)
	}()
	t := time.NewTimer(lastWords)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		n.log.Warn("a listener does not come back and is left behind")
	}
}
