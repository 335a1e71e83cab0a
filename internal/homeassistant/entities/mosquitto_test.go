package entities_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
	"z2mha/internal/homeassistant/discovery/discoverytest"
	"z2mha/internal/homeassistant/entities"
)

// mosquitto is the real broker on a loopback port. It forgets everything when it is
// stopped.
type mosquitto struct {
	t    testing.TB
	dir  string
	port int
	cmd  *exec.Cmd
}

func startMosquitto(t testing.TB) *mosquitto {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mosquitto{t: t, dir: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port}
	l.Close()
	config := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n", m.port)
	if err := os.WriteFile(filepath.Join(m.dir, "mosquitto.conf"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.stop)
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/mosquitto")
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		m.t.Fatal("mosquitto is missing; run make test-deps")
	default:
		m.t.Skip("mosquitto is missing; run make test-deps")
	}
	m.cmd = exec.Command(path, "-c", filepath.Join(m.dir, "mosquitto.conf"))
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mosquitto) stop() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
	}
}

// open connects as soon as the broker listens.
func (m *mosquitto) open(cfg bus.Config) *bus.Conn {
	m.t.Helper()
	cfg.Server = fmt.Sprintf("mqtt://127.0.0.1:%d", m.port)
	c, err := bus.Open(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	if err := c.Wait(ctx); err != nil {
		m.t.Fatal(err)
	}
	return c
}

const patience = 30 * time.Second

// heard is everything that a subscriber hears, and wakes who waits for more.
type heard struct {
	t    testing.TB
	mu   sync.Mutex
	all  []string
	kept discoverytest.Tree
	more chan struct{}
}

func hear(t testing.TB, c *bus.Conn) *heard {
	t.Helper()
	h := &heard{t: t, kept: discoverytest.Tree{}, more: make(chan struct{}, 1)}
	if _, err := c.Subscribe(t.Context(), "#", h.take); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *heard) take(m bus.Message) {
	h.mu.Lock()
	h.all = append(h.all, m.Topic+"="+string(m.Payload))
	if m.Retained {
		h.kept[m.Topic] = string(m.Payload)
	}
	h.mu.Unlock()
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// until waits for a message with these parts, from the one numbered from on, and
// returns the number of the next.
func (h *heard) until(from int, parts ...string) int {
	h.t.Helper()
	late := time.After(patience)
	for {
		h.mu.Lock()
		found := slices.IndexFunc(h.all[from:], func(line string) bool {
			return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
		})
		h.mu.Unlock()
		if found >= 0 {
			return from + found + 1
		}
		select {
		case <-h.more:
		case <-late:
			h.t.Fatalf("nothing like %q", parts)
		}
	}
}

// retained is what the broker has, read up to a mark that is published last.
func (m *mosquitto) retained() discoverytest.Tree {
	m.t.Helper()
	c := m.open(bus.Config{})
	defer c.Close()
	h := hear(m.t, c)
	if err := c.Publish(m.t.Context(), bus.Message{Topic: "mark", Payload: []byte("here")}); err != nil {
		m.t.Fatal(err)
	}
	h.until(0, "mark=here")
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.kept)
}

// A program is ours, on a connection that can be cut.
type program struct {
	desk *fakeDesk
	conn *bus.Conn
	link func() net.Conn
	stop func()
}

func (m *mosquitto) run(d *fakeDesk, s *shelf, out *log) *program {
	m.t.Helper()
	var mu sync.Mutex
	var link net.Conn
	p := &program{desk: d}
	p.link = func() net.Conn {
		mu.Lock()
		defer mu.Unlock()
		return link
	}
	p.conn = m.open(bus.Config{
		ClientID: "z2mha", Will: will(), KeepAlive: 5 * time.Second,
		Dialer: func(ctx context.Context) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", m.port))
			mu.Lock()
			defer mu.Unlock()
			link = conn
			return conn, err
		},
	})
	p.stop = run(m.t, entities.New(entities.Config{
		Bus: p.conn, Desk: d, Shelf: s, Options: discovery.Options{Version: "0.2.0"},
		Log: slog.New(slog.NewTextHandler(out, nil)), Delay: func() time.Duration { return 50 * time.Millisecond },
	}))
	return p
}

