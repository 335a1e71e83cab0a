package probe

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
)

// hostID names the machine for as long as it is not installed anew. It is a hash,
// since a machine id is not for the network. Where nothing better is known, it is
// that of the boot: still the same for two nodes on one host.
func hostID() string {
	sources := []string{
		"/etc/machine-id",
		"/var/lib/dbus/machine-id",
		"/sys/firmware/devicetree/base/serial-number",
		"/sys/class/dmi/id/product_uuid",
	}
	for _, source := range sources {
		if id := firstLine(source); id != "" && id != "uninitialized" {
			return hashed(id)
		}
	}
	return hashed(bootID())
}

func hashed(id string) string {
	sum := sha256.Sum256([]byte("z2mha host " + id))
	return hex.EncodeToString(sum[:8])
}

func bootID() string { return firstLine("/proc/sys/kernel/random/boot_id") }

func uptimeMS() int64 {
	first, _, _ := strings.Cut(firstLine("/proc/uptime"), " ")
	seconds, _ := strconv.ParseFloat(first, 64)
	return int64(seconds * 1000)
}

func firstLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.Trim(line, " \x00")
}
