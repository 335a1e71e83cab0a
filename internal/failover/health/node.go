package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/network"
)

// Limits of what counts as now.
const (
	// Fresh is how old a look may be and still tell how things are.
	Fresh = time.Minute
	// Settled is how long after a jump of the clock ages are not trusted.
	Settled = time.Minute
	// Patience is how long Zigbee2MQTT may owe an answer before it counts as silent.
	Patience = 10 * time.Second
	// Together is within how much time two take-overs of the broker connection tell of two
	// Zigbee2MQTT that throw each other out; one alone is a restart.
	Together = 5 * time.Second
)

// A Stance is what the last look says of a node.
type Stance int

const (
	Unseen  Stance = iota // no look worked or failed of late: nothing is known
	Lost                  // the looks fail
	Stopped               // nobody uses its stick or its data
	Begins                // Zigbee2MQTT runs and does not hold the stick, or not yet
	Runs                  // Zigbee2MQTT runs and holds the stick
	Taken                 // a program holds the stick that is not Zigbee2MQTT
)

// Stance says how n stands at a time.
func (n Node) Stance(now time.Time) Stance {
	if n.Failed != "" {
		if Within(now, n.Looked, 2*Fresh) {
			return Lost
		}
		return Unseen
	}
	if n.Seen == nil || !Within(now, n.Seen.At, Fresh) {
		return Unseen
	}
	data, tty := strangers(n.Seen.DataHolders), strangers(n.Seen.TTYHolders)
	switch {
	case data && tty:
		return Runs
	case data:
		return Begins
	case tty:
		return Taken
	}
	return Stopped
}

// strangers says that there are programs which are not our own helper.
func strangers(held []network.Process) bool {
	return slices.ContainsFunc(held, func(p network.Process) bool { return !p.Ours })
}

// Speaks says that its stick is driven by a Zigbee2MQTT, as far as can be seen.
func (s Stance) Speaks() bool { return s == Runs || s == Begins }

// Reachable says that the last look worked, not long ago.
func (s Stance) Reachable() bool { return s != Unseen && s != Lost }

// Quiet says that n was proven in HOLD and was not started since. That it cannot be
// reached does not revoke it; that somebody uses its stick or its data, or did at the last
// look that worked, or that its stick says otherwise, does.
func (n Node) Quiet(now time.Time) bool {
	return !n.Silent.IsZero() && !n.Stance(now).inUse() && !n.ran() && !n.loud()
}

func (s Stance) inUse() bool { return s == Runs || s == Begins || s == Taken }

// ran says that somebody was seen to use its stick or its data since the proof, however
// long ago.
func (n Node) ran() bool {
	return n.Seen != nil && (strangers(n.Seen.DataHolders) || strangers(n.Seen.TTYHolders)) && !after(n.Silent, n.Seen.At)
}

// loud says that its stick answered last that it is not in HOLD.
func (n Node) loud() bool {
	return n.Stick != nil && n.Stick.Failed == "" && !n.Stick.Silent && !after(n.Silent, n.Stick.At)
}

// Sight is what the last look has shown, in a sentence with its age.
func (n Node) Sight(now time.Time) string {
	switch n.Stance(now) {
	case Unseen:
		if n.Seen == nil {
			return n.Name + " was not looked at yet"
		}
		return fmt.Sprintf("%s was looked at %s, which is too long ago to count", n.Name, Ago(now, n.Seen.At))
	case Lost:
		return fmt.Sprintf("%s cannot be looked at %s, last tried %s: %s", n.Name, For(now, n.FailingSince), Ago(now, n.Looked), flat(n.Failed))
	}
	return fmt.Sprintf("looked at %s %s: %s", n.Name, Ago(now, n.Seen.At), n.seen(now))
}

func (n Node) seen(now time.Time) string {
	o := n.Seen
	switch n.Stance(now) {
	case Runs:
		return fmt.Sprintf("%s runs and holds %s", network.Process{PID: pid(o.DataHolders), Command: "Zigbee2MQTT"}, o.TTY)
	case Begins:
		return fmt.Sprintf("%s runs and does not hold %s", network.Process{PID: pid(o.DataHolders), Command: "Zigbee2MQTT"}, o.TTY)
	case Taken:
		return fmt.Sprintf("Zigbee2MQTT does not run, and %s holds %s", o.TTYHolders[0], o.TTY)
	}
	s := "Zigbee2MQTT does not run"
	if o.Service != "" && o.Service != network.ServiceUnknown {
		s += fmt.Sprintf(", the service manager says %s", o.Service)
	}
	return s
}

func pid(held []network.Process) int {
	for _, p := range held {
		if !p.Ours {
			return p.PID
		}
	}
	return 0
}

// Quietness is what is known of the silence of its stick, in a sentence.
func (n Node) Quietness(now time.Time) string {
	switch {
	case n.ran():
		return fmt.Sprintf("a program was seen to use stick or data of %s %s", n.Name, Ago(now, n.Seen.At))
	case n.loud():
		return fmt.Sprintf("the stick of %s said %s that its state is %s, not HOLD", n.Name, Ago(now, n.Stick.At), n.Stick.State)
	case n.Silent.IsZero():
		return fmt.Sprintf("the stick of %s was not proven in HOLD since it was started", n.Name)
	}
	return fmt.Sprintf("the stick of %s was proven in HOLD %s and was not started since", n.Name, Ago(now, n.Silent))
}

// flat keeps a message on one line.
func flat(s string) string { return strings.Join(strings.Fields(s), " ") }
