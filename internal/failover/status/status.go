// Package status is what people and machines are shown of a network: the page, Home
// Assistant, traps and the command line all read the same values. It is pure; the
// desk fills it in.
//
// Every text in it may be shown as it is, but is not safe HTML: device and node
// names come from outside.
package status

import (
	"time"

	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// A Network is one network as it was seen last. It is a value: whoever gets one may
// keep it.
type Network struct {
	Name       string
	At         time.Time // of the last look; zero before the first
	Took       time.Duration
	LookErr    error // why the last look as a whole failed; nil when it did not
	Protection Protection
	Reasons    []Reason // why it is not Protected; empty when it is

	Active   string    // node that is on air, "" when that cannot be told
	Recorded string    // node that was proven active last, "" when never
	Since    time.Time // since when Recorded is
	Unproven string    // what could not be proven when it took over
	Nodes    []Node    // in the order of the configuration
	Checks   []readiness.Check
	Coverage []coverage.Line // which failures the home survives; none before the first look
	Ready    []string        // stand-bys that could take over now

	Hold       Hold
	Generation int       // of the last accepted copy, 0 when there is none
	LastSync   time.Time // when that copy was made, zero when never
	Captured   time.Time // when the data was last captured and found good, changed or not
	BackedUp   time.Time // the same with a live backup of the stick
	Refused    int       // number of a capture that waits for a person's word, 0 when none does
	Devices    int       // without the coordinator; -1 when not known

	// Conditions are what is known to be so, each with its evidence, and Decision what is
	// done about it; nil when nobody decides.
	Conditions []health.Condition
	Decision   *Decision
	Policy     decide.Policy // how it is looked after; zero when nobody decides
	Rehearsal  time.Time     // when the next one is wanted, zero when none is
	// Unacknowledged is the last failover that was begun by itself and that no person has
	// acknowledged since, zero when there is none; CoolDown until when no second one is.
	Unacknowledged, CoolDown time.Time

	Run    *Run    // the plan that is being carried out, nil when none
	Ended  *Run    // the one that ended last in this process, nil when none
	Last   *Move   // the last move that was begun, nil when none
	Moves  int     // completed moves on record
	Events []Event // newest first, at most MaxEvents
}

// MaxEvents is how many events a Network shows.
const MaxEvents = 50

// Node finds a node by name.
func (n Network) Node(name string) (Node, bool) {
	for _, x := range n.Nodes {
		if x.Name == name {
			return x, true
		}
	}
	return Node{}, false
}

// Problem says that a person should look: the one thing to alarm on.
func (n Network) Problem() bool {
	return n.Protection == Unprotected || n.Protection == Degraded
}

// SyncAge is how old the last accepted copy is; false when there is none.
func (n Network) SyncAge(now time.Time) (time.Duration, bool) {
	if n.LastSync.IsZero() {
		return 0, false
	}
	return max(0, now.Sub(n.LastSync)), true
}

// A Reason is why a network is not as it should be, and what to do.
type Reason struct {
	Node string // "" when it is about the whole network
	What string
	Fix  string // one sentence; "" when there is nothing to do but wait
}

// A Node is one host as it was seen last.
type Node struct {
	Name      string
	Role      network.Role
	Kind      string        // service manager: systemd, openrc, docker, commands
	Address   string        // where it is reached
	Seen      time.Time     // last successful look, zero when never
	Latency   time.Duration // of the last look
	Host      Light
	Service   Light // Zigbee2MQTT
	Dongle    Light // the stick, as a device
	Radio     Light // is it on air, as it should or should not be
	Version   string
	Firmware  string // of the stick, "" when not known
	Unloaded  bool   // a stand-by whose stick was never loaded, and there is nothing to load it from: see desk.Seed
	OutOfSync bool   // a stand-by without the latest accepted copy in staging
	CanTake   bool   // "make active" would not be refused at once
	Why       string // why not, when CanTake is false

	Stick  network.StickRecord  // what its stick holds, zero when not known
	Ledger network.StickLedger  // what was written to it, zero when nothing was
	Staged network.StagedRecord // what lies ready there, zero when not known
}

// A Light is one thing about a node, with the evidence for it and its age.
type Light struct {
	State    LightState
	Text     string // in a word or two: "running", "silent (HOLD)"
	Evidence string // how that is known
	At       time.Time
}

// A LightState is how a Light is drawn.
type LightState string

const (
	LightGood    LightState = "good"    // as it should be
	LightBad     LightState = "bad"     // not as it should be
	LightWarn    LightState = "warn"    // worth a look
	LightUnknown LightState = "unknown" // no evidence
)

// Hold is whether a network is held: it is observed, and nothing is done.
type Hold struct {
	On    bool      `json:"on"`
	Since time.Time `json:"since,omitzero"`
	By    string    `json:"by,omitempty"`
	// Person: only a person may release it, who has looked; no automation.
	Person bool `json:"person,omitempty"`
}

// A Run is a plan with how far it is.
type Run struct {
	ID       string
	Plan     plan.Plan
	By       string // who asked for it
	Cause    Cause
	Began    time.Time
	Ended    time.Time // zero while it runs
	Outcome  plan.Outcome
	Err      string // why it is not completed
	Steps    []RunStep
	Turning  string    // why it is on the way back, "" while it goes forward
	DarkFrom time.Time // since when the home has no Zigbee; zero when it has
	Outage   time.Duration
	What     string // progress within the step that is under way
	Done     int
	Total    int
}

// A RunStep is one step of a Run.
type RunStep struct {
	plan.Step
	State StepState
	Saw   []string // evidence, once it is done or undone
	Note  string   // why it failed
	Began time.Time
	Took  time.Duration
}

// A StepState is where a step is.
type StepState string

const (
	StepWaiting StepState = "waiting"
	StepRunning StepState = "running"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepUndoing StepState = "undoing"
	StepUndone  StepState = "undone"
)

// A Move is one switchover or failover, as history.
type Move struct {
	Run      string
	At       time.Time // when it began
	From, To string
	Cause    Cause
	By       string
	Outcome  plan.Outcome
	Duration time.Duration // from begin to end
	Outage   time.Duration // how long the home had no Zigbee
	Unproven string
}
