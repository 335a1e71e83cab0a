package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
	"z2mha/internal/world/inmem"
)

// bound is how long the controller may take once nothing is wrong any more, and rounds how
// often a person then does what it says.
const (
	bound  = 12 * time.Minute
	rounds = 6
)

// finish mends what a person would mend, and waits until the home is served. It returns
// how it ended, and notes it as a breach when it is neither served nor is it said why.
func (w *World) finish() string {
	if w.rules.broken() {
		return "broken"
	}
	w.mend()
	w.boot()
	w.pass(time.Minute) // what was asked for at the very end has begun by then
	if w.served(bound) {
		return "served"
	}
	var why string
	for range rounds {
		why = w.person()
		if w.rules.broken() {
			return "broken"
		}
		if w.served(bound / 2) {
			return "served, after a person " + why
		}
	}
	n, _ := w.shown()
	w.rules.break_("liveness", "nobody serves the home: on air %v, shown %s %v, open %v; a person %s",
		w.home.OnAir(), n.Protection, n.Reasons, w.rules.open, why)
	return "not served"
}

// mend ends every fault: power is back, sticks are plugged in anew, lines work.
func (w *World) mend() {
	w.mu.Lock()
	w.bomb, w.full, w.paused = nil, false, time.Time{}
	clear(w.ails)
	clear(w.cut)
	clear(w.unmet)
	w.mu.Unlock()
	w.home.SetBroker(true)
	w.rules.broker(true)
	w.home.SetDeaf(false)
	w.log("-- everything is mended")
	for _, name := range w.names {
		x := w.home.Host(name)
		x.SpoilWrite("", nil)
		if t := x.Trouble(); t.Dead || t.Mute || !x.StickThere() {
			x.PullStick()
		}
		x.PlugStick()
		x.Suffer(func(t *inmem.Trouble) { *t = inmem.Trouble{} })
		if !x.Powered() {
			w.powerBack(name)
		}
	}
}

// shown is what the desk that runs shows; false while none does.
func (w *World) shown() (status.Network, bool) {
	w.mu.Lock()
	c := w.now
	w.mu.Unlock()
	if c == nil {
		return status.Network{}, false
	}
	return c.desk.Networks()[0], true
}

// served waits until one node serves the home and the desk knows it.
func (w *World) served(long time.Duration) bool {
	for until := time.Now().Add(long); time.Now().Before(until) && !w.rules.broken(); {
		n, _ := w.shown()
		on := w.home.OnAir()
		if len(on) == 1 && w.home.Serves() && n.Active == on[0] && n.Run == nil && n.LookErr == nil {
			w.rules.after(event{what: happened})
			return true
		}
		w.pass(10 * time.Second)
	}
	return false
}

// person does what the page says to somebody who has come home.
func (w *World) person() (did string) {
	n, ok := w.shown()
	running := w.running()
	if n.Decision != nil && n.Decision.Question != nil {
		if did = w.answer(n, *n.Decision); did != "" {
			return did
		}
	}
	switch {
	case !ok:
		w.boot()
		return "started the controller"
	case n.Hold.On:
		w.ask(desk.Request{Verb: desk.Release})
		return "released the hold"
	case len(running) > 1:
		other := slices.DeleteFunc(running, func(s string) bool { return s == n.Recorded })[0]
		if from, open := w.rules.openFrom(); open { // nothing else can be asked for before that is settled
			x := w.home.Host(from)
			x.PullStick()
			x.PlugStick()
			return "pulled the stick of " + from + " for a moment"
		}
		w.ask(desk.Request{Verb: desk.Stop, To: other})
		return "stopped " + other
	case len(running) == 1 && len(w.home.OnAir()) > 1:
		other := slices.DeleteFunc(w.home.OnAir(), func(s string) bool { return s == running[0] })[0]
		w.ask(desk.Request{Verb: desk.Stop, To: other})
		return "silenced " + other
	case len(running) == 0 && n.Recorded == "":
		voice := w.rules.voice()
		w.rules.hand(voice)
		w.home.Host(voice).SetRunning(true)
		return "started " + voice + " by hand"
	case len(running) == 0:
		w.ask(desk.Request{Verb: desk.Start, AcceptChange: true})
		return "asked for a start: " + reasons(n)
	}
	if n.Run == nil && len(running) == 1 && !w.home.Serves() { // devices have heard a higher counter
		w.ask(desk.Request{Verb: desk.Switchover, To: w.who(Deed{Node: "stand-by"}), AcceptChange: true})
		return "asked for a switchover: " + reasons(n)
	}
	return "only waited: " + reasons(n)
}

// answer does what the controller has asked a person to do; "" when that is elsewhere.
func (w *World) answer(n status.Network, d status.Decision) string {
	what, node, _ := strings.Cut(d.Question.ID, " ")
	switch {
	case what == "fence":
		x := w.home.Host(node)
		x.PullStick()
		w.later(5*time.Minute, x.PlugStick)
		w.ask(desk.Request{Verb: desk.Failover, To: d.To, Confirmed: "Owner has pulled the stick of " + node})
	case what == "silence":
		x := w.home.Host(node)
		x.PullStick()
		w.later(time.Minute, x.PlugStick)
	case what == "active":
		w.ask(desk.Request{Verb: desk.Stop, To: node})
	case d.Question.ID == "cool-down":
		w.ask(desk.Request{Verb: desk.Acknowledge})
	default:
		return ""
	}
	return "answered “" + d.Question.ID + "”"
}

func (w *World) running() []string {
	var out []string
	for _, name := range w.names {
		if w.home.Host(name).Running() {
			out = append(out, name)
		}
	}
	return out
}

func reasons(n status.Network) string {
	var out []string
	for _, r := range n.Reasons {
		out = append(out, fmt.Sprintf("%s (%s)", r.What, r.Fix))
	}
	return strings.Join(out, "; ")
}
