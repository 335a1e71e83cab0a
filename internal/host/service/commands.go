package service

import (
	"fmt"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
)

type commands struct{ c Config }

func line(shell string) remote.Command { return remote.Command{Shell: shell, Become: true} }

func (k commands) Stop() remote.Command           { return line(k.c.Stop) }
func (k commands) Start() remote.Command          { return line(k.c.Start) }
func (k commands) Status() (remote.Command, bool) { return line(k.c.Status), k.c.Status != "" }
func (k commands) Kill() (remote.Command, bool)   { return line(k.c.Kill), k.c.Kill != "" }
func (k commands) Clear() (remote.Command, bool)  { return remote.Command{}, false }
func (k commands) GivesUpEarly() bool             { return false }
func (k commands) Disable() string                { return "" }

// Report goes by the exit status. That a shell cannot run the command says nothing.
func (k commands) Report(out remote.Output) Report {
	switch out.Exit {
	case 0:
		return Report{State: network.ServiceRunning}
	case 126, 127:
		return Report{State: network.ServiceUnknown,
			Trouble: unaskable("Zigbee2MQTT", out.Said(), "correct the command under service: status: in z2mha.yaml")}
	}
	return Report{State: network.ServiceStopped}
}

func (k commands) Judge(verb Verb, out remote.Output) error {
	if out.Exit == 0 {
		return nil
	}
	return &network.RefusedError{
		What:   string(verb) + " Zigbee2MQTT",
		Why:    fmt.Sprintf("the configured command ended with status %d: %s", out.Exit, out.Said()),
		Remedy: "try the command on the host by hand",
	}
}

// Unmask: there is no such thing here.
func (commands) Unmask() (remote.Command, bool) { return remote.Command{}, false }
