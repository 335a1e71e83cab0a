package discovery

import (
	"strings"

	"z2mha/internal/failover/status"
)

// A Target is what a command topic means.
type Target struct {
	Network status.Network
	Node    status.Node // zero when OfNode is false, or when there is no such node
	OfNode  bool
	Known   bool   // the node, if it is OfNode, exists
	Command string // last level of the topic, whatever it is
}

// CommandFilters match the command topics of everything, known or not.
func (o Options) CommandFilters() []string {
	return []string{o.base() + "/+/cmd/+", o.base() + "/+/+/cmd/+"}
}

// BirthTopics are where Home Assistant says that it has started. The topic is its
// own setting and does not follow the discovery prefix.
func (o Options) BirthTopics() []string {
	out := []string{"homeassistant/status"}
	if own := o.prefix() + "/status"; own != out[0] {
		out = append(out, own)
	}
	return out
}

// Locate finds what a command topic is for; false when there is no such network.
func Locate(networks []status.Network, o Options, topic string) (Target, bool) {
	rest, ok := strings.CutPrefix(topic, o.base()+"/")
	levels := strings.Split(rest, "/")
	if !ok || len(levels) < 3 || len(levels) > 4 || levels[len(levels)-2] != "cmd" {
		return Target{}, false
	}
	for _, n := range networks {
		if level(n.Name) != levels[0] {
			continue
		}
		t := Target{Network: n, Known: true, OfNode: len(levels) == 4, Command: levels[len(levels)-1]}
		if t.OfNode {
			t.Node, t.Known = nodeAt(n, levels[1])
		}
		return t, true
	}
	return Target{}, false
}

func nodeAt(n status.Network, at string) (status.Node, bool) {
	for _, node := range n.Nodes {
		if level(node.Name) == at {
			return node, true
		}
	}
	return status.Node{}, false
}

// ByLabel finds the node that is shown as label.
func ByLabel(n status.Network, label string) (status.Node, bool) {
	for _, node := range n.Nodes {
		if Label(node.Name) == label {
			return node, true
		}
	}
	return status.Node{}, false
}
