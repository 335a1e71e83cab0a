package health

import "time"

// A Probe is a way to have the radio prove itself, from cheap to dear.
type Probe string

const (
	ProbeNone    Probe = "none"
	ProbeBridge  Probe = "bridge"  // ask Zigbee2MQTT to speak
	ProbeDevices Probe = "devices" // ask up to three mains devices
	ProbeStick   Probe = "stick"   // ask the stick for something harmless that it must answer itself
	// ProbeCoordinatorCheck has the stick asked for everything: 946 requests, 5 s. It counts
	// as an answer of the stick or as none, see Radio.StickAsked.
	ProbeCoordinatorCheck Probe = "coordinator check"
)

// When the radio is asked. A pause of twice the longest of late is strange; under traffic,
// which is a message every 20 s or more often, one of 25 s is, and whatever the pace, one of
// 90 s. With 10 s for the devices and 14 s for a stick that does not answer, twice, a dead
// radio is known within 60 s under traffic and 3 min when idle.
const (
	paces   = 2
	traffic = 20 * time.Second
	shortly = 15 * time.Second
	hasty   = 25 * time.Second
	idling  = 90 * time.Second
	// again is how long a probe is given before the next one.
	again = 10 * time.Second
)

// NextProbe is what should be asked next, and when; a time that is past means now. There is
// none while Zigbee2MQTT does not run, or while the broker cannot be reached.
func NextProbe(in Input) (Probe, time.Time) {
	p := newPicture(in)
	if !in.Broker.Connected || len(p.speaking()) == 0 && p.stance[in.Recorded] != Lost {
		return ProbeNone, time.Time{}
	}
	if what, when := p.probeBridge(); what != ProbeNone {
		return what, when
	}
	return p.probeRadio()
}

// probeBridge: what it said last is in doubt, or it owes an answer. Otherwise the probes of
// the radio pass through it.
func (p picture) probeBridge() (Probe, time.Time) {
	b := p.Bridge
	answered := b.Unanswered.IsZero()
	switch {
	case answered && p.bridge.tone == online:
		return ProbeNone, time.Time{}
	case answered && p.bridge.tone == unclear && after(b.Spoke, b.At):
		return ProbeNone, time.Time{} // what the broker keeps is merely to be put right
	}
	return ProbeBridge, b.Asked.Add(again)
}

// probeRadio goes on to the dearer probe when the cheaper one was not answered.
func (p picture) probeRadio() (Probe, time.Time) {
	r := p.Radio
	proven := later(r.Heard, p.Controller.Started)
	due := later(proven, r.StickAnswered).Add(p.pause())
	switch {
	case after(r.StickSilent, proven) && after(r.StickAsked, r.StickSilent):
		return ProbeCoordinatorCheck, r.StickAsked.Add(3 * again) // known to be mute: now and then
	case after(r.StickSilent, proven):
		return ProbeCoordinatorCheck, r.StickSilent
	case r.Devices == 0:
		return ProbeStick, due
	case after(r.DevicesSilent, proven) && after(r.StickAnswered, r.DevicesSilent):
		return ProbeStick, r.StickAnswered.Add(idling)
	case after(r.DevicesSilent, proven):
		return ProbeStick, r.DevicesSilent
	}
	return ProbeDevices, later(due, lastTry(r.DevicesAsked))
}

// lastTry keeps two rounds of asking apart.
func lastTry(asked time.Time) time.Time {
	if asked.IsZero() {
		return asked
	}
	return asked.Add(again)
}

// pause is how long nothing may be heard before somebody is asked.
func (p picture) pause() time.Duration {
	switch pace := p.Radio.Pace; {
	case pace == 0:
		return idling
	case pace <= traffic:
		return min(max(paces*pace, shortly), hasty)
	default:
		return min(paces*pace, idling)
	}
}
