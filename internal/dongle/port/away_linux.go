package port

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	hubClass = "09"
	// awayEvery is the time between two looks whether a tty has gone, or has come.
	awayEvery = 50 * time.Millisecond
)

// onBus says that a folder is called as a device is: 1-1.4 is the fourth port of a hub in
// the first port. Root hubs are called usb1, interfaces 1-1.4:1.0.
func onBus(name string) bool {
	bus, port, ok := strings.Cut(name, "-")
	return ok && digits(bus) && digits(strings.ReplaceAll(port, ".", ""))
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// serialClasses are those of the interfaces that serial adapters have: CDC control and
// data, and what a maker has thought up.
var serialClasses = []string{"02", "0a", "ff"}

// FindAway tells which USB device is behind a tty, and refuses with a *NotAloneError one
// that is more than that: a hub, a device with a second port, a disk. sysfs is "/sys" but
// in tests.
func FindAway(sysfs, path string) (Away, error) {
	if IsNetwork(path) {
		return Away{}, &NotAloneError{path, "it is no USB device but one in the network"}
	}
	d, err := statDevice(path)
	if err != nil {
		return Away{}, err
	}
	root, err := filepath.EvalSymlinks(sysfs)
	if err != nil {
		return Away{}, err
	}
	tty, err := filepath.EvalSymlinks(filepath.Join(root, fmt.Sprintf("dev/char/%d:%d", unix.Major(d.number), unix.Minor(d.number))))
	if err != nil {
		return Away{}, &NotAloneError{path, "sysfs does not know it, so it is no USB device"}
	}
	usb := usbAbove(root, tty)
	if usb == "" {
		return Away{}, &NotAloneError{path, "it is no USB device"}
	}
	if why := notAlone(usb, tty); why != "" {
		return Away{}, &NotAloneError{path, why}
	}
	about, _ := describeDevice(usb)
	return Away{Path: below(root, usb), TTY: below(root, tty), USB: about}, nil
}

// usbAbove walks up to the device on the bus. Its interfaces have a file authorized too.
func usbAbove(root, dir string) string {
	for ; len(dir) > len(root); dir = filepath.Dir(dir) {
		if attribute(dir, "idVendor") != "" {
			return dir
		}
	}
	return ""
}

// notAlone says what else than the one tty would go with the device.
func notAlone(usb, tty string) string {
	if !onBus(filepath.Base(usb)) || attribute(usb, "bDeviceClass") == hubClass {
		return filepath.Base(usb) + " is a hub"
	}
	if attribute(usb, "authorized") == "" {
		return "the kernel has no switch for " + filepath.Base(usb)
	}
	interfaces, _ := filepath.Glob(filepath.Join(usb, "*", "bInterfaceClass"))
	for _, file := range interfaces {
		if class := attribute(filepath.Dir(file), "bInterfaceClass"); !slices.Contains(serialClasses, class) {
			return fmt.Sprintf("%s is more than a serial port: it has an interface of class %s", filepath.Base(usb), class)
		}
	}
	if other := otherTTY(usb, tty); other != "" {
		return fmt.Sprintf("%s has another port besides, %s", filepath.Base(usb), other)
	}
	return ""
}

// otherTTY finds a second tty of the device, or a device behind it.
func otherTTY(usb, tty string) string {
	found := ""
	_ = filepath.WalkDir(usb, func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || p == usb {
			return nil
		}
		name := filepath.Base(p)
		if filepath.Base(filepath.Dir(p)) == "tty" && p != tty || onBus(name) {
			found = name
		}
		return nil
	})
	return found
}

func below(root, path string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return path
	}
	return rel
}

// Is says that the device at that place is the one that was there when it was found.
func (a Away) Is(sysfs string) bool {
	u, ok := describeDevice(filepath.Join(sysfs, a.Path))
	return ok && u.VendorID == a.USB.VendorID && u.ProductID == a.USB.ProductID && u.Serial == a.USB.Serial
}

// Gone says that the host was told to leave the device alone, and that its tty is gone.
func (a Away) Gone(sysfs string) bool {
	return a.Is(sysfs) && attribute(filepath.Join(sysfs, a.Path), "authorized") == "0" && !exists(filepath.Join(sysfs, a.TTY))
}

// Take has the host leave the device alone, or take it back, and waits until that shows.
func (a Away) Take(ctx context.Context, sysfs string, away bool) error {
	if !a.Is(sysfs) {
		return fmt.Errorf("USB device %s is not there any more", a.Name())
	}
	switchFile := filepath.Join(sysfs, a.Path, "authorized")
	if err := os.WriteFile(switchFile, []byte(map[bool]string{true: "0", false: "1"}[away]), 0); err != nil {
		return fmt.Errorf("switch USB device %s: %w", a.Name(), err)
	}
	for {
		if away && a.Gone(sysfs) || !away && a.back(sysfs) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("USB device %s was switched, and its tty did not follow: %w", a.Name(), ctx.Err())
		case <-time.After(awayEvery):
		}
	}
}

// back says that the device is used again. Its tty may have another name then.
func (a Away) back(sysfs string) bool {
	usb := filepath.Join(sysfs, a.Path)
	return attribute(usb, "authorized") == "1" && otherTTY(usb, "") != ""
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
