package port

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// byID is where udev names USB serial devices after maker, product and serial number.
const byID = "/dev/serial/by-id"

// A device is a character device: its number, and its node as the file system names it.
type device struct {
	number uint64
	dev    uint64
	inode  uint64
}

// same reports whether node is the same device. Pseudo terminals of different
// containers share numbers, so those must be the same node as well.
func (d device) same(node unix.Stat_t) bool {
	if !isCharDevice(node) || d.number != uint64(node.Rdev) {
		return false
	}
	return !d.isPTY() || (d.dev == uint64(node.Dev) && d.inode == node.Ino)
}

func (d device) isPTY() bool {
	major := unix.Major(d.number)
	return 136 <= major && major <= 143
}

func isCharDevice(st unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFCHR }

// statDevice looks at path, following links, without opening it.
func statDevice(path string) (device, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return device{}, openError(path, err)
	}
	if !isCharDevice(st) {
		return device{}, fmt.Errorf("%s is not a character device, so no serial port", path)
	}
	return device{number: uint64(st.Rdev), dev: uint64(st.Dev), inode: st.Ino}, nil
}

// openError says what to do about err, which opening path, or looking at it, gave.
func openError(path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("there is no %s (%w); %s", path, os.ErrNotExist, present())
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s: %w; %s", path, os.ErrPermission, permissionAdvice(path))
	case errors.Is(err, unix.EBUSY):
		return busy(path)
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EIO):
		return fmt.Errorf("%s exists but its device does not answer (%w); unplug the stick and plug it in again", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// present names the USB serial devices there are.
func present() string {
	names, _ := filepath.Glob(filepath.Join(byID, "*"))
	if len(names) == 0 {
		return "no USB serial device is plugged in, as far as " + byID + " tells"
	}
	return "there is " + strings.Join(names, ", ")
}

func permissionAdvice(path string) string {
	group := groupOf(path)
	if group == "" || group == "root" {
		return "run it as root (become: sudo)"
	}
	return fmt.Sprintf("add this user to the group %s (sudo usermod -aG %s USER, then log in again) "+
		"or run it as root (become: sudo)", group, group)
}

// groupOf is the group a device belongs to, "dialout" or "uucp" on most systems.
func groupOf(path string) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return ""
	}
	gid := strconv.FormatUint(uint64(st.Gid), 10)
	if g, err := user.LookupGroupId(gid); err == nil {
		return g.Name
	}
	return gid
}
