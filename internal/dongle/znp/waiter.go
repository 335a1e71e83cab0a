package znp

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"z2mha/internal/dongle/unpi"
)

// A Waiter collects the indications its match function wants, from Expect to Close.
type Waiter struct {
	client *Client
	match  func(unpi.Frame) bool
	ready  chan struct{} // holds one token when the queue may have grown

	mu    sync.Mutex // guards queue
	queue []unpi.Frame
}

// Expect starts to collect indications. Call it before the request that causes them,
// and Close the Waiter when done: until then its queue may grow. match is called from
// the Client's own goroutine; it must not block and must not call the Client.
func (c *Client) Expect(match func(unpi.Frame) bool) *Waiter {
	w := &Waiter{client: c, match: match, ready: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiters = append(c.waiters, w)
	return w
}

// Wait returns the next indication, oldest first. Indications that came before the
// port was lost are still returned. Its errors wrap ErrTimeout when ctx ran out of
// time, and else ctx's cause, ErrPortLost or ErrClosed.
func (w *Waiter) Wait(ctx context.Context) (unpi.Frame, error) {
	for {
		if f, ok := w.take(); ok {
			return f, nil
		}
		select {
		case <-w.ready:
		case <-ctx.Done():
			return unpi.Frame{}, fmt.Errorf("no indication came: %w", whyDone(ctx))
		case <-w.client.drained:
			if f, ok := w.take(); ok {
				return f, nil
			}
			return unpi.Frame{}, fmt.Errorf("no indication came: %w", w.client.gonePort())
		}
	}
}

// Close stops collecting.
func (w *Waiter) Close() {
	c := w.client
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiters = slices.DeleteFunc(c.waiters, func(other *Waiter) bool { return other == w })
}

func (w *Waiter) offer(f unpi.Frame) {
	if !w.match(f) {
		return
	}
	w.mu.Lock()
	w.queue = append(w.queue, f)
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

func (w *Waiter) take() (unpi.Frame, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return unpi.Frame{}, false
	}
	f := w.queue[0]
	w.queue = w.queue[1:]
	return f, true
}
