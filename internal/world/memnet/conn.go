package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A pair is one connection with its two ends.
type pair struct {
	number       int
	client, host *end
}

var pairs atomic.Int64

func newPair(l *Line) *pair {
	to := &stream{line: l, stopped: func(t Trouble) bool { return t.LosesRequests || t.Frozen }, changed: make(chan struct{})}
	from := &stream{line: l, stopped: func(t Trouble) bool { return t.LosesAnswers || t.Frozen }, changed: make(chan struct{})}
	p := &pair{number: int(pairs.Add(1))}
	p.client = &end{pair: p, line: l, in: from, out: to, remote: address("192.0.2.1:22"), local: address("192.0.2.9:1")}
	p.host = &end{pair: p, line: l, in: to, out: from, remote: address("192.0.2.9:1"), local: address("192.0.2.1:22")}
	return p
}

// cut is a reset that both ends see.
func (p *pair) cut() {
	p.client.in.fail(syscall.ECONNRESET)
	p.host.in.fail(syscall.ECONNRESET)
}

// vanish ends the host's end; the client's hears nothing any more.
func (p *pair) vanish() {
	p.host.in.fail(net.ErrClosed)
	p.client.in.lose()
	p.client.out.lose()
}

// A stream is one way of a connection.
type stream struct {
	line    *Line
	stopped func(Trouble) bool

	mu       sync.Mutex // guards what follows
	chunks   []chunk
	ended    bool  // the writer has closed
	err      error // for the reader, at once
	lost     bool  // nothing comes out any more
	deadline time.Time
	changed  chan struct{} // closed and replaced with every change of the above
}

type chunk struct {
	data []byte
	due  time.Time
}

func (s *stream) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.changedLocked()
}

func (s *stream) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost, s.chunks = true, nil
}

func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.changedLocked()
}

func (s *stream) setDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	s.changedLocked()
}

func (s *stream) write(p []byte) {
	delay := s.line.Trouble().Delay
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost || s.err != nil {
		return
	}
	s.chunks = append(s.chunks, chunk{append([]byte(nil), p...), time.Now().Add(delay)})
	s.changedLocked()
}

func (s *stream) read(p []byte) (int, error) {
	for {
		trouble, healed := s.line.state()
		n, until, changed, err := s.take(p, s.stopped(trouble))
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		var timer <-chan time.Time
		if !until.IsZero() {
			t := time.NewTimer(time.Until(until))
			defer t.Stop()
			timer = t.C
		}
		select {
		case <-changed:
		case <-healed:
		case <-timer:
		}
	}
}

// take gives what has arrived, or the time until which to wait for more.
func (s *stream) take(p []byte, stopped bool) (n int, until time.Time, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case s.err != nil:
		return 0, until, nil, s.err
	case !s.deadline.IsZero() && !now.Before(s.deadline):
		return 0, until, nil, os.ErrDeadlineExceeded
	}
	until = s.deadline
	if stopped || s.lost {
		return 0, until, s.changed, nil
	}
	for len(s.chunks) > 0 && n < len(p) && !s.chunks[0].due.After(now) {
		k := copy(p[n:], s.chunks[0].data)
		n += k
		if s.chunks[0].data = s.chunks[0].data[k:]; len(s.chunks[0].data) == 0 {
			s.chunks = s.chunks[1:]
		}
	}
	switch {
	case n > 0:
	case len(s.chunks) > 0 && (until.IsZero() || s.chunks[0].due.Before(until)):
		until = s.chunks[0].due
	case len(s.chunks) == 0 && s.ended:
		return 0, until, nil, io.EOF
	}
	return n, until, s.changed, nil
}

// An end is a net.Conn.
type end struct {
	pair          *pair
	line          *Line
	in, out       *stream
	local, remote address

	mu            sync.Mutex
	closed        bool
	writeDeadline time.Time
}

func (e *end) Read(p []byte) (int, error) { return e.in.read(p) }

// Write never waits.
func (e *end) Write(p []byte) (int, error) {
	e.mu.Lock()
	closed, deadline := e.closed, e.writeDeadline
	e.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	if !deadline.IsZero() && !time.Now().Before(deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	if err := e.in.broken(); err != nil {
		return 0, err
	}
	e.out.write(p)
	return len(p), nil
}

// broken is why nothing can be written to the connection either.
func (s *stream) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close lets the other end read what was written, and then the end.
func (e *end) Close() error {
	e.mu.Lock()
	closed := e.closed
	e.closed = true
	e.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	e.in.fail(net.ErrClosed)
	e.out.end()
	e.line.forget(e.pair)
	return nil
}

func (e *end) LocalAddr() net.Addr  { return e.local }
func (e *end) RemoteAddr() net.Addr { return e.remote }

func (e *end) SetDeadline(t time.Time) error {
	_ = e.SetWriteDeadline(t)
	return e.SetReadDeadline(t)
}

func (e *end) SetReadDeadline(t time.Time) error { e.in.setDeadline(t); return nil }

func (e *end) SetWriteDeadline(t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writeDeadline = t
	return nil
}
