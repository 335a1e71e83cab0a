// Package service knows how service managers are asked to start and stop
// Zigbee2MQTT and what their answers mean. It is tables and parsers: it runs
// nothing, but for Detect, which looks for services with a function it is given.
//
// An answer is a hint. A stop that "succeeded" may leave the process saving for
// seconds, a start that "succeeded" may be followed by an exit; only a look at the
// processes tells.
//
// How each kind is asked:
//
//	         stop                  kill                    start            forget
//	systemd  systemctl stop        stop --no-block, kill   systemctl start  reset-failed
//	openrc   rc-service stop       (whoever has the tty)   rc-service start stop, then zap
//	docker   docker stop -t 45     docker kill             docker start     -
//	commands as configured         as configured           as configured    -
//
// A fast stop is asked for by one line, then whoever has the tty is killed beside the
// manager, and another line makes it agree:
//
//	systemd  stop --no-block       stop, reset-failed
//	openrc   rc-service stop       zap unless stopped
//	docker   docker kill -s TERM   docker stop -t 1
//	commands the configured stop   -
package service

import (
	"errors"
	"fmt"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/remote"
)

// A Kind is a service manager.
type Kind string

const (
	Systemd  Kind = "systemd"
	OpenRC   Kind = "openrc"
	Docker   Kind = "docker"
	Commands Kind = "commands" // the user's own lines of shell
)

// Config says which service Zigbee2MQTT is on a host. Systemd, OpenRC and Docker need
// Unit; Commands needs Start and Stop.
type Config struct {
	Kind Kind
	Unit string // systemd unit, OpenRC service or docker container

	Start, Stop string
	Status      string // optional: exit status 0 means that it runs
	Kill        string // optional
}

// A Manager is one service under one service manager. Commands are to be run as
// root.
type Manager interface {
	Stop() remote.Command
	Start() remote.Command
	// Status asks without changing anything; false: there is no way to ask.
	Status() (remote.Command, bool)
	// Report reads the answer to Status. Any answer gives a report.
	Report(remote.Output) Report
	// Autostart changes whether the service starts at boot; false: there is no way to.
	// That it was asked proves nothing; Enabled does.
	Autostart(on bool) (remote.Command, bool)
	// Unmask takes off what keeps the service from starting at all; false: there is no
	// such thing.
	Unmask() (remote.Command, bool)
	// Kill ends the service at once; false: there is no way to.
	Kill() (remote.Command, bool)
	// Fast is how the service is ended without its closing backup.
	Fast() Fast
	// Clear makes the manager forget a state that outlived the process, which would
	// keep it from starting; false: it has no such memory. It is for when no process
	// is left.
	Clear() (remote.Command, bool)
	// GivesUpEarly says that a stop may return, with or without an error, while the
	// process is still ending, and that the manager may then believe for good that it
	// runs.
	GivesUpEarly() bool
	// Disable is the command line with which a person keeps the service from starting
	// at boot, "" when that is not known.
	Disable() string
	// Judge returns nil when what a stop or start answered leaves hope that it was
	// carried out, or an error that says what to do.
	Judge(Verb, remote.Output) error
}

// A Verb is what was asked of the manager.
type Verb string

const (
	VerbStart Verb = "start"
	VerbStop  Verb = "stop"
)

// New returns the manager for c.
func New(c Config) (Manager, error) {
	switch c.Kind {
	case Systemd, OpenRC:
		if c.Unit == "" {
			return nil, fmt.Errorf("service: %s needs the name of the unit", c.Kind)
		}
	case Docker:
		if c.Unit == "" {
			return nil, errors.New("service: docker needs the name of the container")
		}
	case Commands:
		if c.Start == "" || c.Stop == "" {
			return nil, errors.New("service: commands of your own need both start and stop")
		}
	}
	switch c.Kind {
	case Systemd:
		return systemd{unit: c.Unit}, nil
	case OpenRC:
		return openrc{name: c.Unit}, nil
	case Docker:
		return docker{name: c.Unit}, nil
	case Commands:
		return commands{c}, nil
	}
	return nil, fmt.Errorf("service: kind %q is unknown; use systemd, openrc, docker or commands of your own", c.Kind)
}

func asRoot(argv ...string) remote.Command { return remote.Command{Argv: argv, Become: true} }

// missing recognises a command that the shell could not run.
func missing(verb Verb, out remote.Output, remedy string) error {
	switch out.Exit {
	case 126, 127:
		return &network.RefusedError{What: string(verb) + " the service", Why: out.Said(), Remedy: remedy}
	}
	return nil
}
