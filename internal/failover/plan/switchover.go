package plan

import (
	"fmt"
	"time"
)

// budgets of steps that depend on the stick or the disk rather than on Timing: a
// stick with 19 ms per request needs 25 s for a full read, and a load reads, writes
// and reads back.
const (
	lookBudget    = 60 * time.Second
	witnessBudget = 20 * time.Second
	parkBudget    = 45 * time.Second
	readBudget    = 2 * time.Minute
	loadBudget    = 5 * time.Minute
	copyBudget    = 5 * time.Minute
	promoteBudget = 2 * time.Minute
)

// Switchover plans the careful move of a network from one node to another. others
// are the network's further nodes; they must be proven silent too.
//
// Everything before the first dark step can be given up without a trace. Up to
// ActStart the way back is to start the old active again; after it, the target is
// fenced first and the old stick's counters are raised above the target's.
func Switchover(network, from, to string, others []string, t Timing) Plan {
	return careful(Plan{Kind: KindSwitchover, Network: network, From: from, To: to, Others: others}, t)
}

// YieldingSwitchover plans the same for a stick of another firmware or with other table
// sizes, onto which Zigbee2MQTT restores coordinator_backup.json at its start. That costs
// about 20 s more without Zigbee, some 16 s of which the stick is on air as another,
// random network.
func YieldingSwitchover(network, from, to string, others []string, t Timing) Plan {
	return careful(Plan{Kind: KindSwitchover, Network: network, From: from, To: to, Others: others, Yield: true}, t)
}

func careful(p Plan, t Timing) Plan {
	from, to := p.From, p.To
	p.gates(from, to)
	p.witness()
	p.park(p.Standbys()...)
	p.add(Step{Act: ActKeepStick, Node: to, Budget: readBudget,
		Title: fmt.Sprintf("keep what is on the stick of %s now", to),
		Check: "a copy of it is kept on this controller"})
	p.add(Step{Act: ActCopy, Node: to, Budget: copyBudget,
		Title: fmt.Sprintf("copy the data of %s to staging on %s while it runs", from, to),
		Check: "every copied file was compared"})
	p.disable(from, fmt.Sprintf("let Zigbee2MQTT on %s start at boot again, if it did", from))
	p.stopAndFence(from, t)
	p.readStick(from)
	p.finalCopy(from, to)
	p.load(to)
	p.promote(to)
	p.start(to, t)
	p.prove(to, "it is the same network with the same devices, a device answers, and it goes on running", t)
	p.record(to)
	p.enable(to)
	p.warm(from)
	return p
}

func (p *Plan) load(to string) {
	s := Step{Act: ActLoad, Node: to, Budget: loadBudget, Dark: true,
		Title: fmt.Sprintf("write the memory onto the stick of %s, with raised counters", to),
		Check: "everything written was read back; then the stick says that it is silent (HOLD)"}
	if p.Yield {
		s.Act = ActYield
		s.Title = fmt.Sprintf("let Zigbee2MQTT restore its backup, with raised counters, onto the stick of %s", to)
		s.Check = "the mark of a commissioned stick is gone; then the stick says that it is silent (HOLD)"
	}
	p.add(s)
}

func (p *Plan) disable(node, undo string) {
	p.add(Step{Act: ActDisable, Node: node, Budget: lookBudget, Undo: undo,
		Title: fmt.Sprintf("keep Zigbee2MQTT on %s from starting at boot", node),
		Check: "the service manager says so, where it can tell"})
}

// Enable adds the step that gives a node the start at boot which is owed to whoever serves.
func (p *Plan) Enable(node string) { p.enable(node) }

func (p *Plan) enable(node string) {
	p.add(Step{Act: ActEnable, Node: node, Budget: lookBudget,
		Title: fmt.Sprintf("let Zigbee2MQTT on %s start at boot, if the active node did", node),
		Check: "the service manager says so, where it can tell"})
}

// SyncStep says what one stand-by lacks.
type SyncStep struct {
	Node  string
	Stage bool // its staging is not that of the generation
	Warm  bool // its stick is not
}

// Sync plans to bring a generation to the stand-bys that lack it.
func Sync(network, from string, generation int, standbys []SyncStep) Plan {
	p := Plan{Kind: KindSync, Network: network, From: from, Generation: generation}
	for _, n := range standbys {
		p.Others = append(p.Others, n.Node)
		if n.Stage {
			p.add(Step{Act: ActCopy, Node: n.Node, Budget: copyBudget,
				Title: fmt.Sprintf("copy the data of %s to staging on %s", from, n.Node),
				Check: "every copied file was compared"})
		}
		if n.Warm {
			p.warm(n.Node)
		}
	}
	return p
}

func (p *Plan) warm(node string) {
	p.add(Step{Act: ActWarm, Node: node, Budget: loadBudget,
		Title: fmt.Sprintf("keep the stick of %s current", node),
		Check: "every written item was read back, and the stick says that it is silent (HOLD)"})
}
