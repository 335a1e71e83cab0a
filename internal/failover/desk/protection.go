package desk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/odometer"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/failover/status"
)

const (
	// oldCopy is how old the last accepted copy may be before the network counts as less
	// protected. That it is older than it should be is told much earlier; see fresh.
	oldCopy = 24 * time.Hour
	// missedLooks is how many looks may be missing before nothing is known any more.
	missedLooks = 3
)

// A situation is everything that protection is judged by.
type situation struct {
	now, looked time.Time // looked is zero before the first look
	every       time.Duration
	lookErr     error

	run      string // what is being carried out, "" when nothing is
	busy     bool   // something was asked for, so there are no looks
	settling bool   // a run has ended since the last look
	hold     status.Hold
	holdErr  error // the hold could not be read: it counts

	open     string // run that was cut off or stopped, "" when none
	openWhy  string // why it could not be settled yet
	active   string
	speakers []string // nodes that run Zigbee2MQTT

	checks     []readiness.Check // of the last look
	candidates []candidate
	synced     time.Time        // last accepted copy
	unproven   string           // what could not be proven when the active took over
	used       odometer.Warning // how much of what a counter can hold is used
	forgotten  string           // why it is not known what was acknowledged, "" when it is

	live       bool      // the running stick is backed up on schedule
	backedUp   time.Time // when that was done last
	refused    int       // number of a capture that was refused, 0 when none was
	refusedWhy string
}

// A verdict is how well a network is protected, and why not better.
type verdict struct {
	is      status.Protection
	beneath status.Protection // what it would be without run and hold
	reasons []status.Reason   // the weightiest first
	worst   status.Reason     // why it is Unprotected beneath, zero when it is not
}

// judge is the one place where protection is decided.
func judge(s situation) verdict {
	grave, slight := s.grave(), s.slight()
	v := verdict{beneath: status.Protected, reasons: unique(slices.Concat(grave, slight))}
	switch {
	case len(grave) > 0:
		v.beneath, v.worst = status.Unprotected, grave[0]
	case len(slight) > 0:
		v.beneath = status.Degraded
	}
	v.is = v.beneath
	switch {
	case s.run != "":
		v.is, v.reasons = status.Acting, []status.Reason{{What: s.run + " is being carried out"}}
	case s.held():
		v.is, v.reasons = status.Held, append([]status.Reason{s.holdReason()}, v.reasons...)
	case s.settling:
		v.is, v.reasons = status.Acting, []status.Reason{{What: "a plan has just ended; the hosts are being looked at"}}
	}
	return v
}

func (s situation) held() bool { return s.hold.On || s.holdErr != nil }

func (s situation) holdReason() status.Reason {
	const fix = "release the hold when you want it to act again"
	if s.holdErr != nil {
		return status.Reason{What: "whether it is on hold cannot be read, so it counts as held: " + s.holdErr.Error(), Fix: fix}
	}
	what := "on hold since " + s.hold.Since.Local().Format(time.DateTime)
	if s.hold.By != "" {
		what += " (" + s.hold.By + ")"
	}
	return status.Reason{What: what, Fix: fix}
}

// grave is what leaves the network without anybody who could take over.
func (s situation) grave() []status.Reason {
	out := s.blind()
	if s.open != "" {
		out = append(out, s.openReason())
	}
	switch {
	case s.looked.IsZero():
		return out
	case len(s.speakers) > 1:
		out = append(out, s.reasonOf("one-active", strings.Join(s.speakers, " and ")+" run Zigbee2MQTT"))
	case s.active == "":
		out = append(out, s.reasonOf("one-active", "no node is active"))
	case !slices.ContainsFunc(s.candidates, candidate.ready):
		out = append(out, s.against(readiness.Check.Blocks)...)
		if len(out) == 0 {
			out = append(out, status.Reason{What: "there is no stand-by", Fix: "add a second node"})
		}
	}
	return out
}

