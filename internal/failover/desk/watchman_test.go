package desk_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/rehearsal"
	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/notes"
)

// A mind decides what a test says, and keeps what it was asked and what was stored.
type mind struct {
	mu     sync.Mutex
	think  func(in decide.Input) decide.Decision
	asked  []decide.Input
	stored []decide.Decision
}

func (m *mind) decide(in decide.Input) decide.Decision {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, in)
	return m.think(in)
}

func (m *mind) Keep(_ decide.Input, dec decide.Decision) (int, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.stored); n > 0 && m.stored[n-1].Action == dec.Action && dec.Action == decide.Nothing {
		return n, false, nil
	}
	m.stored = append(m.stored, dec)
	return len(m.stored), true, nil
}

func (m *mind) set(think func(in decide.Input) decide.Decision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.think = think
}

func (m *mind) last() decide.Input {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[len(m.asked)-1]
}

func (m *mind) actions() []decide.Action {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []decide.Action
	for _, dec := range m.stored {
		out = append(out, dec.Action)
	}
	return out
}

var (
	fine = []health.Condition{{Kind: health.Healthy, Node: "attic"}}
	gone = []health.Condition{{Kind: health.ProcessGone, Node: "attic"}}
)

func calm(decide.Input) decide.Decision {
	return decide.Decision{Action: decide.Nothing, Reasons: []string{"all is well"}, Conditions: fine}
}

// always decides the same; the conditions say that something is wrong.
func always(dec decide.Decision) func(decide.Input) decide.Decision {
	if dec.Conditions == nil {
		dec.Conditions = gone
	}
	return func(decide.Input) decide.Decision { return dec }
}

// once decides dec until something was asked of the engine, and then nothing.
func (m *mind) once(e *fakeEngine, dec decide.Decision) {
	m.set(func(in decide.Input) decide.Decision {
		if len(get(e, "home", func(h *fakeHome) []engine.Request { return h.requests })) > 0 {
			return calm(in)
		}
		return always(dec)(in)
	})
}

// watched opens a desk with that mind.
func watched(t *testing.T, e *fakeEngine, m *mind, dir string, plan rehearsal.Plan) *office {
	t.Helper()
	policy := desk.Policy{Policy: decide.DefaultPolicy, Rehearsal: plan}
	return equipped(t, e, dir, func(p *desk.Parts) {
		p.Decide, p.Decisions, p.Policy = m.decide, m, map[string]desk.Policy{"home": policy}
		if p.Every = 0; plan.Cron != nil {
			p.Every = time.Minute // nights are long
		}
		p.Notes = notes.New(filepath.Join(dir, "notes"), durable.Disk{})
	})
}

func asked(e *fakeEngine) []engine.Request {
	return get(e, "home", func(h *fakeHome) []engine.Request { return slices.Clone(h.requests) })
}

