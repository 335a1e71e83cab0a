package probe_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/probe"
)

const (
	initial = "pid:[4026531836]"
	inner   = "pid:[4026532450]"
)

// fakeProc makes a folder that looks like /proc of a PID namespace.
func fakeProc(t *testing.T, links map[string]string, init, mountinfo string) string {
	t.Helper()
	proc := t.TempDir()
	for _, dir := range []string{"1/ns", "self/ns"} {
		if err := os.MkdirAll(filepath.Join(proc, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(proc, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"1/cmdline": init, "self/mountinfo": mountinfo} {
		if err := os.WriteFile(filepath.Join(proc, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return proc
}

func TestLimitsOfContainers(t *testing.T) {
	usb := helperapi.TTY{Path: "/dev/ttyUSB0", Present: true, Device: "188:0"}
	pts := helperapi.TTY{Path: "/tmp/stick", Present: true, Device: "136:3"}
	in := map[string]string{"1/ns/pid": inner, "self/ns/pid": inner}
	for _, test := range []struct {
		name      string
		links     map[string]string
		init      string
		tty       *helperapi.TTY
		contained bool
		blind     bool
	}{
		{"the machine itself", map[string]string{"1/ns/pid": initial, "self/ns/pid": initial}, "/sbin/init", &usb, false, false},
		{"pid 1 that may not be looked into", map[string]string{"self/ns/pid": initial}, "/sbin/init", &usb, false, false},
		{"a namespace of our own below the machine's /proc", map[string]string{"1/ns/pid": initial, "self/ns/pid": inner}, "/sbin/init", &usb, false, false},
		{"a /proc that does not know us", nil, "", &usb, true, true},
		{"unshare --mount-proc", in, "bash\x00", &usb, true, true},
		{"an SSH server in a container", in, "/usr/sbin/sshd\x00-D\x00", &usb, true, true},
		{"an add-on with an init of its own", in, "/sbin/docker-init\x00--\x00/init\x00", &usb, true, true},
		{"an add-on with s6", in, "/package/admin/s6/command/s6-svscan\x00", &usb, true, true},
		{"a script named init", in, "/init\x00", &usb, true, true},
		{"a system container with systemd", in, "/sbin/init\x00splash\x00", &usb, true, false},
		{"a system container with sysvinit", in, "init [2]\x00\x00", &usb, true, false},
		{"a missing device", in, "bash\x00", &helperapi.TTY{Path: "/dev/serial/by-id/x"}, true, true},
		{"an emulated stick", in, "bash\x00", &pts, true, false},
		{"a missing emulated stick", in, "bash\x00", &helperapi.TTY{Path: "/tmp/stick"}, true, false},
		{"an address in the network", in, "bash\x00", &helperapi.TTY{Path: "tcp://192.0.2.7:6638", Present: true}, true, true},
		{"an address on the machine", in, "bash\x00", &helperapi.TTY{Path: "tcp://127.0.0.1:6638", Present: true}, true, false},
		{"no port", in, "bash\x00", nil, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := probe.Limits(fakeProc(t, test.links, test.init, ""), 0, test.tty)
			if (r.Contained != "") != test.contained || r.Blind != test.blind {
				t.Errorf("got %+v", r)
			}
			if r.Blind && (!strings.Contains(r.BlindReason, "container") || !strings.Contains(r.BlindRemedy, "SSH")) {
				t.Errorf("got %q and %q", r.BlindReason, r.BlindRemedy)
			}
		})
	}
}

func TestLimitsOfHidepid(t *testing.T) {
	const root = "1 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	mount := func(options, super string) string {
		return "22 1 0:21 / /proc " + options + " shared:5 - proc proc " + super + "\n"
	}
	for _, test := range []struct {
		name  string
		text  string
		euid  int
		blind bool
	}{
		{"without", root + mount("rw,relatime", "rw"), 1000, false},
		{"invisible", root + mount("rw,relatime", "rw,hidepid=invisible"), 1000, true},
		{"2", root + mount("rw", "rw,gid=7,hidepid=2"), 1000, true},
		{"1", root + mount("rw,hidepid=1", "rw"), 1000, true},
		{"off", root + mount("rw", "rw,hidepid=0"), 1000, false},
		{"root", root + mount("rw", "rw,hidepid=2"), 0, false},
		{"mounted over", root + mount("rw", "rw,hidepid=2") + mount("rw", "rw"), 1000, false},
		{"elsewhere", root + mount("rw", "rw") + strings.Replace(mount("rw", "rw,hidepid=2"), "/proc", "/x/proc", 1), 1000, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			proc := fakeProc(t, map[string]string{"1/ns/pid": initial, "self/ns/pid": initial}, "/sbin/init", test.text)
			r := probe.Limits(proc, test.euid, nil)
			if r.Blind != test.blind {
				t.Errorf("got %+v", r)
			}
			if r.Blind && (!strings.Contains(r.BlindReason, "hidepid") || !strings.Contains(r.BlindRemedy, "become")) {
				t.Errorf("got %q and %q", r.BlindReason, r.BlindRemedy)
			}
		})
	}
}
