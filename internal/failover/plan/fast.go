package plan

import (
	"fmt"
	"time"
)

// saveBudget is how long Zigbee2MQTT may take to save, to end, and to be ended.
const saveBudget = 30 * time.Second

// FastSwitchover plans the move of a network to a node that is warm: its stick holds
// what the network is now, and a counter to start from. Whatever can be done before is
// done before; without Zigbee the home is only while the old active saves and ends, what
// it saved is copied, its stick is silenced, and the new one starts.
//
// The old stick is not read in between. It becomes a stand-by's at the end, when the home
// has Zigbee again.
func FastSwitchover(network, from, to string, others []string, t Timing) Plan {
	p := Plan{Kind: KindSwitchover, Network: network, From: from, To: to, Others: others, Fast: true}
	p.gates(from, to)
	p.witness()
	p.park(p.Standbys()...)
	p.add(Step{Act: ActCopy, Node: to, Budget: copyBudget,
		Title: fmt.Sprintf("have %s save, and copy its data to staging on %s while it runs", from, to),
		Check: "Zigbee2MQTT says that it has saved, and every copied file was compared"})
	p.warm(to)
	p.add(Step{Act: ActActivate, Node: to, Budget: parkBudget,
		Title: fmt.Sprintf("see that the stick of %s may start above every counter, and boot it", to),
		Check: "it holds what it shall, and says that it is silent (HOLD)"})
	p.disable(from, fmt.Sprintf("let Zigbee2MQTT on %s start at boot again, if it did", from))
	p.add(Step{Act: ActStop, Node: from, Budget: t.Stop + saveBudget, Dark: true,
		Title: fmt.Sprintf("end Zigbee2MQTT on %s as soon as it has saved", from),
		Check: "its process is gone, and no program uses the stick",
		Undo:  fmt.Sprintf("start Zigbee2MQTT on %s again, above every counter the other stick may have used", from)})
	p.add(Step{Act: ActFence, Node: from, Budget: parkBudget, Dark: true,
		Title: fmt.Sprintf("reset the stick of %s: from here on it is silent", from),
		Check: "the stick says that it is silent (HOLD)"})
	p.finalCopy(from, to)
	p.promote(to)
	p.start(to, t)
	p.prove(to, "it is the same network with the same devices, a device answers, and it goes on running", t)
	p.record(to)
	p.enable(to)
	p.warm(from)
	return p
}
