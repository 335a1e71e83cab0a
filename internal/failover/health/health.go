// Package health says how a network is, from evidence of several layers: host, service,
// stick, broker, bridge, radio and the controller itself. It is pure, and its input is
// plain data that is stored as it is, so that what was concluded can be concluded again.
//
// What it does not say: what to do about it; see package decide. And a layer that nobody
// could look at is not "dead": a condition needs evidence, not its absence.
package health

import (
	"time"

	"z2mha/internal/failover/network"
)

// Input is everything that is known of one network, each thing with its age.
type Input struct {
	Now        time.Time  `json:"now"`
	Network    string     `json:"network"`
	Recorded   string     `json:"recorded,omitempty"` // node that was proven active last, "" when never
	Since      time.Time  `json:"since,omitzero"`     // since when it is
	Nodes      []Node     `json:"nodes"`              // in the order of the configuration
	Broker     Broker     `json:"broker"`
	Bridge     Bridge     `json:"bridge"`
	Radio      Radio      `json:"radio"`
	Controller Controller `json:"controller"`
}

// A Node is one host with its stick.
type Node struct {
	Name string `json:"name"`
	// Looked is when a look ended last, well or not; Failed is why it did not work, "" when it did.
	Looked time.Time `json:"looked,omitzero"`
	Failed string    `json:"failed,omitempty"`
	// FailingSince is when the first of the looks ended that have failed without a break.
	FailingSince time.Time `json:"failing_since,omitzero"`
	// Seen is the last look that worked, however old; its At says when that was.
	Seen *network.Observation `json:"seen,omitempty"`
	// Stick is what the stick of a stand-by said last. Nobody asks one that is driven.
	Stick *Stick `json:"stick,omitempty"`
	// Silent is when its stick was proven in HOLD; zero when it was started since, or never.
	Silent time.Time `json:"silent,omitzero"`
	// Fenced is what silenced it other than its stick's own word, in words; "" when nothing
	// did, or its stick was read in HOLD since.
	Fenced string `json:"fenced,omitempty"`
}

// A Stick is what a stick said when it was asked.
type Stick struct {
	At     time.Time `json:"at"`
	State  string    `json:"state,omitempty"` // as it says itself: "HOLD"
	Silent bool      `json:"silent,omitempty"`
	Failed string    `json:"failed,omitempty"` // why it did not answer
}

// A Broker is our own connection to the MQTT broker.
type Broker struct {
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"` // since when it is, or is not
	Why       string    `json:"why,omitempty"`  // why not
	// TakeOvers is when the broker was seen to drop Zigbee2MQTT and have it back at once:
	// two instances with one client id throw each other out. The newest are kept, oldest first.
	TakeOvers []time.Time `json:"take_overs,omitempty"`
}

// A Bridge is what Zigbee2MQTT said over MQTT.
type Bridge struct {
	// Online is the last bridge/state, At when it was heard; Kept says that the broker had
	// merely kept it from before we listened. At is zero when there was none.
	Online bool      `json:"online"`
	At     time.Time `json:"at,omitzero"`
	Kept   bool      `json:"kept,omitempty"`
	// Spoke is the last fresh bridge/info, and Node the mark in it: whose data runs.
	Spoke time.Time `json:"spoke,omitzero"`
	Node  string    `json:"node,omitempty"`
	// Asked is when it was asked last to speak, and Unanswered since when it has not
	// answered although it was asked; zero when it has.
	Asked      time.Time `json:"asked,omitzero"`
	Unanswered time.Time `json:"unanswered,omitzero"`
}

