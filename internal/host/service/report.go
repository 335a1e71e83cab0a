package service

import (
	"strings"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
)

// A Report is what a service manager tells of Zigbee2MQTT. What it does not tell is left
// empty.
type Report struct {
	State network.ServiceState
	// Enabled says whether the service starts at boot: Yes, No, Masked, or "" when that
	// is not known.
	Enabled string
	// StartedBy names other units that start it although it is not enabled.
	StartedBy string
	// Restart is what the manager does when the process ends by itself, in its own words:
	// systemd's Restart, docker's restart policy, or OpenRC's supervisor.
	Restart string
	// Watchdog is Z2M_WATCHDOG of the service's environment. With it Zigbee2MQTT starts
	// itself again inside the process.
	Watchdog string
	Version  string // of Zigbee2MQTT, as its image says
	// Devices are the host's device files by the names they have inside of a container.
	Devices map[string]string
	// Trouble is why the service could not be asked about; nil when it could.
	Trouble *network.RefusedError
}

// What Enabled says.
const (
	Yes    = "yes"
	No     = "no"
	Masked = "masked" // and it does not start when asked to either
)

// watchdogOf reads the value of an assignment such as Z2M_WATCHDOG="default".
func watchdogOf(line string) (string, bool) {
	value, ok := strings.CutPrefix(strings.TrimSpace(line), watchdog+"=")
	return strings.Trim(value, `"' `), ok
}

// watchdog is the variable that makes Zigbee2MQTT start itself again.
const watchdog = "Z2M_WATCHDOG"

// unaskable explains an answer that tells no state.
func unaskable(name, why, remedy string) *network.RefusedError {
	if why == "" {
		why = "the service manager told nothing"
	}
	return &network.RefusedError{What: "ask about " + name, Why: why, Remedy: remedy}
}

// cannotRun says that the shell did not find or could not run a program.
func cannotRun(out remote.Output) bool {
	return out.Exit == 126 || out.Exit == 127 || strings.Contains(out.Said(), "not found") && len(out.Stdout) == 0
}