func TestWhatIsDecidedIsDone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		dec    decide.Decision
		kind   plan.Kind
		to     string
		reason string
		event  status.EventType
		cause  status.Cause
	}{
		{"repairs", decide.Decision{Action: decide.Repair, Node: "attic"}, plan.KindRepair, "attic", "decided by the controller", status.EventRepaired, status.CauseAutomatic},
		{"fails over", decide.Decision{Action: decide.Failover, Node: "attic", To: "cellar"}, plan.KindFailover, "cellar", "decided by the controller", status.EventFailoverCompleted, status.CauseAutomatic},
		{"starts what was active last", decide.Decision{Action: decide.ColdStart, Node: "attic"}, plan.KindStart, "attic", "decided by the controller", status.EventNodeStarted, status.CauseAutomatic},
		{"silences a second speaker", decide.Decision{Action: decide.Silence, Node: "cellar", To: "attic"}, plan.KindSilence, "cellar", "decided by the controller", status.EventNodeStopped, status.CauseAutomatic},
		{"makes one that came back a stand-by", decide.Decision{Action: decide.Return, Node: "attic", To: "cellar"}, plan.KindReturn, "attic", "decided by the controller", status.EventReturned, status.CauseAutomatic},
		{"moves back", decide.Decision{Action: decide.FailBack, To: "cellar"}, plan.KindSwitchover, "cellar", "decided by the controller", status.EventSwitchoverCompleted, status.CauseAutomatic},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				e, m := newFake(t, "home"), &mind{think: calm}
				o := watched(t, e, m, t.TempDir(), rehearsal.Plan{})
				time.Sleep(time.Minute)
				tt.dec.Reasons = []string{"the test says so"}
				m.once(e, tt.dec)
				time.Sleep(time.Minute)
				got := asked(e)
				if len(got) != 1 || got[0].To != tt.to || got[0].Reason != tt.reason {
					t.Fatalf("asked for %+v", got)
				}
				ev := o.last(tt.event)
				if ev.Cause != tt.cause || ev.By != status.ByController || o.network("home").Ended.Plan.Kind != tt.kind {
					t.Errorf("told %+v", ev)
				}
				if want := []decide.Action{decide.Nothing, tt.dec.Action, decide.Nothing}; !slices.Equal(m.actions(), want) {
					t.Errorf("stored %v, want %v: only what is new", m.actions(), want)
				}
			})
		})
	}
}

func TestHoldAndPersonsComeFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e, m := newFake(t, "home"), &mind{think: calm}
		o := watched(t, e, m, t.TempDir(), rehearsal.Plan{})
		time.Sleep(time.Second)
		o.ask(desk.Request{Verb: desk.Hold, By: "Owner"})
		m.set(always(decide.Decision{Action: decide.Failover, Node: "attic", To: "cellar"})) // a mind that ignores it
		time.Sleep(10 * time.Minute)
		if got := asked(e); len(got) != 0 {
			t.Fatalf("on hold it was done: %+v", got)
		}
		if in := m.last(); !strings.Contains(in.State.Held, "Owner") {
			t.Errorf("the mind was not told of the hold: %+v", in.State)
		}
	})
}

func TestWhatIsRefusedIsNotTriedAtEveryLook(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e, m := newFake(t, "home"), &mind{think: calm}
		e.set("home", func(h *fakeHome) {
			h.lost, h.active, h.down["attic"] = true, nil, errors.New("no route")
		})
		o := watched(t, e, m, t.TempDir(), rehearsal.Plan{})
		m.set(always(decide.Decision{Action: decide.Failover, Node: "attic", To: "cellar", Reasons: []string{"the host is gone"}}))
		time.Sleep(time.Hour)
		if n := get(e, "home", func(h *fakeHome) int { return h.failovers }); n < 7 || n > 10 { // after 1, 2, 5, 10, 10 … min
			t.Errorf("tried %d times within an hour", n)
		}
		told := 0
		for _, ev := range o.told() {
			if ev.Type == status.EventRefused {
				told++
			}
		}
		if told != 1 {
			t.Errorf("told %d times", told)
		}
		if f := m.last().State.FenceFailed["attic"]; !strings.Contains(f.Why, "attic cannot be looked at") {
			t.Errorf("the mind is told of %+v", f)
		}
		d := o.network("home").Decision
		if d == nil || !strings.Contains(d.Refused, "attic cannot be looked at") || d.Again.IsZero() {
			t.Errorf("shown %+v", d)
		}
		e.set("home", func(h *fakeHome) { h.lost = false })
		time.Sleep(11 * time.Minute)
		if n := o.network("home"); n.Active != "cellar" {
			t.Errorf("%q is active: it was not tried again", n.Active)
		}
	})
}

