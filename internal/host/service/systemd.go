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

// Status asks for the unit's properties. Of its environment, which may hold secrets,
// only Z2M_WATCHDOG leaves the host.
func (s systemd) Status() (remote.Command, bool) {
	properties := "Id,LoadState,ActiveState,SubState,MainPID,UnitFileState,Restart,Environment," + strings.Join(starterProperties, ",")
	const sift = `'s/^Environment=\(.*[ "]\)\{0,1\}\(Z2M_WATCHDOG=[^ "]*\).*/\2/;/^Environment=/d'`
	return remote.Command{Shell: "systemctl show -p " + properties + " " + remote.Quote(s.unit) + " | sed " + sift}, true
}

// Kill begins a stop first: after a kill alone, Restart= would start the unit again.
func (s systemd) Kill() (remote.Command, bool) {
	unit := remote.Quote(s.unit)
	return line("systemctl stop --no-block " + unit + "; systemctl kill -s KILL " + unit), true
}

// Clear forgets failures: after five quick ones systemd refuses to start a unit.
func (s systemd) Clear() (remote.Command, bool) {
	return asRoot("systemctl", "reset-failed", s.unit), true
}

// GivesUpEarly is not so: a stop returns when all processes of the unit are gone.
func (s systemd) GivesUpEarly() bool { return false }

func (s systemd) Disable() string { return "systemctl disable " + s.unit }

func (s systemd) Report(out remote.Output) Report {
	p := properties(out.Stdout)
	r := Report{State: systemdState(p), Enabled: systemdEnabled(p), Restart: p["Restart"]}
	r.Watchdog, _ = watchdogOf(watchdog + "=" + p[watchdog])
	if r.Enabled != Yes && r.Enabled != Masked {
		r.StartedBy = starters(p)
	}
	r.Trouble = s.otherName(p)
	if r.State == network.ServiceUnknown {
		r.Trouble = s.trouble(p, out)
	}
	return r
}

func (s systemd) trouble(p map[string]string, out remote.Output) *network.RefusedError {
	switch {
	case p["LoadState"] == "not-found":
		return unaskable(s.unit, "there is no unit "+s.unit, unitFiles)
	case cannotRun(out):
		return unaskable(s.unit, out.Said(), noSystemd)
	}
	return unaskable(s.unit, out.Said(), "see \"systemctl status "+s.unit+"\" on the host")
}

const (
	unitFiles = "check the name of the unit with \"systemctl list-unit-files\""
	noSystemd = "this host has no systemd: choose another kind of service"
)

// systemdState goes by ActiveState. A unit between two automatic restarts counts as
// running, because the manager is about to start it.
func systemdState(p map[string]string) network.ServiceState {
	if p["LoadState"] == "not-found" {
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

// systemdEnabled goes by UnitFileState. A unit that is static, generated or the like may
// be started by another one.
func systemdEnabled(p map[string]string) string {
	switch {
	case p["LoadState"] == "masked" || strings.HasPrefix(p["UnitFileState"], "masked"):
		return Masked
	case p["UnitFileState"] == "enabled":
		return Yes
	case p["UnitFileState"] == "disabled" || p["UnitFileState"] == "enabled-runtime": // the latter ends with this boot
		return No
	}
	return ""
}

// Unmask lets the unit start again.
func (s systemd) Unmask() (remote.Command, bool) { return asRoot("systemctl", "unmask", s.unit), true }

// MaskedError is why a unit that stays Masked is not started.
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
	if err := missing(verb, out, noSystemd); err != nil {
		return err
	}
	refused := &network.RefusedError{What: string(verb) + " " + s.unit, Why: out.Said()}
	switch {
	case strings.Contains(refused.Why, "masked"):
		refused.Remedy = unmask(s.unit)
	case strings.Contains(refused.Why, "not found") || strings.Contains(refused.Why, "not loaded"):
		refused.Remedy = unitFiles
	default:
		refused.Remedy = "see \"journalctl -u " + s.unit + "\" on the host"
	}
	return refused
}
