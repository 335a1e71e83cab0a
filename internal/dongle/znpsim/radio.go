package znpsim

import "z2mha/internal/dongle/zigbee"

// A verdict is what became of a frame to one device.
type verdict int

const (
	unknown  verdict = iota // nobody has that address
	deaf                    // off, or on another channel or PAN: not even acknowledged by the MAC
	foreign                 // acknowledged, but of another key, extended PAN id or address: ignored
	replay                  // acknowledged, but its counter is not fresh: ignored
	accepted                // believed
	expired                 // for a sleeping device that did not ask for it in time
)

// unicast sends one frame to dst. deliver runs when the device believes it, done
// (which may be nil) with what became of it.
func (d *Dongle) unicast(dst zigbee.NwkAddr, deliver func(*Device), done func(verdict)) {
	if done == nil {
		done = func(verdict) {}
	}
	c, ok := d.nextCounter()
	dev := d.m.deviceAt(dst)
	switch {
	case dev == nil && !d.knows(dst):
		done(unknown)
	case dev == nil || !ok || !dev.reaches(d.net.id):
		done(deaf)
	case dev.sleeps():
		dev.hold(d, c, deliver, done)
	default:
		v := dev.hear(d.net.id, c) // now: a frame never overtakes the one before it
		d.after(airTime, func() {
			if v == accepted {
				deliver(dev)
			}
			done(v)
		})
	}
}

// take lets the device judge a frame and act on it.
func (dev *Device) take(id zigbee.Identity, c zigbee.FrameCounter, deliver func(*Device)) verdict {
	v := dev.hear(id, c)
	if v == accepted {
		deliver(dev)
	}
	return v
}

// knows says that the address manager has the short address.
func (d *Dongle) knows(nwk zigbee.NwkAddr) bool {
	found := false
	d.eachAddress(func(i uint16, v []byte) bool {
		found = v[0] != 0xFF && childIn(i, v).nwk == nwk
		return !found
	})
	return found
}

func (m *Medium) deviceAt(nwk zigbee.NwkAddr) *Device {
	for _, dev := range m.devices {
		if dev.spec.Nwk == nwk && dev.joined {
			return dev
		}
	}
	return nil
}

// nwkOf is the short address of a device; noNwk when there is none such.
func (m *Medium) nwkOf(ieee zigbee.IEEE) zigbee.NwkAddr {
	for _, dev := range m.devices {
		if dev.spec.IEEE == ieee {
			return dev.spec.Nwk
		}
	}
	return noNwk
}

// reaches says that frames under id arrive at the device's MAC.
func (dev *Device) reaches(id zigbee.Identity) bool {
	return dev.alive() && id.PanID == dev.net.PanID && id.Channel == dev.net.Channel
}

// believes says that the device takes id for its coordinator.
func (dev *Device) believes(id zigbee.Identity) bool {
	return id.Key == dev.net.Key && id.KeySeq == dev.net.KeySeq && id.ExtPanID == dev.net.ExtPanID && id.IEEE == dev.net.IEEE
}

// hear judges a frame with counter c from a coordinator id, and remembers c when it
// is believed.
func (dev *Device) hear(id zigbee.Identity, c zigbee.FrameCounter) verdict {
	switch {
	case !dev.reaches(id):
		return deaf
	case !dev.believes(id):
		dev.m.record.ForeignIgnored++
		return foreign
	case dev.heardAny && c <= dev.last:
		dev.m.record.ReplaysDropped++
		dev.m.record.ReplaysBy[dev.spec.Name]++
		return replay
	}
	dev.heardAny = true
	dev.last = c
	dev.heardAt = now()
	return accepted
}

// listeners are the sticks that would hand a frame of dev to their hosts: on air,
// the device's own coordinator, and with a counter that the device would believe.
func (m *Medium) listeners(dev *Device) []*Dongle {
	var out []*Dongle
	for _, d := range m.dongles {
		if !d.onAir() || d.fault.DeafReceiver || !dev.reaches(d.net.id) || !dev.believes(d.net.id) {
			continue
		}
		if !dev.heardAny || d.net.counter > dev.last {
			out = append(out, d)
		}
	}
	return out
}
