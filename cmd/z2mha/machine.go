package main

import (
	"os"
	"strings"
)

// bootID tells machines apart as long as none is started anew; a container has that of
// its host. It is "" where the system does not tell. What runs on the hosts tells the
// same, see probe.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