func (p *program) end() {
	p.stop()
	p.conn.Close()
}

const lastOfAnnouncement = "z2mha/home/nuc/state="

func TestMosquitto(t *testing.T) {
	m := startMosquitto(t)
	ear := m.open(bus.Config{})
	h := hear(t, ear)
	say := func(topic, payload string, retained bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		message := bus.Message{Topic: topic, Payload: []byte(payload), Retained: retained}
		for ear.Publish(ctx, message) != nil {
			if err := ear.Wait(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	say("z2mha/home/cmd/switchover", "PRESS", true) // somebody's mistake
	kept, out := &shelf{}, &log{}
	p := m.run(newDesk(home("home", "pi", "nuc", "shed")), kept, out)
	n := h.until(0, "z2mha/home/shed/state=")

	// Home Assistant starts.
	say("homeassistant/status", "online", false)
	n = h.until(n, "homeassistant/device/z2mha_home/config=")
	n = h.until(n, "z2mha/home/shed/state=")

	// The connection dies, and comes back.
	p.link().Close()
	n = h.until(n, "z2mha/status=offline")
	n = h.until(n, "z2mha/status=online")
	n = h.until(n, "z2mha/home/shed/state=")

	// The broker starts anew, empty.
	m.stop()
	m.start()
	say("mark", "we hear again", false)
	n = h.until(n, "mark=we hear again")
	p.desk.tell(status.Event{Network: "home", Type: status.EventSyncFailed, Text: "the broker was away"})
	n = h.until(n, "z2mha/home/event=", "sync_failed")

	// Commands, good and bad.
	say("z2mha/home/nuc/cmd/activate", "PRESS", false)
	say("z2mha/home/pi/cmd/activate", "PRESS", false)
	n = h.until(n, "z2mha/home/event=", "refused", "pi cannot be made active")
	if got := p.desk.requests(); !slices.Equal(got, []string{"home switchover nuc by MQTT"}) {
		t.Errorf("asked for %q", got)
	}
	check(t, m.retained())

	// A good-bye, and a start with a node less.
	p.end()
	n = h.until(n, "z2mha/status=offline")
	say("z2mha/home/nuc/cmd/activate", "PRESS", true)
	p = m.run(newDesk(home("home", "pi", "nuc")), kept, out)
	h.until(n, lastOfAnnouncement)
	p.end()
	if got := p.desk.requests(); len(got) > 0 {
		t.Errorf("carried out what was retained: %q", got)
	}
	tree := m.retained()
	if tree["z2mha/home/nuc/cmd/activate"] != "PRESS" {
		t.Error("the mistake of somebody else is gone")
	}
	delete(tree, "z2mha/home/nuc/cmd/activate")
	check(t, tree)
	for topic := range tree {
		if strings.Contains(topic, "shed") {
			t.Errorf("%s is still there", topic)
		}
	}
	if got := discoverytest.Entities(tree)["sensor.z2mha_home_active_node"]; got != "unavailable" {
		t.Errorf("after the good-bye the active node is %q", got)
	}
	if got := strings.Count(out.String(), "a retained command is ignored"); got < 2 {
		t.Errorf("the log says\n%s", out)
	}
}

// A clean end says so by itself; without it the broker speaks for us.
func TestMosquittoKeepsTheWillToItself(t *testing.T) {
	m := startMosquitto(t)
	p := m.run(newDesk(home("home", "pi", "nuc")), &shelf{}, &log{})
	h := hear(t, m.open(bus.Config{}))
	h.until(0, lastOfAnnouncement)
	p.stop() // not the connection
	if got := m.retained()["z2mha/status"]; got != "offline" {
		t.Errorf("after the end the status is %q", got)
	}
	if err := p.conn.Wait(t.Context()); errors.Is(err, bus.ErrClosed) {
		t.Error("it closed a connection that is not its own")
	}
}
