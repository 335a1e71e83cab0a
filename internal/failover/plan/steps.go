package plan

import "fmt"

// Steps that several plans have, in the order in which they mostly come.

func (p *Plan) gates(active, to string) {
	p.add(Step{Act: ActGates, Node: active, Budget: lookBudget,
		Title: fmt.Sprintf("see that %s is the only active node and %s could take over", active, to),
		Check: "every host was looked at, Zigbee2MQTT answers on MQTT, and no device is just being added"})
}

func (p *Plan) witness() {
	p.add(Step{Act: ActWitness, Node: p.From, Budget: witnessBudget,
		Title: "ask up to three mains devices, to know who must answer afterwards",
		Check: "their answers come in over MQTT"})
}

func (p *Plan) park(nodes ...string) {
	for _, n := range nodes {
		p.add(Step{Act: ActPark, Node: n, Budget: parkBudget,
			Title: fmt.Sprintf("make sure the stick of %s is silent", n),
			Check: "the stick says that it is silent (HOLD), and no program uses it"})
	}
}

func (p *Plan) stopAndFence(active string, t Timing) {
	p.add(Step{Act: ActStop, Node: active, Budget: t.Stop, Dark: true,
		Title: fmt.Sprintf("stop Zigbee2MQTT on %s", active),
		Check: "its process is gone, and no program uses the stick",
		Undo:  fmt.Sprintf("start Zigbee2MQTT on %s again, above every counter the other stick may have used", active)})
	p.add(Step{Act: ActFence, Node: active, Budget: t.Settle + parkBudget, Dark: true,
		Title: fmt.Sprintf("reset the stick of %s: from here on it is silent", active),
		Check: "the stick says that it is silent (HOLD)"})
}

func (p *Plan) readStick(active string) {
	p.add(Step{Act: ActReadStick, Node: active, Budget: readBudget, Dark: true,
		Title: fmt.Sprintf("read the network's memory from the stick of %s", active),
		Check: "it holds the network that was on air"})
}

func (p *Plan) finalCopy(from, to string) {
	p.add(Step{Act: ActFinalCopy, Node: to, Budget: copyBudget, Dark: true,
		Title: fmt.Sprintf("copy what changed on %s since", from),
		Check: "every copied file was compared, and no device is missing"})
}

func (p *Plan) promote(node string) {
	p.add(Step{Act: ActPromote, Node: node, Budget: promoteBudget, Dark: true,
		Title: fmt.Sprintf("exchange staging and data on %s", node),
		Check: "every file was compared",
		Undo:  fmt.Sprintf("exchange them back on %s", node)})
}

func (p *Plan) start(node string, t Timing) {
	p.add(Step{Act: ActStart, Node: node, Budget: t.Start, Dark: true,
		Title: fmt.Sprintf("start Zigbee2MQTT on %s", node),
		Check: "its process runs and uses the stick; all others were silent just before",
		Undo:  fmt.Sprintf("stop Zigbee2MQTT on %s and reset its stick", node)})
}

func (p *Plan) prove(node, check string, t Timing) {
	p.add(Step{Act: ActProve, Node: node, Budget: t.Start + t.Prove + t.Watch, Dark: true,
		Title: fmt.Sprintf("wait for proof that the network works through %s", node),
		Check: check})
}

func (p *Plan) record(node string) {
	p.add(Step{Act: ActRecord, Node: node, Budget: lookBudget,
		Title: fmt.Sprintf("record %s as the active node", node),
		Check: "the record was read back from the disk"})
}
