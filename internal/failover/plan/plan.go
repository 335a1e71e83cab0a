// Package plan holds plans as data: a list of steps that one runner executes,
// journals, resumes after a crash or walks back. Nothing here acts.
//
// A plan is stored whole in the first line of its journal, so that a controller
// that starts after a crash needs nothing but that file to know what was meant.
package plan

import (
	"fmt"
	"time"
)

// A Kind is what a plan is for, in the words of docs/architecture.md.
type Kind string

const (
	KindSwitchover Kind = "switchover" // planned move of the network
	KindSync       Kind = "sync"       // bring the stand-bys up to date
	KindStop       Kind = "stop"       // end Zigbee2MQTT on one node and silence its stick
	KindStart      Kind = "start"      // start the node that was active last, when nobody is
)

// An Act is what a step does. The runner knows one Do, one Check and one Undo for
// each.
type Act string

const (
	ActGates     Act = "gates"      // may this plan run at all
	ActWitness   Act = "witness"    // which devices answer now
	ActPark      Act = "park"       // prove a stand-by's stick silent
	ActKeepStick Act = "keep-stick" // keep what is on the stick that will be written
	ActCopy      Act = "copy"       // capture the active's data and stage it
	ActStop      Act = "stop"       // stop Zigbee2MQTT
	ActFence     Act = "fence"      // silence the radio, with evidence
	ActReadStick Act = "read-stick" // read the network's memory in HOLD
	ActFinalCopy Act = "final-copy" // what changed since the copy
	ActLoad      Act = "load"       // write the memory onto the target's stick
	ActPromote   Act = "promote"    // exchange staging and data
	ActStart     Act = "start"      // start Zigbee2MQTT; the target goes on air
	ActProve     Act = "prove"      // right identity, devices answer, stays up
	ActRecord    Act = "record"     // the target is the active from now on
	ActDisable   Act = "disable"    // it no longer starts at boot
	ActEnable    Act = "enable"     // it starts at boot, if the active did
	ActReady     Act = "ready"      // nobody is active, and this node could start
	ActRaise     Act = "raise"      // lift the counters of a stick that starts on its own memory
)

// A Step is one thing to do on one node.
type Step struct {
	ID     string        `json:"id"` // unique in the plan, sorts in order: "06-fence-attic"
	Act    Act           `json:"act"`
	Node   string        `json:"node"`
	Title  string        `json:"title"`          // what happens
	Check  string        `json:"check"`          // what is read back to believe it
	Undo   string        `json:"undo,omitempty"` // how it is taken back; "" when there is nothing to take back
	Budget time.Duration `json:"budget"`
	Dark   bool          `json:"dark,omitempty"` // the home has no Zigbee during this step
}

// A Plan is an ordered list of steps for one network.
type Plan struct {
	ID      string    `json:"id"`
	Kind    Kind      `json:"kind"`
	Network string    `json:"network"`
	From    string    `json:"from"`
	To      string    `json:"to,omitempty"`
	Others  []string  `json:"others,omitempty"` // further stand-bys
	Reason  string    `json:"reason"`
	Accept  bool      `json:"accept,omitempty"` // a person takes a capture that is unlike the last one
	Created time.Time `json:"created"`
	Steps   []Step    `json:"steps"`
}

// Timing bounds the waits of a plan.
type Timing struct {
	Settle time.Duration // between the end of Zigbee2MQTT and the reset of its stick
	Stop   time.Duration // until Zigbee2MQTT has let go of its stick
	Start  time.Duration // until Zigbee2MQTT speaks on MQTT
	Prove  time.Duration // until a device has answered
	Watch  time.Duration // how long the new active is watched before it is believed
}

// DefaultTiming suits sticks with up to 15 ms per request: the closing backup of
// Zigbee2MQTT alone takes 18 s there.
func DefaultTiming() Timing {
	return Timing{
		Settle: time.Second,
		Stop:   60 * time.Second,
		Start:  90 * time.Second,
		Prove:  60 * time.Second,
		Watch:  10 * time.Second,
	}
}

// Step returns the step of that id.
func (p Plan) Step(id string) (Step, bool) {
	for _, s := range p.Steps {
		if s.ID == id {
			return s, true
		}
	}
	return Step{}, false
}

// Standbys are the nodes that must stay silent until the target starts.
func (p Plan) Standbys() []string {
	if p.To == "" {
		return p.Others
	}
	return append([]string{p.To}, p.Others...)
}

func (p *Plan) add(s Step) {
	s.ID = fmt.Sprintf("%02d-%s-%s", len(p.Steps)+1, s.Act, s.Node)
	p.Steps = append(p.Steps, s)
}
