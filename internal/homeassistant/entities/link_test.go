package entities_test

import (
	"bytes"
	"context"
	"net"
	"sync"

	"z2mha/internal/bus/bustest"
)

// A link reads ahead without limit. The embedded broker's connections have no buffer,
// and a broker that sends many retained messages to a client that acknowledges them
// would wait for it for ever; the kernel's sockets have room for that.
type link struct {
	net.Conn
	mu   sync.Mutex
	more *sync.Cond
	buf  bytes.Buffer
	err  error
}

func dialer(b *bustest.Broker) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := b.Dial(ctx)
		if err != nil {
			return nil, err
		}
		l := &link{Conn: conn}
		l.more = sync.NewCond(&l.mu)
		go l.readAhead()
		return l, nil
	}
}

func (l *link) readAhead() {
	buf := make([]byte, 4096)
	for {
		n, err := l.Conn.Read(buf)
		l.mu.Lock()
		l.buf.Write(buf[:n])
		l.err = err
		l.more.Broadcast()
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (l *link) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.buf.Len() == 0 && l.err == nil {
		l.more.Wait()
	}
	if l.buf.Len() == 0 {
		return 0, l.err
	}
	return l.buf.Read(p)
}
