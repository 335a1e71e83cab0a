package probe

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ignored are the marks by which udev rules keep ModemManager away from a device.
// Source: ModemManager, "Udev tags".
var ignored = []string{"E:ID_MM_DEVICE_IGNORE=1", "E:ID_MM_PORT_IGNORE=1", "E:ID_MM_TTY_BLACKLIST=1"}

// A system is where a machine shows its processes, devices and udev's notes on them.
type system struct{ proc, sys, udev string }

// modemManaged says that ModemManager runs here and was not told to leave the device
// with this number alone. It may then open a stick and talk to it as if to a modem.
func modemManaged(device string) bool {
	return system{procDir, "/sys", "/run/udev/data"}.modemManaged(device)
}

func (s system) modemManaged(device string) bool {
	return device != "" && !isPTY(device) && s.runs("ModemManager") && !s.isIgnored(device)
}

func (s system) runs(command string) bool {
	names, _ := filepath.Glob(filepath.Join(s.proc, "[0-9]*/comm"))
	return slices.ContainsFunc(names, func(name string) bool { return firstLine(name) == command })
}

// isIgnored looks at the device and at those it hangs on: rules may mark the tty or the
// stick as a whole.
func (s system) isIgnored(device string) bool {
	at, err := filepath.EvalSymlinks(filepath.Join(s.sys, "dev/char", device))
	for ; err == nil && len(at) > len(s.sys); at = filepath.Dir(at) {
		number := firstLine(filepath.Join(at, "dev"))
		if number == "" {
			continue
		}
		notes, _ := os.ReadFile(filepath.Join(s.udev, "c"+number))
		for line := range strings.Lines(string(notes)) {
			if slices.Contains(ignored, strings.TrimSpace(line)) {
				return true
			}
		}
	}
	return false
}
