// Package engine runs plans on nodes. It owns the order of things: what is looked
// at before an act, what is on disk before it, what is read back after it, and how
// it is taken back. It knows nodes, broker and disk only as the interfaces it
// declares here; cmd plugs the real ones in, simulation others.
//
// What it does not guarantee: that a home is never without Zigbee. When a step
// cannot be proven, the engine prefers a silent home and a clear sentence to two
// coordinators with one name.
package engine

import (
	"errors"
	"log/slog"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// ErrBridgeSilent is a Zigbee2MQTT from which nothing fresh came.
var ErrBridgeSilent = errors.New("nothing fresh came from Zigbee2MQTT")

// ErrStickSilent is a stick that does not answer the Zigbee2MQTT that drives it.
var ErrStickSilent = errors.New("the stick does not answer Zigbee2MQTT")

// ErrJoiningOpen is a question to the stick that was not asked, since it would close joining.
var ErrJoiningOpen = errors.New("joining is open, and asking the stick would close it")

// Network is one network with everything that acts on it.
type Network struct {
	Name   string
	Nodes  []Node // two or more
	Bridge Bridge
	// AnyRevision lets a stick take the memory of one with another firmware revision.
	AnyRevision bool
	Timing      plan.Timing
	// Fences are what can take the radio of a node away without asking the node, by node,
	// in the order in which they are tried.
	Fences map[string][]Fence
	// ByPerson are the nodes of which it was accepted that only a person can do that.
	ByPerson map[string]bool
	// Policy is how the home wants the network looked after, as far as others must know; the
	// zero one does nothing without being asked.
	Policy decide.Policy
}

// Parts are what a Controller needs from outside.
type Parts struct {
	Networks []Network
	Journal  Journal
	Shelf    Shelf
	Memory   Memory
	// Held says who holds a network, in a sentence; "" when nobody does. nil: nobody
	// ever does.
	Held func(network string) (string, error)
	// HostID is that of the machine we run on, as Observation.HostID has it; "" when it
	// is not known.
	HostID string
	Log    *slog.Logger
}

// A Journal keeps the record of every run. Append returns only after the line is
// on disk.
type Journal interface {
	Create(first plan.Entry, network string) (Run, error)
	Open(network, run string) (Run, error)
	Load(network, run string) ([]plan.Entry, error)
	Runs(network string) ([]string, error) // oldest first
}

// A Run is an open journal.
type Run interface {
	Append(plan.Entry) error
	Close() error
}

// A Shelf keeps generations and stick images.
type Shelf interface {
	Depot
	// Add numbers and stores g; every blob it names must be there already.
	Add(g generation.Generation) (generation.Generation, error)
	// Latest is the newest that may reach a stand-by, Newest the newest of all. Both fail
	// with generation.ErrNone when the network has none yet.
	Latest(network string) (generation.Generation, error)
	Newest(network string) (generation.Generation, error)
	// Get fails with generation.ErrNone when there is none of that number.
	Get(network string, number int) (generation.Generation, error)
	// Accept lets a generation that was refused be the latest.
	Accept(network string, number int, by string) (generation.Generation, error)
	// KeepImage stores what is on a node's stick and returns its SHA-256.
	KeepImage(network, node string, image []byte) (string, error)
}

// A Memory keeps one Record for each network. Save returns only after the record
// is on disk. Load of an unknown network returns an empty Record.
type Memory interface {
	Load(network string) (network.Record, error)
	Save(network.Record) error
}

// A Report is one thing a person who watches a run is told.
type Report struct {
	Event plan.Event
	Step  plan.Step
	Saw   []string // evidence, after EventDone and EventUndone
	Note  string
	Took  time.Duration

	// Progress inside a step; What is "" for all other reports.
	What        string
	Done, Total int
}

// A Watch is told what happens. It must return quickly.
type Watch func(Report)