// A Radio is the evidence that the active's radio works, or does not.
type Radio struct {
	// Heard is the last fresh message of a device: not one that the broker had kept.
	Heard time.Time `json:"heard,omitzero"`
	// Devices are the mains devices that have answered within a day: those worth asking.
	Devices int `json:"devices"`
	// Pace is how long the pauses between fresh messages have been lately, the longest of
	// them; 0 not known. A pause that is much longer is the first sign of a dead radio.
	Pace time.Duration `json:"pace,omitempty"`
	// DevicesAsked is when some of them were asked last, DevicesSilent since when all that
	// were asked have been silent; zero when one has answered.
	DevicesAsked  time.Time `json:"devices_asked,omitzero"`
	DevicesSilent time.Time `json:"devices_silent,omitzero"`
	// StickAsked is when the stick was asked last, through Zigbee2MQTT, for something that it
	// must answer itself, the coordinator check among it; StickAnswered when it did so last, and StickSilent since when it does
	// not; zero when it has.
	StickAsked    time.Time `json:"stick_asked,omitzero"`
	StickAnswered time.Time `json:"stick_answered,omitzero"`
	StickSilent   time.Time `json:"stick_silent,omitzero"`
}

// A Controller is what is known of ourselves.
type Controller struct {
	Started time.Time `json:"started"`
	// Jumped is when our clock was seen to be set, or we were seen to have stood still.
	Jumped time.Time `json:"jumped,omitzero"`
	// Alone says that nothing at all can be reached, broker and hosts alike: it is our own
	// network that is gone. Since when, and how that is known.
	Alone string `json:"alone,omitempty"`
}

// A Kind names a condition.
type Kind string

const (
	Healthy               Kind = "healthy"                             // the active serves, and its radio was proven
	Unproven              Kind = "unproven"                            // the active serves, its radio could not be proven: only sleeping devices
	Starting              Kind = "starting"                            // Zigbee2MQTT runs and has not spoken yet
	BridgeOffline         Kind = "bridge offline"                      // Zigbee2MQTT said so itself, or the broker for it
	BridgeSilent          Kind = "bridge silent"                       // its process runs, and it does not answer over MQTT
	ProcessGone           Kind = "process gone"                        // the host answers, Zigbee2MQTT does not run there
	RadioDead             Kind = "process alive but radio dead"        // the stick does not answer a running Zigbee2MQTT
	DongleMissing         Kind = "dongle missing"                      // the active's stick is not plugged in any more
	HostLostBridgeOnline  Kind = "host unreachable but bridge online"  // Zigbee works, it is our way to the host that does not
	HostLostBridgeOffline Kind = "host unreachable and bridge offline" // neither the host nor Zigbee2MQTT answers
	BrokerUnreachable     Kind = "broker unreachable"                  // nothing can be heard of Zigbee2MQTT
	ControllerIsolated    Kind = "controller isolated"                 // nothing can be reached: it is us
	ClockJumped           Kind = "clock jumped"                        // ages cannot be trusted yet
	TwoActive             Kind = "two nodes active"                    // Node is the one too many, "" when nobody can tell
	OtherActive           Kind = "another node is active"              // Node serves, and another one is on record
	NoneActive            Kind = "no node active"                      // every node was looked at, and nobody serves
	StandbyNotReady       Kind = "stand-by not ready"                  // said by decide, which knows the reasons
	ReturningExActive     Kind = "returning ex-active"                 // a node that was active once runs, or its stick is not silent
	LateLastWill          Kind = "late last will"                      // the broker keeps "offline" of a connection that is gone, the active serves
	StrangerActive        Kind = "stranger active"                     // somebody speaks on the base topic who is none of the nodes
	NotKnown              Kind = "not known"                           // evidence is missing or contradicts itself
	NothingOnRecord       Kind = "nothing on record"                   // no node was ever proven active
)

// Kinds are all of them.
func Kinds() []Kind {
	return []Kind{Healthy, Unproven, Starting, BridgeOffline, BridgeSilent, ProcessGone, RadioDead, DongleMissing,
		HostLostBridgeOnline, HostLostBridgeOffline, BrokerUnreachable, ControllerIsolated, ClockJumped, TwoActive, OtherActive,
		NoneActive, StandbyNotReady, ReturningExActive, LateLastWill, StrangerActive, NotKnown, NothingOnRecord}
}

// A Condition is one thing that is so, with the evidence for it.
type Condition struct {
	Kind     Kind     `json:"kind"`
	Node     string   `json:"node,omitempty"` // "" when it is about the whole network
	Evidence []string `json:"evidence"`       // sentences with ages, for people
}
