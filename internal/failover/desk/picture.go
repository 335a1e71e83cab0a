package desk

import (
	"slices"
	"time"

	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
)

// A picture is everything that a status.Network is made from.
type picture struct {
	name  string
	nodes []Node
	every time.Duration
	rule  cadence.Rule // of the captures

	sight   sight
	lookErr error
	past    past
	hold    status.Hold
	holdErr error

	run        *tale  // under way, nil when none
	doing      string // what was asked for and is not over, "" when nothing is
	settling   bool   // a run has ended since the last look
	moved      bool   // a run has ended since the last look that worked
	proven     string // node that this run has left on air, "" when not known
	unlooked   bool   // a capture is under way by schedule, or has ended since the last look
	missed     string // why the last one did not work, "" when it did
	refusedWhy string // what is said of a capture that was refused, "" when none was
	openWhy    string // why a run that was cut off could not be settled
	ended      *status.Run
	watch      watch
	events     []status.Event // newest first
}

// show makes the value that everybody is shown.
func (p picture) show(now time.Time) (status.Network, verdict) {
	st := p.sight.status
	n := status.Network{
		Name: p.name, At: p.sight.at, Took: p.sight.took, LookErr: p.lookErr,
		Active: st.Active, Recorded: st.Record.Active, Since: st.Record.Since, Unproven: st.Record.Unproven,
		Hold: p.hold, Generation: st.Generation, LastSync: p.synced(), Devices: -1,
		Captured: st.Record.Captured, BackedUp: st.Record.BackedUp, Refused: st.Record.Refused,
		Ended: p.ended, Last: p.past.last, Moves: p.past.moves, Events: slices.Clone(p.events),
	}
	if !p.sight.at.IsZero() {
		n.Devices = st.Devices
		n.Checks, n.Coverage = p.sight.checks(), p.sight.coverage()
		if c, ok := p.fresh(now); ok {
			n.Checks = append(n.Checks, c)
		}
	}
	p.showWatch(&n, now)
	if p.run != nil {
		n.Run = p.run.shown()
		if n.Run.Plan.Kind.Moves() {
			m := p.run.move()
			n.Last = &m
		}
	}
	if p.moved {
		n.Active = p.proven
	}
	if p.moved && p.proven != "" && p.proven != n.Recorded {
		n.Recorded, n.Since, n.Unproven = p.proven, p.ended.Ended, ""
	}
	candidates := p.sight.candidates()
	v := judge(p.situation(now, candidates))
	n.Protection, n.Reasons = v.is, v.reasons
	if p.lookErr == nil && !p.settling {
		for _, c := range candidates {
			if c.ready() {
				n.Ready = append(n.Ready, c.node)
			}
		}
	}
	n.Nodes = p.showNodes(candidates)
	return n, v
}

// synced is when the last accepted copy was made. One that equals the last needs no
// new number, and is as good.
func (p picture) synced() time.Time {
	at := p.sight.status.LastSync
	for _, other := range []time.Time{p.past.synced, p.sight.status.Record.Captured} {
		if other.After(at) {
			at = other
		}
	}
	return at
}

func (p picture) situation(now time.Time, candidates []candidate) situation {
	st := p.sight.status
	s := situation{
		now: now, looked: p.sight.at, every: p.every, lookErr: p.lookErr,
		busy: p.doing != "" || p.unlooked, settling: p.settling, hold: p.hold, holdErr: p.holdErr, openWhy: p.openWhy,
		active: st.Active, speakers: p.sight.speakers(), checks: p.sight.checks(), candidates: candidates,
		synced: p.synced(), unproven: st.Record.Unproven,
		live: p.rule.On(), backedUp: st.Record.BackedUp, refused: st.Record.Refused, refusedWhy: p.refusedWhy,
		used: st.Record.Odometer.Saturation(), forgotten: p.watch.forgotten(),
	}
	if p.run != nil {
		s.run = p.doing
	}
	if p.doing == "" {
		s.open = p.unfinished()
	}
	return s
}

func (p picture) unfinished() string {
	if p.past.unfinished != "" {
		return p.past.unfinished
	}
	return p.sight.status.Unfinished
}

func (p picture) showNodes(candidates []candidate) []status.Node {
	expected := p.sight.status.Active
	if expected == "" {
		expected = p.sight.status.Record.Active
	}
	out := make([]status.Node, 0, len(p.nodes))
	for _, x := range p.nodes {
		n := status.Node{Name: x.Name, Role: network.RoleUnknown, Kind: x.Kind, Address: x.Address}
		unlit := status.Light{State: status.LightUnknown, Text: "not known", Evidence: "it has not been looked at yet"}
		n.Host, n.Service, n.Dongle, n.Radio = unlit, unlit, unlit, unlit
		if !p.sight.at.IsZero() {
			p.sight.lights(&n, expected)
			p.sight.holdings(&n)
		}
		for _, s := range p.sight.status.Nodes {
			if s.Name == n.Name {
				n.Role = p.role(s)
			}
		}
		n.Unloaded = n.Role == network.RoleStandby && n.Stick.Generation == 0 && p.sight.status.Record.Seed == ""
		n.OutOfSync = n.Role == network.RoleStandby && p.past.copies[n.Name].generation < p.sight.status.Generation
		n.CanTake, n.Why = p.canTake(x.Name, candidates)
		out = append(out, n)
	}
	return out
}

// role is that of the last look, unless a run has moved the network since.
func (p picture) role(s engine.NodeStatus) network.Role {
	switch {
	case p.moved && s.Name == p.proven:
		return network.RoleActive
	case p.moved && s.Role == network.RoleActive:
		return network.RoleUnknown
	}
	return s.Role
}

// canTake says whether the network could be asked to move to a node, and why not.
func (p picture) canTake(node string, candidates []candidate) (bool, string) {
	switch {
	case p.doing != "":
		return false, p.doing + " is being carried out"
	case p.hold.On || p.holdErr != nil:
		return false, "the network is on hold"
	case p.sight.at.IsZero() || p.settling:
		return false, "it is being looked at"
	case p.lookErr != nil:
		return false, "the last look did not work"
	case node == p.sight.status.Active:
		return false, "it is active"
	}
	for _, c := range candidates {
		if c.node == node {
			return c.takes(), c.whyNot()
		}
	}
	return false, "it was not looked at"
}

// whyNot is the first thing that speaks against it.
func (c candidate) whyNot() string {
	for _, x := range c.failing {
		if x.Blocks() {
			return x.Evidence
		}
	}
	return ""
}
