package plan

import (
	"fmt"
	"strings"
	"time"
)

// Budgets of the rungs on which a node is silenced.
const (
	ResetBudget  = parkBudget
	UnplugBudget = 45 * time.Second
	CutBudget    = 2 * time.Minute // one external fence with its confirmation
)

// Failover plans the move of a network away from a node that cannot serve any more.
// What that node would do is left out: the target starts on the last good generation,
// above everything the network may have used. Where the old stick cannot be reached,
// confirmed is a person's word that it is silent.
//
// Nothing brings the old active back: a way back ends with a silent home.
func Failover(network, from, to string, others []string, generation int, confirmed string, t Timing) Plan {
	p := Plan{Kind: KindFailover, Network: network, From: from, To: to, Others: others, Generation: generation, Confirmed: confirmed}
	p.add(Step{Act: ActDead, Node: from, Budget: lookBudget,
		Title: fmt.Sprintf("see that %s cannot serve, and %s could", from, to),
		Check: "every host that can be reached was looked at, and nobody serves the home"})
	p.park(p.Standbys()...)
	p.add(Step{Act: ActFence, Node: from, Budget: t.Stop + t.Settle + ResetBudget + 3*UnplugBudget, Dark: true,
		Title: fmt.Sprintf("make sure that the stick of %s is silent", from),
		Check: "the stick says so itself (HOLD), or it was taken off USB and is not heard, or a person has given their word"})
	p.add(Step{Act: ActCopy, Node: to, Budget: copyBudget, Dark: true,
		Title: fmt.Sprintf("put the last good generation into staging on %s", to),
		Check: "every file was compared"})
	p.warm(to)
	p.add(Step{Act: ActActivate, Node: to, Budget: parkBudget, Dark: true,
		Title: fmt.Sprintf("see that the stick of %s may start above every counter, and boot it", to),
		Check: "it holds what it shall, and says that it is silent (HOLD)"})
	p.promote(to)
	p.start(to, t)
	p.prove(to, "it is the same network, and it goes on running", t)
	p.record(to)
	p.enable(to)
	return p
}

// Climb names the fences that a failover or a silence may use, in their order, and gives the steps that
// may need them the time.
func (p *Plan) Climb(fences []string) {
	if len(fences) == 0 {
		return
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		switch {
		case s.IfBehind && s.Act == ActFence: // that of the active, which is asked itself
		case s.Act == ActFence && p.Kind == KindSilence:
			s.Check = fmt.Sprintf("the stick says so itself (HOLD); or %s has cut its power, and says so", strings.Join(fences, " or "))
			s.Budget += time.Duration(len(fences)) * CutBudget
		case s.Act == ActFence:
			s.Check = fmt.Sprintf("the stick says so itself (HOLD); or it was taken off USB and is not heard; or %s has cut its power, and says so; or a person has given their word",
				strings.Join(fences, " or "))
			s.Budget += time.Duration(len(fences)) * CutBudget
		case s.Act == ActStart:
			s.Budget += time.Duration(len(fences)) * CutBudget
		}
	}
}

// Seed plans one announced restart of the active, in which its stick is read whole, so
// that the sticks of the stand-bys can be loaded for the first time. From then on they
// are kept current while the home has Zigbee.
func Seed(network, active string, standbys []string, t Timing) Plan {
	p := Plan{Kind: KindSeed, Network: network, From: active, To: active, Others: standbys}
	p.gates(active, "a stand-by")
	p.witness()
	p.park(standbys...)
	p.add(Step{Act: ActCopy, Node: standbys[0], Budget: copyBudget,
		Title: fmt.Sprintf("copy the data of %s to staging on %s while it runs", active, standbys[0]),
		Check: "every copied file was compared"})
	p.stopAndFence(active, t)
	p.readStick(active)
	p.start(active, t)
	p.prove(active, "it is the same network with the same devices, a device answers, and it goes on running", t)
	p.record(active)
	for _, n := range standbys {
		p.warm(n)
	}
	return p
}

// Restore plans to bring a kept generation back onto the active: its data, and the keys
// and devices of its coordinator onto the stick. What is there now is kept first.
// Counters go on from where they are.
func Restore(network, active string, others []string, generation int, t Timing) Plan {
	p := Plan{Kind: KindRestore, Network: network, From: active, To: active, Others: others, Generation: generation}
	p.gates(active, "that generation")
	p.witness()
	p.park(others...)
	p.add(Step{Act: ActCopy, Node: active, Budget: copyBudget,
		Title: fmt.Sprintf("keep the data of %s as it is now, and put generation %d into staging there", active, generation),
		Check: "every file was compared"})
	p.stopAndFence(active, t)
	p.readStick(active)
	p.add(Step{Act: ActRewrite, Node: active, Budget: loadBudget, Dark: true,
		Title: fmt.Sprintf("bring the stick of %s to what generation %d says", active, generation),
		Check: "every written item was read back, and the stick says that it is silent (HOLD)",
		Undo:  fmt.Sprintf("bring the stick of %s back to what it held, with counters raised", active)})
	p.promote(active)
	p.start(active, t)
	p.prove(active, "it is the same network, and it goes on running", t)
	p.record(active)
	return p
}
