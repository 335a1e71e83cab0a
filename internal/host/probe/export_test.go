package probe

import "z2mha/internal/host/helperapi"

// Limits is what a look at t would say of its own limits, by what a folder shows
// instead of /proc, to a user.
func Limits(proc string, euid int, t *helperapi.TTY) helperapi.ProbeResult {
	r := helperapi.ProbeResult{TTY: t}
	sight{proc: proc, euid: euid}.limits(&r)
	return r
}
