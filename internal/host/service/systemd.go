package service

import (
	"bytes"
	"strings"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
)

type systemd struct{ unit string }

func (s systemd) Stop() remote.Command  { return asRoot("systemctl", "stop", s.unit) }
func (s systemd) Start() remote.Command { return asRoot("systemctl", "start", s.unit) }

func (s systemd) Status() (remote.Command, bool) {
	const properties = "LoadState,ActiveState,SubState,MainPID,UnitFileState"
	return remote.Command{Argv: []string{"systemctl", "show", "-p", properties, s.unit}}, true
}

func (s systemd) Kill() (remote.Command, bool) {
	return asRoot("systemctl", "kill", "-s", "KILL", s.unit), true
}

// Clear forgets failures: after five quick ones systemd refuses to start a unit.
func (s systemd) Clear() (remote.Command, bool) {
	return asRoot("systemctl", "reset-failed", s.unit), true
}

// State goes by ActiveState. A unit between two automatic restarts counts as
// running, because the manager is about to start it.
func (s systemd) State(out remote.Output) network.ServiceState {
	p := properties(out.Stdout)
	if out.Exit != 0 || p["LoadState"] == "not-found" {
		return network.ServiceUnknown
	}
	switch p["ActiveState"] {
	case "active", "reloading", "activating", "deactivating":
		return network.ServiceRunning
	case "inactive":
		return network.ServiceStopped
	case "failed":
		return network.ServiceFailed
	}
	return network.ServiceUnknown
}

// Enabled goes by UnitFileState. A unit that is static, generated or the like may be
// started by another one.
func (s systemd) Enabled(out remote.Output) string {
	p := properties(out.Stdout)
	switch {
	case p["LoadState"] == "masked" || strings.HasPrefix(p["UnitFileState"], "masked"):
		return Masked
	case p["UnitFileState"] == "enabled" || p["UnitFileState"] == "enabled-runtime":
		return Yes
	case p["UnitFileState"] == "disabled":
		return No
	}
	return ""
}

// MaskedError is why a Masked unit is not started.
func MaskedError(unit string) *network.RefusedError {
	return &network.RefusedError{
		What: string(VerbStart) + " " + unit, Why: unit + " is masked, so that nobody starts it by mistake",
		Remedy: unmask(unit),
	}
}

func unmask(unit string) string { return "run \"systemctl unmask " + unit + "\" on the host" }

func properties(text []byte) map[string]string {
	p := map[string]string{}
	for line := range bytes.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		p[key] = value
	}
	return p
}

func (s systemd) Judge(verb Verb, out remote.Output) error {
	if out.Exit == 0 {
		return nil
	}
	if err := missing(verb, out, "this host has no systemd: choose another kind of service"); err != nil {
		return err
	}
	refused := &network.RefusedError{What: string(verb) + " " + s.unit, Why: out.Said()}
	switch {
	case strings.Contains(refused.Why, "masked"):
		refused.Remedy = unmask(s.unit)
	case strings.Contains(refused.Why, "not found") || strings.Contains(refused.Why, "not loaded"):
		refused.Remedy = "check the name of the unit with \"systemctl list-unit-files\""
	default:
		refused.Remedy = "see \"journalctl -u " + s.unit + "\" on the host"
	}
	return refused
}
