package web

import (
	"slices"
	"time"
)

// An Overview is the first page: all networks.
type Overview struct {
	Networks []Network // none yet: the page leads to the set-up
	Notices  []Notice
	CanAct   bool // whether buttons are drawn at all
}

// unread says that no network is shown for another reason than that none was set up.
func (o Overview) unread() bool {
	wrong := slices.ContainsFunc(o.Notices, func(n Notice) bool { return n.State == LightBad })
	first := slices.ContainsFunc(o.Notices, func(n Notice) bool { return n.Link.Href == "setup" })
	return len(o.Networks) == 0 && wrong && !first
}

// A Network is one network on the overview.
type Network struct {
	Name     string
	Heading  string // the fixed sentence for its protection
	Tone     Tone
	If       string    // what would happen if the active died now; "" when that is not known
	Looked   time.Time // of the last look; zero before the first
	Notices  []Notice  // what stands over everything of it, such as a risk that is accepted
	Question *Question // nil when nobody is asked
	Watch    Watch
	Reasons  []Reason // why it is not protected; none when it is
	Actions  []Action // of the network; those of a node are in Node
	Facts    []Fact   // last sync, devices, last switchover …
	Run      *Run     // what is being carried out, or what ended last and is worth showing; nil when neither
	Nodes    []Node   // in the order of the configuration
	Covers   []Cover  // which failures the home survives
	Checks   []Check  // readiness, failed ones first or not: they are drawn in the order given
	Events   []Event  // newest first
}

// A Reason is why a network is not as it should be.
type Reason struct {
	Node string // "" when it is about the whole network
	What string
	Fix  string // what a person can do; "" when there is nothing to do but wait
}

// A Node is one host with its stick.
type Node struct {
	Name    string
	Role    string     // in a word: "Active", "Stand-by"
	State   LightState // how Role is marked
	Serving bool       // it is on air: its card stands out
	Kind    string     // "systemd", "OpenRC" …
	Address string
	Host    Light
	Service Light // Zigbee2MQTT
	Dongle  Light
	Radio   Light
	Facts   []Fact // versions, latency …
	More    []Fact // what its stick holds, and what was written to it: folded
	Notes   []string
	Actions []Action
}

// A Light is one thing about a node, how that is known, and how long ago.
type Light struct {
	State    LightState
	Text     string // in a word or two: "running", "silent (HOLD)"
	Evidence string
	At       time.Time
}

// A Cover is one failure, and whether Zigbee comes back after it.
type Cover struct {
	State  LightState // good, warn or bad
	What   string     // "The stick breaks"
	Answer string     // "Yes", "By hand", "No"
	Why    string     // a sentence or two, with what to do
}

// A Check is one line of the readiness list.
type Check struct {
	State    LightState // good, warn or bad; unknown for what is just good to know
	Node     string     // "" when it is about the whole network
	What     string     // a statement that should hold
	Evidence string
	At       time.Time // of the evidence, when it is older than the look
	Fix      string    // only when it does not hold
}

// An Event is one line of what happened.
type Event struct {
	At    time.Time
	State LightState
	Text  string
	By    string // who asked; may be ""
	Fix   string // may be ""
}

// An Action is a button. Pressing it asks for a Preview; nothing is done yet.
type Action struct {
	Label    string
	Verb     string // desk verb
	Network  string
	To       string // node, when the verb needs one
	Copy     int    // number of a copy, when the verb needs one
	OnHold   bool   // it is wanted although the network is on hold
	Primary  bool   // drawn filled: at most one in a row
	Danger   bool   // drawn in red
	Disabled bool
	Why      string // why it is disabled
}
