package readiness

import (
	"cmp"
	"fmt"
	"strings"

	"z2mha/internal/failover/network"
)

type assessor struct {
	in  Input
	out Assessment
}

func (a *assessor) add(c Check) { a.out.Checks = append(a.out.Checks, c) }

func (a *assessor) reachable() {
	for _, v := range a.in.Views {
		c := Check{ID: "reachable", Node: v.Name, What: "can be looked at over SSH", OK: v.Err == nil}
		switch {
		case v.Err != nil:
			c.Evidence = v.Err.Error()
			c.Fix = fmt.Sprintf("make %s reachable", v.Name)
		default:
			c.Evidence = "answered"
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
	c := Check{ID: "one-active", What: "exactly one node runs Zigbee2MQTT"}
	switch {
	case len(running) == 0:
		c.Evidence = "no node runs Zigbee2MQTT"
		c.Fix = fmt.Sprintf("start Zigbee2MQTT on the node that was active last%s, then try again", recorded(a.in.Recorded))
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
	c := Check{ID: "distinct", What: both + " are different machines", Warning: true,
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
	c := Check{ID: "speaks", Node: a.out.Active, What: "Zigbee2MQTT answers over MQTT", OK: b.Err == nil}
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
		a.add(interviews(a.out.Active, b.Interviewed))
	}
}

func (a *assessor) marker(b *Bridge) Check {
	c := Check{ID: "marker", Node: a.out.Active, What: "the Zigbee2MQTT that answers is this one",
		OK: b.Node == a.out.Active, Evidence: "it says it is " + b.Node}
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

func interviews(active string, devices []string) Check {
	c := Check{ID: "interview", Node: active, What: "no device is being interviewed", OK: len(devices) == 0, Evidence: "none"}
	if !c.OK {
		c.Evidence = strings.Join(devices, ", ") + " is being interviewed"
		c.Fix = "wait until Zigbee2MQTT has finished, then try again"
	}
	return c
}

func (a *assessor) node(v View) {
	o := *v.Observed
	tty := Check{ID: "stick-present", Node: v.Name, What: "the stick is there", OK: o.TTYPresent, Evidence: o.TTY}
	if !tty.OK {
		tty.Evidence = o.TTY + " does not exist"
		tty.Fix = fmt.Sprintf("plug the stick of %s in, or correct `dongle` in the configuration", v.Name)
	}
	a.add(tty)
	if v.Name != a.in.To && a.in.To != "" && v.Name != a.out.Active {
		a.stopped(v)
		return
	}
	a.add(space(v.Name, o))
	a.service(v.Name, o)
	a.watchdog(v.Name, o)
	a.modemManager(v.Name, o)
	if v.Name != a.out.Active {
		a.stopped(v)
		a.stick(v)
		a.autostart(v.Name, o)
	} else {
		a.comesBack(v.Name, o)
	}
}

func space(node string, o network.Observation) Check {
	c := Check{ID: "space", Node: node, What: "there is room on the disk", OK: o.FreeBytes >= MinFreeBytes,
		Evidence: fmt.Sprintf("%d MB free", o.FreeBytes>>20)}
	if !c.OK {
		c.Fix = fmt.Sprintf("free at least %d MB on %s where the data directory lies", MinFreeBytes>>20, node)
	}
	return c
}

func (a *assessor) stopped(v View) {
	why := v.Observed.WhyNotStopped()
	c := Check{ID: "stopped", Node: v.Name, What: "Zigbee2MQTT is stopped here", OK: why == "", Evidence: cmp.Or(why, "nobody holds its stick or data")}
	if !c.OK {
		c.Fix = fmt.Sprintf("stop what is named on %s", v.Name)
	}
	a.add(c)
}

func (a *assessor) stick(v View) {
	c := Check{ID: "stick-answers", Node: v.Name, What: "the stick answers", OK: v.Stick != nil}
	switch {
	case v.Stick != nil && v.Stick.Silent:
		c.Evidence = fmt.Sprintf("%s, %s", v.Stick.Stick, v.Stick.State)
	case v.Stick != nil:
		c.OK, c.Warning = false, true
		c.Evidence = fmt.Sprintf("the stick is in state %s although nothing runs: it may be on air", v.Stick.State)
		c.Fix = "the next switchover resets it first"
	case v.StickErr != nil:
		c.Evidence = v.StickErr.Error()
		c.Fix = fmt.Sprintf("see that `dongle` of %s names its Zigbee stick", v.Name)
	default:
		return
	}
	a.add(c)
}

func (a *assessor) versions() {
	first := ""
	for _, v := range a.in.Views {
		if v.Observed == nil || v.Observed.Version == "" || (v.Name != a.out.Active && v.Name != a.in.To) {
			continue
		}
		if first == "" {
			first = v.Observed.Version
			continue
		}
		c := Check{ID: "version", What: "the same Zigbee2MQTT version on both", OK: v.Observed.Version == first,
			Evidence: first}
		if !c.OK {
			c.Evidence = fmt.Sprintf("versions %s and %s", first, v.Observed.Version)
			c.Fix = "bring both to one version: an older Zigbee2MQTT refuses the files of a newer one"
		}
		a.add(c)
	}
}
