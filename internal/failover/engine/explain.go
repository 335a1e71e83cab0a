package engine

import (
	"fmt"

	"z2mha/internal/failover/plan"
)

// Explained is one step of a dry run.
type Explained struct {
	Step     plan.Step
	Commands []string // "attic: systemctl stop zigbee2mqtt", in order
}

// explain lists the commands of a plan from the same builders that run them.
func explain(n *Network, p plan.Plan) ([]Explained, error) {
	var out []Explained
	for _, s := range p.Steps {
		x := Explained{Step: s}
		for _, c := range callsOf(n, p, s) {
			node, err := n.node(c.node)
			if err != nil {
				return nil, err
			}
			for _, line := range node.Explain(c.op) {
				x.Commands = append(x.Commands, fmt.Sprintf("%s: %s", c.node, line))
			}
		}
		x.Commands = append(x.Commands, overMQTT(p, s)...)
		out = append(out, x)
	}
	return out, nil
}

type call struct {
	node string
	op   Op
}

// callsOf mirrors the actions: which node methods a step calls, in order.
func callsOf(n *Network, p plan.Plan, s plan.Step) []call {
	on := func(node string, ops ...Op) []call {
		var out []call
		for _, op := range ops {
			out = append(out, call{node, op})
		}
		return out
	}
	switch s.Act {
	case plan.ActGates:
		var out []call
		for _, name := range n.names() {
			out = append(out, on(name, OpObserve)...)
			if name != p.From && p.Kind == plan.KindSwitchover {
				out = append(out, on(name, OpInspect)...)
			}
		}
		return out
	case plan.ActSurvey:
		var out []call
		for _, name := range n.names() {
			out = append(out, on(name, OpObserve)...)
			if p.Kind != plan.KindRepair {
				out = append(out, on(name, OpInspect)...)
			}
		}
		return out
	case plan.ActLearn:
		return append(on(s.Node, OpReadStick), on(p.To, OpCapture)...)
	case plan.ActWitness, plan.ActRecord:
		return nil
	case plan.ActReady:
		var out []call
		for _, name := range n.names() {
			out = append(out, on(name, OpObserve)...)
		}
		return append(out, on(s.Node, OpCapture)...)
	case plan.ActDisable:
		return on(s.Node, OpObserve, OpDisable, OpObserve)
	case plan.ActEnable:
		return on(s.Node, OpEnable, OpObserve)
	case plan.ActRaise:
		return on(s.Node, OpObserve, OpReadStick, OpLoadStick)
	case plan.ActPark:
		return on(s.Node, OpObserve, OpPark)
	case plan.ActKeepStick, plan.ActReadStick:
		return on(s.Node, OpReadStick)
	case plan.ActCopy, plan.ActFinalCopy:
		if p.Generation != 0 && p.Kind != plan.KindRestore {
			return on(s.Node, OpStage)
		}
		if p.Kind == plan.KindReturn {
			return append(on(s.Node, OpCapture), append(on(p.Source(), OpObserve, OpCapture), on(s.Node, OpStage)...)...)
		}
		return append(on(p.From, OpCapture), on(s.Node, OpStage)...)
	case plan.ActStop:
		if p.Fast {
			return on(s.Node, OpStopFast, OpObserve)
		}
		return on(s.Node, OpStop, OpObserve)
	case plan.ActFence:
		if climbs(p, s) {
			return on(s.Node, OpObserve, OpDisable, OpStop, OpReset, OpUnplug)
		}
		return on(s.Node, OpReset)
	case plan.ActWarm:
		return on(s.Node, OpObserve, OpPatchStick)
	case plan.ActActivate:
		return on(s.Node, OpObserve, OpPatchStick)
	case plan.ActRewrite:
		return on(s.Node, OpObserve, OpReadStick, OpLoadStick)
	case plan.ActDead:
		var out []call
		for _, name := range n.names() {
			out = append(out, on(name, OpObserve)...)
		}
		return out
	case plan.ActLoad, plan.ActYield:
		return on(s.Node, OpObserve, OpLoadStick)
	case plan.ActPromote:
		return on(s.Node, OpObserve, OpPromote)
	case plan.ActStart:
		var out []call
		for _, name := range n.without(s.Node) {
			out = append(out, on(name, OpObserve, OpInspect)...)
		}
		if listens(p.Kind) {
			out = append(out, on(s.Node, OpListen)...)
		}
		return append(out, on(s.Node, OpStart, OpObserve)...)
	case plan.ActProve:
		return on(s.Node, OpObserve)
	}
	panic(fmt.Sprintf("engine: act %q is not explained", s.Act))
}

// overMQTT tells what a step says on the broker.
func overMQTT(p plan.Plan, s plan.Step) []string {
	switch s.Act {
	case plan.ActCopy:
		if p.Fast || p.Kind == plan.KindSeed {
			return []string{"MQTT: bridge/request/backup, so that Zigbee2MQTT writes down what its stick holds"}
		}
	case plan.ActLearn:
		return []string{"MQTT: bridge/request/backup, so that the active writes down its own counters"}
	case plan.ActGates, plan.ActSurvey:
		return []string{"MQTT: bridge/request/options with nothing to change, so that Zigbee2MQTT says who it is"}
	case plan.ActWitness:
		return []string{"MQTT: get to up to three mains devices"}
	case plan.ActProve:
		return []string{"MQTT: bridge/request/options as before, and get to the devices that had answered"}
	}
	return nil
}
