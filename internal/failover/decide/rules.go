package decide

import (
	"fmt"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/health"
)

// A Rule is one rule of action. They are asked in order, and the first one that decides
// ends it. One that does not says, as the first reason, what speaks against its action.
type Rule struct {
	Name   string
	Says   string // in a sentence, for docs/rules-of-action.md
	Action Action // what it decides for when it does
	Judge  func(*situation) (Decision, bool)
}

// rules are all, in order.
var rules = []Rule{
	{"hold", "Hold wins: a held network is looked at and told about, and nothing is done. When nobody serves and a cold start is possible, a person is offered to start it in one step.", Nothing, hold},
	{"busy", "One thing at a time: while a run is under way, nothing else is begun.", Nothing, busy},
	{"open run", "A run that was cut off and could not be settled needs a person first.", Ask, openRun},
	{"doubt", "Doubt means stay: broker down, controller isolated, clock set, evidence missing or contradicting itself.", Nothing, doubt},
	{"two active", "Two active: if both can be asked and the record names one, the other one is silenced, also in the cool-down; otherwise nothing is touched and a person is asked.", Silence, twoActive},
	{"stranger", "Somebody who is none of the nodes speaks on the base topic: a person is asked.", Ask, stranger},
	{"another serves", "Another node serves than the one on record: Zigbee works, nothing is touched, and a person is asked.", Ask, otherServes},
	{"nothing on record", "Without a record of who was active last, nobody is started and nothing moves.", Ask, nothingOnRecord},
	{"late last will", "A last will of an old connection that came too late is put right, on fresh evidence of the active node.", Correct, lateLastWill},
	{"only our way is gone", "A host that cannot be reached while its Zigbee2MQTT answers has no trouble: Zigbee works, it is our way to the host that does not.", Nothing, onlyOurWay},
	{"stopped on purpose", "What a person has stopped stays stopped.", Nothing, stoppedOnPurpose},
	{"starting", "Zigbee2MQTT that starts is given two minutes, and three in all when it has begun again and again.", Wait, starting},
	{"service manager", "A service manager that starts Zigbee2MQTT again by itself is waited for.", Wait, respawn},
	{"settle", "The evidence must be the same for a moment, at two looks or more.", Wait, settle},
	{"cold start", "Nobody is active and all others were proven in HOLD: the node that was active last is started again, with raised counters; the cool-down does not matter. What broke under our eyes is repaired in place first.", ColdStart, coldStart},
	{"repair", "Repair in place comes first: a mute stick is reset, the service is restarted, once, and a few times an hour at most.", Repair, repair},
	{"confirm", "Before a failover the trouble must have lasted for the confirm time.", Wait, confirm},
	{"start again", "When nobody may take over, and nobody is active, the node that was active last is cold started instead.", ColdStart, startAgain},
	{"cool-down", "After an automatic failover there is no other one during the cool-down, unless a person has acknowledged it.", Ask, coolDown},
	{"daily cap", "There are only so many automatic failovers a day.", Ask, dailyCap},
	{"stand-by", "Only a ready stand-by takes over: warm before cold, the freshest generation first, then the order of the configuration.", Ask, standby},
	{"one voice", "No failover while a further node may be on air: every other stick is proven in HOLD, or its host can be asked.", Ask, oneVoice},
	{"fence", "No proof, no activation: the old node can be asked, or an external fence is configured and has not just failed, or the risk was accepted in so many words; otherwise a person is asked.", Ask, fence},
	{"failover", "The best ready stand-by takes over.", Failover, failover},
	{"return", "A node that was active once and comes back is made a stand-by, when nothing else is wrong.", Return, returning},
	{"fail back", "There is no way back by itself, unless a node is named for it: when it is ready and the network is healthy and stable.", FailBack, failBack},
	{"rehearse", "A rehearsal that is due is held when the network is healthy, a stand-by is ready, and nobody is joining.", Rehearse, rehearse},
	{"look", "When all else is well, what can still be asked is asked: devices, then the stick, then the stick for everything. Asking goes on beside all of this, also on hold.", Look, look},
	{"nothing", "Otherwise nothing is done.", Nothing, nothing},
}

// Rules are the rules of action in order, for people.
func Rules() []Rule { return append([]Rule(nil), rules...) }

// pass lets the next rule decide; why speaks against this rule's action, "" when its
// action is one that others decide for, too.
func pass(why string, args ...any) (Decision, bool) {
	if why == "" {
		return Decision{}, false
	}
	return Decision{Reasons: reason(why, args...)}, false
}