func TestFailoversAreRememberedAndAcknowledged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := t.TempDir()
		e, m := newFake(t, "home"), &mind{think: calm}
		o := watched(t, e, m, dir, rehearsal.Plan{})
		time.Sleep(time.Second)
		e.set("home", func(h *fakeHome) { h.active = nil })
		m.once(e, decide.Decision{Action: decide.Failover, Node: "attic", To: "cellar"})
		time.Sleep(5 * time.Minute)
		o.close()
		o = watched(t, e, m, dir, rehearsal.Plan{})
		time.Sleep(time.Minute)
		if got := m.last().State; len(got.Failovers) != 1 || !got.Acknowledged.IsZero() {
			t.Fatalf("after a restart: %+v", got)
		}
		n := o.network("home")
		if n.Unacknowledged.IsZero() || n.CoolDown.Sub(n.Unacknowledged) != time.Hour || n.Last.Cause != status.CauseAutomatic {
			t.Errorf("shown: %s, cool-down until %s, %+v", n.Unacknowledged, n.CoolDown, n.Last)
		}
		o.refused(desk.Request{Verb: desk.Acknowledge, By: "MQTT", Unattended: true}, "only a person who has looked may ask for that")
		if _, err := o.Ask(t.Context(), desk.Request{Verb: desk.Acknowledge, By: "Owner"}); err != nil {
			t.Fatal(err)
		}
		if ev := o.last(status.EventAcknowledged); ev.By != "Owner" {
			t.Errorf("told %+v", ev)
		}
		o.close()
		o = watched(t, e, m, dir, rehearsal.Plan{Cron: []rehearsal.Cron{"0 0 1 1 *"}}) // not before the year is over
		time.Sleep(time.Minute)
		if got := m.last().State; got.Acknowledged.IsZero() || !o.network("home").CoolDown.IsZero() {
			t.Errorf("what was acknowledged is forgotten: %+v", got)
		}
		time.Sleep(25 * time.Hour)
		if got := m.last().State.Failovers; len(got) != 0 {
			t.Errorf("a day later it still counts: %v", got)
		}
	})
}

func TestAQuestionIsToldOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e, m := newFake(t, "home"), &mind{think: calm}
		o := watched(t, e, m, t.TempDir(), rehearsal.Plan{})
		q := &decide.Question{ID: "fence attic", Text: "attic cannot be reached", Fix: "unplug its stick, then confirm"}
		m.set(always(decide.Decision{Action: decide.Ask, Node: "attic", To: "cellar", Question: q}))
		time.Sleep(10 * time.Minute)
		var told []status.Event
		for _, ev := range o.told() {
			if ev.Type == status.EventNeedsConfirmation {
				told = append(told, ev)
			}
		}
		if len(told) != 1 || told[0].Text != "attic cannot be reached." || told[0].Fix != q.Fix {
			t.Errorf("told %+v", told)
		}
		if d := o.network("home").Decision; d.Question == nil || *d.Question != *q {
			t.Errorf("shown %+v", d)
		}
	})
}

