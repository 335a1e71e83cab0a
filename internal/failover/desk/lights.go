package desk

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/failover/status"
)

// A lamp is what the lights of one node are made of.
type lamp struct {
	name   string
	kind   string
	active bool // it is the active node, or was last and nobody is
	at     time.Time
	view   readiness.View
	seen   *network.Observation // last look that worked, nil when none did
	stick  *reading             // nil when it was never read, or somebody ran it since
	bridge *readiness.Bridge
}

// lights lights those of node n; s knows it.
func (s sight) lights(n *status.Node, active string) {
	l := lamp{name: n.Name, kind: n.Kind, at: s.at, bridge: s.status.Bridge, active: n.Name == active}
	for _, v := range s.status.Views {
		if v.Name == n.Name {
			l.view = v
			n.Latency = v.Took
		}
	}
	if o, ok := s.seen[n.Name]; ok {
		l.seen = &o
		n.Seen, n.Version = o.At, o.Version
	}
	if r, ok := s.sticks[n.Name]; ok {
		l.stick = &r
	}
	n.Firmware = s.firmware[n.Name]
	n.Host, n.Service, n.Dongle, n.Radio = l.host(), l.service(), l.dongle(), l.radio()
}

func (l lamp) host() status.Light {
	if l.view.Err != nil {
		return status.Light{State: status.LightBad, Text: "not reachable", Evidence: l.view.Err.Error(), At: l.at}
	}
	return status.Light{State: status.LightGood, Text: "reachable", Evidence: "answered over SSH", At: l.at}
}

// past is a light about which the last look could tell nothing.
func (l lamp) past(then func(network.Observation) status.Light) status.Light {
	if l.seen == nil {
		return status.Light{State: status.LightUnknown, Text: "not known", Evidence: "it was never looked at"}
	}
	was := then(*l.seen)
	return status.Light{State: status.LightUnknown, Text: "was " + was.Text, Evidence: was.Evidence, At: l.seen.At}
}

func (l lamp) service() status.Light {
	if l.view.Observed == nil {
		return l.past(l.serviceOf)
	}
	return l.serviceOf(*l.view.Observed)
}

func (l lamp) serviceOf(o network.Observation) status.Light {
	out := status.Light{At: o.At, State: status.LightBad}
	switch {
	case o.Active():
		out.Text = "running"
	case o.Stopped() || o.OnlyOurs():
		out.Text = "stopped"
	default:
		out.Text = "neither running nor stopped"
	}
	if (out.Text == "running" && l.active) || (out.Text == "stopped" && !l.active) {
		out.State = status.LightGood
	}
	out.Evidence = processes(o)
	if said := l.said(o); said != "" {
		out.Evidence = said + "; " + out.Evidence
	}
	return out
}

// said is what the service manager says of Zigbee2MQTT, "" for commands of one's own
// without one that tells.
func (l lamp) said(o network.Observation) string {
	who, state := cmp.Or(l.kind, "the service manager"), cmp.Or(o.Service, network.ServiceUnknown)
	if l.kind == "commands" {
		who = "its own command"
		if state == network.ServiceUnknown {
			return ""
		}
	}
	return fmt.Sprintf("%s says %s", who, state)
}

func processes(o network.Observation) string {
	var out []string
	for _, p := range o.TTYHolders {
		out = append(out, fmt.Sprintf("%s holds %s", p, o.TTY))
	}
	for _, p := range o.DataHolders {
		out = append(out, fmt.Sprintf("%s uses the data directory", p))
	}
	if len(out) == 0 {
		return "nobody holds its stick or data"
	}
	return strings.Join(out, "; ")
}

func (l lamp) dongle() status.Light {
	if l.view.Observed == nil {
		return l.past(func(o network.Observation) status.Light { return dongleOf(o, nil) })
	}
	return dongleOf(*l.view.Observed, l.stick)
}

func dongleOf(o network.Observation, r *reading) status.Light {
	out := status.Light{State: status.LightGood, Text: "there", Evidence: cmp.Or(o.Stick, "a device") + " at " + o.TTY, At: o.At}
	switch {
	case !o.TTYPresent:
		out.State, out.Text, out.Evidence = status.LightBad, "missing", o.TTY+" does not exist"
	case r != nil && r.state != nil:
		out.Text, out.At = "answers", r.at
		out.Evidence += "; " + r.state.Stick.String()
	case r != nil:
		out.State, out.Text, out.Evidence, out.At = status.LightBad, "does not answer", r.err.Error(), r.at
	}
	return out
}

func (l lamp) radio() status.Light {
	switch o := l.view.Observed; {
	case o == nil:
		return l.past(func(o network.Observation) status.Light { return l.air(o) })
	default:
		return l.air(*o)
	}
}

func (l lamp) air(o network.Observation) status.Light {
	runs := o.Runs() && !o.OnlyOurs()
	switch {
	case runs && l.active:
		return l.onAir(o)
	case runs:
		return status.Light{State: status.LightBad, Text: "may be on air", Evidence: processes(o), At: o.At}
	case l.stick == nil:
		return status.Light{State: status.LightUnknown, Text: "not known", Evidence: "its stick was not asked since Zigbee2MQTT stopped"}
	case l.stick.err != nil:
		return status.Light{State: status.LightUnknown, Text: "not known", Evidence: l.stick.err.Error(), At: l.stick.at}
	case !l.stick.state.Silent:
		return status.Light{State: status.LightBad, Text: "may be on air", At: l.stick.at,
			Evidence: fmt.Sprintf("its stick says %s although nothing runs", l.stick.state.State)}
	}
	out := status.Light{State: status.LightGood, Text: fmt.Sprintf("silent (%s)", l.stick.state.State), At: l.stick.at,
		Evidence: "its stick says " + l.stick.state.State}
	if l.active {
		out.State = status.LightBad
	}
	return out
}

// onAir is about the active node: who speaks on MQTT outranks what runs.
func (l lamp) onAir(o network.Observation) status.Light {
	out := status.Light{At: o.At}
	b := l.bridge
	switch {
	case b == nil:
		out.State, out.Text, out.Evidence = status.LightUnknown, "not known", "MQTT was not asked"
	case b.Err != nil:
		out.State, out.Text, out.Evidence = status.LightBad, "not heard", b.Err.Error()
	case b.Node == l.name:
		out.State, out.Text, out.Evidence = status.LightGood, "on air", "Zigbee2MQTT speaks on MQTT and says it is "+l.name
	case b.Node == "":
		out.State, out.Text, out.Evidence = status.LightGood, "on air", "Zigbee2MQTT speaks on MQTT; it has no mark yet, the first move adds it"
	default:
		out.State, out.Text, out.Evidence = status.LightBad, "somebody else speaks", "the Zigbee2MQTT that speaks on MQTT says it is "+b.Node
	}
	return out
}
