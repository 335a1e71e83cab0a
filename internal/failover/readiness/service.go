package readiness

import (
	"cmp"
	"fmt"

	"z2mha/internal/failover/network"
)

// service says that the service manager knows the service. Without that neither a stop
// nor a start is possible; that would show only when nobody is on air any more.
func service(s subject) (finding, bool) {
	if t := s.o.ServiceTrouble; t != nil {
		return finding{evidence: t.Why, fix: fmt.Sprintf("on %s: %s", s.v.Name, cmp.Or(t.Remedy, "see why its service manager does not answer"))}, true
	}
	known := s.o.Service != network.ServiceUnknown && s.o.Service != "" // not with commands of one's own, without one that tells
	return finding{ok: true, evidence: "it says " + string(s.o.Service)}, known
}

// autostart warns of a stand-by that would put a second coordinator on air by itself
// at its next boot.
func autostart(s subject) (finding, bool) {
	if s.o.StartedBy != "" {
		return finding{evidence: fmt.Sprintf("it is not enabled, and %s starts it: then there would be two coordinators on air", s.o.StartedBy),
			fix: fmt.Sprintf("take Zigbee2MQTT out of what %s wants on %s", s.o.StartedBy, s.v.Name)}, true
	}
	switch s.o.Enabled {
	case "yes":
		fix := fmt.Sprintf("disable the service on %s", s.v.Name)
		if s.o.Disable != "" {
			fix += ", as root: " + s.o.Disable
		}
		return finding{evidence: "its service is enabled: after a reboot there would be two coordinators on air", fix: fix}, true
	case "no":
		return finding{ok: true, evidence: "its service is not enabled at boot"}, true
	case "masked":
		return finding{ok: true, evidence: "its service is masked, so nobody starts it by mistake; a move takes the mask off"}, true
	}
	return finding{}, false
}

// comesBack warns of an active node after whose reboot nobody starts Zigbee2MQTT. A move
// takes the start at boot along; a person who moved the network by hand may not have.
func comesBack(s subject) (finding, bool) {
	switch {
	case s.o.Enabled == "" || s.o.Enabled == "masked": // not known, or somebody's will
		return finding{}, false
	case s.o.Enabled == "yes":
		return finding{ok: true, evidence: "its service is enabled"}, true
	case s.o.StartedBy != "":
		return finding{ok: true, evidence: s.o.StartedBy + " starts it"}, true
	}
	return finding{evidence: "its service is not enabled at boot: after a power cut the home has no Zigbee until somebody starts it",
		fix: fmt.Sprintf("enable the service on %s", s.v.Name)}, true
}

// watchdog warns of a Zigbee2MQTT that starts itself again, past the service manager: one
// that had lost its stick would come back on air by itself when another node has taken
// over.
func watchdog(s subject) (finding, bool) {
	return finding{evidence: fmt.Sprintf("Z2M_WATCHDOG is set to %q: Zigbee2MQTT would come back by itself after another node has taken over", s.o.Watchdog),
		fix: fmt.Sprintf("take Z2M_WATCHDOG out of the service's environment on %s and restart it there", s.v.Name)}, s.o.Watchdog != ""
}

// modemManager warns of a program that opens serial ports to look for modems.
func modemManager(s subject) (finding, bool) {
	return finding{evidence: "ModemManager runs and may open " + s.o.TTY + " to look for a modem",
		fix: fmt.Sprintf("remove ModemManager from %s, or give the stick ID_MM_DEVICE_IGNORE=1 in a udev rule", s.v.Name)}, s.o.ModemManager
}
