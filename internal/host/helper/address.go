package helper

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"z2mha/internal/dongle/port"
	"z2mha/internal/host/helperapi"
)

// checkAddress refuses what cannot be a stick's address, however the host looks.
func checkAddress(address string) error {
	if port.IsNetwork(address) {
		u, err := url.Parse(address)
		if err != nil || u.Hostname() == "" || u.Port() == "" {
			return helperapi.Errorf(helperapi.ExitUsage, "%q: want tcp://HOST:PORT, such as tcp://192.168.1.7:6638", address)
		}
		return nil
	}
	if address == "" || strings.Contains(address, "://") {
		return helperapi.Errorf(helperapi.ExitUsage,
			"%q is neither a device path such as /dev/serial/by-id/... nor tcp://HOST:PORT", address)
	}
	return nil
}

// checkTerminal refuses a path that is there and no serial device. It does not open
// it: that alone would move the lines of a serial port. What is missing, and a device
// of which the system does not say what it is, pass.
func checkTerminal(address string) error {
	if port.IsNetwork(address) {
		return nil
	}
	info, err := os.Stat(address)
	if err != nil {
		return nil // the opening says it better
	}
	if info.Mode()&os.ModeCharDevice != 0 && isTerminal(info) {
		return nil
	}
	return helperapi.Errorf(helperapi.ExitIO, "%s is no serial port; name the stick's device, such as /dev/serial/by-id/...", address)
}

// isTerminal looks a device number up in sysfs. Pseudo-terminals are not listed there.
func isTerminal(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	device := uint64(stat.Rdev)
	kind, err := os.Readlink(fmt.Sprintf("/sys/dev/char/%d:%d/subsystem", unix.Major(device), unix.Minor(device)))
	return err != nil || filepath.Base(kind) == "tty"
}
