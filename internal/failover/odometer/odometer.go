// Package odometer keeps the highest frame counter that a network may ever have
// used on air, and says from which counter a stick may safely start.
//
// What a stick has saved lags what it has sent, by up to Lag frames. What it starts
// with is what is written on it plus BootSkip. Between two looks the network goes on
// counting, so a floor grows with the age of what is known. Where that age cannot be
// trusted at least a flat million is added: six days at two frames a second.
//
// The package is pure; now is an argument. What it cannot see its owner must tell:
//
//   - every look at the coordinator that is on air, or was until just now: Captured;
//   - every look at one that was silent since: Held;
//   - every counter about to be used, before it is: Activated, Booted;
//   - that clock or memory are in doubt (the clock was set, the controller has just
//     started or was restored from a backup): Doubted;
//   - copies kept elsewhere: Merged.
//
// Under these conditions a floor is above everything used on air, as long as the
// network sends no faster than ten times its measured rate, or two frames a second.
package odometer

import (
	"slices"
	"time"

	"z2mha/internal/dongle/zigbee"
)

const (
	Lag       = 1001      // a running stick saves its counter when it has moved by more than 1000
	BootSkip  = 1250      // added by the stick at the first start of the network after a boot
	MinMargin = 10_000    // added to what is known at least
	Untrusted = 1_000_000 // added at least when the age of what is known is in doubt
	// MaxMargin is added at most, however old what is known seems to be: half a year at twenty
	// frames a second. There are 2³² counters under one key, and a clock that was set ahead by
	// years would use them up at once.
	MaxMargin = 300_000_000

	minRate   = 2  // frames a second that are assumed at least
	rateScale = 10 // how much faster than measured the network may become
)

// An Odometer is a value: every method that takes note of something returns a new
// one. It must be stored before anything that relies on it is done. The zero
// Odometer knows nothing.
type Odometer struct {
	Highest zigbee.FrameCounter `json:"highest"`     // nothing higher was used on air until At
	At      time.Time           `json:"at,omitzero"` // owner's clock; zero: nothing is known
	Rate    float64             `json:"rate"`        // frames a second, over the last day at most
	Doubt   bool                `json:"doubt,omitempty"`
	Samples []Sample            `json:"samples,omitempty"` // captures that Rate was measured from
}

// Captured takes note of a counter that the stick on air, or on air until its reset,
// had saved at the time at. A look at any other stick is no capture.
func (o Odometer) Captured(saved zigbee.FrameCounter, at time.Time) Odometer {
	o = o.sampled(saved, at)
	return o.reached(saved.Add(Lag), at)
}

// Held takes note of a counter that a stick has saved which was silent for a while. What
// others may have used meanwhile it does not tell, so the age of what is known stays.
func (o Odometer) Held(saved zigbee.FrameCounter) Odometer {
	o.Highest = max(o.Highest, saved.Add(Lag))
	return o
}

// Activated takes note of a counter that is about to be written onto a stick that
// will start the network: the highest one in the image, which may be above the floor
// that was asked for.
func (o Odometer) Activated(written zigbee.FrameCounter, at time.Time) Odometer {
	above := written >= o.Floor(at)
	o.Samples = nil // the jump is no traffic
	if above {
		return o.reached(written.Add(BootSkip), at)
	}
	o.Highest = max(o.Highest, written.Add(BootSkip)) // no news of what was used until at
	return o
}

// Booted takes note that the stick on air is started again on what it has saved.
func (o Odometer) Booted() Odometer {
	o.Highest = o.Highest.Add(BootSkip)
	o.Samples = nil
	return o
}

// Doubted takes note that the age of what is known cannot be told any more. The next
// capture, or activation above the floor, ends the doubt.
func (o Odometer) Doubted() Odometer {
	o.Doubt = true
	o.Samples = nil
	return o
}

// Merged combines two copies so that the floor is that of neither alone but at least
// as high as both.
func (o Odometer) Merged(other Odometer) Odometer {
	if other.At.IsZero() && other.Highest == 0 {
		return o
	}
	if o.At.IsZero() && o.Highest == 0 {
		return other
	}
	if other.At.Before(o.At) {
		o.At = other.At
	}
	o.Highest = max(o.Highest, other.Highest)
	o.Rate = max(o.Rate, other.Rate)
	o.Doubt = o.Doubt || other.Doubt
	return o
}

// reached sets what is known at the time at. A clock that was set back makes no
// difference: what was seen just now is true now.
func (o Odometer) reached(c zigbee.FrameCounter, at time.Time) Odometer {
	o.Highest = max(o.Highest, c)
	o.At = at
	o.Doubt = false
	return o
}

// Floor is a counter above everything the network may have used until now. At
// zigbee.MaxFrameCounter there is none left: the network key must be changed.
func (o Odometer) Floor(now time.Time) zigbee.FrameCounter {
	return o.Highest.Add(o.margin(now))
}

// FloorOver is a Floor that is above what another stick may have used on which reserved
// is written, and which somebody may have started without our doing.
func (o Odometer) FloorOver(reserved zigbee.FrameCounter, now time.Time) zigbee.FrameCounter {
	return max(o.Highest, reserved.Add(BootSkip)).Add(o.margin(now))
}

func (o Odometer) margin(now time.Time) uint64 {
	age := now.Sub(o.At)
	if o.At.IsZero() {
		age = 0 // nothing to reckon from
	}
	aged := uint64(min(MaxMargin, max(0, age.Seconds())*max(minRate, rateScale*o.Rate)))
	if o.At.IsZero() || o.Doubt || age < 0 {
		return max(Untrusted, aged)
	}
	return max(MinMargin, aged)
}

// A Sample is a saved counter and when it was seen.
type Sample struct {
	At      time.Time           `json:"at"`
	Counter zigbee.FrameCounter `json:"counter"`
}

const (
	rateWindow  = 24 * time.Hour
	sampleEvery = 15 * time.Minute
)

// sampled adds a capture and measures the rate anew. Samples lie at least
// sampleEvery apart, so there are never more than about a hundred. A counter or a
// clock that fell starts the series anew and keeps the rate.
func (o Odometer) sampled(saved zigbee.FrameCounter, at time.Time) Odometer {
	samples := slices.Clone(o.Samples)
	if n := len(samples); n > 0 && (at.Before(samples[n-1].At) || saved < samples[n-1].Counter) {
		samples = nil
	}
	samples = slices.DeleteFunc(samples, func(s Sample) bool { return at.Sub(s.At) > rateWindow })
	if n := len(samples); n == 0 || at.Sub(samples[n-1].At) >= sampleEvery {
		samples = append(samples, Sample{at, saved})
	}
	o.Samples = samples
	if span := at.Sub(samples[0].At); span >= sampleEvery {
		o.Rate = (float64(saved-samples[0].Counter) + Lag) / span.Seconds()
	}
	return o
}
