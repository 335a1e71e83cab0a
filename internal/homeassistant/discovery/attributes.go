package discovery

import (
	"z2mha/internal/failover/status"
)

// policyIsAFile is why the switch cannot be used. Home Assistant hides the attributes of
// an entity that is not available, so the protection says how it stands as well.
const policyIsAFile = "policy.automatic in z2mha.yaml says whether it acts by itself; the switch Hold stops it for a while"

// automatic says in words what is done by itself.
func automatic(n status.Network) string {
	switch {
	case n.Decision == nil:
		return "not yet: nothing was decided"
	case !n.Policy.Automatic:
		return "off: you are told, and nothing is done by itself (policy.automatic)"
	case n.Policy.AcceptRisk != "":
		return "on, even without proof that the old stick is silent: " + n.Policy.AcceptRisk
	}
	return "on"
}

// conditionAttributes are all conditions. What shows them has ages, which would be new at
// every look; the page has it.
func conditionAttributes(n status.Network) any {
	type condition struct {
		Condition string `json:"condition"`
		Node      string `json:"node,omitempty"`
	}
	out := []condition{}
	for _, c := range n.Conditions[:min(len(n.Conditions), maxReasons)] {
		out = append(out, condition{string(c.Kind), name(c.Node)})
	}
	return map[string]any{"conditions": out}
}

// decisionAttributes are why what is done is done, or why nothing is, as it was when that
// was decided first.
func decisionAttributes(n status.Network) any {
	type question struct {
		ID   string `json:"id"`
		Text string `json:"text"`
		Fix  string `json:"fix"`
	}
	d := n.Decision
	if d == nil {
		return struct{}{}
	}
	out := struct {
		Reason        string    `json:"reason"`
		Reasons       []string  `json:"reasons"`
		Since         *string   `json:"since,omitempty"`
		Node          string    `json:"node,omitempty"`
		To            string    `json:"to,omitempty"`
		Question      *question `json:"question,omitempty"`
		Refused       string    `json:"refused,omitempty"`
		CoolDown      *string   `json:"cool_down_until,omitempty"`
		NextRehearsal *string   `json:"next_rehearsal,omitempty"`
	}{Reason: line(first(d.Told), maxText), Reasons: lines(d.Told), Since: timestamp(d.Since), Node: name(d.Node), To: name(d.To),
		Refused: line(d.Refused, maxText), CoolDown: timestamp(n.CoolDown), NextRehearsal: timestamp(n.Rehearsal)}
	if q := d.Question; q != nil {
		out.Question = &question{line(q.ID, maxLabel), line(q.Text, maxText), line(q.Fix, maxText)}
	}
	return out
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func lines(list []string) []string {
	out := []string{}
	for _, s := range list[:min(len(list), maxReasons)] {
		out = append(out, line(s, maxText))
	}
	return out
}

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
		HeldBy:      line(n.Hold.By, maxLabel), AutoFailover: automatic(n),
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
