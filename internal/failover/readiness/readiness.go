// Package readiness turns looks at the nodes, and what is on record of them, into a
// list of checks: what holds, what does not, how that is known and how old that is,
// and what a person can do about it. It is pure: the same looks give the same list.
package readiness

import (
	"slices"
	"strings"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
)

// MinFreeBytes is what staging, the old data and some room to breathe need.
const MinFreeBytes = 50 << 20

// A Check is one line of the readiness list.
type Check struct {
	ID      string `json:"id"`   // stable, for automations: "stopped"
	Node    string `json:"node"` // "" when it is about the whole network
	What    string `json:"what"` // the question, as a statement that should hold
	OK      bool   `json:"ok"`
	Warning bool   `json:"warning,omitempty"` // not OK, but no reason to refuse
	// Note is a Warning that leaves the network as protected as it was: it says which
	// way a move would take, or what fails together.
	Note     bool      `json:"note,omitempty"`
	Evidence string    `json:"evidence"`
	At       time.Time `json:"at,omitzero"`   // of the evidence, zero when it has no age
	Fix      string    `json:"fix,omitempty"` // one sentence, only when not OK
}

// Blocks says that nothing may be moved while this check fails.
func (c Check) Blocks() bool { return !c.OK && !c.Warning }

// Age is how old the evidence is; false when it has no age.
func (c Check) Age(now time.Time) (time.Duration, bool) {
	return max(0, now.Sub(c.At)), !c.At.IsZero()
}

// A View is what was seen of one node.
type View struct {
	Name     string
	Observed *network.Observation // nil when it could not be looked at
	Err      error                // why not
	Took     time.Duration        // of the look
	Stick    *network.StickState  // nil when it was not asked or did not answer
	StickErr error
	StickAt  time.Time // when it was asked
}

// A Bridge is what Zigbee2MQTT said over MQTT during this look.
type Bridge struct {
	Err         error // nothing fresh came, and why
	At          time.Time
	Node        string
	Version     string
	PermitJoin  bool
	Interviewed []string // devices being interviewed
	Devices     int

	Coordinator zigbee.IEEE // 0 when it was not told
	PanID       zigbee.PanID
	ExtPanID    zigbee.ExtPanID
	Channel     zigbee.Channel
	Revision    uint32 // firmware of the stick on air, 0 when it was not told
}

// Known is what the controller knows besides what it sees.
type Known struct {
	Record network.Record
	Newest generation.Generation // newest accepted one, zero when there is none
	// Holds is the network that the known memory of a node's stick tells of. A stick
	// whose memory is not known, or holds none, is not in it.
	Holds       map[string]zigbee.Identity
	HostID      string // of the machine that the controller runs on, "" when not known
	AnyRevision bool   // sticks may differ in their firmware
	Fencing
}

// Input is everything an assessment looks at.
type Input struct {
	Network    string
	To         string // node that should take over; "" for all stand-bys
	Views      []View
	Bridge     *Bridge // nil when MQTT was not asked
	Recorded   string  // active node as last recorded, "" when never
	Unfinished string  // run that was cut off, "" when none
	Now        time.Time
	// Copies says that the memory of one stick is to be brought onto another, whether or not
	// that holds the network already.
	Copies bool
	Known
}

// An Assessment is the list with its conclusion.
type Assessment struct {
	Active string    `json:"active"` // "" when it cannot be told
	At     time.Time `json:"at,omitzero"`
	Checks []Check   `json:"checks"`
}

// Blocking returns the checks that forbid acting.
func (a Assessment) Blocking() []Check {
	var out []Check
	for _, c := range a.Checks {
		if c.Blocks() {
			out = append(out, c)
		}
	}
	return out
}

// ForSync is the assessment for copying data only: what concerns a stand-by's
// stick or service no longer blocks.
func (a Assessment) ForSync() Assessment {
	checks := slices.Clone(a.Checks)
	for i, c := range checks {
		switch c.ID {
		case "reachable", "stopped", "stick-free", "stick-answers", "stick-present", "firmware", "version", "interview", "service", "broker":
			checks[i].Warning = !c.OK
		}
	}
	a.Checks = checks
	return a
}

// Refusal is nil when nothing blocks; otherwise it says all of it at once.
func (a Assessment) Refusal(what string) error {
	blocking := a.Blocking()
	if len(blocking) == 0 {
		return nil
	}
	var why, fix []string
	for _, c := range blocking {
		why = append(why, strings.TrimPrefix(c.Node+": ", ": ")+c.Evidence)
		if c.Fix != "" && !slices.Contains(fix, c.Fix) {
			fix = append(fix, c.Fix)
		}
	}
	return &network.RefusedError{What: what, Why: strings.Join(why, "; "), Remedy: strings.Join(fix, "; ")}
}

// Assess judges in.
func Assess(in Input) Assessment {
	const each = 24 // checks of a node, about
	a := &assessor{in: in, out: Assessment{At: in.Now, Checks: make([]Check, 0, (1+len(in.Views))*each)}}
	a.reachable()
	a.oneActive()
	a.distinct()
	a.bridge()
	a.fenced()
	for _, v := range in.Views {
		if v.Observed != nil {
			a.node(v)
		}
	}
	a.ages()
	return a.out
}
