package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"z2mha/internal/homeassistant/discovery/discoverytest"
	"z2mha/internal/world/home"
)

const (
	announced = "homeassistant/device/z2mha_home/config"
	stateOf   = "z2mha/home/state"
	eventOf   = "z2mha/home/event"
)

// lastOf is what is published last in an announcement.
const lastOf = "z2mha/home/cellar/state"

// TestServeOverMQTT is what Home Assistant sees of z2mha at a real broker, from the
// first announcement to a move by the button.
func TestServeOverMQTT(t *testing.T) {
	broker := newBroker(t, "").start()
	b := simulated(t, func(o *home.Options) { o.Broker = broker.address }).start()
	b.reconfigure(func(s string) string { return anywhere + s })
	e := hear(t, broker.address, home.Login{})
	e.say("z2mha/home/cmd/switchover", "PRESS", true) // somebody's mistake
	s := served(t, b.home.Config)
	n := e.until(0, lastOf)
	e.until(0, weAre, online)
	s.logs("a retained command is ignored")
	broker.wellFormed()

	// Home Assistant starts.
	e.say("homeassistant/status", "online", false)
	n = e.until(n, announced, "Zigbee network home")
	n = e.until(n, lastOf)

	// What is refused is answered.
	for _, command := range []struct{ topic, payload, says string }{
		{"home/cmd/switchover", "junk {\"<b>", "value is not known"},
		{"home/cmd/active_node", "garden", "no node of this network"},
		{"home/cmd/self_destruct", "PRESS", "no such command"},
		{"home/nobody/cmd/activate", "PRESS", "no node of that name"},
		{"home/attic/cmd/activate", "PRESS", "attic cannot be made active"},
		{"home/cmd/auto_failover", "ON", "stands in z2mha.yaml, not here"},
		{"home/cmd/hold", strings.Repeat("x", 4000), "value is not known"},
	} {
		e.say("z2mha/"+command.topic, command.payload, false)
		n = e.until(n, eventOf, `"refused"`, command.says)
	}
	e.say("z2mha/garden/cmd/switchover", "PRESS", false)
	s.logs("a command for a network that is not known")

	// On hold nothing is done.
	e.say("z2mha/home/cmd/hold", "ON", false)
	e.until(n, stateOf, `"hold":"ON"`)
	n = e.until(n, eventOf, "hold_set")
	e.say("z2mha/home/cmd/active_node", "cellar", false)
	n = e.until(n, eventOf, `"refused"`, "on hold")
	e.say("z2mha/home/cmd/hold", "OFF", false)
	n = e.until(n, eventOf, "hold_released")
	if got := b.home.OnAir(); got != "attic" {
		t.Fatalf("on air: %q; nothing was asked for that could be done", got)
	}

	// The button moves the network.
	s.shows("Switch over to cellar")
	e.say("z2mha/home/cmd/switchover", "PRESS", false)
	n = e.until(n, eventOf, "switchover_started", `"by":"MQTT"`)
	e.until(n, stateOf, `"active_node":"cellar"`)
	n = e.until(n, eventOf, "switchover_completed", `"to":"cellar"`)
	b.lampAnswersThrough(b.home.Cellar)

	// Killed, it is gone at once; the next one says everything again.
	s.kill()
	n = e.until(n, weAre, "offline")
	s = served(t, b.home.Config)
	n = e.until(n, weAre, online)
	e.until(n, stateOf, `"active_node":"cellar"`)
	n = e.until(n, lastOf)

	// A clean end says good-bye.
	if got := s.quit(); got != 0 {
		t.Errorf("exit code %d", got)
	}
	n = e.until(n, weAre, "offline")
	served(t, b.home.Config)
	e.until(n, lastOf)
	b.mediumIsClean()
	for _, m := range e.messages() {
		if m.Retained && strings.Contains(m.Topic, "/event") {
			t.Errorf("an event is retained: %s %s", m.Topic, m.Payload)
		}
	}
}

// wellFormed looks at everything retained as Home Assistant does.
func (b *realBroker) wellFormed() {
	b.t.Helper()
	tree := discoverytest.Tree{}
	for topic, payload := range b.retained() {
		if !strings.Contains(topic, "/cmd/") { // those are not ours
			tree[topic] = payload
		}
	}
	for _, fault := range discoverytest.Check(tree, discoverytest.Ours) {
		b.t.Error(fault)
	}
}

// TestServeBrokerRestart: what an empty broker lacks comes back by itself.
func TestServeBrokerRestart(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, "").start()
	served(t, settings(t, t.TempDir(), describe(anywhere, brokerAt(broker.address))))
	hear(t, broker.address, home.Login{}).until(0, lastOf)
	before := topics(broker.retained())
	broker.stop()
	broker.start()
	hear(t, broker.address, home.Login{}).until(0, lastOf)
	after := topics(broker.retained())
	for topic := range before {
		if !after[topic] {
			t.Errorf("%s is missing after the broker's restart", topic)
		}
	}
	if len(before) < 8 {
		t.Errorf("the test is in vain: only %d topics before", len(before))
	}
}

func topics(kept map[string]string) map[string]bool {
	out := map[string]bool{}
	for topic, payload := range kept {
		if payload != "" {
			out[topic] = true
		}
	}
	return out
}

