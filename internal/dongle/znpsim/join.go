package znpsim

import (
	"time"

	"z2mha/internal/dongle/unpi"
)

// joinTime is how long association, key transport and key verification take.
const joinTime = 500 * time.Millisecond

// doorOpens lets devices fresh from the factory join d's network.
func (m *Medium) doorOpens(d *Dongle) {
	for _, dev := range m.devices {
		if !dev.joined && !dev.off {
			d.after(joinTime, func() { dev.join(d) })
		}
	}
}

// join pairs the device: it gets the network key and a link key of its own, and the
// stick enters it into its tables. A stick whose tables are full turns it away.
func (dev *Device) join(d *Dongle) {
	if dev.joined || dev.off || !d.permits() || d.fault.DeafReceiver {
		return
	}
	if !d.admit(dev.Joined()) {
		return
	}
	d.touched()
	dev.net = d.net.id
	dev.joined = true
	dev.heardAny = false
	if c, ok := d.nextCounter(); ok {
		dev.hear(d.net.id, c)
	}
	dev.m.record.Joins++
	data := append(le16(nil, uint16(dev.spec.Nwk)), dev.spec.IEEE.LE()...)
	d.indicate(unpi.ZDO, 0xCA, le16(data, 0))
	dev.announce()
}

// Leave makes the device forget its network, as a factory reset at the device does.
func (dev *Device) Leave() {
	dev.m.mu.Lock()
	defer dev.m.mu.Unlock()
	if !dev.joined {
		return
	}
	for _, d := range dev.m.listeners(dev) {
		data := append(le16(nil, uint16(dev.spec.Nwk)), dev.spec.IEEE.LE()...)
		d.indicate(unpi.ZDO, 0xC9, append(data, 0, 0, 0))
	}
	dev.joined = false
	dev.mailbox = nil
}
