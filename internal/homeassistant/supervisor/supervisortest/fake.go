// Package supervisortest is a Supervisor with a Home Assistant behind it, for tests: on
// a loopback port, so that a whole program can be started against it, or in memory, so
// that it also runs inside a testing/synctest bubble.
//
// It refuses what the real one refuses, in the same words: no token, a foreign token,
// a call that the add-on's role or manifest does not allow, a body of the wrong shape,
// everything while it is not ready, and everything of Home Assistant while that does
// not run. Source: supervisor/api/middleware/security.py, proxy.py, services.py, apps.py
// and utils.py of the Supervisor, 2026.08.
package supervisortest

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// Options describe the add-on, and what stands around it. The zero value is an add-on
// with role default, hassio_api, homeassistant_api and services mqtt:want, on a system
// that runs and has no broker.
type Options struct {
	InMemory bool // reached through Dial only

	Token string // made up when ""
	Role  string // hassio_role; default when ""

	WithoutHassioAPI   bool // hassio_api is missing in the manifest
	WithoutCoreAPI     bool // homeassistant_api is missing
	WithoutMQTTService bool // services: mqtt is missing

	Slug    string         // 0a1b2c3d_zigbee2mqtt_ha when ""
	Version string         // 0.0.0 when ""
	Saved   map[string]any // the user's options
	MQTT    *MQTT          // the broker; nil: the service is not enabled
	Users   []User         // of Home Assistant

	NotReady int  // so many calls are answered "System is not ready"
	CoreDown bool // Home Assistant does not run
}

// MQTT is a broker as the Supervisor hands it out.
type MQTT struct {
	Host     string
	Port     int
	TLS      bool
	User     string
	Password string
	AppKey   bool // its add-on is named under "app", as newer versions do, not "addon"
}

// A User of Home Assistant.
type User struct {
	ID, Name string
	Owner    bool
	Inactive bool
	Groups   []string // system-admin, system-users, system-read-only
}

// A Call is a request that arrived, with what it was answered.
type Call struct {
	Method, Path string
	Body         string
	Status       int
}

// A Notification as Home Assistant shows it.
type Notification struct{ Title, Message string }

// A Fake is a running Supervisor.
type Fake struct {
	URL   string
	Token string

	t       testing.TB
	options Options
	memory  *pipes // nil on loopback
	server  *http.Server
	ctx     context.Context // ends with the fake: WebSockets hang on it
	inside  sync.WaitGroup  // calls that are being answered

	mu       sync.Mutex // guards what follows
	notReady int
	coreDown bool
	mqtt     *MQTT
	users    []User
	saved    map[string]any
	shown    map[string]Notification
	calls    []Call
	handlers map[string]http.HandlerFunc
	changed  chan struct{} // closed at the next call
}

// Start starts a fake that ends with the test.
func Start(t testing.TB, o Options) *Fake {
	t.Helper()
	o.fill()
	f := &Fake{
		Token: o.Token, t: t, options: o,
		notReady: o.NotReady, coreDown: o.CoreDown, mqtt: o.MQTT, users: o.Users, saved: o.Saved,
		shown: map[string]Notification{}, handlers: map[string]http.HandlerFunc{}, changed: make(chan struct{}),
	}
	listener := f.listen()
	ctx, cancel := context.WithCancel(context.Background())
	f.ctx = ctx
	f.server = &http.Server{Handler: http.HandlerFunc(f.serve), ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = f.server.Serve(listener) // it ends with Close
	}()
	t.Cleanup(func() {
		f.mu.Lock()
		cancel()
		f.mu.Unlock()
		_ = f.server.Close()
		<-served
		f.inside.Wait()
	})
	return f
}

func (o *Options) fill() {
	for field, value := range map[*string]string{
		&o.Token: "0123456789abcdef-made-up-supervisor-token", &o.Role: "default",
		&o.Slug: "0a1b2c3d_zigbee2mqtt_ha", &o.Version: "0.0.0",
	} {
		if *field == "" {
			*field = value
		}
	}
	if o.Saved == nil {
		o.Saved = map[string]any{}
	}
}

func (f *Fake) listen() net.Listener {
	f.t.Helper()
	if f.options.InMemory {
		f.URL, f.memory = "http://supervisor.test", newPipes()
		return f.memory
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatalf("start the fake Supervisor: %v", err)
	}
	f.URL = "http://" + l.Addr().String()
	return l
}

// Dial connects to a fake in memory; it is a supervisor.Config.Dialer.
func (f *Fake) Dial(ctx context.Context) (net.Conn, error) { return f.memory.dial(ctx) }

// SetCore starts or stops Home Assistant. When it stops it forgets its notifications.
func (f *Fake) SetCore(running bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.coreDown = !running
	if !running {
		clear(f.shown)
	}
}

// SetNotReady makes the next n calls find a Supervisor that is starting.
func (f *Fake) SetNotReady(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notReady = n
}

// SetMQTT installs a broker, or with nil removes it.
func (f *Fake) SetMQTT(m *MQTT) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mqtt = m
}

// SetUsers replaces the users of Home Assistant.
func (f *Fake) SetUsers(users ...User) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users = users
}

// Handle answers a call, as in "GET /info", with h instead, before anything is checked.
// With nil it is answered as usual again.
func (f *Fake) Handle(call string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handlers[call] = h
}

// Calls are all that were answered so far, in order.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Count is how often a call, as in "GET /info", was answered.
func (f *Fake) Count(call string) int {
	n := 0
	for _, c := range f.Calls() {
		if c.Method+" "+c.Path == call {
			n++
		}
	}
	return n
}

// Notifications are those that Home Assistant shows now, by id.
func (f *Fake) Notifications() map[string]Notification {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.shown)
}

// Saved are the user's options as they were set last.
func (f *Fake) Saved() map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.saved)
}

// Wait waits until is holds; it looks after every call. The test fails when that takes
// longer than half a minute.
func (f *Fake) Wait(what string, is func(*Fake) bool) {
	f.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		f.mu.Lock()
		changed := f.changed
		f.mu.Unlock()
		if is(f) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			f.t.Fatalf("waited in vain for %s; calls so far: %+v", what, f.Calls())
		}
	}
}
