package engine

import (
	"context"
	"maps"
	"sync"
	"time"

	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
)

// bridgePatience is how long a running Zigbee2MQTT may take to answer over MQTT.
const bridgePatience = 15 * time.Second

// How long one host may take to tell what runs there. One that hangs must not keep the
// others waiting. But the first look brings the helper along, over whatever line; so does
// one after the host was set up anew, which is why one failing look in ten may take longer.
const (
	viewPatience  = 10 * time.Second
	firstPatience = 45 * time.Second
	longEvery     = 10
)

// strangerPatience is how long an answer over MQTT is waited for when all nodes were
// seen and Zigbee2MQTT runs on none: only one that we do not know could give it.
const strangerPatience = 3 * time.Second

// A Status is one network as it is seen now.
type Status struct {
	Network string
	Active  string
	Record  network.Record
	Nodes   []NodeStatus
	Checks  []readiness.Check
	// Coverage is which failures the home survives, as far as this look can tell.
	Coverage []coverage.Line

	Views      []readiness.View
	Bridge     *readiness.Bridge
	Known      readiness.Known
	Held       string    // who holds the network, in a sentence; "" when nobody does
	Unfinished string    // run that was cut off, "" when none
	Generation int       // of the last accepted copy, 0 when there is none
	LastSync   time.Time // when that copy was made
	Devices    int       // without the coordinator; -1 when nobody tells
}

// NodeStatus is one node as it is seen now.
type NodeStatus struct {
	Name     string
	Role     network.Role
	Err      error
	Observed *network.Observation
}

