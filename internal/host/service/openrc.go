package service

import (
	"strings"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
)

type openrc struct{ name string }

func (o openrc) Stop() remote.Command  { return asRoot("rc-service", o.name, "stop") }
func (o openrc) Start() remote.Command { return asRoot("rc-service", o.name, "start") }

func (o openrc) Status() (remote.Command, bool) {
	return asRoot("rc-service", o.name, "status"), true
}

// Kill has no command: the pid file may hold npm instead of Zigbee2MQTT.
func (o openrc) Kill() (remote.Command, bool) { return remote.Command{}, false }

// Clear is zap. OpenRC starts nothing that it believes to be started or crashed.
func (o openrc) Clear() (remote.Command, bool) { return asRoot("rc-service", o.name, "zap"), true }

// Enabled is not known: the runlevels are another command's answer.
func (o openrc) Enabled(remote.Output) string { return "" }

func (o openrc) State(out remote.Output) network.ServiceState {
	text := string(out.Stdout)
	switch {
	case strings.Contains(text, "status: started"), strings.Contains(text, "status: starting"),
		strings.Contains(text, "status: stopping"), strings.Contains(text, "status: inactive"):
		return network.ServiceRunning
	case strings.Contains(text, "status: stopped"):
		return network.ServiceStopped
	case strings.Contains(text, "status: crashed"):
		return network.ServiceFailed
	}
	return network.ServiceUnknown
}

// Judge passes over a failed stop: OpenRC gives up after some five seconds while
// the process goes on saving for up to twenty, and then it does end.
func (o openrc) Judge(verb Verb, out remote.Output) error {
	if out.Exit == 0 {
		return nil
	}
	if err := missing(verb, out, "this host has no OpenRC: choose another kind of service"); err != nil {
		return err
	}
	said := strings.TrimSpace(string(out.Stderr) + string(out.Stdout))
	if strings.Contains(said, "does not exist") {
		return &network.RefusedError{What: string(verb) + " " + o.name, Why: said,
			Remedy: "check the name of the service with \"rc-service --list\""}
	}
	if verb == VerbStop {
		return nil
	}
	return &network.RefusedError{What: string(verb) + " " + o.name, Why: said,
		Remedy: "see \"rc-service " + o.name + " status\" and the log on the host"}
}
