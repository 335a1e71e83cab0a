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
	p := Plan{Kind: KindSwitchover, Network: network, From: from, To: to, Others: others}
	p.add(Step{Act: ActGates, Node: from, Budget: lookBudget,
		Title: fmt.Sprintf("see that %s is the only active node and %s could take over", from, to),
		Check: "every host was looked at, Zigbee2MQTT answers on MQTT, and no device is just being added"})
	p.add(Step{Act: ActWitness, Node: from, Budget: witnessBudget,
		Title: "ask up to three mains devices, to know who must answer afterwards",
		Check: "their answers come in over MQTT"})
	for _, n := range p.Standbys() {
		p.add(Step{Act: ActPark, Node: n, Budget: parkBudget,
			Title: fmt.Sprintf("make sure the stick of %s is silent", n),
			Check: "the stick says that it is silent (HOLD), and no program uses it"})
	}
	p.add(Step{Act: ActKeepStick, Node: to, Budget: readBudget,
		Title: fmt.Sprintf("keep what is on the stick of %s now", to),
		Check: "a copy of it is kept on this controller"})
	p.add(Step{Act: ActCopy, Node: to, Budget: copyBudget,
		Title: fmt.Sprintf("copy the data of %s to staging on %s while it runs", from, to),
		Check: "every copied file was compared"})
	p.disable(from, fmt.Sprintf("let Zigbee2MQTT on %s start at boot again, if it did", from))
	p.add(Step{Act: ActStop, Node: from, Budget: t.Stop, Dark: true,
		Title: fmt.Sprintf("stop Zigbee2MQTT on %s", from),
		Check: "its process is gone, and no program uses the stick",
		Undo:  fmt.Sprintf("start Zigbee2MQTT on %s again, above every counter the other stick may have used", from)})
	p.add(Step{Act: ActFence, Node: from, Budget: t.Settle + parkBudget, Dark: true,
		Title: fmt.Sprintf("reset the stick of %s: from here on it is silent", from),
		Check: "the stick says that it is silent (HOLD)"})
	p.add(Step{Act: ActReadStick, Node: from, Budget: readBudget, Dark: true,
		Title: fmt.Sprintf("read the network's memory from the stick of %s", from),
		Check: "it holds the network that was on air"})
	p.add(Step{Act: ActFinalCopy, Node: to, Budget: copyBudget, Dark: true,
		Title: fmt.Sprintf("copy what changed on %s since", from),
		Check: "every copied file was compared, and no device is missing"})
	p.add(Step{Act: ActLoad, Node: to, Budget: loadBudget, Dark: true,
		Title: fmt.Sprintf("write the memory onto the stick of %s, with raised counters", to),
		Check: "everything written was read back; then the stick says that it is silent (HOLD)"})
	p.add(Step{Act: ActPromote, Node: to, Budget: promoteBudget, Dark: true,
		Title: fmt.Sprintf("exchange staging and data on %s", to),
		Check: "every file was compared",
		Undo:  fmt.Sprintf("exchange them back on %s", to)})
	p.add(Step{Act: ActStart, Node: to, Budget: t.Start, Dark: true,
		Title: fmt.Sprintf("start Zigbee2MQTT on %s", to),
		Check: "its process runs and uses the stick; all others were silent just before",
		Undo:  fmt.Sprintf("stop Zigbee2MQTT on %s and reset its stick", to)})
	p.add(Step{Act: ActProve, Node: to, Budget: t.Start + t.Prove + t.Watch, Dark: true,
		Title: fmt.Sprintf("wait for proof that the network works through %s", to),
		Check: "it is the same network with the same devices, a device answers, and it goes on running"})
	p.add(Step{Act: ActRecord, Node: to, Budget: lookBudget,
		Title: fmt.Sprintf("record %s as the active node", to),
		Check: "the record was read back from the disk"})
	p.enable(to)
	return p
}

func (p *Plan) disable(node, undo string) {
	p.add(Step{Act: ActDisable, Node: node, Budget: lookBudget, Undo: undo,
		Title: fmt.Sprintf("keep Zigbee2MQTT on %s from starting at boot", node),
		Check: "the service manager says so, where it can tell"})
}

func (p *Plan) enable(node string) {
	p.add(Step{Act: ActEnable, Node: node, Budget: lookBudget,
		Title: fmt.Sprintf("let Zigbee2MQTT on %s start at boot, if the active node did", node),
		Check: "the service manager says so, where it can tell"})
}

// Sync plans one copy of the active's data to every stand-by.
func Sync(network, from string, standbys []string) Plan {
	p := Plan{Kind: KindSync, Network: network, From: from, Others: standbys}
	p.add(Step{Act: ActGates, Node: from, Budget: lookBudget,
		Title: fmt.Sprintf("see that %s is the only active node", from),
		Check: "every host was looked at"})
	for _, n := range standbys {
		p.add(Step{Act: ActCopy, Node: n, Budget: copyBudget,
			Title: fmt.Sprintf("copy the data of %s to staging on %s", from, n),
			Check: "every copied file was compared"})
	}
	return p
}