// List looks at every node and changes nothing. only names one network; "" means all.
func (c *Controller) List(ctx context.Context, only string) ([]Status, error) {
	if only != "" {
		if _, err := c.network(only); err != nil {
			return nil, err
		}
	}
	var out []Status
	for i := range c.parts.Networks {
		n := &c.parts.Networks[i]
		if only != "" && n.Name != only {
			continue
		}
		st, err := c.status(ctx, n, false)
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// Look looks at one network and changes nothing there; that a stand-by was seen to run is
// put on record, so only who may write that calls it. sticks says whether to ask also the
// sticks of nodes where nothing runs for their state, which opens them.
func (c *Controller) Look(ctx context.Context, net string, sticks bool) (Status, error) {
	n, err := c.network(net)
	if err != nil {
		return Status{}, err
	}
	st, err := c.status(ctx, n, sticks)
	if err != nil {
		return st, err
	}
	return st, c.noteSpeakers(n.Name, st.Views)
}

func (c *Controller) status(ctx context.Context, n *Network, sticks bool) (Status, error) {
	in, err := c.look(ctx, n, "", sticks)
	if err != nil {
		return Status{}, err
	}
	a := readiness.Assess(in)
	st := Status{Network: n.Name, Active: a.Active, Record: in.Record, Nodes: statuses(in, a.Active), Checks: a.Checks, Coverage: coverage.Of(in),
		Views: in.Views, Bridge: in.Bridge, Known: in.Known, Unfinished: in.Unfinished, Devices: -1}
	if in.Bridge != nil && in.Bridge.Err == nil {
		st.Devices = in.Bridge.Devices
	}
	if c.parts.Held != nil {
		if st.Held, err = c.parts.Held(n.Name); err != nil {
			st.Held = err.Error() // as good as a hold
		}
	}
	last, err := c.newest(n)
	st.Generation, st.LastSync = last.Number, last.At
	return st, err
}

func statuses(in readiness.Input, active string) []NodeStatus {
	var out []NodeStatus
	for _, v := range in.Views {
		out = append(out, NodeStatus{Name: v.Name, Role: roleOf(v, active, in.Record), Err: v.Err, Observed: v.Observed})
	}
	return out
}

func roleOf(v readiness.View, active string, r network.Record) network.Role {
	fenced, was := r.Fenced[v.Name]
	switch {
	case was && fenced.Rung != network.ByRisk && v.Name != active:
		return network.RoleFenced
	case v.Observed == nil:
		return network.RoleOffline
	case v.Name == active:
		return network.RoleActive
	case v.Observed.Runs():
		return network.RoleUnknown
	}
	return network.RoleStandby
}

// Preflight looks whether the network could move to a node now. to may be "" when
// there is only one stand-by. It asks stand-by sticks for their state but resets
// and writes nothing.
func (c *Controller) Preflight(ctx context.Context, net, to string) (readiness.Assessment, error) {
	n, err := c.network(net)
	if err != nil {
		return readiness.Assessment{}, err
	}
	if to != "" {
		if _, err := n.node(to); err != nil {
			return readiness.Assessment{}, err
		}
	}
	in, err := c.look(ctx, n, to, true)
	if err != nil {
		return readiness.Assessment{}, err
	}
	return readiness.Assess(in), nil
}

// look gathers everything an assessment wants, all nodes at once. sticks says
// whether to ask the sticks of nodes where nothing runs.
func (c *Controller) look(ctx context.Context, n *Network, to string, sticks bool) (readiness.Input, error) {
	return c.lookWithin(ctx, n, to, sticks, bridgePatience)
}

// lookWithin is look for somebody who has no time for an answer over MQTT that is late.
func (c *Controller) lookWithin(ctx context.Context, n *Network, to string, sticks bool, patience time.Duration) (readiness.Input, error) {
	known, err := c.known(n)
	if err != nil {
		return readiness.Input{}, err
	}
	run, _, err := c.unfinished(n.Name)
	if err != nil {
		return readiness.Input{}, err
	}
	in := readiness.Input{Network: n.Name, To: to, Recorded: known.Record.Active, Unfinished: run, Now: time.Now(),
		Views: make([]readiness.View, len(n.Nodes)), Known: known}
	asking, stop := context.WithTimeout(ctx, min(patience, patienceWith(n.Bridge)))
	defer stop()
	var views, bridge sync.WaitGroup
	for i, x := range n.Nodes {
		views.Go(func() {
			in.Views[i] = c.view(ctx, n, x, sticks)
			if in.Views[i].Err == nil || ctx.Err() == nil {
				c.sighted(n.Name, in.Views[i])
			}
		})
	}
	bridge.Go(func() { in.Bridge = bridgeView(asking, n.Bridge) })
	views.Wait()
	if nothingRuns(in.Views) {
		defer time.AfterFunc(strangerPatience, stop).Stop()
	}
	bridge.Wait()
	r := &in.Record
	r.Silent, r.Fenced, r.Spoken = maps.Clone(r.Silent), maps.Clone(r.Fenced), maps.Clone(r.Spoken)
	r.Sticks, r.Off = maps.Clone(r.Sticks), maps.Clone(r.Off)
	speakers(&in.Record, in.Views, time.Now())
	return in, nil
}

// patienceWith is how long an answer over MQTT is waited for: not for long where little
// speaks for one.
func patienceWith(b Bridge) time.Duration {
	s := b.Signs()
	if !s.Broker.Connected || !s.Bridge.Unanswered.IsZero() || !s.Bridge.At.IsZero() && !s.Bridge.Online {
		return strangerPatience
	}
	return bridgePatience
}

// allSpeak is about several that run while none is on record: nobody can tell which of them
// is beside the active, so none of them is behind the others' counters from now on.
func allSpeak(r *network.Record, views []readiness.View) (news bool) {
	var running []string
	for _, v := range views {
		if o := v.Observed; o != nil && o.Runs() && !o.OnlyOurs() {
			running = append(running, v.Name)
		}
	}
	for _, name := range running {
		if len(running) > 1 {
			news = r.MayBeAhead(name) || news
		}
	}
	return news
}

// speakers takes the proof of silence from nodes that are seen to run: somebody has
// started them since, and what they use beside the active is owed. It reports whether that
// is news. What is on record and lies ahead of now is from before our clock was set back, and
// so from before the look.
func speakers(r *network.Record, views []readiness.View, now time.Time) (news bool) {
	if r.Active == "" {
		news = allSpeak(r, views)
	}
	for _, v := range views {
		quiet := r.QuietSince(v.Name)
		if o := v.Observed; o != nil && o.Runs() && !o.OnlyOurs() && (quiet.Before(o.At) || quiet.After(now)) {
			at := o.At
			if r.Since.After(now) {
				at = r.Since
			}
			spoke, beside := r.Speaks(v.Name), r.Beside(v.Name, at)
			if beside { // what its stick holds changes
				forgetStick(r, v.Name)
			}
			news = news || spoke || beside
		}
		if at, off := r.Off[v.Name]; off && v.Observed != nil && v.Observed.TTYPresent && v.Observed.At.After(at.Add(plugBudget)) {
			delete(r.Off, v.Name) // somebody has plugged it in, or the host was started anew
			news = true
		}
		if v.Stick != nil && !v.Stick.Silent && r.Active != v.Name && r.MayBeAhead(v.Name) { // somebody has started it, and it is on air still
			forgetStick(r, v.Name)
			news = true
		}
		if f, fenced := r.Fenced[v.Name]; fenced && v.Stick != nil && v.Stick.Silent && f.At.Before(v.StickAt) {
			delete(r.Fenced, v.Name) // its stick says HOLD again: nothing else has to silence it
			news = true
		}
	}
	return news
}

// noteSpeakers keeps what was seen: a node that is lost afterwards has no proof any more.
func (c *Controller) noteSpeakers(net string, views []readiness.View) error {
	r, err := c.parts.Memory.Load(net)
	now := time.Now()
	if err != nil || !speakers(&r, views, now) {
		return err
	}
	return c.remember(net, func(r *network.Record) { speakers(r, views, now) })
}

func nothingRuns(views []readiness.View) bool {
	for _, v := range views {
		if v.Err != nil || v.Observed.Runs() {
			return false
		}
	}
	return true
}

func (c *Controller) patienceFor(host string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	failed, known := c.failed[host]
	if !known || failed > 0 && failed%longEvery == 0 {
		return firstPatience
	}
	return viewPatience
}

func (c *Controller) viewed(host string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.failed[host] = 0
	} else {
		c.failed[host]++
	}
}

func (c *Controller) view(ctx context.Context, n *Network, x Node, stick bool) readiness.View {
	v := readiness.View{Name: x.Name()}
	began := time.Now()
	host := n.Name + "/" + x.Name()
	looking, stop := context.WithTimeout(ctx, c.patienceFor(host))
	o, err := x.Observe(looking)
	stop()
	if err == nil || ctx.Err() == nil {
		c.viewed(host, err)
	}
	v.Took = time.Since(began)
	if err == nil && o.OnlyOurs() {
		o, err = pastOurs(ctx, x)
	}
	if err != nil {
		v.Err = err
		return v
	}
	v.Observed = &o
	if stick && !o.Runs() && o.TTYPresent {
		s, err := x.InspectStick(ctx)
		v.StickAt = time.Now()
		if err != nil {
			v.StickErr = err
		} else {
			v.Stick = &s
		}
	}
	return v
}

// oursPatience is how long a look waits for our own helper, which an earlier look that was
// cut short has left: it ends by itself, and is no reason to refuse anything.
const oursPatience = 10 * time.Second

func pastOurs(ctx context.Context, x Node) (network.Observation, error) {
	waiting, cancel := context.WithTimeout(ctx, oursPatience)
	defer cancel()
	o, err := lookPastHelper(waiting, x)
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		return x.Observe(ctx)
	}
	return o, err
}

func bridgeView(ctx context.Context, b Bridge) *readiness.Bridge {
	info, err := b.Refresh(ctx)
	if err != nil {
		return &readiness.Bridge{Err: err}
	}
	out := &readiness.Bridge{At: info.At, Node: info.Node, Version: info.Version, PermitJoin: info.PermitJoin,
		Coordinator: info.Coordinator, PanID: info.PanID, ExtPanID: info.ExtPanID, Channel: info.Channel, Revision: info.Revision}
	devices, err := b.Devices(ctx, time.Time{})
	if err != nil {
		out.Err = err
		return out
	}
	out.Devices = len(devices)
	for _, d := range devices {
		if d.Interviewing {
			out.Interviewed = append(out.Interviewed, d.FriendlyName)
		}
	}
	return out
}
