package readiness

import "fmt"

// brokerApart notes a node that takes the broker with it when its machine dies.
func brokerApart(s subject) (finding, bool) {
	if !s.o.BrokerHere {
		return finding{ok: true, evidence: "its address is none of this machine"}, s.o.Broker != nil
	}
	return finding{note: true, evidence: fmt.Sprintf("the broker runs on the machine of %s: when it dies, no node can speak with your home", s.v.Name),
		fix: "run the broker on a machine without a node"}, true
}

// controllerApart notes a node that takes this controller with it.
func controllerApart(s subject) (finding, bool) {
	if s.in.HostID == "" || s.o.HostID == "" {
		return finding{}, false
	}
	if s.in.HostID != s.o.HostID {
		return finding{ok: true, evidence: "they are two machines"}, true
	}
	out := finding{note: true, evidence: "this controller runs on it too: when it dies, this stand-by is gone, and Zigbee goes on",
		fix: "run one of the two on another machine"}
	if s.v.Name == s.active {
		out.evidence = "this controller runs on it too: when it dies, nothing is left to move the network"
	}
	return out, true
}