// stay decides for Nothing.
func stay(reasons ...string) (Decision, bool) {
	return Decision{Action: Nothing, Reasons: reasons}, true
}

// wait decides to look again, at the latest at a time; one that is past is the next look.
func (s *situation) wait(until time.Time, reasons ...string) (Decision, bool) {
	if health.Age(s.now, until) >= 0 {
		until = time.Time{}
	}
	return Decision{Action: Wait, Node: s.trouble.Node, Reasons: reasons, Again: until}, true
}

// ask decides for a question.
func ask(node, to string, q Question, reasons ...string) (Decision, bool) {
	return Decision{Action: Ask, Node: node, To: to, Question: &q, Reasons: reasons}, true
}

// act decides for an action, or for asking a person when nothing is to be done by itself.
func (s *situation) act(d Decision, asPerson string) (Decision, bool) {
	if s.Policy.Automatic {
		return d, true
	}
	q := Question{ID: fmt.Sprintf("%s %s", d.Action, who(d)), Text: d.Reasons[0], Fix: asPerson}
	return ask(d.Node, d.To, q, append(reason("acting by itself is switched off, so a person is asked: %s", d.Reasons[0]), d.Reasons[1:]...)...)
}

func who(d Decision) string {
	if d.Node == "" {
		return d.To
	}
	return d.Node
}

// wrong is the trouble in a few words: "attic: process gone for 12 s".
func (s *situation) wrong() string {
	return fmt.Sprintf("%s: %s %s", s.trouble.Node, s.trouble.Kind, health.For(s.now, s.memory.Out))
}

func hold(s *situation) (Decision, bool) {
	if s.State.Held == "" {
		return pass("")
	}
	held := "the network is on hold: " + s.State.Held
	if s.find(doubts...).Kind == "" && s.State.Busy == "" && s.State.Open == "" && s.State.Stopped == "" && s.is(health.NoneActive) && s.is(health.ProcessGone) {
		return ask(s.active(), "", Question{ID: "start " + s.active(),
			Text: fmt.Sprintf("Nobody serves the home, and the network is on hold. %s was active last and can be started.", s.active()),
			Fix:  fmt.Sprintf("Press “Start %s” on the page, or run `z2mha start %s --despite-hold`.", s.active(), s.active()),
		}, held, s.wrongEvidence())
	}
	return stay(held)
}

// wrongEvidence is the trouble with what shows it, while nothing is counted.
func (s *situation) wrongEvidence() string {
	return fmt.Sprintf("%s: %s; %s", s.trouble.Node, s.trouble.Kind, s.trouble.Evidence[0])
}

func busy(s *situation) (Decision, bool) {
	if s.State.Busy == "" {
		return pass("")
	}
	return stay("something is under way: " + s.State.Busy)
}

func openRun(s *situation) (Decision, bool) {
	if s.State.Open == "" {
		return pass("")
	}
	return ask("", "", Question{ID: "open run", Text: "A run was cut off and could not be settled: " + s.State.Open + ".",
		Fix: "Look at the run on the page or with `z2mha list`; the next run takes it up first."},
		"a run was cut off and is not settled: "+s.State.Open)
}

func doubt(s *situation) (Decision, bool) {
	c := s.find(doubts...)
	if c.Kind == "" {
		return pass("")
	}
	return stay(append(reason("%s, so nothing is done: %s", named(c), c.Evidence[0]), c.Evidence[1:]...)...)
}

func named(c health.Condition) string {
	if c.Node == "" {
		return string(c.Kind)
	}
	return c.Node + ": " + string(c.Kind)
}

func twoActive(s *situation) (Decision, bool) {
	c := s.find(health.TwoActive)
	if c.Kind == "" {
		return pass("there are no two active nodes")
	}
	if c.Node == "" {
		return ask("", "", Question{ID: "two active", Text: "Two Zigbee2MQTT of this network seem to run, and nobody can tell which one is too many.",
			Fix: "Look which hosts run Zigbee2MQTT and stop all but one with `z2mha stop NODE`."},
			append(reason("two nodes are active, and it cannot be told which is too many"), c.Evidence...)...)
	}
	if t, bad := s.failed(Silence, c.Node, retry); bad {
		return ask(c.Node, s.active(), Question{ID: "silence " + c.Node, Text: fmt.Sprintf("%s speaks although %s is the active node, and it could not be silenced: %s.", c.Node, s.active(), t.Why),
			Fix: fmt.Sprintf("Pull the stick out of %s, or stop Zigbee2MQTT there.", c.Node)},
			append(reason("%s speaks beside %s and could not be silenced %s: %s", c.Node, s.active(), s.ago(t.At), t.Why), c.Evidence...)...)
	}
	d := Decision{Action: Silence, Node: c.Node, To: s.active(),
		Reasons: append(reason("%s speaks although %s is the active node; both can be asked", c.Node, s.active()), c.Evidence...)}
	return s.act(d, fmt.Sprintf("Run `z2mha stop %s`.", c.Node))
}

