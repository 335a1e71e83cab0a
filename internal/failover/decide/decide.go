// Package decide says what to do about the state of a network, and why, and why nothing
// else. It is a pure function of recorded data: no clock, no I/O, no goroutine. The same
// input gives the same decision, bit for bit, so every decision can be asked "why?"
// long after the night in which it was made.
//
// What it does not guarantee: that something is done. When evidence is missing or
// contradicts itself it decides to stay, and names the person who must look.
package decide

import (
	"time"

	"z2mha/internal/failover/health"
)

// Input is everything that a decision is made from.
type Input struct {
	Health   health.Input `json:"health"`
	Policy   Policy       `json:"policy"`
	Standbys []Standby    `json:"standbys"` // every node but the recorded one, in the order of the configuration
	State    State        `json:"state"`
	// Memory is what the decision before this one has left; zero for the first.
	Memory Memory `json:"memory"`
}

// A Standby is a node that could take over, or why it could not.
type Standby struct {
	Node  string   `json:"node"`
	Ready bool     `json:"ready"`
	Why   []string `json:"why,omitempty"` // what speaks against it, with what to do
	Warm  bool     `json:"warm,omitempty"`
	// Generation is what it would start with, and Age how old that is.
	Generation int           `json:"generation,omitempty"`
	Age        time.Duration `json:"age,omitempty"`
}

// State is what is on record, besides what is seen.
type State struct {
	Held string `json:"held,omitempty"` // who holds the network, in a sentence; "" when nobody does
	Busy string `json:"busy,omitempty"` // what is being carried out, "" when nothing
	Open string `json:"open,omitempty"` // a run that was cut off and not settled, "" when none
	// Failovers are when automatic ones were begun, oldest first; those of the last day at least.
	Failovers []time.Time `json:"failovers,omitempty"`
	// Repairs are when the active was repaired in place, oldest first; those of the last day.
	Repairs []time.Time `json:"repairs,omitempty"`
	// Starts are when a node was cold started by itself, oldest first; those of the last day.
	Starts []time.Time `json:"starts,omitempty"`
	// Tried are the actions that were carried out of late and came to nothing, oldest first:
	// they are not tried again at once.
	Tried []Tried `json:"tried,omitempty"`
	// Stopped says that the active was stopped on purpose, by whom and when; "" when it was
	// not. Nothing starts it again by itself.
	Stopped string `json:"stopped,omitempty"`
	// Acknowledged is when a person has last said that the last failover is dealt with.
	Acknowledged time.Time `json:"acknowledged,omitzero"`
	// LastActive is the node that the last activation on record named, "" when there is none.
	LastActive string `json:"last_active,omitempty"`
	// Fences are the rungs that are configured for each node, see Rung.
	Fences map[string][]Rung `json:"fences,omitempty"`
	// FenceFailed is why the last try to silence a node gave no proof, by node.
	FenceFailed map[string]Failed `json:"fence_failed,omitempty"`
	// Restarts says of a node that its service manager starts Zigbee2MQTT again by itself.
	Restarts map[string]bool `json:"restarts,omitempty"`
	// Rehearsal is the planned move that is due now, "" when none; see package rehearsal. When
	// it is the name of a stand-by, that one takes over; else the best that is ready.
	Rehearsal string `json:"rehearsal,omitempty"`
	// Joining and Interviewing speak against a planned move.
	Joining      bool     `json:"joining,omitempty"`
	Interviewing []string `json:"interviewing,omitempty"`
}

// A Tried is an action that was carried out and came to nothing.
type Tried struct {
	Action Action    `json:"action"`
	Node   string    `json:"node,omitempty"` // Node of the decision, or To where there is one
	At     time.Time `json:"at"`
	Why    string    `json:"why"`
}

// A Failed is a try that gave no proof.
type Failed struct {
	At  time.Time `json:"at"`
	Why string    `json:"why"`
}

// A Rung is a way to silence a node's radio, in the order of the ladder.
type Rung string

const (
	RungStop   Rung = "stop"   // 1: stop the service, see the process gone
	RungReset  Rung = "reset"  // 2: reset the stick, read back HOLD
	RungUnplug Rung = "unplug" // 3: take the stick's USB device away
	RungPower  Rung = "power"  // 4: cut the host's power by something that does not depend on it
	RungLease  Rung = "lease"  // 5: a guard on the node silences itself; not built
	RungPerson Rung = "person" // 6: a person confirms
)

