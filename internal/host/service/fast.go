package service

import "z2mha/internal/host/remote"

// A Fast is how a manager is asked for an end that its process will be helped to. The
// lines are of shell, to be run as root beside the process.
type Fast struct {
	// Ask begins the stop, and with it sends the TERM. It comes first, so that the
	// manager does not answer the KILL with a start.
	Ask string
	// Term says that Ask may not reach the process: its pid file may hold npm.
	Term bool
	// Settle makes the manager agree when the process is gone, and waits for that.
	Settle string
}

// Fast: the second stop waits for the first one.
func (s systemd) Fast() Fast {
	unit := remote.Quote(s.unit)
	return Fast{
		Ask:    "systemctl stop --no-block " + unit,
		Settle: "systemctl stop " + unit + "; systemctl reset-failed " + unit,
	}
}

// Fast: a stop that fails is none of a manager that gives up early, so its status does
// not count. Status 3 is stopped; it is another one where the stop did not reach the
// process, or did not see it end. See Clear.
func (o openrc) Fast() Fast {
	clear, _ := o.Clear()
	name := remote.Quote(o.name)
	return Fast{
		Ask: "rc-service " + name + " stop || true", Term: true,
		Settle: "rc-service " + name + " status; [ $? = 3 ] || { " + clear.Shell + "; }",
	}
}

// Fast: a container that was sent a TERM by its daemon is not started again by its
// policy; see moby, daemon/kill.go.
func (d docker) Fast() Fast {
	name := remote.Quote(d.name)
	return Fast{Ask: "docker kill -s TERM " + name, Settle: "docker stop -t 1 " + name}
}

// Fast: a stop of the user's own may last as long as Zigbee2MQTT's; it is begun, and
// ends with it.
func (k commands) Fast() Fast { return Fast{Ask: k.c.Stop} }
