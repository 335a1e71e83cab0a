package port

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// sysfs is where the kernel shows its devices.
const sysfs = "/sys"

func describe(path string) (USB, bool) {
	d, err := statDevice(path)
	if err != nil {
		return USB{}, false
	}
	node := fmt.Sprintf("dev/char/%d:%d", unix.Major(d.number), unix.Minor(d.number))
	return describeBelow(sysfs, node)
}

// describeBelow walks from a device's folder up to the USB device it is a part of: the
// first folder that has a vendor id.
func describeBelow(root, node string) (USB, bool) {
	dir, err := filepath.EvalSymlinks(filepath.Join(root, node))
	if err != nil {
		return USB{}, false
	}
	return describeDevice(usbAbove(root, dir))
}

// describeDevice reads a USB device's folder, which has a vendor id.
func describeDevice(dir string) (USB, bool) {
	if dir == "" {
		return USB{}, false
	}
	u := USB{
		VendorID:     attribute(dir, "idVendor"),
		ProductID:    attribute(dir, "idProduct"),
		Manufacturer: attribute(dir, "manufacturer"),
		Product:      attribute(dir, "product"),
		Serial:       attribute(dir, "serial"),
	}
	return u, u.VendorID != ""
}

func attribute(dir, name string) string {
	b, _ := os.ReadFile(filepath.Join(dir, name))
	return strings.TrimSpace(string(b))
}