// A rehearsal is begun in its night, once, also when the controller dies in it.
func TestRehearsal(t *testing.T) {
	inBubble(t, func(t *testing.T) { // it is midnight of 1 January 2000, UTC
		dir := t.TempDir()
		e, m := newFake(t, "home"), &mind{}
		m.think = func(in decide.Input) decide.Decision {
			if in.State.Rehearsal != "" {
				return decide.Decision{Action: decide.Rehearse, To: "cellar", Reasons: []string{in.State.Rehearsal + " is due"}, Conditions: fine}
			}
			return calm(in)
		}
		nights := rehearsal.Plan{Cron: []rehearsal.Cron{"31 3 * * *"}, Blackout: []rehearsal.Window{window(t, "01-03")}}
		o := watched(t, e, m, dir, nights)
		time.Sleep(time.Minute)
		if n := o.network("home"); n.Rehearsal.Format("02 15:04") != "01 03:31" {
			t.Errorf("the next one is shown as %s", n.Rehearsal)
		}
		time.Sleep(3*time.Hour + 29*time.Minute + 50*time.Second)
		if n := len(asked(e)); n != 0 {
			t.Fatal("before its time")
		}
		time.Sleep(2 * time.Minute)
		got := asked(e)
		if len(got) != 1 || got[0].Reason != "a rehearsal that was due" {
			t.Fatalf("asked for %+v", got)
		}
		if ev := o.last(status.EventSwitchoverStarted); ev.Cause != status.CauseScheduled || ev.By != status.ByController {
			t.Errorf("told %+v", ev)
		}
		o.close()
		o = watched(t, e, m, dir, nights)
		time.Sleep(20 * time.Minute)
		if n := len(asked(e)); n != 1 {
			t.Fatalf("%d in one night", n)
		}
		o.close()
		time.Sleep(25 * time.Hour) // the night of the 2nd goes by without us
		o = watched(t, e, m, dir, nights)
		time.Sleep(time.Minute)
		if ev := o.last(status.EventRehearsalSkipped); !strings.Contains(ev.Text, "Sun 2 Jan, 03:31 was skipped: the controller did not run then") {
			t.Errorf("told %+v", ev)
		}
		time.Sleep(24 * time.Hour) // the 3rd is blacked out
		if ev := o.last(status.EventRehearsalSkipped); !strings.Contains(ev.Text, "it is not wanted then (01-03)") {
			t.Errorf("told %+v", ev)
		}
		if n := len(asked(e)); n != 1 {
			t.Fatalf("%d were begun", n)
		}
		time.Sleep(24 * time.Hour)
		if n := len(asked(e)); n != 2 {
			t.Errorf("the 4th was not begun: %d", n)
		}
	})
}

// A clock that was far off for a while, or a long absence, costs no further nights, and makes
// no dozen of events.
func TestRehearsalsAfterALongTime(t *testing.T) {
	nights := rehearsal.Plan{Cron: []rehearsal.Cron{"31 3 * * *"}}
	for name, away := range map[string]time.Duration{"after a long absence": -100 * 24 * time.Hour, "after a clock that was far ahead": 400 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				dir := t.TempDir()
				err := notes.New(filepath.Join(dir, "notes"), durable.Disk{}).Save("home", status.Notes{Rehearsed: time.Now().Add(away)})
				if err != nil {
					t.Fatal(err)
				}
				o := watched(t, newFake(t, "home"), &mind{think: calm}, dir, nights)
				time.Sleep(time.Hour)
				if n := o.network("home"); n.Rehearsal.Format("02 15:04") != "01 03:31" {
					t.Errorf("the next one is shown as %s", n.Rehearsal)
				}
				skipped := slices.DeleteFunc(o.told(), func(ev status.Event) bool { return ev.Type != status.EventRehearsalSkipped })
				if away < 0 && (len(skipped) != 1 || !strings.Contains(skipped[0].Text, "Fri 31 Dec, 03:31")) || away > 0 && len(skipped) > 0 {
					t.Errorf("told %+v", skipped)
				}
				time.Sleep(4 * time.Hour)
				if ev := o.last(status.EventRehearsalSkipped); !strings.Contains(ev.Text, "Sat 1 Jan, 03:31") { // calm begins none
					t.Errorf("told %+v", ev)
				}
			})
		})
	}
}

func window(t *testing.T, s string) rehearsal.Window {
	t.Helper()
	w, err := rehearsal.ParseWindow(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestARehearsalThatIsRefusedIsSkipped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e, m := newFake(t, "home"), &mind{}
		m.think = func(in decide.Input) decide.Decision {
			dec := calm(in)
			if in.State.Rehearsal != "" {
				dec.Not = []decide.Alternative{{Action: decide.Rehearse, Why: "kitchen lamp is being interviewed"}}
			}
			return dec
		}
		o := watched(t, e, m, t.TempDir(), rehearsal.Plan{Cron: []rehearsal.Cron{"31 3 * * *"}})
		time.Sleep(5 * time.Hour)
		if ev := o.last(status.EventRehearsalSkipped); !strings.Contains(ev.Text, "kitchen lamp is being interviewed") {
			t.Errorf("told %+v", ev)
		}
		if n := len(asked(e)); n != 0 {
			t.Errorf("%d were begun", n)
		}
	})
}
