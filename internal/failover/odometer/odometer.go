// Package odometer keeps the highest frame counter that a network may ever have
// used on air, and says from which counter a stick may safely start.
//
// What a stick has saved lags what it has sent: up to Lag frames. What it starts
// with is what is written on it plus BootSkip. Between two looks the network goes
// on counting, so a floor grows with the age of what is known; when that age cannot
// be trusted, a flat million is added.
//
// It is pure: now is an argument, and a clock that steps back only makes it more
// careful.
package odometer

import (
	"time"

	"z2mha/internal/dongle/zigbee"
)

const (
	Lag       = 1001 // a running stick saves its counter when it has moved by more than 1000
	BootSkip  = 1250 // added by the stick at the first start of the network after a boot
	MinMargin = 10_000
	Untrusted = 1_000_000
	minRate   = 2 // frames a second that are assumed at least
	rateScale = 10
)

// An Odometer is persisted before anything that relies on it is done.
type Odometer struct {
	Highest zigbee.FrameCounter `json:"highest"`     // upper bound of what was used on air at At
	At      time.Time           `json:"at,omitzero"` // zero: nothing is known
	Rate    float64             `json:"rate"`        // frames a second over the last day
	Doubt   bool                `json:"doubt,omitempty"`
}

// Captured takes note of a counter read from the memory of the stick that is, or
// was until its reset, on air.
func (o Odometer) Captured(saved zigbee.FrameCounter, at time.Time) Odometer {
	return o.reached(saved.Add(Lag), at)
}

// Activated takes note of a counter that is about to be written onto a stick that
// will start the network.
func (o Odometer) Activated(written zigbee.FrameCounter, at time.Time) Odometer {
	return o.reached(written.Add(BootSkip), at)
}

func (o Odometer) reached(c zigbee.FrameCounter, at time.Time) Odometer {
	o.Highest = max(o.Highest, c)
	if at.Before(o.At) {
		o.Doubt = true
	}
	o.At = at
	return o
}

// Floor is a counter above everything the network may have used until now.
func (o Odometer) Floor(now time.Time) zigbee.FrameCounter {
	return o.Highest.Add(o.margin(now))
}

func (o Odometer) margin(now time.Time) uint64 {
	age := now.Sub(o.At)
	if o.At.IsZero() || o.Doubt || age < 0 {
		return Untrusted
	}
	rate := max(minRate, rateScale*o.Rate)
	return max(MinMargin, uint64(age.Seconds()*rate))
}
