package decide

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"z2mha/internal/failover/health"
)

// A situation is an Input with what the rules ask of it.
type situation struct {
	Input
	now        time.Time
	conditions []health.Condition
	trouble    health.Condition // what is wrong with the active, the zero value when nothing
	memory     Memory
	against    map[Action]Decision // what spoke against an action that a rule has weighed
}

func newSituation(in Input) *situation {
	s := &situation{Input: in, now: in.Health.Now, conditions: health.Assess(in.Health), against: map[Action]Decision{}}
	for _, b := range in.Standbys {
		if !b.Ready && b.Node != in.Health.Recorded {
			s.conditions = append(s.conditions, health.Condition{Kind: health.StandbyNotReady, Node: b.Node, Evidence: slices.Clone(orNil(b.Why))})
		}
	}
	s.trouble = s.find(troubles...)
	s.memory = s.remember()
	return s
}

func orNil(why []string) []string {
	if len(why) == 0 {
		return []string{"it is not said why"}
	}
	return why
}

// troubles are what keeps the active from serving, and Starting, which may end well.
var troubles = []health.Kind{health.DongleMissing, health.ProcessGone, health.HostLostBridgeOffline,
	health.RadioDead, health.BridgeSilent, health.BridgeOffline, health.Starting}

// doubts are why nothing may be done about anything.
var doubts = []health.Kind{health.ControllerIsolated, health.BrokerUnreachable, health.ClockJumped, health.NotKnown}

// find is the first condition of these kinds, in their order.
func (s *situation) find(kinds ...health.Kind) health.Condition {
	for _, k := range kinds {
		for _, c := range s.conditions {
			if c.Kind == k {
				return c
			}
		}
	}
	return health.Condition{}
}

// is says that a condition holds.
func (s *situation) is(k health.Kind) bool { return s.find(k).Kind != "" }

// remember counts how long it has been so. While nothing may be decided, because a person
// holds the network, a run is under way or the evidence is in doubt, nothing is counted.
func (s *situation) remember() Memory {
	m, node := s.Memory, s.trouble.Node
	if s.trouble.Kind == "" || s.State.Held != "" || s.State.Busy != "" || s.State.Open != "" || s.find(doubts...).Kind != "" {
		return Memory{}
	}
	looked := s.node(node).Looked
	// Who has not looked for long does not know that it was so without a break.
	gap := health.Age(looked, m.Looked) > health.Fresh
	if m.Node != node || m.Out.IsZero() || gap || health.Age(s.now, m.Out) < 0 {
		return Memory{Trouble: s.trouble.Kind, Node: node, Since: s.now, Out: s.now, Looks: 1, Looked: looked}
	}
	if m.Trouble != s.trouble.Kind || health.Age(s.now, m.Since) < 0 {
		m.Trouble, m.Since = s.trouble.Kind, s.now
	}
	if !looked.Equal(m.Looked) {
		m.Looks, m.Looked = m.Looks+1, looked
	}
	return m
}

// since is how long it is just this that is wrong, out how long anything is.
// Both are 0 when nothing is wrong.
func (s *situation) since() time.Duration { return s.age(s.memory.Since) }
func (s *situation) out() time.Duration   { return s.age(s.memory.Out) }

func (s *situation) age(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return health.Age(s.now, t)
}

func (s *situation) node(name string) health.Node {
	for _, n := range s.Health.Nodes {
		if n.Name == name {
			return n
		}
	}
	return health.Node{Name: name}
}

func (s *situation) stance(name string) health.Stance { return s.node(name).Stance(s.now) }

// active is the node on record.
func (s *situation) active() string { return s.Health.Recorded }

func (s *situation) speaksAgainst(a Action, d Decision) {
	if _, known := s.against[a]; !known && len(d.Reasons) > 0 {
		s.against[a] = d
	}
}

// finish adds what every decision carries.
func (s *situation) finish(d Decision) Decision {
	d.Conditions, d.Memory = s.conditions, s.memory
	for _, a := range Actions {
		if a == d.Action {
			continue
		}
		d.Not = append(d.Not, s.notDone(a, d))
	}
	return legible(d)
}

// legible replaces each byte that is no text, as a program on a host may have said it, by
// the sign for that. Stored and read again, the decision is then the same.
func legible(d Decision) Decision {
	texts := []*string{&d.Node, &d.To}
	if d.Question != nil {
		texts = append(texts, &d.Question.ID, &d.Question.Text, &d.Question.Fix)
	}
	for i := range d.Reasons {
		texts = append(texts, &d.Reasons[i])
	}
	for i := range d.Not {
		texts = append(texts, &d.Not[i].Node, &d.Not[i].To, &d.Not[i].Why)
	}
	for i := range d.Conditions {
		texts = append(texts, &d.Conditions[i].Node)
		for j := range d.Conditions[i].Evidence {
			texts = append(texts, &d.Conditions[i].Evidence[j])
		}
	}
	for _, t := range texts {
		if !utf8.ValidString(*t) {
			*t = string([]rune(*t))
		}
	}
	return d
}

// notDone is the reason of the rule for a, or, when another rule decided first, the
// reason of that one.
func (s *situation) notDone(a Action, d Decision) Alternative {
	own, weighed := s.against[a]
	switch {
	case weighed:
		return Alternative{Action: a, Node: own.Node, To: own.To, Why: own.Reasons[0]}
	case usually[a] != "":
		return Alternative{Action: a, Why: usually[a]}
	}
	return Alternative{Action: a, Why: d.Reasons[0]}
}

// usually is said of actions that no rule of their own weighs.
var usually = map[Action]string{
	Nothing: "there is something to do, or to say",
	Wait:    "nothing has to be so for longer",
	Look:    "nothing is left to ask that would tell more now",
	Ask:     "nobody needs to answer anything",
}

// Actions are all, in the order in which Not lists them.
var Actions = []Action{Nothing, Wait, Look, Repair, Failover, ColdStart, Silence, Return, Correct, Rehearse, FailBack, Ask}

// failed is the last try of an action with a node that came to nothing within d.
func (s *situation) failed(a Action, node string, d time.Duration) (Tried, bool) {
	for _, t := range slices.Backward(s.State.Tried) {
		if t.Action == a && t.Node == node && s.lately(t.At, d) {
			return t, true
		}
	}
	return Tried{}, false
}

// lately says that something was within the last d. A time ahead of our clock counts:
// somebody has set the clock, and too careful is better than too often. One that lies a
// day ahead and more is of a clock that was far off, and would count for ever.
func (s *situation) lately(t time.Time, d time.Duration) bool {
	age := health.Age(s.now, t)
	return age < d && age > -24*time.Hour
}

// within counts the times of the last d.
func (s *situation) within(times []time.Time, d time.Duration) (n int) {
	for _, t := range times {
		if s.lately(t, d) {
			n++
		}
	}
	return n
}

// last is the newest of times that were within the last d, zero when there is none.
func (s *situation) last(times []time.Time, d time.Duration) (newest time.Time) {
	for _, t := range times {
		if !s.lately(t, d) {
			continue
		}
		if newest.IsZero() || health.Age(t, newest) > 0 {
			newest = t
		}
	}
	return newest
}

func (s *situation) ago(t time.Time) string { return health.Ago(s.now, t) }

func reason(format string, args ...any) []string { return []string{fmt.Sprintf(format, args...)} }
