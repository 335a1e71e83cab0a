package odometer

import (
	"time"

	"z2mha/internal/dongle/zigbee"
)

const (
	// reserveAhead is how long a reservation must still be good for.
	reserveAhead = 24 * time.Hour
	// reserveFor is how long a new one is good for, so that it is not rewritten at
	// every look.
	reserveFor = 48 * time.Hour
)

// Reservation is the counter to write onto a parked stick, so that it can start
// without being written again for a day or two even if nothing more is heard.
func (o Odometer) Reservation(now time.Time) zigbee.FrameCounter {
	return o.Floor(now.Add(reserveFor))
}

// Covers says that a parked stick on which reserved is written need not be written:
// it could start safely at any time in the next 24 hours. Whoever starts it asks
// Floor again.
func (o Odometer) Covers(reserved zigbee.FrameCounter, now time.Time) bool {
	return reserved >= o.Floor(now.Add(reserveAhead))
}

// A Warning says how much of the counter's range is used up, in percent: one of the
// constants. When it is all used the network goes mute until its key is changed.
type Warning int

const (
	NoWarning  Warning = 0
	HalfUsed   Warning = 50
	MostlyUsed Warning = 75
	NearlyUsed Warning = 90
)

// Saturation is the highest warning that c calls for.
func Saturation(c zigbee.FrameCounter) Warning {
	for _, w := range []Warning{NearlyUsed, MostlyUsed, HalfUsed} {
		if uint64(c)*100 >= uint64(w)*(uint64(zigbee.MaxFrameCounter)+1) {
			return w
		}
	}
	return NoWarning
}

// Saturation is the highest warning that the network's counter calls for.
func (o Odometer) Saturation() Warning { return Saturation(o.Highest) }
