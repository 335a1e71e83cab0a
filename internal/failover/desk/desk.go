// Package desk is where requests arrive and from where news goes out. It looks at
// every network at intervals, keeps what was seen, runs one plan per network at a
// time, and tells everybody who listens. The page, MQTT and the traps all stand
// before the same desk, so none of them can do what another could not.
//
// What it does not do: decide. It carries out what it is asked for, and after a restart
// it finishes or takes back what was cut off, unless the network is held. After each look
// it has Parts.Decide say what is to be done about what was seen, and does that in the same
// way, as if it had been asked for by the controller. Without Decide nothing is done by
// itself. To plug that in: Parts.Decide (decide.Decide), Policy, Rungs, Decisions, Notes.
//
// Inside: the watchman (watchman.go) weighs, follows and remembers what did not work;
// rehearse.go knows which night is due. Each network has a dossier, with a goroutine of its own. What a look gave is a
// sight, the run under way a tale; the two and the past make a picture, and that becomes
// the status.Network that is shown. News carries events to disk and to who listens. A
// Front lets desks be exchanged.
package desk

import (
	"context"
	"slices"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

// A Verb is what may be asked for.
type Verb string

const (
	Switchover Verb = "switchover" // To may be "" when there is one stand-by
	Sync       Verb = "sync"
	Stop       Verb = "stop"  // stop Zigbee2MQTT on To and silence its stick
	Start      Verb = "start" // start the node that was active last, when nobody is
	Hold       Verb = "hold"
	Release    Verb = "release"

	// These are for persons only, who have looked.
	Seed     Verb = "seed"     // restart the active once, so that the stand-bys' sticks can be loaded
	Failover Verb = "failover" // To takes over from a node that cannot serve any more; To may be "" when there is one stand-by
	Accept   Verb = "accept"   // Generation, which was refused, is what the network is from now on
	Restore  Verb = "restore"  // bring Generation back onto the active
	Repair   Verb = "repair"   // restart the active, To, where it is
	Return   Verb = "return"   // make To, which was active once, a stand-by
	// Acknowledge says that the last failover is dealt with, so another one may follow.
	Acknowledge Verb = "acknowledge"

	// Silence ends To, which speaks beside the active. It is decided, never asked for: a
	// person stops a node.
	Silence Verb = "silence"
)

// verbs are all of them.
var verbs = []Verb{Switchover, Sync, Stop, Start, Hold, Release, Seed, Failover, Accept, Restore, Repair, Return, Acknowledge}

// personal says that no automation may ask for v.
func (v Verb) personal() bool {
	return slices.Contains([]Verb{Seed, Failover, Accept, Restore, Repair, Return, Acknowledge}, v)
}

// A Request is something that a person or an automation wants.
type Request struct {
	Network string // "" when there is only one
	Verb    Verb
	To      string // node; see the verbs
	By      string // who asks, as it is shown and journaled: "Owner on the page", "MQTT"
	// AcceptChange takes a capture that is unlike the last good one.
	AcceptChange bool
	// Generation is what Accept and Restore are about.
	Generation int
	// Confirmed is a person's word, for Failover, that the stick of the node that is lost
	// has no power, and whose word; "" without one.
	Confirmed string
	// From is the node that a Failover leaves, as whoever asks has seen it; another one is
	// refused. "" takes the one that was active last.
	From string
	// DespiteHold starts the node that was active last although the network is on hold. The
	// hold stays. Only for Start, and only for a person.
	DespiteHold bool
	// Cause is why; Ask sets it.
	Cause status.Cause
	// Unattended says that it may come from an automation, with nobody looking.
	Unattended bool
}

// A Preview is what a Request would do if it were made now.
type Preview struct {
	Request      Request
	Plan         plan.Plan          // zero for Hold, Release and Accept
	Steps        []engine.Explained // with the exact remote commands
	Interruption Interruption
	Why          []string // why the capture was refused, for Accept
	NeedsWord    bool     // for Failover: it is refused without Confirmed
}

// An Interruption is how long the home is expected to have no Zigbee.
type Interruption struct {
	None     bool          // Zigbee goes on all the time
	Forever  bool          // until somebody starts a node again
	Expected time.Duration // 0 when it cannot be said
	Measured bool          // Expected is that of the last run of that kind; otherwise an estimate
	AtMost   time.Duration // sum of what the dark steps may take
}

// Service is what the desk offers to whoever stands before it.
type Service interface {
	// Networks is what was seen last, in the order of the configuration.
	Networks() []status.Network
	// Preview says what r would do now. It looks afresh, changes nothing, and fails
	// with a *network.RefusedError when r would be refused.
	Preview(ctx context.Context, r Request) (Preview, error)
	// Ask begins r and returns its run id ("" for Hold, Release and Accept, which are done
	// when it returns). It fails with a *network.RefusedError when nothing was begun; that is
	// told as an event too. How a run ends is told by events and Networks.
	Ask(ctx context.Context, r Request) (run string, err error)
	// Look asks for a fresh look soon and does not wait for it.
	Look(network string)
	// Changed returns a channel that is closed at the next change of Networks.
	Changed() <-chan struct{}
	// Listen calls tell once for every event from now on, in order, until cancel is
	// called. tell must return quickly.
	Listen(tell func(status.Event)) (cancel func())
}
