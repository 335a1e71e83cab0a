package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"z2mha/internal/bus"
	"z2mha/internal/world/home"
)

// A realBroker is a mosquitto that can be stopped and started at one address. It forgets
// everything when it is stopped.
type realBroker struct {
	t       *testing.T
	address string
	dir     string
	proc    *server
}

// newBroker is a mosquitto that does not run yet; more is added to its configuration,
// below its listener.
func newBroker(t *testing.T, more string) *realBroker {
	t.Helper()
	program(t, "mosquitto")
	address, port := freeAddress(t, "127.0.0.1")
	b := &realBroker{t: t, address: address, dir: t.TempDir()}
	writeFile(t, filepath.Join(b.dir, "mosquitto.conf"),
		"listener %s 127.0.0.1\nallow_anonymous true\npersistence false\nuser %s\n%s", port, me(t), more)
	return b
}

func (b *realBroker) start() *realBroker {
	b.t.Helper()
	b.proc = serve(b.t, b.dir, program(b.t, "mosquitto"), "-c", filepath.Join(b.dir, "mosquitto.conf"))
	b.proc.listens(b.t, b.address)
	return b
}

func (b *realBroker) stop() { b.proc.stop(b.t) }

// An ear hears everything at a broker.
type ear struct {
	t    *testing.T
	conn *bus.Conn

	mu   sync.Mutex
	all  []bus.Message
	more chan struct{} // closed and replaced at every message
}

func hear(t *testing.T, address string, login home.Login) *ear {
	t.Helper()
	c, err := bus.Open(bus.Config{Server: "mqtt://" + address, User: login.User, Password: login.Password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	e := &ear{t: t, conn: c, more: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), servePatience)
	defer cancel()
	if err := c.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Subscribe(ctx, "#", e.take); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *ear) take(m bus.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m.Payload = slices.Clone(m.Payload)
	e.all = append(e.all, m)
	close(e.more)
	e.more = make(chan struct{})
}

// until waits for a message on a topic whose payload has all words, from the one
// numbered from on, and returns the number of the next. An empty payload is told by
// the word "".
func (e *ear) until(from int, topic string, words ...string) int {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), servePatience)
	defer cancel()
	for {
		e.mu.Lock()
		found := slices.IndexFunc(e.all[from:], func(m bus.Message) bool {
			return m.Topic == topic && hasAll(string(m.Payload), words)
		})
		more := e.more
		e.mu.Unlock()
		if found >= 0 {
			return from + found + 1
		}
		select {
		case <-more:
		case <-ctx.Done():
			e.t.Fatalf("nothing on %s with %q since message %d; heard: %s", topic, words, from, e.heard(from))
		}
	}
}

// last says that the newest message on a topic, of those from the one numbered from on,
// has all words.
func (e *ear) last(from int, topic string, words ...string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range slices.Backward(e.all[from:]) {
		if m.Topic == topic {
			return hasAll(string(m.Payload), words)
		}
	}
	return false
}

// has says that a message came on a topic with all words.
func (e *ear) has(topic string, words ...string) bool {
	return slices.ContainsFunc(e.messages(), func(m bus.Message) bool { return m.Topic == topic && hasAll(string(m.Payload), words) })
}

// heard is what came, to be read by people.
func (e *ear) heard(from int) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var b strings.Builder
	for _, m := range e.all[from:] {
		if !strings.HasPrefix(m.Topic, "zigbee2mqtt/") {
			fmt.Fprintf(&b, "\n%s %.200s", m.Topic, m.Payload)
		}
	}
	return b.String()
}

// count is how many messages came so far.
func (e *ear) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all)
}

// messages are all that came.
func (e *ear) messages() []bus.Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

func (e *ear) say(topic, payload string, retained bool) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), servePatience)
	defer cancel()
	for e.conn.Publish(ctx, bus.Message{Topic: topic, Payload: []byte(payload), Retained: retained}) != nil {
		if err := e.conn.Wait(ctx); err != nil {
			e.t.Fatal(err)
		}
	}
}

// retained is what the broker keeps now, without what Zigbee2MQTT published.
func (b *realBroker) retained() map[string]string {
	b.t.Helper()
	e := hear(b.t, b.address, home.Login{})
	defer e.conn.Close()
	e.say("mark", "", false)
	e.until(0, "mark")
	kept := map[string]string{}
	for _, m := range e.messages() {
		if m.Retained && !strings.HasPrefix(m.Topic, "zigbee2mqtt/") {
			kept[m.Topic] = string(m.Payload)
		}
	}
	return kept
}
