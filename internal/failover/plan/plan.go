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
	KindFailover   Kind = "failover"   // unplanned move: the node that was active is broken or gone
	KindSeed       Kind = "seed"       // restart the active once, to read its stick whole
	KindRestore    Kind = "restore"    // bring a kept generation back onto the active
	KindRepair     Kind = "repair"     // restart the active in place, with its stick
	KindReturn     Kind = "return"     // make a node that was active once a stand-by again
	KindSilence    Kind = "silence"    // end a second active, the one on record goes on
)

// Moves says that the network has another active node afterwards.
func (k Kind) Moves() bool { return k == KindSwitchover || k == KindFailover }

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
	ActWarm      Act = "warm"       // keep a stand-by's stick current, by differences
	ActActivate  Act = "activate"   // see that a warm stick may start now, and boot it
	ActDead      Act = "dead"       // see that the node that was active cannot serve
	ActYield     Act = "yield"      // let Zigbee2MQTT restore its own backup onto the stick
	ActRewrite   Act = "rewrite"    // bring the stick to what a kept generation says
	ActSurvey    Act = "survey"     // what the plan is for is still so
	ActLearn     Act = "learn"      // what a second speaker has used
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
	// IfBehind is done only when another stick has used higher counters than the active.
	IfBehind bool `json:"if_behind,omitempty"`
}

// A Plan is an ordered list of steps for one network.
type Plan struct {
	ID      string   `json:"id"`
	Kind    Kind     `json:"kind"`
	Network string   `json:"network"`
	From    string   `json:"from"`
	To      string   `json:"to,omitempty"`
	Others  []string `json:"others,omitempty"` // further stand-bys
	Reason  string   `json:"reason"`
	Accept  bool     `json:"accept,omitempty"` // a person takes a capture that is unlike the last one
	// Fast plans count on a warm stand-by: nothing is read from the old stick, and
	// Zigbee2MQTT is not left to make its closing backup.
	Fast bool `json:"fast,omitempty"`
	// Yield leaves it to Zigbee2MQTT to bring the network onto the target's stick, which
	// cannot take a copy of the old stick's memory.
	Yield bool `json:"yield,omitempty"`
	// Rehearsal says that the move is practice: it is refused where a real one would only warn.
	Rehearsal bool `json:"rehearsal,omitempty"`
	// DespiteHold is a person's wish to act although the network is on hold.
	DespiteHold bool `json:"despite_hold,omitempty"`
	// Generation is what a sync or a failover brings to the target, and what a restore
	// brings back; 0 for what the run captures itself.
	Generation int `json:"generation,omitempty"`
	// Confirmed is a person's word that the old stick is silent, and whose; "" without one.
	Confirmed string `json:"confirmed,omitempty"`
	// Risk is that somebody wants a failover without proof that the old active is silent,
	// in the words of decide.RiskWords; "" is strict.
	Risk string `json:"risk,omitempty"`
	// Broken is why the old active is left although its Zigbee2MQTT runs and answers; ""
	// when it does not.
	Broken  string    `json:"broken,omitempty"`
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

// Source is the node whose data the plan brings to others.
func (p Plan) Source() string {
	if p.Kind == KindReturn {
		return p.To
	}
	return p.From
}

func (p *Plan) add(s Step) {
	s.ID = fmt.Sprintf("%02d-%s-%s", len(p.Steps)+1, s.Act, s.Node)
	p.Steps = append(p.Steps, s)
}
