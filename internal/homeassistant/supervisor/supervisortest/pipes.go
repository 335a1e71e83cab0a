package supervisortest

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// pipes is a listener in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Accept is a method of net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close is a method of net.Listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr is a method of net.Listener.
func (p *pipes) Addr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "memory" }

func (address) String() string { return "supervisor.test" }

// Refuse is a Dialer for a Supervisor that is not there.
func Refuse(context.Context) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
