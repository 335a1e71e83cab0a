package dash

import (
	"fmt"
	"slices"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
	"z2mha/web"
)

// networkActions are the buttons of a network. That one is drawn disabled spares a
// walk; whether a request is carried out is the desk's to say.
func networkActions(n status.Network) []web.Action {
	var out []web.Action
	if a, ok := moveAction(n); ok {
		out = append(out, a)
	}
	if n.Active == "" && n.Recorded != "" {
		out = append(out, blockedBy(n, web.Action{Label: "Start " + n.Recorded + " again", Verb: string(desk.Start), Primary: true}))
	}
	if heirs := heirs(n); len(heirs) == 1 {
		out = append(out, takeOver(n, heirs[0]))
	}
	if n.Refused != 0 {
		out = append(out, blockedBy(n, web.Action{Label: fmt.Sprintf("Accept copy %d …", n.Refused), Verb: string(desk.Accept), Copy: n.Refused, Danger: true}))
	}
	if n.Active != "" && slices.ContainsFunc(n.Nodes, func(x status.Node) bool { return x.Unloaded }) {
		out = append(out, blockedBy(n, web.Action{Label: "Make ready …", Verb: string(desk.Seed)}))
	}
	if !n.Unacknowledged.IsZero() {
		out = append(out, acknowledgement(n))
	}
	out = append(out, blockedBy(n, web.Action{Label: "Sync now", Verb: string(desk.Sync)}))
	if n.Hold.On {
		out = append(out, web.Action{Label: "Release", Verb: string(desk.Release), Network: n.Name, Primary: true})
	} else {
		out = append(out, web.Action{Label: "Hold", Verb: string(desk.Hold), Network: n.Name})
	}
	return out
}

// heirs are the nodes that could be let take over while nobody serves the home: nobody
// is active, or the one that is does not answer. The desk asks who may.
func heirs(n status.Network) []string {
	active, known := n.Node(n.Active)
	if n.Recorded == "" || known && active.Host.State != status.LightBad && active.Radio.State != status.LightBad {
		return nil
	}
	var out []string
	for _, x := range n.Nodes {
		if x.Name != n.Recorded && x.Role == network.RoleStandby {
			out = append(out, x.Name)
		}
	}
	return out
}

func takeOver(n status.Network, heir string) web.Action {
	return blockedBy(n, web.Action{Label: "Let " + heir + " take over …", Verb: string(desk.Failover), To: heir, Danger: true})
}

// moveAction is the one big button: to the stand-by that is ready, or to the only
// one there is. With several that are not ready the choice is made at their cards.
func moveAction(n status.Network) (web.Action, bool) {
	var standbys []string
	for _, x := range n.Nodes {
		if x.Name != n.Active {
			standbys = append(standbys, x.Name)
		}
	}
	to := ""
	switch {
	case n.Active == "":
		return web.Action{}, false
	case len(n.Ready) > 0:
		to = n.Ready[0]
	case len(standbys) == 1:
		to = standbys[0]
	default:
		return web.Action{}, false
	}
	a := web.Action{Label: "Switch over to " + to, Verb: string(desk.Switchover), To: to, Primary: !n.Hold.On}
	if x, ok := n.Node(to); ok && !x.CanTake {
		a.Disabled, a.Why = true, sentence(x.Why)
	}
	return blockedBy(n, a), true
}

func nodeActions(n status.Network, x status.Node) []web.Action {
	if x.Role == network.RoleActive || running(x) {
		out := []web.Action{blockedBy(n, web.Action{Label: "Stop …", Verb: string(desk.Stop), To: x.Name, Danger: true})}
		switch {
		case x.Name == n.Recorded && ailing(n):
			out = append(out, blockedBy(n, web.Action{Label: "Repair …", Verb: string(desk.Repair), To: x.Name}))
		case x.Name != n.Recorded && n.Recorded != "":
			out = append(out, blockedBy(n, web.Action{Label: "Make a stand-by …", Verb: string(desk.Return), To: x.Name}))
		}
		return out
	}
	var out []web.Action
	if n.Active != "" {
		a := web.Action{Label: "Make active", Verb: string(desk.Switchover), To: x.Name}
		if !x.CanTake {
			a.Disabled, a.Why = true, sentence(x.Why)
		}
		out = append(out, blockedBy(n, a))
	}
	if heirs := heirs(n); len(heirs) > 1 && slices.Contains(heirs, x.Name) {
		out = append(out, takeOver(n, x.Name))
	}
	return out
}

// ailing says that the active is known not to be well.
func ailing(n status.Network) bool {
	return n.Decision != nil && !slices.ContainsFunc(n.Conditions, func(c health.Condition) bool { return c.Kind == health.Healthy || c.Kind == health.Unproven })
}

// running says that Zigbee2MQTT was seen to run on a node that should not run it.
func running(x status.Node) bool {
	return slices.Contains([]network.Role{network.RoleUnknown, network.RoleFenced}, x.Role) && x.Service.State == status.LightBad
}

// blockedBy disables a where the whole network is held or busy.
func blockedBy(n status.Network, a web.Action) web.Action {
	a.Network = n.Name
	switch {
	case n.Run != nil:
		a.Disabled, a.Why = true, "A plan is being carried out."
	case n.Hold.On:
		a.Disabled, a.Why = true, "The network is on hold: release it first."
	}
	return a
}