func stranger(s *situation) (Decision, bool) {
	c := s.find(health.StrangerActive)
	if c.Kind == "" {
		return pass("")
	}
	return ask("", "", Question{ID: "stranger", Text: "A Zigbee2MQTT speaks on this network's base topic and is none of its nodes.",
		Fix: "Find it and stop it, or give it another base topic. If it is one of the hosts, add that host in the set-up."},
		append(reason("somebody speaks who is none of the nodes"), c.Evidence...)...)
}

func otherServes(s *situation) (Decision, bool) {
	c := s.find(health.OtherActive)
	if c.Kind == "" {
		return pass("")
	}
	return ask(c.Node, s.active(), Question{ID: "active " + c.Node, Text: fmt.Sprintf("%s serves the home, and %s is on record as the active node.", c.Node, s.active()),
		Fix: fmt.Sprintf("If %s shall go on serving: see that the stick of %s has no power, then look again with `z2mha preflight`. If not: run `z2mha stop %s`, then `z2mha start %s`.", c.Node, s.active(), c.Node, s.active())},
		append(reason("%s serves the home although %s is on record; Zigbee works, so nothing is touched", c.Node, s.active()), c.Evidence...)...)
}

func nothingOnRecord(s *situation) (Decision, bool) {
	c := s.find(health.NothingOnRecord)
	if c.Kind == "" {
		return pass("")
	}
	if serves := s.find(health.Healthy, health.Unproven, health.Starting); serves.Kind != "" {
		return stay(append(c.Evidence, serves.Evidence...)...)
	}
	return ask("", "", Question{ID: "record", Text: "It is not on record which node serves the home.",
		Fix: "Start Zigbee2MQTT by hand on the node whose devices are paired; it is recognised by itself."},
		c.Evidence...)
}

func onlyOurWay(s *situation) (Decision, bool) {
	c := s.find(health.HostLostBridgeOnline)
	if c.Kind == "" {
		return pass("")
	}
	return stay(append(reason("%s cannot be reached, and its Zigbee2MQTT answers: Zigbee works", c.Node), c.Evidence...)...)
}

func stoppedOnPurpose(s *situation) (Decision, bool) {
	if s.State.Stopped == "" || broken.StartsStopped || !s.is(health.ProcessGone) && !s.is(health.DongleMissing) {
		return pass("")
	}
	return stay(fmt.Sprintf("%s was stopped on purpose: %s", s.active(), s.State.Stopped))
}

func lateLastWill(s *situation) (Decision, bool) {
	c := s.find(health.LateLastWill)
	if c.Kind == "" {
		return pass("the retained state is not contradicted by fresh evidence")
	}
	if t, bad := s.failed(Correct, c.Node, retry); bad {
		return pass("it was tried %s: %s", s.ago(t.At), t.Why)
	}
	return Decision{Action: Correct, Node: c.Node, Reasons: append(reason("the broker keeps \"offline\" of a connection that is gone, and %s serves", c.Node), c.Evidence...)}, true
}

// look says what is being asked. Whoever gathers the evidence asks by himself, by the same
// health.NextProbe, whatever is decided.
func look(s *situation) (Decision, bool) {
	what, when := health.NextProbe(s.Health)
	if what == health.ProbeNone || health.Age(s.now, when) < 0 {
		return pass("")
	}
	d := Decision{Action: Look, Node: s.active(), Reasons: reason("%s: %s", what, whyProbe[what])}
	d.Reasons = append(d.Reasons, s.leftOver()...)
	return d, true
}

var whyProbe = map[health.Probe]string{
	health.ProbeBridge:           "what Zigbee2MQTT said last is in doubt, or long ago, so it is asked to speak",
	health.ProbeDevices:          "no device was heard for longer than usual, so mains devices are asked",
	health.ProbeStick:            "no device answers, so the stick is asked for something that it must answer itself",
	health.ProbeCoordinatorCheck: "the stick has not answered, so it is asked once more, thoroughly, before it is called dead",
}
