package health

import (
	"fmt"
	"slices"
	"time"
)

// Assess names every condition that holds, those of the controller first, then those of
// the network, then those of single nodes. There is at least one.
func Assess(in Input) []Condition {
	p := newPicture(in)
	var out []Condition
	for _, look := range []func(picture) []Condition{
		picture.clock, picture.isolated, picture.broker, picture.record,
		picture.two, picture.stranger, picture.other, picture.nobody,
		picture.active, picture.lateWill, picture.returning,
	} {
		out = append(out, look(p)...)
	}
	return out
}

// A picture is an Input with what every condition asks of it.
type picture struct {
	Input
	stance map[string]Stance
	bridge voice
}

func newPicture(in Input) picture {
	p := picture{Input: in, stance: map[string]Stance{}, bridge: listen(in)}
	for _, n := range in.Nodes {
		p.stance[n.Name] = n.Stance(in.Now)
	}
	return p
}

// node is a node by name; one that is not there was never looked at.
func (p picture) node(name string) Node {
	if i := slices.IndexFunc(p.Nodes, func(n Node) bool { return n.Name == name }); i >= 0 {
		return p.Nodes[i]
	}
	return Node{Name: name}
}

// speaking are the nodes on which Zigbee2MQTT was seen to run.
func (p picture) speaking() (out []Node) {
	for _, n := range p.Nodes {
		if p.stance[n.Name].Speaks() {
			out = append(out, n)
		}
	}
	return out
}

// one is a single condition.
func one(k Kind, node string, evidence ...string) []Condition {
	return []Condition{{Kind: k, Node: node, Evidence: slices.DeleteFunc(evidence, func(s string) bool { return s == "" })}}
}

func (p picture) clock() []Condition {
	if !Within(p.Now, p.Controller.Jumped, Settled) {
		return nil
	}
	return one(ClockJumped, "", fmt.Sprintf("our clock was set, or we stood still, %s; ages are trusted again after %s", Ago(p.Now, p.Controller.Jumped), Span(Settled)))
}

// isolated: a house-wide power cut looks the same from here, and asks for the same.
func (p picture) isolated() []Condition {
	if p.Controller.Alone != "" {
		return one(ControllerIsolated, "", p.Controller.Alone)
	}
	var evidence []string
	for _, n := range p.Nodes {
		if p.stance[n.Name] != Lost {
			return nil
		}
		evidence = append(evidence, n.Sight(p.Now))
	}
	if p.Broker.Connected || len(p.Nodes) == 0 {
		return nil
	}
	return one(ControllerIsolated, "", append(evidence, p.noBroker())...)
}

func (p picture) broker() []Condition {
	if p.Broker.Connected {
		return nil
	}
	return one(BrokerUnreachable, "", p.noBroker())
}

func (p picture) noBroker() string {
	s := "the broker cannot be reached " + For(p.Now, p.Broker.Since)
	if p.Broker.Why != "" {
		s += ": " + flat(p.Broker.Why)
	}
	return s
}

func (p picture) record() []Condition {
	switch {
	case p.Recorded == "":
		return one(NothingOnRecord, "", "it is not on record which node was active last")
	case !p.ours(p.Recorded):
		return one(NothingOnRecord, p.Recorded, fmt.Sprintf("%s is on record as the active node, and is none of this network's nodes any more", p.Recorded))
	}
	return nil
}

// two names every node that speaks beside the one on record. When that one does not
// speak, nobody can tell which of several is too many.
func (p picture) two() []Condition {
	speaking := p.speaking()
	if len(speaking) < 2 {
		return append(p.maybeTwo(speaking), p.takenOver()...)
	}
	var evidence []string
	for _, n := range speaking {
		evidence = append(evidence, n.Sight(p.Now))
	}
	if p.stance[p.Recorded] != Runs {
		return one(TwoActive, "", append(evidence, p.node(p.Recorded).Sight(p.Now))...)
	}
	evidence = append(evidence, p.Recorded+" is on record as the active node "+For(p.Now, p.Since))
	var out []Condition
	for _, n := range speaking {
		if n.Name != p.Recorded {
			out = append(out, Condition{TwoActive, n.Name, slices.Clone(evidence)})
		}
	}
	return out
}

// maybeTwo: one runs that is not on record, and nobody can tell whether the one on record
// does, too.
func (p picture) maybeTwo(speaking []Node) []Condition {
	active := p.node(p.Recorded)
	if len(speaking) != 1 || !p.ours(p.Recorded) || speaking[0].Name == p.Recorded || p.hushed(active) {
		return nil
	}
	return one(TwoActive, "", speaking[0].Sight(p.Now), p.Recorded+" is on record as the active node", active.Sight(p.Now), active.Quietness(p.Now))
}

