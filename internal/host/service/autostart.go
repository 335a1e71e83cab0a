package service

import "z2mha/internal/host/remote"

// Autostart changes whether the service starts at boot; false: there is no way to.
// That it was asked proves nothing; Enabled does.
func (s systemd) Autostart(on bool) (remote.Command, bool) {
	return asRoot("systemctl", map[bool]string{true: "enable", false: "disable"}[on], s.unit), true
}

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
