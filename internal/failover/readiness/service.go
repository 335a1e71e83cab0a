package readiness

import (
	"cmp"
	"fmt"

	"z2mha/internal/failover/network"
)

// service says that the service manager knows the service. Without that neither a stop
// nor a start is possible; that would show only when nobody is on air any more.
func (a *assessor) service(node string, o network.Observation) {
	if (o.Service == network.ServiceUnknown || o.Service == "") && o.ServiceTrouble == nil {
		return // commands of one's own, without one that tells
	}
	c := Check{ID: "service", Node: node, What: "the service manager knows Zigbee2MQTT", OK: o.ServiceTrouble == nil,
		Evidence: "it says " + string(o.Service)}
	if !c.OK {
		c.Evidence = o.ServiceTrouble.Why
		c.Fix = fmt.Sprintf("on %s: %s", node, cmp.Or(o.ServiceTrouble.Remedy, "see why its service manager does not answer"))
	}
	a.add(c)
}

// autostart warns of a stand-by that would put a second coordinator on air by itself
// at its next boot.
func (a *assessor) autostart(node string, o network.Observation) {
	c := Check{ID: "autostart", Node: node, What: "Zigbee2MQTT does not start by itself here"}
	if o.StartedBy != "" {
		c.Warning = true
		c.Evidence = fmt.Sprintf("it is not enabled, and %s starts it: then there would be two coordinators on air", o.StartedBy)
		c.Fix = fmt.Sprintf("take Zigbee2MQTT out of what %s wants on %s", o.StartedBy, node)
		a.add(c)
		return
	}
	switch o.Enabled {
	case "yes":
		c.Warning = true
		c.Evidence = "its service is enabled: after a reboot there would be two coordinators on air"
		c.Fix = fmt.Sprintf("disable the service on %s", node)
		if o.Disable != "" {
			c.Fix += ", as root: " + o.Disable
		}
	case "no", "masked":
		c.OK, c.Evidence = true, map[string]string{"no": "its service is not enabled at boot", "masked": "its service is masked, so nobody starts it by mistake; a move takes the mask off"}[o.Enabled]
	default:
		return // not known
	}
	a.add(c)
}

// comesBack warns of an active node after whose reboot nobody starts Zigbee2MQTT. A move
// takes the start at boot along; a person who moved the network by hand may not have.
func (a *assessor) comesBack(node string, o network.Observation) {
	if o.Enabled == "" || o.Enabled == "masked" { // not known, or somebody's will
		return
	}
	c := Check{ID: "boot", Node: node, What: "Zigbee2MQTT comes back after a reboot", OK: o.Enabled == "yes" || o.StartedBy != "",
		Evidence: "its service is enabled"}
	switch {
	case !c.OK:
		c.Warning = true
		c.Evidence = "its service is not enabled at boot: after a power cut the home has no Zigbee until somebody starts it"
		c.Fix = fmt.Sprintf("enable the service on %s", node)
	case o.Enabled != "yes":
		c.Evidence = o.StartedBy + " starts it"
	}
	a.add(c)
}

// watchdog warns of a Zigbee2MQTT that starts itself again, past the service manager: one
// that had lost its stick would come back on air by itself when another node has taken
// over.
func (a *assessor) watchdog(node string, o network.Observation) {
	if o.Watchdog == "" {
		return
	}
	a.add(Check{ID: "watchdog", Node: node, What: "Zigbee2MQTT does not start itself again", Warning: true,
		Evidence: fmt.Sprintf("Z2M_WATCHDOG is set to %q: Zigbee2MQTT would come back by itself after another node has taken over", o.Watchdog),
		Fix:      fmt.Sprintf("take Z2M_WATCHDOG out of the service's environment on %s and restart it there", node)})
}

// modemManager warns of a program that opens serial ports to look for modems.
func (a *assessor) modemManager(node string, o network.Observation) {
	if !o.ModemManager {
		return
	}
	a.add(Check{ID: "modem-manager", Node: node, What: "no other program opens the stick", Warning: true,
		Evidence: "ModemManager runs and may open " + o.TTY + " to look for a modem",
		Fix:      fmt.Sprintf("remove ModemManager from %s, or give the stick ID_MM_DEVICE_IGNORE=1 in a udev rule", node)})
}
