package discovery

import (
	"z2mha/internal/failover/status"
)

// noAutoFailover is why the switch cannot be used. Home Assistant hides the
// attributes of an entity that is not available, so the protection says it as well.
const noAutoFailover = "not in this version: a person or an automation of yours decides when the network moves"

// maxReasons keeps the attributes below what Home Assistant's recorder stores.
const maxReasons = 10

type reason struct {
	Node string `json:"node,omitempty"`
	What string `json:"what"`
	Fix  string `json:"fix,omitempty"`
}

func reasons(list []status.Reason, keep func(status.Reason) bool) []reason {
	out := []reason{}
	for _, r := range list {
		if keep(r) && len(out) < maxReasons {
			x := reason{What: line(r.What, maxText), Fix: line(r.Fix, maxText)}
			if r.Node != "" {
				x.Node = Label(r.Node)
			}
			out = append(out, x)
		}
	}
	return out
}

func networkAttributes(n status.Network) any {
	ready := []string{}
	for _, name := range n.Ready {
		ready = append(ready, Label(name))
	}
	return struct {
		Summary      string   `json:"summary"`
		Reasons      []reason `json:"reasons"`
		Ready        []string `json:"ready"`
		Unproven     string   `json:"unproven,omitempty"`
		ActiveSince  *string  `json:"active_since,omitempty"`
		HeldSince    *string  `json:"held_since,omitempty"`
		HeldBy       string   `json:"held_by,omitempty"`
		AutoFailover string   `json:"automatic_failover"`
	}{
		Summary:     n.Protection.Sentence(),
		Reasons:     reasons(n.Reasons, func(status.Reason) bool { return true }),
		Ready:       ready,
		Unproven:    line(n.Unproven, maxText),
		ActiveSince: timestamp(n.Since),
		HeldSince:   timestamp(n.Hold.Since),
		HeldBy:      line(n.Hold.By, maxLabel), AutoFailover: noAutoFailover,
	}
}

func moveAttributes(m *status.Move) any {
	type move struct {
		From     string   `json:"from,omitempty"`
		To       string   `json:"to,omitempty"`
		By       string   `json:"by,omitempty"`
		Outcome  string   `json:"outcome,omitempty"`
		Outage   *float64 `json:"outage_seconds,omitempty"`
		Unproven string   `json:"unproven,omitempty"`
		Run      string   `json:"run,omitempty"`
	}
	if m == nil {
		return move{}
	}
	out := move{
		From: name(m.From), To: name(m.To), By: line(m.By, maxLabel), Outcome: string(m.Outcome),
		Unproven: line(m.Unproven, maxText), Run: line(m.Run, maxLabel),
	}
	if m.Outage > 0 {
		out.Outage = ptr(seconds(m.Outage))
	}
	return out
}

func nodeAttributes(n status.Network, node status.Node) any {
	return struct {
		Reasons     []reason `json:"reasons"`
		NotActive   string   `json:"cannot_be_made_active,omitempty"`
		Host        string   `json:"host,omitempty"`
		Service     string   `json:"service,omitempty"`
		Coordinator string   `json:"coordinator,omitempty"`
		Radio       string   `json:"radio,omitempty"`
	}{
		Reasons:     reasons(n.Reasons, func(r status.Reason) bool { return r.Node == node.Name }),
		NotActive:   line(node.Why, maxText),
		Host:        line(node.Host.Text, maxLabel),
		Service:     line(node.Service.Text, maxLabel),
		Coordinator: line(node.Dongle.Text, maxLabel),
		Radio:       line(node.Radio.Text, maxLabel),
	}
}

// name is a Label, or nothing for no name.
func name(s string) string {
	if s == "" {
		return ""
	}
	return Label(s)
}
