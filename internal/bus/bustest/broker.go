// Package bustest is an MQTT broker for tests: in the same process, without
// sockets, so that it also runs inside a testing/synctest bubble.
package bustest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
)

// A Broker keeps retained messages until it is stopped.
type Broker struct {
	t     testing.TB
	rules []Rule

	mu     sync.Mutex
	server *mochi.Server // nil when stopped
	links  sync.WaitGroup
	open   map[net.Conn]bool
}

// New starts a broker that ends with the test.
// Only those named in rules pass, if there are any.
func New(t testing.TB, rules ...Rule) *Broker {
	b := &Broker{t: t, rules: rules, open: map[net.Conn]bool{}}
	b.Start()
	t.Cleanup(b.Stop)
	return b
}

// Start starts a stopped broker, empty.
func (b *Broker) Start() {
	b.t.Helper()
	server := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler), InlineClient: true})
	if err := errors.Join(server.AddHook(&access{rules: b.rules}, nil), server.Serve()); err != nil {
		b.t.Fatalf("start broker: %v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server = server
}

// Stop ends all connections and forgets everything.
func (b *Broker) Stop() {
	b.mu.Lock()
	server := b.server
	b.server = nil
	b.mu.Unlock()
	if server == nil {
		return
	}
	b.CutAll()
	b.links.Wait()
	if err := server.Close(); err != nil {
		b.t.Errorf("stop broker: %v", err)
	}
}

// CutAll cuts every connection, as a network that is lost.
func (b *Broker) CutAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.open {
		conn.Close()
	}
}

// Dial connects a client; it is a bus.Config.Dialer.
func (b *Broker) Dial(context.Context) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.server == nil {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	b.open[far] = true
	server := b.server
	b.links.Go(func() {
		_ = server.EstablishConnection("test", far)
		far.Close()
		b.mu.Lock()
		delete(b.open, far)
		b.mu.Unlock()
	})
	return near, nil
}

// Publish publishes from inside the broker.
func (b *Broker) Publish(topic, payload string, retain bool) {
	b.t.Helper()
	b.mu.Lock()
	server := b.server
	b.mu.Unlock()
	if err := server.Publish(topic, []byte(payload), retain, 0); err != nil {
		b.t.Fatalf("publish %s: %v", topic, err)
	}
}
