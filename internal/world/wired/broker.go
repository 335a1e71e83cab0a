package wired

import (
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"

	"z2mha/internal/world/memnet"
)

// A broker takes clients off lines. It keeps retained messages until it is stopped.
type broker struct {
	mu     sync.Mutex
	server *mochi.Server // nil while it is down
	closed bool          // for good
	lines  []*memnet.Line
	conns  map[net.Conn]bool
	work   sync.WaitGroup
	links  sync.WaitGroup // clients of the present server
}

// serve lets clients come over a line.
func (b *broker) serve(l *memnet.Line) {
	b.mu.Lock()
	b.lines = append(b.lines, l)
	b.mu.Unlock()
	b.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.take(c)
		}
	})
}

func (b *broker) take(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	server := b.server
	if server == nil {
		_ = c.Close()
		return
	}
	b.conns[c] = true
	b.links.Go(func() {
		_ = server.EstablishConnection("memory", c)
		_ = c.Close()
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.conns, c)
	})
}

// start starts it, empty.
func (b *broker) start() error {
	server := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler), InlineClient: true, SysTopicResendInterval: 24 * 3600})
	if err := errors.Join(server.AddHook(new(auth.AllowHook), nil), server.Serve()); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.server != nil || b.closed { // somebody else was quicker
		return server.Close()
	}
	b.server, b.conns = server, map[net.Conn]bool{}
	for _, l := range b.lines {
		l.Change(func(t *memnet.Trouble) { t.Refused = false })
	}
	return nil
}

// stop ends every connection and forgets everything.
func (b *broker) stop() error {
	b.mu.Lock()
	server := b.server
	b.server = nil
	lines, conns := b.lines, slices.Collect(maps.Keys(b.conns))
	b.mu.Unlock()
	if server == nil {
		return nil
	}
	for _, l := range lines {
		l.Change(func(t *memnet.Trouble) { t.Refused = true })
		l.Cut()
	}
	for _, c := range conns { // those too of which nothing is heard any more
		_ = c.Close()
	}
	b.links.Wait()
	return server.Close()
}

// up says that it takes clients.
func (b *broker) up() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.server != nil
}

// publish publishes from inside, when it is up.
func (b *broker) publish(topic, payload string, retain bool) {
	b.mu.Lock()
	server := b.server
	b.mu.Unlock()
	if server != nil {
		_ = server.Publish(topic, []byte(payload), retain, 0)
	}
}

// close ends it for good.
func (b *broker) close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	err := b.stop()
	b.mu.Lock()
	lines := b.lines
	b.mu.Unlock()
	for _, l := range lines {
		_ = l.Close()
	}
	b.work.Wait()
	return err
}
