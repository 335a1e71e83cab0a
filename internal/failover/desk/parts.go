package desk

import (
	"context"
	"log/slog"
	"time"

	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/failover/status"
)

// Parts are what a Desk needs from outside.
type Parts struct {
	Engine  Engine
	History History
	Events  Events
	Holds   Holds
	// Nodes are those of each network, in the order of the configuration. They are
	// shown before the first look, and a request that names another one is refused.
	Nodes map[string][]Node
	// Capture says when the running network is captured; the zero Rule: only when that
	// is asked for.
	Capture cadence.Rule
	// Membership calls tell with every change of a network, from any goroutine, until
	// cancel is called; nil: none is heard of.
	Membership func(network string, tell func(engine.Membership)) (cancel func())
	// Decide says what to do about a network; nil: nobody does, and nothing is done that
	// was not asked for. It is decide.Decide, wherever safety matters.
	Decide func(decide.Input) decide.Decision
	// Policy is how each network is looked after; one that is not in it gets the zero
	// Policy, which does nothing by itself.
	Policy map[string]Policy
	// Rungs are the ways to silence each node of a network that are configured; nil: none.
	Rungs func(network string) map[string][]decide.Rung
	// Decisions keep what was decided; nil: nobody does. Notes keep what must not be
	// forgotten; nil: it is forgotten with the process.
	Decisions Decisions
	Notes     Notes
	// Bridge is what is heard of a network over MQTT, and the way to ask its radio; nil:
	// nothing is heard, and nobody is asked.
	Bridge func(network string) engine.Bridge
	// Sighted calls tell with each node as soon as it was looked at, from any goroutine, until
	// cancel is called; nil: looks tell only when all nodes are done.
	Sighted func(network string, tell func(readiness.View)) (cancel func())
	// Tidy removes what is old of a network's past; nil: nobody does. It is called when
	// something was added, at most once an hour for each network, never twice at once, and
	// may take its time. What it cannot do it tells itself.
	Tidy func(network string)
	// Every is how often each network is looked at, SticksEvery how often the sticks of
	// stand-bys are asked as well. 0 takes 15 s and 10 min.
	Every, SticksEvery time.Duration
	Log                *slog.Logger
}

// A Node is what the configuration says of a node and no look can tell.
type Node struct {
	Name    string
	Kind    string // service manager
	Address string // where it is reached
}

// Decisions keep what was decided, with all that it was made from, under a number. One
// that says nothing new need not be kept.
type Decisions interface {
	Keep(in decide.Input, dec decide.Decision) (number int, kept bool, err error)
}

// An Engine looks and acts; *engine.Controller is one. Its methods mean what they
// mean there.
type Engine interface {
	Networks() []string
	Look(ctx context.Context, net string, sticks bool) (engine.Status, error)
	Switchover(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error)
	Capture(ctx context.Context, r engine.CaptureRequest, w engine.Watch) (engine.Captured, error)
	NoteLeft(network string, l network.Leaving) error
	WhyRefused(network string, number int) ([]string, error)
	Accept(network string, number int, by string) (generation.Generation, error)
	StopNode(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error)
	StartNode(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error)
	Repair(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error)
	Return(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error)
	Silence(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error)
	Seed(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error)
	Failover(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error)
	Restore(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error)
	Recover(ctx context.Context, net string, w engine.Watch) error
	DryRun(ctx context.Context, r engine.Request) (plan.Plan, []engine.Explained, error)
	PlanSync(ctx context.Context, net string) (plan.Plan, []engine.Explained, error)
	PlanStop(ctx context.Context, net, node string) (plan.Plan, []engine.Explained, error)
	PlanStart(ctx context.Context, net, node string) (plan.Plan, []engine.Explained, error)
	PlanRepair(ctx context.Context, net, node string) (plan.Plan, []engine.Explained, error)
	PlanReturn(ctx context.Context, net, node string) (plan.Plan, []engine.Explained, error)
	PlanSeed(ctx context.Context, net string) (plan.Plan, []engine.Explained, error)
	PlanFailover(ctx context.Context, net, to, confirmed string) (plan.Plan, []engine.Explained, error)
	PlanRestore(ctx context.Context, net string, number int) (plan.Plan, []engine.Explained, error)
}

// A History is what the journal tells of runs; every engine.Journal is one.
type History interface {
	Runs(network string) ([]string, error) // oldest first
	Load(network, run string) ([]plan.Entry, error)
}

// Events keep what happened over a restart. Append returns only after the event is
// on disk.
type Events interface {
	Load(network string) ([]status.Event, error) // oldest first
	Append(ev status.Event) error
}

// Holds keep who holds a network. Another program may change them, so Load reads the
// disk each time. A Load that fails counts as a hold.
type Holds interface {
	Load(network string) (status.Hold, error)
	Save(network string, hold status.Hold) error
}

const (
	defaultEvery       = 15 * time.Second
	defaultSticksEvery = 10 * time.Minute
)

func (p Parts) withDefaults() Parts {
	if p.Every <= 0 {
		p.Every = defaultEvery
	}
	if p.SticksEvery <= 0 {
		p.SticksEvery = defaultSticksEvery
	}
	return p
}
