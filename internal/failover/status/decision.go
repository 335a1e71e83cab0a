package status

import (
	"time"

	"z2mha/internal/failover/decide"
)

// ByController is who asks when nobody does.
const ByController = "the controller"

// A Decision is what the controller has decided about a network, in words.
type Decision struct {
	Number int       // under which it is kept, 0 when it is not: z2mha why NUMBER
	At     time.Time // when it was decided last, Since since when it is the same
	Since  time.Time
	Action decide.Action
	Node   string
	To     string
	// Reasons are why, in order, and Not is every other thing that was weighed. Told are the
	// reasons as they were at Since: they do not change with every look.
	Reasons  []string
	Told     []string
	Not      []decide.Alternative
	Question *decide.Question // for a person, nil when there is none
	// Refused is why what was decided was not begun when it was tried last, and Again when
	// it is tried anew; "" when it was not refused.
	Refused string
	Again   time.Time
}

// Summary is the decision in one sentence: what is done, or why nothing is.
func (d *Decision) Summary() string {
	if d == nil || len(d.Reasons) == 0 {
		return ""
	}
	return d.Reasons[0]
}

// Notes are what must not be forgotten of a network's watch over a restart, beside what
// the journal tells. The page, the command line and the server may write them.
type Notes struct {
	// Acknowledged is when a person has last said that the last failover is dealt with.
	Acknowledged time.Time `json:"acknowledged,omitzero"`
	By           string    `json:"by,omitempty"`
	// Rehearsed is the last wanted rehearsal that was dealt with, made or skipped.
	Rehearsed time.Time `json:"rehearsed,omitzero"`
	// Forgot is when the journal came out of a backup: what was done by itself before that
	// may be missing in it, so it counts as a failover.
	Forgot time.Time `json:"forgot,omitzero"`
	// Errand is what a person has asked for on the command line beside a server, which
	// takes it out before it acts; nil when there is none.
	Errand *Errand `json:"errand,omitempty"`
}

// An Errand is a person's request on its way from one program to another.
type Errand struct {
	At          time.Time `json:"at"`
	By          string    `json:"by"`
	Verb        string    `json:"verb"`           // in the words of package desk
	From        string    `json:"from,omitempty"` // node that a failover leaves, as the person has seen it
	To          string    `json:"to,omitempty"`
	Confirmed   string    `json:"confirmed,omitempty"`
	DespiteHold bool      `json:"despite_hold,omitempty"`
}
