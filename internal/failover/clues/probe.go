package clues

import (
	"context"
	"errors"
	"slices"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/health"
)

// A Probe is a way to have the radio prove itself, from cheap to dear.
type Probe string

const (
	None    Probe = "none"
	Bridge  Probe = "bridge"            // Zigbee2MQTT is asked to speak
	Devices Probe = "devices"           // mains devices are asked
	Stick   Probe = "stick"             // the stick is asked for something harmless
	All     Probe = "coordinator check" // the stick is asked for everything
)

// radio is what came of the probes.
type radio struct {
	devices, devicesSilent            time.Time
	stick, stickAnswered, stickSilent time.Time
	last                              map[Probe]time.Time // when each was begun
	busy                              bool                // one is under way
}

func (l *Notes) radioAt(n Now) health.Radio {
	a, answered, silent := l.radio, l.radio.stickAnswered, l.radio.stickSilent
	// A live backup is an answer of the stick, too.
	if b := n.Record.BackedUp; b.After(n.Record.Since) && b.After(answered) && b.Before(n.At) {
		if answered = b; b.After(silent) {
			silent = time.Time{}
		}
	}
	return health.Radio{Heard: n.wall(n.Signs.Heard), Devices: len(Worth(n.Signs, n.At)), Pace: n.Signs.Pace,
		DevicesAsked: n.wall(a.devices), DevicesSilent: n.wall(a.devicesSilent),
		StickAsked: n.wall(a.stick), StickAnswered: n.wall(answered), StickSilent: n.wall(silent)}
}

// How soon the same probe may be made again. Reading all tables of a stick keeps it busy.
const (
	again    = 10 * time.Second
	againAll = 30 * time.Minute
)

// Due is what is to be asked next, and when; a time that is past means now. None while a
// probe is under way.
func (l *Notes) Due(in health.Input) (Probe, time.Time) {
	if l.radio.busy {
		return None, time.Time{}
	}
	what, at := next(in)
	pause := again
	if what == All {
		pause = againAll
	}
	if last, made := l.radio.last[what]; made {
		at = latest(at, last.Add(pause))
	}
	return what, at
}

// When the radio is asked. A pause that is three times the longest of late is strange;
// whatever the pace, nobody waits longer than idle.
const (
	strange = 3
	hasty   = 20 * time.Second
	idle    = 90 * time.Second
	settle  = 30 * time.Second
)

// next is the order of proofs: hear, ask devices, ask the stick, ask it for everything.
func next(in health.Input) (Probe, time.Time) {
	if !in.Broker.Connected || in.Bridge.At.IsZero() || !in.Bridge.Online {
		return None, time.Time{}
	}
	quiet := idle
	if p := in.Radio.Pace; p > 0 {
		quiet = min(max(strange*p, hasty), idle)
	}
	r := in.Radio
	heard := latest(r.Heard, in.Controller.Started)
	due := latest(heard, r.StickAnswered).Add(quiet)
	switch {
	case r.StickSilent.After(heard):
		return All, latest(r.StickAsked, r.StickSilent).Add(settle)
	case r.Devices == 0:
		return Stick, due
	case r.DevicesSilent.After(heard) && r.StickAnswered.After(r.DevicesSilent):
		return Stick, r.StickAnswered.Add(idle) // it is the devices, until one is heard again
	case r.DevicesSilent.After(heard):
		return Stick, r.DevicesSilent
	}
	return Devices, due
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// Begin notes that a probe is under way from now on.
func (l *Notes) Begin(what Probe, now time.Time) {
	if l.radio.last == nil {
		l.radio.last = map[Probe]time.Time{}
	}
	l.radio.last[what], l.radio.busy = now, true
}

// End takes in what came of it: how many have answered. One that could not be made says
// nothing of the radio.
func (l *Notes) End(what Probe, now time.Time, answers int, err error) {
	began := l.radio.last[what]
	l.radio.busy = false
	switch silent := errors.Is(err, engine.ErrStickSilent); {
	case what == Devices && err == nil:
		l.radio.devices = now
		l.radio.devicesSilent = since(l.radio.devicesSilent, began, answers > 0)
	case (what == Stick || what == All) && (err == nil || silent):
		l.radio.stick = began.Add(now.Sub(began) / 2) // a silent one was asked twice, the second time halfway
		l.radio.stickSilent = since(l.radio.stickSilent, began, !silent)
		if !silent {
			l.radio.stickAnswered = now
		}
	}
}

// GiveUp notes that a probe was broken off.
func (l *Notes) GiveUp() { l.radio.busy = false }

// since is since when something is silent that was asked at a time.
func since(was, began time.Time, answered bool) time.Time {
	switch {
	case answered:
		return time.Time{}
	case was.IsZero():
		return began
	}
	return was
}

const (
	askedAtOnce = 3
	forDevices  = 10 * time.Second
	forStick    = 30 * time.Second // an old Zigbee2MQTT is asked in two ways
)

// Make asks, and returns how many have answered.
func Make(ctx context.Context, b engine.Bridge, what Probe, now time.Time) (answers int, err error) {
	patience := forDevices
	if what == Stick || what == All {
		patience = forStick
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch what {
	case Bridge:
		_, err = b.Refresh(ctx)
	case Devices:
		worth := Worth(b.Signs(), now)
		got, err := b.Ask(ctx, worth[:min(askedAtOnce, len(worth))], 1)
		return len(got), err
	case Stick:
		err = b.AskStick(ctx)
	case All:
		err = b.CheckCoordinator(ctx)
	default:
		panic("clues: no such probe: " + string(what))
	}
	return 0, err
}
