package clues

import (
	"context"
	"errors"
	"slices"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/health"
)

// A Probe is a way to have the radio prove itself; see package health, which knows their
// order.
type Probe = health.Probe

const (
	None    = health.ProbeNone
	Bridge  = health.ProbeBridge
	Devices = health.ProbeDevices
	Stick   = health.ProbeStick
	All     = health.ProbeCoordinatorCheck
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
	what, at := health.NextProbe(in)
	pause := again
	switch what {
	case Bridge:
		return None, time.Time{} // every look asks Zigbee2MQTT to speak
	case All:
		pause = againAll
	}
	if last, made := l.radio.last[what]; made {
		at = slices.MaxFunc([]time.Time{at, last.Add(pause)}, time.Time.Compare)
	}
	return what, at
}

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
