package plan

import (
	"fmt"
	"time"
)

// hungBudget is how long a service manager may take to kill a Zigbee2MQTT that hangs.
const hungBudget = time.Minute

// Repair plans to restart the active in place, stick included. No data is moved. When it
// does not work again the node ends silent, so that another one may take over.
//
// It can be carried out from the start again at any time, so nothing of it is taken back
// but the start.
func Repair(network, node string, others []string, t Timing) Plan {
	p := Plan{Kind: KindRepair, Network: network, From: node, To: node, Others: others}
	p.add(Step{Act: ActSurvey, Node: node, Budget: lookBudget,
		Title: fmt.Sprintf("see that %s is the active node on record, and nobody else could be on air", node),
		Check: "its host answers; every other stick says that it is silent, or was proven so and not started since"})
	p.park(others...)
	p.add(Step{Act: ActStop, Node: node, Budget: t.Stop + hungBudget, Dark: true,
		Title: fmt.Sprintf("end Zigbee2MQTT on %s, also when it hangs", node),
		Check: "its process is gone, and no program uses the stick"})
	p.add(Step{Act: ActFence, Node: node, Budget: t.Settle + 2*parkBudget, Dark: true,
		Title: fmt.Sprintf("reset the stick of %s", node),
		Check: "the stick answers, and says that it is silent (HOLD)"})
	p.startAsIs(t)
	return p
}

// Silence plans to end a second active node. to is the one on record, which goes on; it
// is restarted only when the other has used counters that are above its own.
func Silence(network, from, to string, others []string, t Timing) Plan {
	p := Plan{Kind: KindSilence, Network: network, From: from, To: to, Others: others}
	p.silence(t, func() {
		p.add(Step{Act: ActFence, Node: from, Budget: t.Stop + t.Settle + 2*ResetBudget + 3*UnplugBudget,
			Title: fmt.Sprintf("stop Zigbee2MQTT on %s and silence its stick", from),
			Check: "the stick says that it is silent (HOLD)"})
	})
	p.record(to)
	p.enable(to)
	return p
}

// Return plans to make a node that was active once a stand-by of the one that is. What
// is on it is kept; then it gets what the network is now.
func Return(network, from, to string, others []string, t Timing) Plan {
	p := Plan{Kind: KindReturn, Network: network, From: from, To: to, Others: others}
	p.silence(t, func() {
		p.add(Step{Act: ActStop, Node: from, Budget: t.Stop + hungBudget,
			Title: fmt.Sprintf("stop Zigbee2MQTT on %s", from),
			Check: "its process is gone, and no program uses the stick"})
		p.add(Step{Act: ActFence, Node: from, Budget: t.Settle + 2*parkBudget,
			Title: fmt.Sprintf("reset the stick of %s: from here on it is silent", from),
			Check: "the stick says that it is silent (HOLD)"})
	})
	p.record(to)
	p.add(Step{Act: ActCopy, Node: from, Budget: copyBudget,
		Title: fmt.Sprintf("keep the data of %s as it is now, and copy the data of %s to staging there", from, to),
		Check: "every copied file was compared"})
	p.warm(from)
	p.enable(to)
	return p
}

// silence ends From while To serves; fence adds the steps that do.
func (p *Plan) silence(t Timing, fence func()) {
	from, to := p.From, p.To
	p.add(Step{Act: ActSurvey, Node: from, Budget: lookBudget,
		Title: fmt.Sprintf("see that %s is the active node on record and serves the home", to),
		Check: fmt.Sprintf("both hosts answer, and the Zigbee2MQTT of %s answers on MQTT", to)})
	p.disable(from, "")
	fence()
	p.add(Step{Act: ActLearn, Node: from, Budget: readBudget + copyBudget,
		Title: fmt.Sprintf("read which counters %s has used, and have %s say its own", from, to),
		Check: fmt.Sprintf("a copy of the stick is kept; the counters of %s were read from a backup it has just made", to)})
	p.liftAbove(t)
	p.add(Step{Act: ActProve, Node: to, Budget: t.Start + t.Prove + t.Watch,
		Title: fmt.Sprintf("wait for proof that the network works through %s alone", to),
		Check: "it is the same network, a device answers, and nobody else comes back"})
}

// liftAbove restarts To above every counter that From has used.
func (p *Plan) liftAbove(t Timing) {
	first := len(p.Steps)
	p.park(p.Others...)
	p.stopAndFence(p.To, t)
	p.add(Step{Act: ActRaise, Node: p.To, Budget: loadBudget, Dark: true,
		Title: fmt.Sprintf("raise the counters on the stick of %s above those that %s has used", p.To, p.From),
		Check: "everything written was read back; then the stick says that it is silent (HOLD)"})
	p.start(p.To, t)
	p.prove(p.To, "it is the same network, and it goes on running", t)
	for i := first; i < len(p.Steps); i++ {
		p.Steps[i].IfBehind = true
	}
}
