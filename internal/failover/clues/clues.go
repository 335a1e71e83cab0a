// Package clues remembers what was seen and heard of one network, and what came of
// asking, and makes the health.Input of it from which decisions are made. It looks at
// nothing itself and has no clock.
//
// What it does not say: what that means. And an age in what it makes is one by the clock
// that nobody can set, for as long as this process has known the thing; only what comes
// from disk has none but that of the wall.
package clues

import (
	"cmp"
	"slices"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
)

// Notes are what is remembered of one network. It is not safe for concurrent use.
type Notes struct {
	glances map[string]glance // by node
	radio   radio
}

// A glance is the last look at one node, and the last that worked.
type glance struct {
	at    time.Time
	why   string    // it did not work, "" when it did
	since time.Time // when the first of the looks ended that have failed without a break
	seen  *network.Observation
	ran   time.Time // when Zigbee2MQTT was seen to run there last
	stick *health.Stick
}

// Saw takes in the look at one node, which ended at a time.
func (l *Notes) Saw(v readiness.View, at time.Time) {
	if l.glances == nil {
		l.glances = map[string]glance{}
	}
	l.glances[v.Name] = l.glances[v.Name].after(v, at)
}

func (g glance) after(v readiness.View, at time.Time) glance {
	g.at = at
	if v.Err != nil {
		if g.why == "" {
			g.since = at
		}
		g.why = v.Err.Error()
		return g
	}
	if outdated(g.seen, v.Observed) {
		g.stick = nil
	}
	g.why, g.since, g.seen = "", time.Time{}, v.Observed
	if runs(v.Observed) {
		g.ran = at
	}
	switch {
	case v.Stick != nil:
		g.stick = &health.Stick{At: at, State: v.Stick.State, Silent: v.Stick.Silent}
	case v.StickErr != nil:
		g.stick = &health.Stick{At: at, Failed: v.StickErr.Error()}
	}
	return g
}

func runs(o *network.Observation) bool { return o.Runs() && !o.OnlyOurs() }

// outdated says that what a stick once said holds no longer: somebody drives it, it is
// gone, or its host was started anew.
func outdated(was, is *network.Observation) bool {
	return runs(is) || !is.TTYPresent || was != nil && was.HostID != is.HostID
}

// Lost says that the last look at a node did not work; false also when there was none.
func (l *Notes) Lost(node string) bool { return l.glances[node].why != "" }

// Now is everything else that a health.Input is made from.
type Now struct {
	At         time.Time
	Network    string
	Nodes      []string // in the order of the configuration
	Record     network.Record
	Signs      engine.Signs
	Controller health.Controller
}

// Input is all that is known at a time.
func (l *Notes) Input(n Now) health.Input {
	in := health.Input{Now: n.At.Round(0), Network: n.Network, Recorded: n.Record.Active, Since: n.Record.Since,
		Broker: n.Signs.Broker, Bridge: n.Signs.Bridge, Radio: l.radioAt(n), Controller: n.Controller}
	for _, name := range n.Nodes {
		in.Nodes = append(in.Nodes, l.node(n, name))
	}
	in.Broker.TakeOvers = nil
	for _, at := range n.Signs.Broker.TakeOvers {
		in.Broker.TakeOvers = append(in.Broker.TakeOvers, n.wall(at))
	}
	for _, t := range []*time.Time{&in.Since, &in.Broker.Since, &in.Bridge.At, &in.Bridge.Spoke, &in.Bridge.Asked, &in.Bridge.Unanswered,
		&in.Controller.Started, &in.Controller.Jumped} {
		*t = n.wall(*t)
	}
	return in
}

// wall is t by the clock on the wall as that stands now.
func (n Now) wall(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return n.At.Add(-n.At.Sub(t)).Round(0)
}

func (l *Notes) node(now Now, name string) health.Node {
	n, g := health.Node{Name: name}, l.glances[name]
	n.Looked, n.Failed, n.FailingSince = now.wall(g.at), g.why, now.wall(g.since)
	if g.seen != nil {
		o := *g.seen
		o.At = now.wall(o.At)
		if _, off := now.Record.Off[name]; off { // it is plugged in, and ours to give back
			o.TTYPresent = true
		}
		n.Seen = &o
	}
	silent := now.Record.Silent[name]
	if g.stick != nil {
		s := *g.stick
		if s.Silent && s.At.After(silent) {
			silent = s.At
		}
		s.At = now.wall(s.At)
		n.Stick = &s
	}
	n.Fenced = now.Record.Fenced[name].By
	// It was not started since. A proof that lies ahead of our clock is from before that was
	// set back, and so from before it was seen to run.
	if g.ran.IsZero() || silent.After(g.ran) && !silent.After(now.At) {
		n.Silent = now.wall(silent)
	}
	return n
}

// withinADay is how long ago a mains device must have been heard to be worth asking.
const withinADay = 24 * time.Hour

// Worth are the mains devices that are worth asking, those heard last first.
func Worth(s engine.Signs, now time.Time) []engine.BridgeDevice {
	var out []engine.BridgeDevice
	for _, d := range s.Devices {
		if at, ok := s.HeardFrom[d.IEEE]; ok && d.Askable && now.Sub(at) < withinADay {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b engine.BridgeDevice) int {
		return cmp.Or(s.HeardFrom[b.IEEE].Compare(s.HeardFrom[a.IEEE]), cmp.Compare(a.IEEE, b.IEEE))
	})
	return out
}

// hurryFor is how long something is new that has begun to be wrong. What has been wrong
// for longer will not be right a second sooner because somebody looks.
const hurryFor = 3 * time.Minute

// Hurried says that something has begun to be wrong not long ago, so that looks should
// follow one another closely.
func Hurried(in health.Input) bool {
	lately := func(t time.Time) bool { return !t.IsZero() && in.Now.Sub(t) < hurryFor }
	if !in.Broker.Connected && lately(in.Broker.Since) || !in.Bridge.Online && !in.Bridge.Kept && lately(in.Bridge.At) {
		return true
	}
	if n := len(in.Broker.TakeOvers); n > 0 && lately(in.Broker.TakeOvers[n-1]) {
		return true
	}
	for _, n := range in.Nodes {
		if lately(n.FailingSince) {
			return true
		}
	}
	return lately(in.Bridge.Unanswered) || lately(in.Radio.StickSilent) || lately(in.Controller.Jumped)
}

// A clock that has moved by more than stepped was set. Who comes later than he wanted by
// more than stoodStill has stood still, or the whole machine has.
const (
	stepped    = 2 * time.Second
	stoodStill = 20 * time.Second
)

// Jumped says that ages cannot be trusted: as much time passed on the wall and so much in
// truth between two moments that were meant to be a pause apart.
func Jumped(wall, truth, pause time.Duration) bool {
	return (wall-truth).Abs() > stepped || truth-pause > stoodStill
}
