package desk

import (
	"context"
	"time"

	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/clues"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
)

// A dossier is what the desk keeps of one network. Desk.mu guards all of it but the
// channels and what is said to belong to the goroutine that attends to the network.
type dossier struct {
	picture
	job       *job               // asked for and not over, nil when none
	closed    bool               // nobody attends to the network any more
	stopLook  context.CancelFunc // ends the look or the capture under way, which gives way
	lookNo    int                // of the look that began last
	delayed   bool               // what is under way was put off
	waiting   int                // previews that are asked for
	told      status.Protection  // last one that was told, "" when none was
	kept      status.Protection  // last one that was kept as an event
	redundant *bool              // last word on it, nil when it was never known
	split     bool               // two speak, and that was told
	helpTold  string             // last cry for help

	refusedFrom time.Time // since when refusals are counted
	refused     int       // and how many there were

	capturing bool          // by schedule, now
	cadence   cadence.State // when to capture next
	changes   []engine.Membership
	leaving   []network.Leaving // not yet on record
	seeded    bool              // what earlier processes captured is known
	served    string            // node that was seen active last
	checked   time.Time         // when the clocks were compared last
	refusal   refusal
	arrivals  chan struct{} // one place: changes came

	littered bool      // something was added to its past since it was tidied
	tidied   time.Time // when that was, zero for never

	bridge   engine.Bridge // nil when nobody listens
	clues    clues.Notes
	stirred  chan struct{} // one place: something has changed at the broker
	glimpsed chan struct{} // one place: what is to be asked must be worked out anew

	recoverAt time.Time // when a run that was cut off is tried again; zero for never

	jobs     chan *job                  // one place: there is one job at most
	previews chan func(context.Context) // carried out between looks and runs
	nudge    chan struct{}              // one place: look soon
	gone     chan struct{}              // closed when nobody attends to it any more

	looked, nextLook, nextSticks time.Time // belong to the goroutine that attends
}

func newDossier(name string, nodes []Node, every time.Duration, rule cadence.Rule) *dossier {
	return &dossier{
		picture:  picture{name: name, nodes: nodes, every: every, rule: rule, past: newPast()},
		jobs:     make(chan *job, 1),
		previews: make(chan func(context.Context)),
		nudge:    make(chan struct{}, 1),
		arrivals: make(chan struct{}, 1),
		gone:     make(chan struct{}),
		stirred:  make(chan struct{}, 1),
		glimpsed: make(chan struct{}, 1),
	}
}

// soon asks whoever attends to the network to look.
func (f *dossier) soon() {
	select {
	case f.nudge <- struct{}{}:
	default:
	}
}

// putOff ends a look that is under way and asks no stick, or a capture by schedule, for
// somebody who waits.
func (f *dossier) putOff() {
	if f.stopLook != nil {
		f.delayed = true
		f.stopLook()
	}
}

// remember takes up the events of earlier starts, the oldest first.
func (f *dossier) remember(events []status.Event) {
	for _, ev := range events {
		f.keep(ev)
		f.refusal.recall(ev)
		switch ev.Type {
		case status.EventProtection:
			f.told, f.kept = ev.Is, ev.Is
			if ev.Is == status.Protected || ev.Is == status.Degraded {
				f.redundant = new(true)
			}
		case status.EventRedundancyLost:
			f.redundant = new(false)
		case status.EventRedundancyRestored:
			f.redundant = new(true)
		}
	}
}

// keep puts ev before those that are shown.
func (f *dossier) keep(ev status.Event) {
	f.events = append([]status.Event{ev}, f.events...)
	if len(f.events) > status.MaxEvents {
		f.events = f.events[:status.MaxEvents]
	}
}
