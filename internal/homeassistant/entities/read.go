package entities

import (
	"strings"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
)

// read says what a command asks for: a request, or a refusal, or neither when there is
// nothing to do.
func read(t discovery.Target, payload string) (desk.Request, *refusal) {
	r := desk.Request{Network: t.Network.Name, By: by, Unattended: true}
	if t.OfNode {
		return readNode(t, payload, r)
	}
	switch t.Command {
	case discovery.Switchover:
		return readSwitchover(t.Network, payload, r)
	case discovery.Sync:
		r.Verb = desk.Sync
		return pressed(payload, r)
	case discovery.ActiveNode:
		return readMove(t.Network, payload, r)
	case discovery.Hold:
		return readHold(payload, r)
	case discovery.AutoFailover:
		return desk.Request{}, &refusal{"whether it acts by itself stands in z2mha.yaml, not here", "Change policy.automatic there, or put the network on hold for a while."}
	}
	return desk.Request{}, &refusal{"a network has no such command", "The commands are switchover, sync, active_node and hold."}
}

func readNode(t discovery.Target, payload string, r desk.Request) (desk.Request, *refusal) {
	switch {
	case !t.Known:
		return desk.Request{}, &refusal{"this network has no node of that name", nodesAre(t.Network)}
	case t.Command != discovery.Activate:
		return desk.Request{}, &refusal{"a node has no such command", "The command is activate."}
	case !t.Node.CanTake:
		return desk.Request{}, &refusal{discovery.Label(t.Node.Name) + " cannot be made active: " + orElse(t.Node.Why, "it is not ready"), fixFor(t.Network, t.Node.Name)}
	}
	r.Verb, r.To = desk.Switchover, t.Node.Name
	return pressed(payload, r)
}

func readSwitchover(n status.Network, payload string, r desk.Request) (desk.Request, *refusal) {
	node, ok := discovery.Standby(n)
	if !ok {
		return desk.Request{}, &refusal{"no stand-by could take over now" + whyNone(n), fixFor(n, "")}
	}
	r.Verb, r.To = desk.Switchover, node.Name
	return pressed(payload, r)
}

// readMove reads what was chosen. Whether that node can take over is for the desk to
// say: a select shows all nodes.
func readMove(n status.Network, payload string, r desk.Request) (desk.Request, *refusal) {
	node, ok := discovery.ByLabel(n, payload)
	switch {
	case !ok:
		return desk.Request{}, &refusal{"the value is no node of this network", nodesAre(n)}
	case node.Name == n.Active:
		return desk.Request{}, nil
	}
	r.Verb, r.To = desk.Switchover, node.Name
	return r, nil
}

func readHold(payload string, r desk.Request) (desk.Request, *refusal) {
	switch payload {
	case "ON":
		r.Verb = desk.Hold
	case "OFF":
		r.Verb = desk.Release
	default:
		return desk.Request{}, &refusal{"the value is not known", "Send ON or OFF."}
	}
	return r, nil
}

// pressed passes r on when the payload is that of a button.
func pressed(payload string, r desk.Request) (desk.Request, *refusal) {
	if payload != "PRESS" {
		return desk.Request{}, &refusal{"the value is not known", "Send PRESS."}
	}
	return r, nil
}

func nodesAre(n status.Network) string {
	var names []string
	for _, node := range n.Nodes {
		names = append(names, discovery.Label(node.Name))
	}
	return "The nodes are " + strings.Join(names, ", ") + "."
}

// whyNone says of each node that is not active why it cannot take over.
func whyNone(n status.Network) string {
	var why []string
	for _, node := range n.Nodes {
		if node.Name != n.Active && node.Why != "" {
			why = append(why, discovery.Label(node.Name)+": "+node.Why)
		}
	}
	if len(why) == 0 {
		return ""
	}
	return " (" + strings.Join(why, "; ") + ")"
}

// fixFor is what to do about a node, or about any when it is "".
func fixFor(n status.Network, node string) string {
	for _, r := range n.Reasons {
		if r.Fix != "" && (node == "" || r.Node == node) {
			return r.Fix
		}
	}
	return ""
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
