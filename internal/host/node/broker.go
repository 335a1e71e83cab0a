package node

import (
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/z2m"
)

// broker is the address at which the probe tries the broker. What this node's own
// configuration says is the better one: a stand-by keeps its mqtt.server, and it is by
// that and no other way that Zigbee2MQTT here will reach the broker, while the
// controller may know it by a name that only its own machine understands. It is learned
// whenever that file is read anyway: by Capture, and by Stage as merged.
func (n *Node) broker() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ownBroker != "" {
		return n.ownBroker
	}
	return n.cfg.Broker
}

func (n *Node) learnBroker(get z2m.Files) {
	address := z2m.BrokerAddress(get)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ownBroker = address
}

// brokerEvery is how often the broker is tried. One that drops what it is sent costs two
// seconds, which the looks of a run under way have not got.
const brokerEvery = 10 * time.Second

// reached is the last try at the broker.
type reached struct {
	at    time.Time
	reach network.Reach
	here  bool
}

// brokerToTry is "" while the last answer is good enough.
func (n *Node) brokerToTry(now time.Time) string {
	address := n.broker()
	n.mu.Lock()
	defer n.mu.Unlock()
	if address == n.reached.reach.Address && now.Sub(n.reached.at) < brokerEvery {
		return ""
	}
	return address
}

// tellBroker notes a new answer, or puts the last one into o.
func (n *Node) tellBroker(o *network.Observation) {
	address := n.broker()
	n.mu.Lock()
	defer n.mu.Unlock()
	if o.Broker != nil {
		n.reached = reached{o.At, *o.Broker, o.BrokerHere}
		return
	}
	if last := n.reached; address != "" && address == last.reach.Address {
		o.Broker, o.BrokerHere = &last.reach, last.here
	}
}
