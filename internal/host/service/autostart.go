package service

import (
	"slices"
	"strings"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
)

// Autostart changes whether the service starts at boot; false: there is no way to.
// That it was asked proves nothing; Enabled does.
//
// A disable removes every link to the unit file, also one that makes the unit known in
// the first place, as where "systemctl enable /opt/…/zigbee2mqtt.service" was said: the
// unit could not be started again. Such a link is put back. With a unit's other name it
// would remove that name, so it is refused. Source: systemctl(1), disable; seen with
// systemd 252.
func (s systemd) Autostart(on bool) (remote.Command, bool) {
	if on {
		return asRoot("systemctl", "enable", s.unit), true
	}
	const script = `i=$(systemctl show -p Id "$u" | sed -n 's/^Id=//p'); ` +
		`case $i in ""|"$u"|"$u.service") ;; *) echo "$u is another name of $i: write that into unit:" >&2; exit 1;; esac; ` +
		`f=$(readlink -f "$(systemctl show -p FragmentPath "$u" | sed -n 's/^FragmentPath=//p')"); ` +
		`systemctl disable "$u"; s=$?; systemctl cat "$u" >/dev/null 2>&1 || systemctl link "$f"; exit $s`
	return line("u=" + remote.Quote(s.unit) + "; " + script), true
}

// otherName recognises a unit that was asked for by its Alias=, or by a link to it.
func (s systemd) otherName(p map[string]string) *network.RefusedError {
	if id := p["Id"]; id == "" || p["LoadState"] == "not-found" || trimUnit(id) == trimUnit(s.unit) {
		return nil
	}
	return unaskable(s.unit, s.unit+" is another name of "+p["Id"]+", and is lost when that is disabled", "write unit: "+trimUnit(p["Id"])+" into z2mha.yaml")
}

// starters are the units that start this one although it is not enabled, such as one
// with a Wants= of its own, or the target of a generated unit.
func starters(p map[string]string) string {
	var all []string
	for _, how := range starterProperties {
		all = append(all, strings.Fields(p[how])...)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

var starterProperties = []string{"WantedBy", "RequiredBy", "BoundBy", "UpheldBy", "TriggeredBy"}

// Autostart adds the service to the runlevel default, or takes it out of all. The latter
// fails for each runlevel that it is not in, even if it was in another.
func (o openrc) Autostart(on bool) (remote.Command, bool) {
	if on {
		return asRoot("rc-update", "add", o.name, "default"), true
	}
	return line("rc-update --all del " + remote.Quote(o.name) + "; true"), true
}

// Autostart is not known.
func (k commands) Autostart(bool) (remote.Command, bool) { return remote.Command{}, false }
