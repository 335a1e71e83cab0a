package decide

import (
	"fmt"
	"strings"
	"time"

	"z2mha/internal/failover/health"
)

// The rules below are reached only while the active serves.

func returning(s *situation) (Decision, bool) {
	c := s.find(health.ReturningExActive)
	switch {
	case c.Kind == "":
		return pass("no node that was active once has come back")
	case !s.Policy.Return:
		return pass("%s is back, and nodes are not made stand-bys by themselves here: the policy says so", c.Node)
	case s.stance(c.Node) != health.Stopped:
		return pass("%s", s.node(c.Node).Sight(s.now))
	}
	if t, bad := s.failed(Return, c.Node, retry); bad {
		return pass("it was tried with %s %s: %s", c.Node, s.ago(t.At), t.Why)
	}
	d := Decision{Action: Return, Node: c.Node, To: s.active(), Reasons: append(reason("%s is back and %s serves, so %s becomes a stand-by", c.Node, s.active(), c.Node), c.Evidence...)}
	return s.act(d, fmt.Sprintf("Make %s a stand-by: `z2mha return %s`.", c.Node, c.Node))
}

func failBack(s *situation) (Decision, bool) {
	to := s.Policy.FailBack
	switch {
	case to == "":
		return pass("there is no way back by itself: none is asked for in the policy")
	case to == s.active():
		return pass("%s is active already", to)
	}
	if why := s.unfit(to); why != "" {
		return pass("%s", why)
	}
	if health.Age(s.now, s.Health.Since) < s.Policy.CoolDown {
		return pass("%s is active %s; it must be so for %s before the network moves back", s.active(), health.For(s.now, s.Health.Since), health.Span(s.Policy.CoolDown))
	}
	if t, bad := s.failed(FailBack, to, time.Hour); bad {
		return pass("it was tried %s: %s", s.ago(t.At), t.Why)
	}
	d := Decision{Action: FailBack, Node: s.active(), To: to, Reasons: append(reason("%s is the home's first choice and ready again", to), s.serving())}
	return s.act(d, fmt.Sprintf("Run `z2mha switchover --to %s`.", to))
}

func rehearse(s *situation) (Decision, bool) {
	if s.State.Rehearsal == "" {
		return pass("no rehearsal is due")
	}
	to := s.rehearsed()
	if why := s.unfit(to); why != "" {
		return pass("the rehearsal (%s) is skipped: %s", s.State.Rehearsal, why)
	}
	if t, bad := s.failed(Rehearse, to, time.Hour); bad {
		return pass("the rehearsal (%s) was tried %s: %s", s.State.Rehearsal, s.ago(t.At), t.Why)
	}
	return Decision{Action: Rehearse, Node: s.active(), To: to, Reasons: append(reason("a rehearsal is due: %s", s.State.Rehearsal), s.serving())}, true
}

// rehearsed is who takes over in the rehearsal.
func (s *situation) rehearsed() string {
	for _, b := range s.Standbys {
		if b.Node == s.State.Rehearsal {
			return b.Node
		}
	}
	return must(s.best()).Node
}

// unfit is what speaks against a planned move to a node, "" when nothing does.
func (s *situation) unfit(to string) string {
	if !s.is(health.Healthy) {
		return "the network is not known to be healthy: " + string(s.conditions[0].Kind)
	}
	if c := s.find(health.ReturningExActive); c.Kind != "" {
		return fmt.Sprintf("%s is not a stand-by yet: %s", c.Node, c.Evidence[len(c.Evidence)-1])
	}
	if to == "" {
		return "no stand-by is ready: " + strings.Join(s.unready(), "; ")
	}
	for _, b := range s.Standbys {
		if b.Node != to {
			continue
		}
		if why := s.notReady(b); why != "" {
			return why
		}
		return s.joining()
	}
	return to + " is none of the stand-bys"
}

func (s *situation) joining() string {
	switch {
	case s.State.Joining:
		return "joining is open"
	case len(s.State.Interviewing) > 0:
		return "devices are being interviewed: " + health.List(s.State.Interviewing)
	}
	return ""
}

// nothing is reached by whoever serves, and says what is left.
func nothing(s *situation) (Decision, bool) {
	c := s.find(health.Healthy, health.Unproven)
	d := Decision{Action: Nothing, Reasons: append(reason("%s serves", s.active()), c.Evidence...)}
	d.Reasons = append(d.Reasons, s.leftOver()...)
	if what, when := health.NextProbe(s.Health); what != health.ProbeNone {
		d.Again = when
	}
	return d, true
}

// leftOver is what spoke against actions that were wanted.
func (s *situation) leftOver() (why []string) {
	for _, a := range []Action{Rehearse, Return, Correct} {
		if s.worth(a) {
			why = append(why, s.against[a].Reasons[0])
		}
	}
	return why
}

// worth says that an action was wanted and something spoke against it.
func (s *situation) worth(a Action) bool {
	switch a {
	case Rehearse:
		return s.State.Rehearsal != ""
	case Return:
		return s.is(health.ReturningExActive)
	case Correct:
		return s.is(health.LateLastWill)
	}
	return false
}
