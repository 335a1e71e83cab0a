package znpsim

import (
	"time"

	"z2mha/internal/dongle/zigbee"
)

// missesBeforeRejoin is how many polls in a row a sleepy child lets go unanswered.
const missesBeforeRejoin = 3

// A held frame waits at the parent for a sleeping device to ask for it.
type held struct {
	from    *Dongle
	epoch   int
	until   time.Time
	counter zigbee.FrameCounter
	id      zigbee.Identity
	deliver func(*Device)
	done    func(verdict)
}

func (dev *Device) hold(d *Dongle, c zigbee.FrameCounter, deliver func(*Device), done func(verdict)) {
	dev.mailbox = append(dev.mailbox, held{
		from: d, epoch: d.epoch, until: time.Now().Add(indirectTimeout), counter: c, id: d.net.id, deliver: deliver, done: done,
	})
	d.after(indirectTimeout, dev.expire)
}

// expire gives up what nobody asked for.
func (dev *Device) expire() {
	now := time.Now()
	var rest []held
	var late []held
	for _, h := range dev.mailbox {
		if h.until.After(now) {
			rest = append(rest, h)
		} else {
			late = append(late, h)
		}
	}
	dev.mailbox = rest
	for _, h := range late {
		if h.epoch == h.from.epoch {
			h.done(expired)
		}
	}
}

// poll asks the parent for frames. A child of the coordinator notices that way when
// its parent is gone; from then on it is an orphan until it has rejoined, even if
// somebody with the parent's address acknowledges again.
func (dev *Device) poll() {
	switch {
	case dev.spec.Kind == SleepyChild && dev.missed >= missesBeforeRejoin:
		dev.rejoin()
	case dev.spec.Kind == SleepyChild && !dev.parentAcks():
		dev.missed++
	default:
		dev.missed = 0
		dev.collect()
	}
}

// collect takes what waits. A parent that was reset has forgotten it.
func (dev *Device) collect() {
	waiting := dev.mailbox
	dev.mailbox = nil
	for _, h := range waiting {
		if h.epoch == h.from.epoch {
			h.done(dev.take(h.id, h.counter, h.deliver))
		}
	}
}

// parentAcks: any coordinator with our channel and PAN acknowledges a poll; the MAC
// does not look at keys.
func (dev *Device) parentAcks() bool {
	for _, d := range dev.m.dongles {
		if d.onAir() && !d.fault.DeafReceiver && dev.reaches(d.net.id) {
			return true
		}
	}
	return false
}

// rejoin looks on every channel for a coordinator of its network and rejoins
// under the network key: no pairing, no new key.
func (dev *Device) rejoin() {
	for _, d := range dev.m.dongles {
		if !d.onAir() || d.fault.DeafReceiver || !dev.believes(d.net.id) {
			continue
		}
		c, ok := d.nextCounter()
		before := dev.net
		dev.net.Channel, dev.net.PanID = d.net.id.Channel, d.net.id.PanID
		if !ok || dev.hear(d.net.id, c) != accepted {
			dev.net = before
			continue
		}
		dev.missed = 0
		dev.rejoins++
		dev.m.record.Rejoins++
		dev.m.record.RejoinsBy[dev.spec.Name]++
		d.addAddress(childBit, dev.spec.Nwk, dev.spec.IEEE)
		dev.announce()
		return
	}
}
