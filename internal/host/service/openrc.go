package service

import (
	"bytes"
	"slices"
	"strings"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
)

type openrc struct{ name string }

func (o openrc) Stop() remote.Command  { return asRoot("rc-service", o.name, "stop") }
func (o openrc) Start() remote.Command { return asRoot("rc-service", o.name, "start") }

// Status asks for the state, the runlevels and, from the service's own two files, the
// supervisor and the watchdog. Any state but started and stopped is told on standard
// error.
func (o openrc) Status() (remote.Command, bool) {
	name := remote.Quote(o.name)
	const wanted = `'s/^[^#]*\(Z2M_WATCHDOG=[^ ;]*\).*/\1/p;/^supervisor=/p'`
	return line("rc-service " + name + " status 2>&1; s=$?; rc-update -v show; " +
		"sed -n " + wanted + " /etc/init.d/" + name + " /etc/conf.d/" + name + " 2>/dev/null; exit $s"), true
}

// Kill has no command: the pid file may hold npm instead of Zigbee2MQTT.
func (o openrc) Kill() (remote.Command, bool) { return remote.Command{}, false }

// Clear is zap: OpenRC starts nothing that it believes to be started or crashed. The
// stop before it is for supervise-daemon, which zap would leave behind, to start the
// program again.
func (o openrc) Clear() (remote.Command, bool) {
	name := remote.Quote(o.name)
	return line("rc-service " + name + " stop; rc-service " + name + " zap"), true
}

// GivesUpEarly is so: the default stop waits for some five seconds, and where
// start-stop-daemon is dpkg's it does not wait at all, nor does OpenRC notice that the
// process has ended.
func (o openrc) GivesUpEarly() bool { return true }

func (o openrc) Disable() string { return "rc-update --all del " + o.name }

func (o openrc) Report(out remote.Output) Report {
	r := Report{State: network.ServiceUnknown}
	for raw := range bytes.Lines(out.Stdout) {
		line := strings.TrimSpace(string(raw))
		if state, ok := strings.CutPrefix(strings.TrimPrefix(line, "* "), "status: "); ok {
			r.State = openrcState(state)
		} else if value, ok := watchdogOf(line); ok {
			r.Watchdog = value
		} else if value, ok := strings.CutPrefix(line, "supervisor="); ok {
			r.Restart = strings.Trim(value, `"' `)
		} else if name, levels, ok := strings.Cut(line, " | "); ok && strings.TrimSpace(name) == o.name {
			r.Enabled = enabledIn(strings.Fields(levels))
		} else if line == o.name+" |" {
			r.Enabled = No
		}
	}
	if r.State == network.ServiceUnknown {
		r.Trouble = o.trouble(out)
	}
	return r
}

// openrcState goes by the first word: supervise-daemon tells more behind it. A service
// without the supervisor that it should have counts as crashed.
func openrcState(text string) network.ServiceState {
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "started", "starting", "stopping", "inactive":
		return network.ServiceRunning
	case "stopped":
		return network.ServiceStopped
	case "crashed", "unsupervised":
		return network.ServiceFailed
	}
	return network.ServiceUnknown
}

// enabledIn passes over the runlevel shutdown, in which nothing is started.
func enabledIn(runlevels []string) string {
	if slices.ContainsFunc(runlevels, func(l string) bool { return l != "shutdown" }) {
		return Yes
	}
	return No
}

func (o openrc) trouble(out remote.Output) *network.RefusedError {
	said := strings.TrimSpace(string(out.Stdout))
	first, _, _ := strings.Cut(said, "\n")
	first = strings.TrimPrefix(strings.TrimSpace(first), "* ")
	switch {
	case strings.Contains(first, "does not exist"):
		return unaskable(o.name, first, openrcList)
	case strings.Contains(first, "rc-service") && strings.Contains(first, "not found"), cannotRun(out):
		return unaskable(o.name, first, noOpenRC)
	}
	return unaskable(o.name, first, "see \"rc-service "+o.name+" status\" on the host")
}

const (
	openrcList = "check the name of the service with \"rc-service --list\""
	noOpenRC   = "this host has no OpenRC: choose another kind of service"
)

// Judge passes over a failed stop: OpenRC gives up after some five seconds while
// the process goes on saving for up to twenty, and then it does end.
func (o openrc) Judge(verb Verb, out remote.Output) error {
	if out.Exit == 0 {
		return nil
	}
	if err := missing(verb, out, noOpenRC); err != nil {
		return err
	}
	said := strings.TrimSpace(string(out.Stderr) + string(out.Stdout))
	if strings.Contains(said, "does not exist") {
		return &network.RefusedError{What: string(verb) + " " + o.name, Why: said, Remedy: openrcList}
	}
	if verb == VerbStop {
		return nil
	}
	return &network.RefusedError{What: string(verb) + " " + o.name, Why: said,
		Remedy: "see \"rc-service " + o.name + " status\" and the log on the host"}
}

// Unmask: there is no such thing here.
func (openrc) Unmask() (remote.Command, bool) { return remote.Command{}, false }
