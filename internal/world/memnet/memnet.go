// Package memnet is a network inside the process, for use in a testing/synctest bubble:
// hosts that listen, lines to them that fail, and connections that hold in memory whatever
// was not read yet. So a write never waits, as it would in a net.Pipe, on which two ends
// that both write first, as with SSH, stand still for ever.
//
// What does not get through is not lost but late, as TCP sends it again; only a host that
// vanishes takes along what was on its way.
package memnet

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Trouble is what is wrong with the line to a host. The zero Trouble is none.
type Trouble struct {
	Refused       bool          // nobody listens at the port; connections that stand go on
	LosesRequests bool          // nothing reaches the host
	LosesAnswers  bool          // nothing comes from it
	Frozen        bool          // the host takes connections and does nothing
	Delay         time.Duration // each way
}

// A Line leads to one host, which listens for what is dialled. It is a net.Listener.
type Line struct {
	host     string
	incoming chan net.Conn

	mu      sync.Mutex // guards what follows
	trouble Trouble
	changed chan struct{} // closed and replaced when trouble has
	open    map[*pair]bool
	up      bool
	closed  chan struct{}
}

// NewLine returns a line to a host of that name, as dialled, with its port.
func NewLine(host string) *Line {
	return &Line{host: host, incoming: make(chan net.Conn, 64), changed: make(chan struct{}),
		open: map[*pair]bool{}, up: true, closed: make(chan struct{})}
}

// Suffer replaces what is wrong. What was held up comes through when that has ended.
func (l *Line) Suffer(t Trouble) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble = t
	close(l.changed)
	l.changed = make(chan struct{})
}

// Change changes what is wrong.
func (l *Line) Change(change func(*Trouble)) {
	l.mu.Lock()
	t := l.trouble
	l.mu.Unlock()
	change(&t)
	l.Suffer(t)
}

// Lose loses, on every connection, what is on its way and whatever is written from now on;
// neither end learns of it.
func (l *Line) Lose() {
	l.mu.Lock()
	gone := l.takeLocked()
	l.mu.Unlock()
	for _, p := range gone {
		p.client.in.lose()
		p.client.out.lose()
	}
}

// Trouble is what is wrong now.
func (l *Line) Trouble() Trouble {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble
}

func (l *Line) state() (Trouble, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble, l.changed
}

// SetUp switches the host on or off. One that is off answers nobody, and the other ends of
// its connections do not learn of it.
func (l *Line) SetUp(up bool) {
	l.mu.Lock()
	l.up = up
	var gone []*pair
	if !up {
		gone = l.takeLocked()
	}
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	for _, p := range gone {
		p.vanish()
	}
}

// Cut ends every connection, and both ends learn of it.
func (l *Line) Cut() {
	l.mu.Lock()
	gone := l.takeLocked()
	l.mu.Unlock()
	for _, p := range gone {
		p.cut()
	}
}

func (l *Line) takeLocked() []*pair {
	var all []*pair
	for p := range l.open {
		all = append(all, p)
	}
	clear(l.open)
	slices.SortFunc(all, func(a, b *pair) int { return a.number - b.number })
	return all
}

// Dial connects to the host.
func (l *Line) Dial(ctx context.Context) (net.Conn, error) {
	for {
		l.mu.Lock()
		t, changed, up := l.trouble, l.changed, l.up
		l.mu.Unlock()
		switch {
		case l.isClosed() || up && t.Refused && !t.LosesRequests && !t.LosesAnswers:
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		case up && !t.LosesRequests && !t.LosesAnswers:
			return l.connect(ctx, t)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("dial %s: %w", l.host, ctx.Err())
		}
	}
}

func (l *Line) connect(ctx context.Context, t Trouble) (net.Conn, error) {
	if err := pause(ctx, 2*t.Delay); err != nil {
		return nil, fmt.Errorf("dial %s: %w", l.host, err)
	}
	p := newPair(l)
	l.mu.Lock()
	l.open[p] = true
	l.mu.Unlock()
	select {
	case l.incoming <- p.host:
		return p.client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Accept waits for somebody who dials.
func (l *Line) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *Line) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// Close ends the line for good, with every connection.
func (l *Line) Close() error {
	if !l.isClosed() {
		close(l.closed)
	}
	l.Suffer(Trouble{})
	l.Cut()
	return nil
}

// Addr is the host, as it is dialled.
func (l *Line) Addr() net.Addr { return address(l.host) }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

func (l *Line) forget(p *pair) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, p)
}
