package znp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"z2mha/internal/dongle/unpi"
)

// DefaultTimeout is how long a request waits for its answer.
const DefaultTimeout = 6 * time.Second

// Options of a Client; the zero value is useful.
type Options struct {
	Timeout time.Duration // for one answer; DefaultTimeout if 0
	Log     *slog.Logger  // one Debug line per frame; nothing if nil

	// Trace sees every frame, one at a time, in the order of the wire per direction.
	// Values of key items are overwritten with '*' before it does. It must not block
	// and must not call the Client.
	Trace func(Direction, unpi.Frame)
}

// A Direction says who sent a frame.
type Direction string

const (
	ToStick   Direction = "out"
	FromStick Direction = "in"
)

// Stats is what a Client counted since it was made.
type Stats struct {
	Exchanges int // requests that got their answer
	BytesOut  int
	BytesIn   int
	Dropped   int // bytes received that belonged to no frame
	Late      int // answers nobody waited for any more, discarded
}

// A Client talks to one stick. Its methods may be called from many goroutines. Every
// method returns an error that wraps ErrPortLost or ErrClosed once the port is gone.
type Client struct {
	port    io.ReadWriteCloser
	timeout time.Duration
	log     *slog.Logger

	tracing sync.Mutex // one call of trace at a time
	trace   func(Direction, unpi.Frame)

	turn    chan struct{} // holds one token: the right to send
	gone    chan struct{} // closed when the port is gone, or about to be
	drained chan struct{} // closed when, after that, nothing more will be handed out
	readers sync.WaitGroup

	// inDoubt: a request went unanswered, its answer may still come. Guarded by turn.
	inDoubt bool

	mu           sync.Mutex // guards the fields below
	pending      *call
	waiters      []*Waiter
	stats        Stats
	capabilities uint16 // of the last ping
	heard        []byte // the first bytes received since Connect began
	goneErr      error  // why gone is closed
}

// NewClient takes over port and starts to read from it. It sends nothing.
func NewClient(port io.ReadWriteCloser, o Options) *Client {
	c := &Client{
		port:    port,
		timeout: o.Timeout,
		log:     o.Log,
		trace:   o.Trace,
		turn:    make(chan struct{}, 1),
		gone:    make(chan struct{}),
		drained: make(chan struct{}),
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.startReading()
	return c
}

// Stats returns the counts so far.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Close closes the port and waits until nothing reads from it any more. Whoever waits
// for an answer or an indication gets an error that wraps ErrClosed. Closing again
// does nothing.
func (c *Client) Close() error {
	first := c.end(ErrClosed)
	var err error
	if first {
		err = c.port.Close()
	}
	c.readers.Wait()
	if err != nil {
		return fmt.Errorf("close the port: %w", err)
	}
	return nil
}

// end marks the port as gone for the reason given. Only the first reason counts; end
// reports whether this was it.
func (c *Client) end(reason error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.goneErr != nil {
		return false
	}
	c.goneErr = reason
	close(c.gone)
	return true
}

// lose ends the client because the port failed, and closes the port.
func (c *Client) lose(cause error) {
	if c.end(fmt.Errorf("%w: %w", ErrPortLost, cause)) {
		_ = c.port.Close()
	}
}

func (c *Client) gonePort() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goneErr
}

// whyDone turns the end of ctx into an error; running out of time is an ErrTimeout.
func whyDone(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w (%w)", ErrTimeout, context.Cause(ctx))
	}
	return context.Cause(ctx)
}
