package probe

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"z2mha/internal/dongle/port"
	"z2mha/internal/host/helperapi"
)

// A sight is how much of a host can be seen through a /proc.
type sight struct {
	proc string
	euid int
}

// A limit is why something may be there that is not seen, and what to do about it.
type limit struct{ why, remedy string }

// hidden says that /proc is mounted so that it does not even list other users'
// processes: hidepid= (1, 2, 4, or in words). Root sees them all the same.
func (s sight) hidden() (limit, bool) {
	if s.euid == 0 || !s.hidesPIDs() {
		return limit{}, false
	}
	return limit{
		"/proc is mounted with hidepid, which hides other users' processes",
		"set become: sudo or doas for this node",
	}, true
}

// hidesPIDs reads the last line for /proc: what is mounted later lies on top.
// Source: proc(5), proc_pid_mountinfo(5).
func (s sight) hidesPIDs() bool {
	hides := false
	text, _ := os.ReadFile(filepath.Join(s.proc, "self/mountinfo"))
	for line := range strings.Lines(string(text)) {
		mount, system, _ := strings.Cut(strings.TrimSpace(line), " - ")
		where, what := strings.Fields(mount), strings.Fields(system)
		if len(where) < 6 || len(what) < 3 || where[4] != "/proc" || what[0] != "proc" {
			continue
		}
		hides = false
		for option := range strings.SplitSeq(where[5]+","+what[2], ",") {
			level, ok := strings.CutPrefix(option, "hidepid=")
			hides = hides || ok && level != "0" && level != "off"
		}
	}
	return hides
}

// initialPIDs is the inode of the first PID namespace, the same on every machine.
// Source: PROC_PID_INIT_INO in Linux, include/linux/proc_ns.h.
const initialPIDs = "pid:[4026531836]" // 0xEFFFFFFC

// contained says that /proc shows a PID namespace other than the machine's own: that
// of a container, or of a command started with unshare. Processes outside are not
// listed. What counts is whose /proc it is, so pid 1 is asked; without rights to that,
// ourselves. A /proc that does not know us is of some other namespace, too.
func (s sight) contained() bool {
	space, err := os.Readlink(filepath.Join(s.proc, "1/ns/pid"))
	if err != nil {
		space, err = os.Readlink(filepath.Join(s.proc, "self/ns/pid"))
	}
	return err != nil || space != initialPIDs
}

// managed says that pid 1 is the init of a whole system, as in an LXC container: what
// it starts, Zigbee2MQTT too, is seen. In a container for one program (an SSH server,
// a shell) pid 1 is that program, or a small init such as tini or s6.
func (s sight) managed() bool {
	cmdline, _ := os.ReadFile(filepath.Join(s.proc, "1/cmdline"))
	program, _, _ := strings.Cut(strings.TrimRight(string(cmdline), "\x00"), "\x00")
	name, _, _ := strings.Cut(program, " ") // sysvinit writes its runlevel behind
	switch filepath.Base(name) {
	case "systemd", "openrc-init", "runit-init", "procd":
		return true
	case "init": // not /init, which containers for one program have
		return filepath.Dir(name) != "/"
	}
	return false
}

// limits adds to r what may be there unseen.
//
// Being in a container cannot make every look worthless: many homes run Zigbee2MQTT in
// a system container and are reached by SSH there; and emulated sticks, as in tests,
// exist only on this side. So a look is blind when the port is one that somebody
// outside could have open, and no service manager of the same container is there to
// have started Zigbee2MQTT. Else being contained is only told. Locks do not help: most
// kernels leave those of processes outside out of /proc/locks; where one is shown, as of
// pid 0, port.Holders counts it.
func (s sight) limits(r *helperapi.ProbeResult) {
	if l, ok := s.hidden(); ok {
		l.tell(r)
	}
	if !s.contained() {
		return
	}
	l := limit{
		"this is a container or a PID namespace of its own: processes outside of it cannot be seen",
		"let SSH lead to the host itself, or to the container whose service manager starts Zigbee2MQTT",
	}
	r.Contained = l.why
	if !s.managed() && r.TTY != nil && reachedFromOutside(*r.TTY) {
		l.tell(r)
	}
}

func (l limit) tell(r *helperapi.ProbeResult) {
	r.Blind = true
	if r.BlindReason == "" {
		r.BlindReason, r.BlindRemedy = l.why, l.remedy
	}
}

// reachedFromOutside says that programs outside of a container may have the port open:
// real devices, also those that are only missing in here, and addresses in the network,
// but neither pseudo terminals nor what listens on this very (virtual) machine.
func reachedFromOutside(t helperapi.TTY) bool {
	switch {
	case port.IsNetwork(t.Path):
		return !isLoopback(t.Path)
	case !t.Present:
		return strings.HasPrefix(t.Path, "/dev/")
	}
	return !isPTY(t.Device)
}

func isLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// isPTY goes by the major number. Source: Linux, admin-guide/devices.txt.
func isPTY(device string) bool {
	major, _, _ := strings.Cut(device, ":")
	n, err := strconv.Atoi(major)
	return err == nil && 136 <= n && n <= 143
}
