package readiness

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/failover/network"
)

type assessor struct {
	in  Input
	out Assessment
}

func (a *assessor) add(c Check) { a.out.Checks = append(a.out.Checks, c) }

func (a *assessor) reachable() {
	for _, v := range a.in.Views {
		c := Check{ID: "reachable", Node: v.Name, What: "can be looked at over SSH", OK: v.Err == nil, Evidence: "answered", At: a.in.Now}
		if v.Observed != nil {
			c.At = v.Observed.At
		}
		if v.Err != nil {
			c.Evidence, c.Fix = v.Err.Error(), fmt.Sprintf("make %s reachable", v.Name)
		}
		a.add(c)
	}
	if a.in.Unfinished != "" {
		a.add(Check{ID: "unfinished", What: "no earlier run was cut off", Warning: true,
			Evidence: "run " + a.in.Unfinished + " was cut off",
			Fix:      "it is finished or taken back before anything else is done"})
	}
}

func (a *assessor) oneActive() {
	running := a.views(func(o network.Observation) bool { return len(o.DataHolders) > 0 })
	if len(running) == 0 { // perhaps Zigbee2MQTT on another data directory
		running = a.views(network.Observation.Runs)
	}
	c := Check{ID: "one-active", What: "exactly one node runs Zigbee2MQTT", At: a.in.Now}
	switch {
	case len(running) == 0:
		c.Evidence, c.Fix = a.nobody()
	case len(running) > 1:
		c.Evidence = "Zigbee2MQTT runs on " + names(running)
		c.Fix = fmt.Sprintf("stop it on all but the one that your devices answer%s, and reset or unplug the other sticks", recorded(a.in.Recorded))
	case !running[0].Observed.Active():
		o := running[0].Observed
		c.Node = running[0].Name
		c.Evidence = halfRunning(*o)
		c.Fix = fmt.Sprintf("look at the log of Zigbee2MQTT on %s", running[0].Name)
	default:
		a.out.Active = running[0].Name
		c.OK, c.Node = true, running[0].Name
		c.Evidence = running[0].Observed.TTYHolders[0].String() + " holds " + running[0].Observed.TTY
	}
	a.add(c)
}

// nobody runs, as far as can be seen: one that cannot be looked at may well serve.
func (a *assessor) nobody() (evidence, fix string) {
	var unseen []View
	for _, v := range a.in.Views {
		if v.Observed == nil {
			unseen = append(unseen, v)
		}
	}
	if len(unseen) > 0 {
		who := names(unseen)
		return "no node is seen to run Zigbee2MQTT, and whether it runs on " + who + " cannot be seen",
			"make " + who + " reachable, and start nothing elsewhere before its stick is known to be silent"
	}
	return "no node runs Zigbee2MQTT", fmt.Sprintf("start Zigbee2MQTT on the node that was active last%s, then try again", recorded(a.in.Recorded))
}

func (a *assessor) views(is func(network.Observation) bool) []View {
	var out []View
	for _, v := range a.in.Views {
		if v.Observed != nil && is(*v.Observed) {
			out = append(out, v)
		}
	}
	return out
}

func halfRunning(o network.Observation) string {
	if len(o.TTYHolders) == 0 {
		return fmt.Sprintf("%s uses the data directory but does not hold %s", o.DataHolders[0], o.TTY)
	}
	return fmt.Sprintf("%s holds %s but does not use the data directory", o.TTYHolders[0], o.TTY)
}

func recorded(node string) string {
	if node == "" {
		return ""
	}
	return " (on record: " + node + ")"
}

func names(views []View) string {
	var out []string
	for _, v := range views {
		out = append(out, v.Name)
	}
	return strings.Join(out, " and ")
}

// Distinct is the id of the checks that two nodes are two machines with a stick each.
const Distinct = "distinct"

// distinct refuses two names for one stick or one directory: moving the network
// from a stick to itself would write over the only copy.
func (a *assessor) distinct() {
	for i, v := range a.in.Views {
		for _, w := range a.in.Views[i+1:] {
			if v.Observed == nil || w.Observed == nil || !related(*v.Observed, *w.Observed) {
				continue
			}
			a.add(sameMachine(v, w))
		}
	}
}

// related says that two nodes are one machine, or reach one network coordinator.
func related(v, w network.Observation) bool {
	oneStick := strings.HasPrefix(v.TTYDevice, "tcp://") && v.TTYDevice == w.TTYDevice
	return oneStick || (v.HostID != "" && v.HostID == w.HostID)
}

func sameMachine(v, w View) Check {
	both := v.Name + " and " + w.Name
	c := Check{ID: Distinct, What: both + " are different machines", Warning: true,
		Evidence: both + " are one machine: they fail together",
		Fix:      "put the stand-by on another machine"}
	if v.Observed.TTYDevice != "" && v.Observed.TTYDevice == w.Observed.TTYDevice {
		c.Warning = false
		c.Evidence = fmt.Sprintf("%s have the same stick, %s", both, v.Observed.TTYDevice)
		c.Fix = "give each node its own stick in the configuration (`dongle`)"
	} else if v.Observed.DataID != "" && v.Observed.DataID == w.Observed.DataID {
		c.Warning = false
		c.Evidence = both + " have the same data directory"
		c.Fix = "give each node its own directory in the configuration (`data`)"
	}
	return c
}

func (a *assessor) bridge() {
	b := a.in.Bridge
	if b == nil || a.out.Active == "" {
		return
	}
	c := Check{ID: "speaks", Node: a.out.Active, What: "Zigbee2MQTT answers over MQTT", OK: b.Err == nil, At: a.asked()}
	if b.Err != nil {
		c.Evidence = b.Err.Error()
		c.Fix = "see that broker, login and base topic in the configuration are those of Zigbee2MQTT"
		a.add(c)
		return
	}
	c.Evidence = fmt.Sprintf("version %s, %d devices", cmp.Or(b.Version, "unknown"), b.Devices)
	a.add(c)
	a.add(a.marker(b))
	if a.in.To != "" {
		a.add(a.interviews(b.Interviewed))
	}
}

// asked is when Zigbee2MQTT was asked over MQTT.
func (a *assessor) asked() time.Time {
	if at := a.in.Bridge.At; !at.IsZero() {
		return at
	}
	return a.in.Now
}

func (a *assessor) marker(b *Bridge) Check {
	c := Check{ID: "marker", Node: a.out.Active, What: "the Zigbee2MQTT that answers is this one",
		OK: b.Node == a.out.Active, Evidence: "it says it is " + b.Node, At: a.asked()}
	switch b.Node {
	case a.out.Active:
	case "":
		c.OK = true
		c.Evidence = "its configuration has no mark yet; the first move adds it"
	default:
		c.Fix = fmt.Sprintf("see which Zigbee2MQTT publishes on this base topic, or put `z2mha: {node: %s}` into configuration.yaml on %s and restart it",
			a.out.Active, a.out.Active)
	}
	return c
}

func (a *assessor) interviews(devices []string) Check {
	c := Check{ID: "interview", Node: a.out.Active, What: "no device is being interviewed", OK: len(devices) == 0, Evidence: "none", At: a.asked()}
	if !c.OK {
		c.Evidence = strings.Join(devices, ", ") + " is being interviewed"
		c.Fix = "wait until Zigbee2MQTT has finished, then try again"
	}
	return c
}