// TestServeTakesBack removes nodes and networks from the configuration, while z2mha runs
// and while it does not: nothing of them stays at the broker.
func TestServeTakesBack(t *testing.T) {
	t.Parallel()
	dir, broker := t.TempDir(), newBroker(t, "").start()
	top := anywhere + brokerAt(broker.address)
	shed := "      - {name: shed, host: \"127.0.0.3:1\", dongle: /dev/none, data: /srv/shed, service: {start: \"true\", stop: \"true\"}}\n"
	barn := strings.NewReplacer("shed", "barn", "127.0.0.3", "127.0.0.4").Replace(shed)
	two := describe(top)
	config := settings(t, dir, two+shed+barn)
	e := hear(t, broker.address, home.Login{})
	s := served(t, config)
	n := e.until(0, "z2mha/home/barn/state")
	broker.wellFormed()

	settings(t, dir, two+shed) // while it runs
	n = e.gone(n, "homeassistant/device/z2mha_home_barn/config")
	n = e.until(n, "z2mha/home/shed/state")
	broker.knowsNothingOf("barn")
	broker.wellFormed()
	if got := s.quit(); got != 0 {
		t.Errorf("exit code %d", got)
	}

	settings(t, dir, two) // while it does not
	s = served(t, config)
	n = e.gone(n, "homeassistant/device/z2mha_home_shed/config")
	n = e.until(n, lastOf)
	broker.knowsNothingOf("shed")
	broker.wellFormed()

	settings(t, dir, "homeassistant: {discovery: false}\n"+two)
	e.gone(n, announced)
	s.until("everything is taken back", func() bool { return len(topics(broker.retained())) == 0 })
	s.shows("home")
	s.quit()
	if kept := broker.retained(); len(topics(kept)) > 0 {
		t.Errorf("still there: %v", kept)
	}
}

// gone waits until a retained message is cleared.
func (e *ear) gone(from int, topic string) int {
	e.t.Helper()
	for {
		from = e.until(from, topic)
		if len(e.messages()[from-1].Payload) == 0 {
			return from
		}
	}
}

func (b *realBroker) knowsNothingOf(node string) {
	b.t.Helper()
	for topic, payload := range b.retained() {
		if strings.Contains(topic, node) || strings.Contains(payload, `"`+node+`"`) && strings.HasPrefix(topic, "homeassistant/") {
			b.t.Errorf("%s still knows %s: %s", topic, node, payload)
		}
	}
}

// TestServeStops ends z2mha in the middle of a switchover: the network comes to a safe
// point, everybody is told, and the next z2mha has nothing to clear up but what is left.
func TestServeStops(t *testing.T) {
	for _, tc := range []struct {
		name string
		step string // in which it is stopped
		kill bool
		// again: the network is moved afterwards
		again bool
	}{
		{"asked to, before the network is dark", "copy", false, false},
		{"asked to, while the network is dark", "read-stick", false, true},
		{"asked to, once the other node starts", "start", false, false},
		{"killed while the network is dark", "load", true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := simulated(t).start()
			b.reconfigure(func(s string) string { return anywhere + s })
			e := hear(t, b.home.Broker(), home.Login{})
			s := served(t, b.home.Config)
			n := e.until(0, "z2mha/home/switchover_available", "online")
			e.say("z2mha/home/cellar/cmd/activate", "PRESS", false)
			n = e.until(n, eventOf, "switchover_started")
			b.eventually("step "+tc.step+" begins", func() bool { return b.begun(tc.step) })
			if tc.kill {
				s.kill()
			} else {
				if got := s.quit(); got != 0 {
					t.Errorf("exit code %d", got)
				}
				if len(b.unsettled()) > 0 {
					t.Errorf("the run is left open: %s", b.unsettled())
				}
				told := e.until(n, eventOf, `"event_type":"switchover_`)
				e.until(told, weAre, "offline")
				b.lampAnswersThrough(b.onAir())
			}
			s = served(t, b.home.Config)
			s.until("the run is settled", func() bool { return len(b.unsettled()) == 0 })
			b.lampAnswersThrough(b.onAir())
			s.shows("Sync now")
			if tc.again {
				b.movesOnThePage(s)
			}
			b.mediumIsClean()
		})
	}
}

// movesOnThePage moves the network to the node that is not on air.
func (b *bench) movesOnThePage(s *serving) {
	b.Helper()
	other := b.home.Attic
	if b.onAir() == other {
		other = b.home.Cellar
	}
	s.until("the next switchover is begun", func() bool { return s.press("switchover", other.Name).status == http.StatusAccepted })
	b.lampAnswersThrough(other)
	s.until("the next switchover has ended", func() bool { return len(b.unsettled()) == 0 })
	s.shows("→ " + other.Name)
}

// begun says that a step of a run has begun.
func (b *bench) begun(act string) bool {
	for _, entry := range b.journal() {
		if strings.Contains(entry.Step, "-"+act+"-") {
			return true
		}
	}
	return false
}

// unsettled are the runs that have not ended.
func (b *bench) unsettled() []string {
	open := map[string]bool{}
	for _, entry := range b.journal() {
		open[entry.Run] = entry.Event != "ended"
	}
	var out []string
	for run, is := range open {
		if is {
			out = append(out, run)
		}
	}
	return out
}

// onAir is the node whose stick is on air.
func (b *bench) onAir() *home.Node {
	b.Helper()
	for _, n := range b.home.Nodes() {
		if b.home.OnAir() == n.Name {
			return n
		}
	}
	b.Fatalf("on air: %q", b.home.OnAir())
	return nil
}
