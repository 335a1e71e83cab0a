package port_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"z2mha/internal/dongle/port"
)

func TestParseLock(t *testing.T) {
	type parsed struct {
		PID        int
		Dev, Inode uint64
		OK         bool
	}
	tests := []struct {
		line string
		want parsed
	}{
		{"1: FLOCK  ADVISORY  WRITE 9929 00:1a:3 0 EOF", parsed{9929, unix.Mkdev(0, 0x1a), 3, true}},
		{"2: FLOCK  ADVISORY  READ  7 103:02:1234567 0 EOF", parsed{7, unix.Mkdev(0x103, 2), 1234567, true}},
		{"1: -> FLOCK  ADVISORY  WRITE 9930 00:1a:3 0 EOF", parsed{}},
		{"3: POSIX  ADVISORY  WRITE 12 00:1a:3 0 EOF", parsed{}},
		{"3: FLOCK ADVISORY WRITE x 00:1a:3 0 EOF", parsed{}},
		{"3: FLOCK ADVISORY WRITE 12 00:3 0 EOF", parsed{}},
		{"", parsed{}},
	}
	for _, test := range tests {
		var got parsed
		got.PID, got.Dev, got.Inode, got.OK = port.ParseLock(test.line)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.line, diff)
		}
	}
}

// As the kernel of a little-endian machine prints them, which all supported ones are.
func TestParseSocketAddr(t *testing.T) {
	tests := []struct{ text, want string }{
		{"0100007F:19EE", "127.0.0.1:6638"},
		{"0701A8C0:19EE", "192.168.1.7:6638"},
		{"00000000000000000000000001000000:19EE", "[::1]:6638"},
		{"0000000000000000FFFF00000701A8C0:19EE", "192.168.1.7:6638"}, // IPv4 in an IPv6 socket
		{"B80D0120000000000000000001000000:0050", "[2001:db8::1]:80"},
	}
	for _, test := range tests {
		got, ok := port.ParseSocketAddr(test.text)
		if !ok || got != netip.MustParseAddrPort(test.want) {
			t.Errorf("%s: got %s, want %s", test.text, got, test.want)
		}
	}
	for _, text := range []string{"", "0100007F", "0100:19EE", "010000:19EE", "zz00007F:19EE", "0100007F:19EEE"} {
		if got, ok := port.ParseSocketAddr(text); ok {
			t.Errorf("%q was taken for %s", text, got)
		}
	}
}

func TestDescribe(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	usb := filepath.Join(root, "devices/pci0/usb1/1-2")
	tty := filepath.Join(usb, "1-2:1.0/ttyUSB0/tty/ttyUSB0")
	for _, dir := range []string{tty, filepath.Join(root, "dev/char"), filepath.Join(root, "devices/virtual/tty/tty1")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"idVendor": "10c4\n", "idProduct": "ea60\n", "manufacturer": "ITEAD\n",
		"product": "Sonoff Zigbee 3.0 USB Dongle Plus\n", "serial": "0123456789abcdef\n",
	} {
		if err := os.WriteFile(filepath.Join(usb, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, dir := range map[string]string{"188:0": tty, "4:1": filepath.Join(root, "devices/virtual/tty/tty1")} {
		if err := os.Symlink(dir, filepath.Join(root, "dev/char", name)); err != nil {
			t.Fatal(err)
		}
	}
	got, ok := port.DescribeBelow(root, "dev/char/188:0")
	want := port.USB{
		VendorID: "10c4", ProductID: "ea60", Manufacturer: "ITEAD",
		Product: "Sonoff Zigbee 3.0 USB Dongle Plus", Serial: "0123456789abcdef",
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("%v %s", ok, diff)
	}
	for _, node := range []string{"dev/char/4:1", "dev/char/9:9"} {
		if got, ok := port.DescribeBelow(root, node); ok {
			t.Errorf("%s: got %v", node, got)
		}
	}
	for _, path := range []string{"/dev/null", "/dev/nosuchtty", "tcp://127.0.0.1:6638"} {
		if got, ok := port.Describe(path); ok {
			t.Errorf("%s: got %v", path, got)
		}
	}
}