// hushed says that no Zigbee2MQTT drives the stick of n.
func (p picture) hushed(n Node) bool {
	s := p.stance[n.Name]
	return s == Stopped || s == Taken || n.Quiet(p.Now)
}

// takenOver is about two that share a client id: each connects anew when the other one
// has thrown it out, so that the broker sees take-overs in quick succession.
func (p picture) takenOver() []Condition {
	t := p.Broker.TakeOvers
	for i := len(t) - 1; i > 0; i-- {
		if Within(p.Now, t[i], Fresh) && Age(t[i], t[i-1]) <= Together {
			return one(TwoActive, "", fmt.Sprintf("the broker dropped Zigbee2MQTT and had it back at once, twice within %s, last %s: two with one client id throw each other out",
				Span(max(time.Second, Age(t[i], t[i-1]))), Ago(p.Now, t[i])))
		}
	}
	return nil
}

// stranger: somebody speaks, and everybody was looked at and does not run. One node that
// nobody can look at may be the one that speaks.
func (p picture) stranger() []Condition {
	if !p.bridge.speaks() || !p.bridge.lately() || p.ours(p.Bridge.Node) {
		return nil
	}
	var evidence []string
	for _, n := range p.Nodes {
		if s := p.stance[n.Name]; s != Stopped && s != Taken || !after(p.bridge.last, n.Seen.At) {
			return nil
		}
		evidence = append(evidence, n.Sight(p.Now))
	}
	return one(StrangerActive, "", append([]string{p.bridge.says, "no node of this network runs Zigbee2MQTT"}, evidence...)...)
}

// ours says that a mark is the name of one of the nodes.
func (p picture) ours(mark string) bool {
	return slices.ContainsFunc(p.Nodes, func(n Node) bool { return n.Name == mark })
}

// other: exactly one serves, seen over SSH, and it is not the one on record.
func (p picture) other() []Condition {
	speaking := p.speaking()
	active := p.node(p.Recorded)
	if len(speaking) != 1 || speaking[0].Name == p.Recorded || !p.ours(p.Recorded) || !p.hushed(active) {
		return nil
	}
	return one(OtherActive, speaking[0].Name, speaking[0].Sight(p.Now), p.Recorded+" is on record as the active node", active.Sight(p.Now), active.Quietness(p.Now), p.bridge.says)
}

// nobody: every node was looked at and none runs. A node that cannot be looked at counts
// by the proof that its stick was in HOLD.
func (p picture) nobody() []Condition {
	if p.bridge.speaks() && p.bridge.lately() || len(p.Nodes) == 0 {
		return nil
	}
	var evidence []string
	for _, n := range p.Nodes {
		switch s := p.stance[n.Name]; {
		case s == Stopped || s == Taken && n.Name == p.Recorded:
			evidence = append(evidence, n.Sight(p.Now))
		case n.Name != p.Recorded && n.Quiet(p.Now):
			evidence = append(evidence, n.Sight(p.Now), n.Quietness(p.Now))
		default:
			return nil
		}
	}
	return one(NoneActive, "", append(evidence, p.bridge.says)...)
}

// lateWill: "offline" was said of a connection that is gone. Only the node's own word
// after it counts, with its mark, and that it was seen to run.
func (p picture) lateWill() []Condition {
	b := p.Bridge
	if b.At.IsZero() || b.Online || !after(b.Spoke, b.At) || !Within(p.Now, b.Spoke, 2*Fresh) {
		return nil
	}
	speaking := p.speaking()
	if len(speaking) != 1 || p.stance[b.Node] != Runs || speaking[0].Name != b.Node || !b.Unanswered.IsZero() {
		return nil
	}
	return one(LateLastWill, b.Node, fmt.Sprintf("the broker keeps \"offline\", heard %s", Ago(p.Now, b.At)),
		fmt.Sprintf("%s answered after that, %s, with its mark", b.Node, Ago(p.Now, b.Spoke)), speaking[0].Sight(p.Now))
}

// returning are the nodes beside the active one whose sticks may speak, or will at the
// next boot: a home has one voice.
func (p picture) returning() (out []Condition) {
	for _, n := range p.Nodes {
		s := p.stance[n.Name]
		if n.Name == p.Recorded || p.Recorded == "" || !s.Reachable() {
			continue
		}
		switch {
		case s.Speaks():
			out = append(out, one(ReturningExActive, n.Name, n.Sight(p.Now))...)
		case n.Fenced != "":
			out = append(out, one(ReturningExActive, n.Name, n.Sight(p.Now), "it was silenced without its stick's own word, by "+n.Fenced)...)
		case n.loud() || n.Silent.IsZero():
			out = append(out, one(ReturningExActive, n.Name, n.Sight(p.Now), n.Quietness(p.Now))...)
		}
	}
	return out
}
