package entities_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/bus"
	"z2mha/internal/bus/bustest"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
	"z2mha/internal/homeassistant/discovery/discoverytest"
	"z2mha/internal/homeassistant/entities"
)

const (
	pause = 2 * time.Second // before an announcement, in these tests
	soon  = 10 * time.Second
)

// shelf is a Shelf in memory.
type shelf struct {
	mu   sync.Mutex
	data []byte
	fail error
}

func (s *shelf) Load() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data, s.fail
}

func (s *shelf) Save(data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = bytes.Clone(data)
	return s.fail
}

// A log that may be read while it is written.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// A world is a broker, our program on it, and somebody who hears everything.
type world struct {
	t      testing.TB
	broker *bustest.Broker
	desk   *fakeDesk
	shelf  *shelf
	log    *log
	conn   *bus.Conn
	ear    *ear
	stop   func()
}

func newWorld(t testing.TB, networks ...status.Network) *world {
	t.Helper()
	w := &world{t: t, broker: bustest.New(t), desk: newDesk(networks...), shelf: &shelf{}, log: &log{}}
	w.ear = listen(t, open(t, w.broker, nil))
	return w
}

func open(t testing.TB, b *bustest.Broker, will *bus.Message) *bus.Conn {
	t.Helper()
	c, err := bus.Dial(t.Context(), bus.Config{Server: "mqtt://broker.test", Dialer: dialer(b), Will: will})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func will() *bus.Message {
	topic, payload := entities.Will("")
	return &bus.Message{Topic: topic, Payload: payload, Retained: true}
}

// start runs the program; change may change its configuration.
func (w *world) start(change ...func(*entities.Config)) {
	w.t.Helper()
	w.conn = open(w.t, w.broker, will())
	cfg := entities.Config{
		Bus: w.conn, Desk: w.desk, Shelf: w.shelf, Options: discovery.Options{Version: "0.2.0"},
		Log:   slog.New(slog.NewTextHandler(w.log, nil)),
		Delay: func() time.Duration { return pause },
	}
	for _, c := range change {
		c(&cfg)
	}
	w.stop = run(w.t, entities.New(cfg))
}

func run(t testing.TB, e *entities.Entities) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// end ends the program as it ends when it is stopped.
func (w *world) end() {
	w.stop()
	w.conn.Close()
	synctest.Wait()
}

// An ear writes down what is published and keeps what is retained.
type ear struct {
	mu   sync.Mutex
	live []string // topic=payload
	last map[string]string
}

func listen(t testing.TB, c *bus.Conn) *ear {
	t.Helper()
	e := &ear{last: map[string]string{}}
	if _, err := c.Subscribe(t.Context(), "#", e.hear); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *ear) hear(m bus.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last[m.Topic] = string(m.Payload)
	if !m.Retained {
		e.live = append(e.live, m.Topic+"="+string(m.Payload))
	}
}

// take returns what came since the last take, of the topics with that prefix.
func (e *ear) take(prefix string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out, rest []string
	for _, line := range e.live {
		if strings.HasPrefix(line, prefix) {
			out = append(out, line)
		} else {
			rest = append(rest, line)
		}
	}
	e.live = rest
	return out
}

// kept is what the broker has retained, as a new subscriber gets it.
func (w *world) kept() discoverytest.Tree {
	w.t.Helper()
	c := open(w.t, w.broker, nil)
	defer c.Close()
	tree := discoverytest.Tree{}
	var mu sync.Mutex
	if _, err := c.Subscribe(w.t.Context(), "#", func(m bus.Message) {
		mu.Lock()
		defer mu.Unlock()
		tree[m.Topic] = string(m.Payload)
	}); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	mu.Lock()
	defer mu.Unlock()
	return maps.Clone(tree)
}

func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// check looks at everything that is retained.
func (w *world) check() {
	w.t.Helper()
	check(w.t, w.kept())
}

func check(t testing.TB, tree discoverytest.Tree) {
	t.Helper()
	for _, wrong := range discoverytest.Check(tree, discoverytest.Ours) {
		t.Error(wrong)
	}
	if rules, ok := discoverytest.Shared(t); ok {
		for _, wrong := range discoverytest.Check(tree, rules) {
			t.Error("full table: " + wrong)
		}
	}
	if tree["homeassistant/device/z2mha_home/config"] == "" {
		t.Error("nothing was announced")
	}
	for topic := range tree {
		if strings.Contains(topic, "/cmd/") || strings.HasSuffix(topic, "/event") {
			t.Errorf("%s is retained", topic)
		}
	}
}

func topics(lines []string) []string {
	var out []string
	for _, line := range lines {
		topic, _, _ := strings.Cut(line, "=")
		out = append(out, topic)
	}
	return out
}

func TestItAnnouncesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(pause - time.Millisecond)
		if got := w.ear.take(""); len(got) > 0 {
			t.Errorf("too early: %q", got)
		}
		w.wait(time.Millisecond)
		want := []string{
			"homeassistant/device/z2mha_home/config", "homeassistant/device/z2mha_home_pi/config", "homeassistant/device/z2mha_home_nuc/config",
			"z2mha/status", "z2mha/home/switchover_available", "z2mha/home/auto_failover_available",
			"z2mha/home/pi/activatable", "z2mha/home/nuc/activatable",
			"z2mha/home/attributes", "z2mha/home/last_switchover_attributes", "z2mha/home/auto_failover_attributes",
			"z2mha/home/condition_attributes", "z2mha/home/decision_attributes", "z2mha/home/state",
			"z2mha/home/pi/attributes", "z2mha/home/pi/state", "z2mha/home/nuc/attributes", "z2mha/home/nuc/state",
		}
		if diff := cmp.Diff(want, topics(w.ear.take(""))); diff != "" {
			t.Error(diff)
		}
		w.check()
		shown := discoverytest.Entities(w.kept())
		if shown["sensor.z2mha_home_active_node"] != "pi" || shown["button.z2mha_home_nuc_activate"] != "unknown" {
			t.Errorf("%v", shown)
		}
	})
}

func TestABirthBringsEverythingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		all := len(w.ear.take(""))
		w.broker.Publish("homeassistant/status", "offline", false)
		w.wait(time.Minute)
		if got := w.ear.take("z2mha"); len(got) > 4 {
			t.Errorf("an offline Home Assistant made it speak: %q", got)
		}
		w.ear.take("")
		for range 3 { // Home Assistant may say it several times in a row
			w.broker.Publish("homeassistant/status", "online", false)
			w.wait(time.Second)
		}
		w.wait(pause)
		if got := len(w.ear.take("homeassistant/device")) + len(w.ear.take("z2mha")); got != all {
			t.Errorf("%d messages, want %d once", got, all)
		}
		for range 60 { // it cannot be put off for ever
			w.broker.Publish("homeassistant/status", "online", false)
			w.wait(time.Second)
		}
		if got := len(w.ear.take("homeassistant/device/z2mha_home/")); got < 4 || got > 20 {
			t.Errorf("%d announcements in a minute of births", got)
		}
	})
}

// Home Assistant cuts a device message short that comes while it works on another.
func TestAnnouncementsKeepApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start(func(c *entities.Config) { c.Delay = func() time.Duration { return 0 } })
		for range 60 {
			w.broker.Publish("homeassistant/status", "online", false)
			w.wait(500 * time.Millisecond)
		}
		if got := len(w.ear.take("homeassistant/device/z2mha_home/")); got < 8 || got > 11 {
			t.Errorf("%d announcements in 30 s", got)
		}
	})
}

func TestTheWillAndTheWayBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		w.broker.CutAll()
		w.wait(100 * time.Millisecond)
		if got := w.kept()["z2mha/status"]; got != "offline" {
			t.Errorf("after a cut the status is %q", got)
		}
		w.wait(time.Minute)
		if got := w.kept()["z2mha/status"]; got != "online" {
			t.Errorf("when it is back the status is %q", got)
		}
	})
}

func TestALateWillIsPutRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		w.broker.Publish("z2mha/status", "offline", true)
		synctest.Wait()
		if got := w.kept()["z2mha/status"]; got != "online" {
			t.Errorf("the status stays %q", got)
		}
	})
}

func TestABrokerThatForgotIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		before := w.kept()
		w.broker.Stop()
		w.wait(time.Minute)
		w.desk.tell(status.Event{Network: "home", Type: status.EventSyncFailed, Text: "while the broker was away"})
		w.broker.Start()
		w.wait(time.Minute)
		after := w.kept()
		if diff := cmp.Diff(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))); diff != "" {
			t.Error(diff)
		}
		w.check()
		if got := w.ear.take("z2mha/home/event"); len(got) != 1 {
			t.Errorf("events %q", got)
		}
	})
}

