package node_test

import (
	"net"
	"strings"
	"testing"

	"z2mha/internal/host/node"
)

// listen is a broker that only accepts connections.
func listen(t *testing.T) (address string, end func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), func() { l.Close() }
}

func TestObserveTriesTheBroker(t *testing.T) {
	address, end := listen(t)
	p := newPlace(t, func(c *node.Config) { c.Broker = address })
	if o := p.see(); o.Broker == nil || !o.Broker.OK || o.Broker.Address != address || !o.BrokerHere {
		t.Fatalf("got %+v, here %v", o.Broker, o.BrokerHere)
	}
	end()
	if o := p.see(); o.Broker == nil || !o.Broker.OK {
		t.Errorf("at once again: %+v", o.Broker)
	}
	p.Node = p.connect()
	if o := p.see(); o.Broker == nil || o.Broker.OK || !strings.Contains(o.Broker.Why, "refused") || !o.BrokerHere {
		t.Errorf("of one that does not run: %+v, here %v", o.Broker, o.BrokerHere)
	}
}

// What the node's own configuration says is what its Zigbee2MQTT will use.
func TestTheNodeKnowsItsBrokerBest(t *testing.T) {
	address, _ := listen(t)
	p := newPlace(t, func(c *node.Config) { c.Broker = "192.0.2.7:1883" })
	p.data(map[string]string{
		"configuration.yaml": strings.Replace(home["configuration.yaml"], "mqtt://192.0.2.1:1883", "'!secret server'", 1),
		"secret.yaml":        home["secret.yaml"] + "server: mqtt://" + address + "\n",
	})
	capture(t, p, newDepot())
	if o := p.see(); o.Broker == nil || o.Broker.Address != address || !o.Broker.OK {
		t.Errorf("got %+v", o.Broker)
	}
}

func TestObserveOfNoBroker(t *testing.T) {
	if o := newPlace(t).see(); o.Broker != nil || o.BrokerHere {
		t.Errorf("got %+v", o)
	}
}
