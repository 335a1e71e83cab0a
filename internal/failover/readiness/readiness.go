// Package readiness turns looks at the nodes into a list of checks: what holds,
// what does not, how that is known, and what a person can do about it. It is pure:
// the same looks give the same list.
package readiness

import (
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/network"
)

// MinFreeBytes is what staging, the old data and some room to breathe need.
const MinFreeBytes = 50 << 20

// A Check is one line of the readiness list.
type Check struct {
	ID       string `json:"id"`   // stable, for automations: "stopped"
	Node     string `json:"node"` // "" when it is about the whole network
	What     string `json:"what"` // the question, as a statement that should hold
	OK       bool   `json:"ok"`
	Warning  bool   `json:"warning,omitempty"` // not OK, but no reason to refuse
	Evidence string `json:"evidence"`
	Fix      string `json:"fix,omitempty"` // one sentence, only when not OK
}

// Blocks says that nothing may be moved while this check fails.
func (c Check) Blocks() bool { return !c.OK && !c.Warning }

// A View is what was seen of one node.
type View struct {
	Name     string
	Observed *network.Observation // nil when it could not be looked at
	Err      error                // why not
	Took     time.Duration        // of the look
	Stick    *network.StickState  // nil when it was not asked or did not answer
	StickErr error
}

// A Bridge is what Zigbee2MQTT said over MQTT during this look.
type Bridge struct {
	Err         error // nothing fresh came, and why
	Node        string
	Version     string
	PermitJoin  bool
	Interviewed []string // devices being interviewed
	Devices     int
}

// Input is everything an assessment looks at.
type Input struct {
	Network    string
	To         string // node that should take over; "" for a sync
	Views      []View
	Bridge     *Bridge // nil when MQTT was not asked
	Recorded   string  // active node as last recorded, "" when never
	Unfinished string  // run that was cut off, "" when none
	Now        time.Time
}

// An Assessment is the list with its conclusion.
type Assessment struct {
	Active string  `json:"active"` // "" when it cannot be told
	Checks []Check `json:"checks"`
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
		case "reachable", "stopped", "stick-answers", "stick-present", "version", "interview", "service":
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
	a := &assessor{in: in}
	a.reachable()
	a.oneActive()
	a.distinct()
	a.bridge()
	for _, v := range in.Views {
		if v.Observed != nil {
			a.node(v)
		}
	}
	a.versions()
	return a.out
}