// blind is why the looks say nothing.
func (s situation) blind() []status.Reason {
	switch {
	case s.lookErr != nil:
		return []status.Reason{{What: "the last look did not work: " + s.lookErr.Error()}}
	case s.looked.IsZero():
		return []status.Reason{{What: "it has not been looked at yet"}}
	case s.now.Sub(s.looked) > missedLooks*s.every && !s.busy:
		return []status.Reason{{What: fmt.Sprintf("the last look is %s old", s.now.Sub(s.looked).Round(time.Second))}}
	}
	return nil
}

func (s situation) openReason() status.Reason {
	r := status.Reason{What: "run " + s.open + " was cut off", Fix: "it is finished or taken back soon"}
	switch {
	case s.held():
		r.Fix = "release the hold, and it is finished or taken back"
	case s.openWhy != "":
		r.What, r.Fix = s.openWhy, helpFix
	}
	return r
}

// slight is what needs attention although somebody could take over.
func (s situation) slight() []status.Reason {
	if s.looked.IsZero() {
		return nil
	}
	out := s.against(func(readiness.Check) bool { return true })
	switch {
	case s.synced.IsZero():
		out = append(out, status.Reason{What: "no copy of the data was made yet", Fix: "sync now"})
	case s.now.Sub(s.synced) > oldCopy:
		out = append(out, status.Reason{What: fmt.Sprintf("the last copy of the data is %.0f hours old", s.now.Sub(s.synced).Hours()), Fix: "sync now"})
	case s.live && s.backedUp.IsZero():
		out = append(out, status.Reason{Node: s.active, What: "no backup of the running stick was made yet", Fix: "sync now"})
	case s.live && s.now.Sub(s.backedUp) > oldCopy:
		out = append(out, status.Reason{Node: s.active, Fix: "sync now",
			What: fmt.Sprintf("the last backup of the running stick is %.0f hours old", s.now.Sub(s.backedUp).Hours())})
	}
	if s.refused != 0 {
		out = append(out, status.Reason{Node: s.active, What: s.refusedWhy, Fix: acceptFix(s.refused)})
	}
	if s.unproven != "" {
		out = append(out, status.Reason{Node: s.active, What: "when it took over, not all could be proven: " + s.unproven,
			Fix: "see that your devices answer"})
	}
	return append(out, s.lasting()...)
}

// lasting is what is so for long, and what only a person can change.
func (s situation) lasting() (out []status.Reason) {
	if s.used != odometer.NoWarning {
		out = append(out, status.Reason{What: fmt.Sprintf("%d %% of what a frame counter can hold are used, and it can never be set back", s.used),
			Fix: "give the network a new key when it suits you, with which all devices are paired again: when the counter is used up, no device hears the coordinator any more"})
	}
	if s.forgotten != "" {
		out = append(out, status.Reason{What: s.forgotten, Fix: "see that the disk of the controller is readable"})
	}
	return out
}

// against is what the checks of that kind say, each thing once.
func (s situation) against(which func(readiness.Check) bool) []status.Reason {
	var out []status.Reason
	add := func(checks []readiness.Check) {
		for _, c := range failing(checks) {
			if c.ID != checkInterview && which(c) {
				out = append(out, status.Reason{Node: c.Node, What: c.Evidence, Fix: c.Fix})
			}
		}
	}
	add(s.checks)
	for _, c := range s.candidates {
		add(c.failing)
	}
	return out
}

// reasonOf is what a check that fails says, or otherwise if there is none.
func (s situation) reasonOf(id, otherwise string) status.Reason {
	for _, c := range s.checks {
		if c.ID == id && !c.OK {
			return status.Reason{Node: c.Node, What: c.Evidence, Fix: c.Fix}
		}
	}
	return status.Reason{What: otherwise}
}

func unique(list []status.Reason) []status.Reason {
	var out []status.Reason
	for _, r := range list {
		r.What, r.Fix = flat(r.What), flat(r.Fix)
		if !slices.ContainsFunc(out, func(x status.Reason) bool { return x.Node == r.Node && x.What == r.What }) {
			out = append(out, r)
		}
	}
	return out
}
