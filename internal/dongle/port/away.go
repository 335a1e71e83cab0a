package port

import (
	"fmt"
	"path"
)

// Away is a USB device that its host was told to leave alone.
type Away struct {
	Path string `json:"path"` // below sysfs: "devices/platform/…/1-1.4"
	TTY  string `json:"tty"`  // below sysfs
	USB  USB    `json:"usb"`
}

// Name is the device's name on the bus: "1-1.4".
func (a Away) Name() string { return path.Base(a.Path) }

// A NotAloneError is a device that is not, or not only, the stick.
type NotAloneError struct{ Path, Why string }

func (e *NotAloneError) Error() string { return fmt.Sprintf("%s: %s", e.Path, e.Why) }