func TestAGoodBye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		w.end()
		w.ear.take("")
		w.wait(time.Hour)
		if got := w.ear.take(""); len(got) > 0 {
			t.Errorf("after the end: %q", got)
		}
		for id, state := range discoverytest.Entities(w.kept()) {
			if state != "unavailable" {
				t.Errorf("%s is %s", id, state)
			}
		}
	})
}

func TestOnlyWhatDiffersIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		w.ear.take("")
		for range 3600 / 5 { // an hour of looks
			w.desk.change(func(n *status.Network) {
				n.At = time.Now()
				for i := range n.Nodes {
					n.Nodes[i].Seen, n.Nodes[i].Latency = n.At, n.Nodes[i].Latency+time.Millisecond
				}
			})
			w.wait(5 * time.Second)
		}
		for _, topic := range []string{"z2mha/home/state", "z2mha/home/pi/state", "z2mha/home/nuc/state"} {
			if got := len(w.ear.take(topic)); got < 58 || got > 61 {
				t.Errorf("%s came %d times in an hour", topic, got)
			}
		}
		if got := w.ear.take(""); len(got) > 0 {
			t.Errorf("nobody asked for %q", got)
		}
		w.desk.change(func(n *status.Network) { n.Protection = status.Unprotected; n.Nodes[1].CanTake = false })
		synctest.Wait()
		want := []string{"z2mha/home/switchover_available", "z2mha/home/nuc/activatable", "z2mha/home/attributes", "z2mha/home/state"}
		if diff := cmp.Diff(want, topics(w.ear.take(""))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheAgeGoesOnWithoutLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(10*time.Minute + soon)
		if got := discoverytest.Entities(w.kept())["sensor.z2mha_home_sync_age"]; got != "600" {
			t.Errorf("the age is %s", got)
		}
	})
}

func TestEventsAreToldAndNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		w.desk.tell(status.Event{Network: "home", Type: status.EventSwitchoverStarted, Text: "from pi to nuc"})
		w.desk.tell(status.Event{Network: "home", Type: status.EventStepBegun, Text: "a step"})
		w.desk.tell(status.Event{Network: "home", Type: status.EventSwitchoverCompleted, Text: "done"})
		synctest.Wait()
		got := w.ear.take("z2mha/home/event")
		if len(got) != 2 || !strings.Contains(got[0], "switchover_started") || !strings.Contains(got[1], "switchover_completed") {
			t.Errorf("%q", got)
		}
		w.check()
	})
}

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		name    string
		topic   string
		payload string
		change  func(*status.Network)
		want    string // request
		refused string // part of the event
	}{
		{name: "it switches over", topic: "home/cmd/switchover", payload: "PRESS", want: "home switchover nuc by MQTT"},
		{name: "it syncs", topic: "home/cmd/sync", payload: "PRESS", want: "home sync  by MQTT"},
		{name: "it holds", topic: "home/cmd/hold", payload: "ON", want: "home hold  by MQTT"},
		{name: "it releases", topic: "home/cmd/hold", payload: "OFF", want: "home release  by MQTT"},
		{name: "it moves", topic: "home/cmd/active_node", payload: "shed", want: "home switchover shed by MQTT"},
		{name: "it activates", topic: "home/shed/cmd/activate", payload: "PRESS", want: "home switchover shed by MQTT"},
		{name: "it stays where it is", topic: "home/cmd/active_node", payload: "pi"},
		{name: "it ignores an empty payload", topic: "home/cmd/switchover"},
		{name: "it ignores a network that is not there", topic: "away/cmd/switchover", payload: "PRESS"},
		{name: "it ignores the node of a network that is not there", topic: "away/pi/cmd/activate", payload: "PRESS"},
		{name: "it knows no such node", topic: "home/barn/cmd/activate", payload: "PRESS", refused: "no node of that name"},
		{name: "it knows no such option", topic: "home/cmd/active_node", payload: "barn", refused: "The nodes are pi, nuc, shed."},
		{name: "it cannot move to none", topic: "home/cmd/active_node", payload: "none", refused: "no node of this network"},
		{name: "it knows no such command", topic: "home/cmd/stop", payload: "PRESS", refused: "no such command"},
		{name: "it knows no such command of a node", topic: "home/pi/cmd/stop", payload: "PRESS", refused: "no such command"},
		{name: "it takes only a press", topic: "home/cmd/switchover", payload: "press", refused: "Send PRESS."},
		{name: "it takes only on and off", topic: "home/cmd/hold", payload: "yes", refused: "Send ON or OFF."},
		{name: "it takes no long payload", topic: "home/cmd/active_node", payload: strings.Repeat("x", 100_000), refused: "no node of this network"},
		{name: "it is honest about automatic failover", topic: "home/cmd/auto_failover", payload: "ON", refused: "stands in z2mha.yaml, not here"},
		{name: "it does not make the active one active", topic: "home/pi/cmd/activate", payload: "PRESS", refused: "pi cannot be made active: it is active"},
		{
			name: "it refuses when no stand-by is ready", topic: "home/cmd/switchover", payload: "PRESS",
			change: func(n *status.Network) {
				for i := range n.Nodes {
					n.Nodes[i].CanTake, n.Nodes[i].Why = false, "its stick is missing"
				}
				n.Reasons = []status.Reason{{Node: "nuc", What: "the stick is missing", Fix: "Plug it in."}}
			},
			refused: `no stand-by could take over now (nuc: its stick is missing; shed: its stick is missing).","by":"MQTT","fix":"Plug it in."`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, home("home", "pi", "nuc", "shed"), home("cabin", "a", "b"))
				if c.change != nil {
					w.desk.change(c.change)
				}
				w.start()
				w.wait(soon)
				w.broker.Publish("z2mha/"+c.topic, c.payload, false)
				synctest.Wait()
				if got := strings.Join(w.desk.requests(), ", "); got != c.want {
					t.Errorf("asked for %q, want %q", got, c.want)
				}
				events := strings.Join(w.ear.take("z2mha/home/event"), "\n")
				switch {
				case c.refused == "" && events != "":
					t.Errorf("told %s", events)
				case c.refused != "" && (!strings.Contains(events, c.refused) || !strings.Contains(events, `"event_type":"refused"`)):
					t.Errorf("told %q, want %s", events, c.refused)
				}
				w.check()
			})
		})
	}
}

func TestARetainedCommandIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.broker.Publish("z2mha/home/cmd/switchover", "PRESS", true)
		w.broker.Publish("z2mha/home/nuc/cmd/activate", "PRESS", true)
		w.start()
		w.wait(soon)
		w.broker.CutAll()
		w.wait(time.Minute)
		if got := w.desk.requests(); len(got) > 0 {
			t.Errorf("asked for %q", got)
		}
		if got := w.ear.take("z2mha/home/event"); len(got) > 0 {
			t.Errorf("told %q", got)
		}
		if got := strings.Count(w.log.String(), "a retained command is ignored"); got != 4 {
			t.Errorf("%d lines in the log:\n%s", got, w.log)
		}
	})
}

func TestTheDeskTellsItsOwnRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"it adds nothing to a refusal", &network.RefusedError{What: "switch over", Why: "on hold"}, 0},
		{"it tells what else went wrong", errors.New("the journal is full"), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, home("home", "pi", "nuc"))
				w.desk.answer = func(desk.Request) error { return c.err }
				w.start()
				w.wait(soon)
				w.broker.Publish("z2mha/home/cmd/switchover", "PRESS", false)
				synctest.Wait()
				if got := w.ear.take("z2mha/home/event"); len(got) != c.want {
					t.Errorf("told %q", got)
				}
			})
		})
	}
}

func TestCommandsWaitInABoundedQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.desk.block = make(chan struct{})
		w.start()
		w.wait(soon)
		for range 12 {
			w.broker.Publish("z2mha/home/cmd/sync", "PRESS", false)
			synctest.Wait()
		}
		if got := w.ear.take("z2mha/home/event"); len(got) != 3 || !strings.Contains(got[0], "too many commands wait") {
			t.Errorf("told %q", got)
		}
		w.broker.Publish("z2mha/home/cmd/hold", "ON", false)
		synctest.Wait()
		if got := w.desk.requests(); !slices.Equal(got, []string{"home sync  by MQTT", "home hold  by MQTT"}) {
			t.Errorf("asked for %q", got)
		}
		w.wait(2 * time.Minute)
		close(w.desk.block)
		synctest.Wait()
		if got := w.ear.take("z2mha/home/event"); len(got) != 8 || !strings.Contains(got[0], "wait too long") {
			t.Errorf("told %q", got)
		}
		if got := len(w.desk.requests()); got != 2 {
			t.Errorf("%d requests", got)
		}
	})
}

func TestAFloodDoesNotPushOutTheNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		w.broker.Publish("homeassistant/status", "online", false) // events wait for the announcement
		synctest.Wait()
		w.desk.tell(status.Event{Network: "home", Type: status.EventSplitBrain, Text: "two nodes"})
		for range 500 {
			w.broker.Publish("z2mha/home/cmd/junk", "x", false)
		}
		w.wait(soon)
		got := w.ear.take("z2mha/home/event")
		if len(got) > 60 || !strings.Contains(got[0], "split_brain") {
			t.Errorf("%d events, first %q", len(got), got[0])
		}
	})
}

func TestWhatIsGoneIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc", "shed"), home("cabin", "a", "b"))
		w.start()
		w.wait(soon)
		w.end()
		w.desk = newDesk(home("home", "pi", "nuc"))
		w.ear.take("")
		w.start()
		w.wait(soon)
		nodesFirst := []string{
			"homeassistant/device/z2mha_home_shed/config", "homeassistant/device/z2mha_cabin_b/config",
			"homeassistant/device/z2mha_cabin_a/config", "homeassistant/device/z2mha_cabin/config",
		}
		if diff := cmp.Diff(nodesFirst, topics(w.ear.take(""))[:4]); diff != "" {
			t.Error(diff)
		}
		for topic := range w.kept() {
			if strings.Contains(topic, "cabin") || strings.Contains(topic, "shed") {
				t.Errorf("%s is still there", topic)
			}
		}
		w.check()
		w.end()
		w.ear.take("")
		w.start()
		w.wait(soon)
		for _, line := range w.ear.take("") {
			if strings.HasSuffix(line, "=") {
				t.Errorf("taken back twice: %s", line)
			}
		}
	})
}

// A brokenBus loses the connection at one topic.
type brokenBus struct {
	entities.Bus
	at string
}

func (b brokenBus) Publish(ctx context.Context, m bus.Message) error {
	if m.Topic == b.at {
		return errors.New("the connection is lost")
	}
	return b.Bus.Publish(ctx, m)
}

func TestWhatWasPublishedByHalfIsTakenBackToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc", "shed"))
		w.start(func(c *entities.Config) { c.Bus = brokenBus{c.Bus, "z2mha/home/shed/state"} })
		w.wait(soon)
		w.end()
		w.desk = newDesk(home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		for topic := range w.kept() {
			if strings.Contains(topic, "shed") {
				t.Errorf("%s is still there", topic)
			}
		}
	})
}

func TestATopicOfAnotherBaseIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		w.end()
		w.start(func(c *entities.Config) { c.Options.Base, c.Options.Prefix = "zha", "ha" })
		w.wait(soon)
		for topic := range w.kept() {
			if !strings.HasPrefix(topic, "zha/") && !strings.HasPrefix(topic, "ha/") {
				t.Errorf("%s is still there", topic)
			}
		}
	})
}

func TestAComponentThatLeftIsTakenBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		w.end()
		w.shelf.data = bytes.Replace(w.shelf.data, []byte(`"hold": "switch"`), []byte(`"hold": "lock", "practise": "button"`), 1)
		w.ear.take("")
		w.start()
		w.wait(soon)
		got := w.ear.take("homeassistant/device/z2mha_home/config")
		if len(got) != 2 {
			t.Fatalf("%d device messages", len(got))
		}
		if !strings.Contains(got[0], `"hold":{"platform":"lock"}`) || !strings.Contains(got[0], `"practise":{"platform":"button"}`) {
			t.Errorf("first %s", got[0])
		}
		if strings.Contains(got[1], "practise") || !strings.Contains(got[1], `"hold":{"platform":"switch"`) {
			t.Errorf("then %s", got[1])
		}
		w.check()
		if strings.Contains(string(w.shelf.data), "practise") || !strings.Contains(string(w.shelf.data), `"hold": "switch"`) {
			t.Errorf("kept %s", w.shelf.data)
		}
	})
}

func TestSwitchedOffItTakesEverythingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"), home("cabin", "a", "b"))
		w.start()
		w.wait(soon)
		w.end()
		off := func(c *entities.Config) { c.Off = true }
		w.start(off)
		w.wait(soon)
		w.broker.Publish("z2mha/home/cmd/switchover", "PRESS", false)
		w.desk.change(func(n *status.Network) { n.Protection = status.Held })
		w.wait(soon)
		if tree := w.kept(); len(tree) > 0 {
			t.Errorf("still there: %q", slices.Sorted(maps.Keys(tree)))
		}
		w.end()
		if tree := w.kept(); len(tree) > 0 || len(w.desk.requests()) > 0 {
			t.Errorf("still there: %q, asked for %q", slices.Sorted(maps.Keys(tree)), w.desk.requests())
		}
	})
}

