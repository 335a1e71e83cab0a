package probe

import "z2mha/internal/host/helperapi"

// Limits is what a look at t would say of its own limits, by what a folder shows
// instead of /proc, to a user.
func Limits(proc string, euid int, t *helperapi.TTY) helperapi.ProbeResult {
	r := helperapi.ProbeResult{TTY: t}
	sight{proc: proc, euid: euid}.limits(&r)
	return r
}

// ModemManaged is what a look would say of ModemManager, by what folders below dir show
// instead of /proc, /sys and udev's notes.
func ModemManaged(dir, device string) bool {
	return system{dir + "/proc", dir + "/sys", dir + "/udev"}.modemManaged(device)
}
