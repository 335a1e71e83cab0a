package plan

import (
	"fmt"
	"slices"
)

// StopNode plans to end Zigbee2MQTT on one node and to silence its stick. When that
// node is the active one the home has no Zigbee until a node is started again; that is
// what was asked for, so nothing of it is taken back.
func StopNode(network, node string, active bool, t Timing) Plan {
	p := Plan{Kind: KindStop, Network: network, From: node}
	p.disable(node, fmt.Sprintf("let Zigbee2MQTT on %s start at boot again, if it did and goes on running", node))
	p.add(Step{Act: ActStop, Node: node, Budget: t.Stop, Dark: active,
		Title: fmt.Sprintf("stop Zigbee2MQTT on %s", node),
		Check: "its process is gone, and no program uses the stick"})
	p.add(Step{Act: ActFence, Node: node, Budget: t.Settle + parkBudget, Dark: active,
		Title: fmt.Sprintf("reset the stick of %s: from here on it is silent", node),
		Check: "the stick says that it is silent (HOLD)"})
	return p
}

// StartNode plans to start the node that was active last, with its own data and its
// own stick, while nobody is active. others are proven silent first, and the stick's
// counters are raised above everything the network may have used.
func StartNode(network, node string, others []string, t Timing) Plan {
	p := Plan{Kind: KindStart, Network: network, From: node, To: node, Others: others}
	p.startAsIs(t, append(slices.Clone(others), node)...)
	return p
}

// startAsIs starts To, which is silent, with its own data on its own stick. Before that it
// makes sure that the sticks of the nodes named are silent.
func (p *Plan) startAsIs(t Timing, park ...string) {
	node := p.To
	p.add(Step{Act: ActReady, Node: node, Budget: lookBudget + copyBudget, Dark: true,
		Title: fmt.Sprintf("see that nobody is active and %s could start", node),
		Check: "every host was looked at; its data is whole, and that of the network it served"})
	first := len(p.Steps)
	p.park(park...)
	for i := first; i < len(p.Steps); i++ {
		p.Steps[i].Dark = true
	}
	p.add(Step{Act: ActKeepStick, Node: node, Budget: readBudget, Dark: true,
		Title: fmt.Sprintf("keep what is on the stick of %s now", node),
		Check: "a copy of it is kept on this controller"})
	p.add(Step{Act: ActRaise, Node: node, Budget: loadBudget, Dark: true,
		Title: fmt.Sprintf("raise the counters on the stick of %s", node),
		Check: "it holds the network, everything written was read back; then it says that it is silent (HOLD)",
		Undo:  fmt.Sprintf("see that the memory of the stick of %s is whole", node)})
	p.start(node, t)
	p.prove(node, "it is the network that is on the stick, a device answers, and it goes on running", t)
	p.record(node)
	p.enable(node)
}