// Policy is how a home wants its network looked after. The zero value is not usable, see
// DefaultPolicy.
type Policy struct {
	Automatic bool          `json:"automatic"` // fail over, start and repair without being asked
	Settle    time.Duration `json:"settle"`    // consistent evidence before a repair in place: 3 s
	Confirm   time.Duration `json:"confirm"`   // consistent evidence before a failover: 20 s
	Respawn   time.Duration `json:"respawn"`   // how long a service manager that restarts by itself is waited for
	CoolDown  time.Duration `json:"cool_down"` // after an automatic failover, unless acknowledged: 1 h
	PerDay    int           `json:"per_day"`   // automatic failovers within 24 h: 3
	Repairs   int           `json:"repairs"`   // repairs in place within an hour: 2
	Return    bool          `json:"return"`    // make a returning ex-active a stand-by by itself
	// FailBack moves the network back to this node when it is ready again; "" never.
	FailBack string `json:"fail_back,omitempty"`
	// AcceptRisk is the spelled-out wish to fail over without proof that the old active is
	// silent; "" is strict. See RiskWords.
	AcceptRisk string `json:"accept_risk,omitempty"`
}

// RiskWords must be written out by whoever wants a failover without proof.
const RiskWords = "two coordinators may speak at once"

// DefaultPolicy is used for what the file leaves out.
var DefaultPolicy = Policy{
	Automatic: true, Settle: 3 * time.Second, Confirm: 20 * time.Second, Respawn: 15 * time.Second,
	CoolDown: time.Hour, PerDay: 3, Repairs: 2, Return: true,
}

// An Action is what is decided.
type Action string

const (
	Nothing   Action = "nothing"   // all is as it should be, or nothing can be done
	Wait      Action = "wait"      // something is wrong, and must be so for longer
	Look      Action = "look"      // ask what was not asked yet, such as the radio
	Repair    Action = "repair"    // restart the service of Node, reset its stick
	Failover  Action = "failover"  // To takes over from Node
	ColdStart Action = "start"     // start Node, the last active
	Silence   Action = "silence"   // fence Node, which speaks although To is the active
	Return    Action = "return"    // make Node, which was active once, a stand-by
	Correct   Action = "correct"   // publish the retained bridge/state anew
	Rehearse  Action = "rehearse"  // the planned move that is due, to To
	FailBack  Action = "fail back" // the planned move back to To
	Ask       Action = "ask"       // a person must look, or confirm something
)

// A Decision is what to do now, with every reason.
type Decision struct {
	Action     Action             `json:"action"`
	Node       string             `json:"node,omitempty"`
	To         string             `json:"to,omitempty"`
	Reasons    []string           `json:"reasons"` // in order, the first is the one that decided
	Not        []Alternative      `json:"not"`     // every other action that was weighed, and what spoke against it
	Conditions []health.Condition `json:"conditions"`
	// Question is for a person, when Action is Ask.
	Question *Question `json:"question,omitempty"`
	// Again is when to decide anew if nothing is heard before; zero: at the next look.
	Again time.Time `json:"again,omitzero"`
	// Memory is for the next decision.
	Memory Memory `json:"memory"`
}

// An Alternative is what was not done, and why.
type Alternative struct {
	Action Action `json:"action"`
	Node   string `json:"node,omitempty"`
	To     string `json:"to,omitempty"`
	Why    string `json:"why"`
}

// A Question is what only a person can answer.
type Question struct {
	ID   string `json:"id"`   // stable as long as it is the same question: "fence attic"
	Text string `json:"text"` // what is wrong, and what will happen upon yes
	Fix  string `json:"fix"`  // exactly what the person can do
}

// Memory is what is carried from one decision to the next.
type Memory struct {
	// Trouble is what is wrong with Node, Since when it is just this without a break.
	Trouble health.Kind `json:"trouble,omitempty"`
	Node    string      `json:"node,omitempty"`
	Since   time.Time   `json:"since,omitzero"`
	// Out is since when Node has not served without a break, whatever was wrong.
	Out time.Time `json:"out,omitzero"`
	// Looks is at how many looks something was wrong, Looked when the last of them was.
	Looks  int       `json:"looks,omitempty"`
	Looked time.Time `json:"looked,omitzero"`
}

// Decide says what to do now. It changes nothing in in, and shares nothing with it.
func Decide(in Input) Decision {
	s := newSituation(in)
	for _, r := range rules {
		d, decided := r.Judge(s)
		if decided {
			return s.finish(d)
		}
		s.speaksAgainst(r.Action, d)
	}
	panic("the last rule always decides")
}