func TestANewNodeIsAnnouncedBeforeItsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		w.ear.take("")
		w.desk.change(func(n *status.Network) { *n = home("home", "attic", "nuc") })
		w.wait(soon)
		got := topics(w.ear.take(""))
		gone := slices.Index(got, "homeassistant/device/z2mha_home_pi/config")
		device, state := slices.Index(got, "homeassistant/device/z2mha_home/config"), slices.Index(got, "z2mha/home/state")
		if gone != 0 || device < 0 || state < device {
			t.Errorf("%q", got)
		}
		w.check()
	})
}

func TestNodesThatAreNotKnownYetAreNotTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, home("home", "pi", "nuc"))
		w.start()
		w.wait(soon)
		w.end()
		w.desk = newDesk(status.Network{Name: "home", Devices: -1})
		w.start()
		w.ear.take("")
		w.wait(time.Minute)
		if got := w.ear.take(""); len(got) > 0 {
			t.Errorf("told %q", got)
		}
		w.desk.change(func(n *status.Network) { *n = home("home", "pi", "nuc") })
		w.wait(soon)
		w.check()
	})
}

func TestAMemoryThatCannotBeReadIsSaid(t *testing.T) {
	for name, s := range map[string]*shelf{
		"damaged":    {data: []byte("{")},
		"unreadable": {fail: errors.New("disk on fire")},
		"odd":        {data: []byte(`{"devices":{"#":{}},"topics":["","a/+"]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, home("home", "pi", "nuc"))
				w.shelf = s
				w.start()
				w.wait(soon)
				w.check()
				if strings.Contains(w.log.String(), "a/+") {
					t.Errorf("published on a topic that cannot be: %s", w.log)
				}
				if said := strings.Contains(w.log.String(), "what was published before is not known"); said != (name != "odd") {
					t.Errorf("the log says\n%s", w.log)
				}
			})
		})
	}
}

func TestABrokerThatForbidsTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bustest.New(t, bustest.Rule{User: "z2mha", Password: "right", Unreadable: "homeassistant/status"})
		c, err := bus.Dial(t.Context(), bus.Config{Server: "mqtt://broker.test", Dialer: dialer(b), User: "z2mha", Password: "right"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		d, out := newDesk(home("home", "pi", "nuc")), &log{}
		run(t, entities.New(entities.Config{Bus: c, Desk: d, Shelf: &shelf{}, Log: slog.New(slog.NewTextHandler(out, nil))}))
		time.Sleep(soon)
		b.Publish("z2mha/home/cmd/sync", "PRESS", false)
		synctest.Wait()
		if len(d.requests()) != 1 || !strings.Contains(out.String(), "give user") {
			t.Errorf("asked for %q; the log says\n%s", d.requests(), out)
		}
	})
}

// What a status value holds beside what is shown must not get out, and what somebody
// sends us is not repeated.
func TestSecretsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets := []string{"01030507090b0d0f00020406080a0c0d", "hunter2", "AQMFBwkLDQ8AAgQGCAoMDQ=="}
		n := home("home", "pi", "nuc")
		n.LookErr = fmt.Errorf("sudo asks for %s", secrets[1])
		n.Nodes[0].Host.Evidence = secrets[0]
		n.Nodes[0].Address = "root:" + secrets[1] + "@192.0.2.1"
		w := newWorld(t, n)
		w.start()
		w.wait(soon)
		for _, topic := range []string{"home/cmd/switchover", "home/cmd/active_node", "home/cmd/hold", "home/nuc/cmd/activate", "nowhere/cmd/hold"} {
			for _, s := range secrets {
				w.broker.Publish("z2mha/"+topic, s, false)
			}
		}
		w.wait(soon)
		var all strings.Builder
		for topic, payload := range w.kept() {
			all.WriteString(topic + payload)
		}
		for _, line := range w.ear.take("z2mha/home/event") {
			all.WriteString(line)
		}
		all.WriteString(w.log.String() + string(w.shelf.data))
		for _, s := range secrets {
			if strings.Contains(all.String(), s) {
				t.Errorf("%s got out", s)
			}
		}
	})
}
