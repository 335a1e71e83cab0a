package znpsim

import (
	"encoding/binary"
	"math/bits"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
)

// How often a coordinator speaks by itself, and when it saves its counter.
const (
	linkStatusPeriod = 15 * time.Second
	manyToOnePeriod  = 120 * time.Second
	counterSaveStep  = 1000
)

// How long starting takes.
const (
	startTime = 100 * time.Millisecond
	formTime  = 500 * time.Millisecond
)

// A network is what a running coordinator holds in RAM.
type network struct {
	id          zigbee.Identity
	mask        uint32
	counter     zigbee.FrameCounter // of the next frame
	saved       zigbee.FrameCounter
	permitUntil time.Time
	carry       float64 // of DongleOptions.FrameRate
}

// BDB commissioning modes and statuses.
const (
	bdbInit         byte = 0
	bdbFormation    byte = 2
	bdbFormationBit byte = 4

	bdbSuccess       byte = 0x00
	bdbInProgress    byte = 0x01
	bdbFormationFail byte = 0x08
	bdbRestored      byte = 0x0D
)

func (d *Dongle) stateChange(s State) {
	d.state = s
	d.indicate(unpi.ZDO, 0xC0, []byte{byte(s)})
}

func (d *Dongle) bdbNotify(status, mode, remaining byte) {
	d.indicate(unpi.APPCNF, 0x80, []byte{status, mode, remaining})
}

// start resumes the stored network, or forms one when there is none. On a running
// coordinator it only makes a formation fail.
func (d *Dongle) start(delay time.Duration) {
	if d.state == StateStarting {
		return
	}
	if d.onAir() {
		d.after(delay, func() { d.bdbNotify(bdbFormationFail, bdbFormation, 0) })
		return
	}
	if on, _ := d.osal(nvimage.BdbNodeIsOnANetwork); len(on) == 1 && on[0] == 1 {
		if id, mask, ok := d.stored(); ok {
			d.resume(delay, id, mask)
			return
		}
	}
	d.form(delay)
}

// stored reads the network off the items.
func (d *Dongle) stored() (zigbee.Identity, uint32, bool) {
	nib, _ := d.osal(nvimage.Nib)
	info, _ := d.osal(nvimage.NwkActiveKeyInfo)
	if len(nib) != 116 || len(info) != 17 {
		return zigbee.Identity{}, 0, false
	}
	return zigbee.Identity{
		PanID:    zigbee.PanID(binary.LittleEndian.Uint16(nib[36:])),
		ExtPanID: zigbee.ExtPanIDFromLE(nib[57:]),
		Channel:  zigbee.Channel(nib[24]),
		IEEE:     d.ieee(),
		Key:      zigbee.Key(info[1:]),
		KeySeq:   info[0],
		UpdateID: nib[114],
	}, binary.LittleEndian.Uint32(nib[40:]), true
}

func (d *Dongle) resume(delay time.Duration, id zigbee.Identity, mask uint32) {
	d.after(delay, func() { d.stateChange(StateStarting) })
	d.after(delay+startTime, func() {
		id.IEEE = d.ieee()
		d.goOnAir(id, mask, d.resumeCounter(id))
		d.bdbNotify(bdbRestored, bdbInit, bdbFormationBit)
	})
	d.after(delay+2*startTime, func() { d.bdbNotify(bdbFormationFail, bdbFormation, 0) })
}

// resumeCounter takes the stored counter and leaps, once per boot. A stick that finds
// no counter for its network begins at zero, and devices will not hear it.
func (d *Dongle) resumeCounter(id zigbee.Identity) zigbee.FrameCounter {
	_, v, ok := d.secMaterial(id.ExtPanID)
	var c zigbee.FrameCounter
	if ok {
		c = counterIn(v, 0)
	}
	if ok && !d.restored {
		c = c.Add(nwkRestoreLeap)
	}
	d.restored = true
	return c
}

// form makes a new network of the formation parameters.
func (d *Dongle) form(delay time.Duration) {
	id, mask, ok := d.wanted()
	d.bdbNotify(bdbInProgress, bdbFormation, bdbFormationBit)
	d.after(delay, func() { d.stateChange(StateStarting) })
	if !ok {
		d.after(delay+formTime, func() {
			d.stateChange(StateHold)
			d.bdbNotify(bdbFormationFail, bdbFormation, 0)
		})
		return
	}
	d.after(delay+formTime, func() {
		id.PanID = d.m.freePan(id)
		d.storeNetwork(id, mask)
		c := zigbee.FrameCounter(nwkRestoreLeap)
		if _, v, ok := d.secMaterial(id.ExtPanID); ok {
			c = counterIn(v, 0).Add(nwkRestoreLeap)
		}
		d.restored = true
		d.m.record.Formed = append(d.m.record.Formed, Formation{Dongle: d.o.Name, Identity: id, At: time.Now()})
		d.goOnAir(id, mask, c)
		d.bdbNotify(bdbSuccess, bdbFormation, 0)
	})
}

// wanted reads the formation parameters; false when no channel is allowed.
func (d *Dongle) wanted() (zigbee.Identity, uint32, bool) {
	mask := d.primary
	if v, _ := d.osal(nvimage.ChanList); mask == 0 && len(v) == 4 {
		mask = binary.LittleEndian.Uint32(v)
	}
	mask &= 0x07FFF800
	key, _ := d.osal(nvimage.PrecfgKey)
	if mask == 0 || len(key) != 16 {
		return zigbee.Identity{}, 0, false
	}
	id := zigbee.Identity{Channel: zigbee.Channel(bits.TrailingZeros32(mask)), IEEE: d.ieee(), Key: zigbee.Key(key)}
	id.ExtPanID = zigbee.ExtPanID(id.IEEE)
	if v, _ := d.osal(nvimage.ApsUseExtPanID); len(v) == 8 && !allZero(v) {
		id.ExtPanID = zigbee.ExtPanIDFromLE(v)
	}
	id.PanID = zigbee.PanID(uint16(id.ExtPanID) & 0x3FFF)
	if v, _ := d.osal(nvimage.PanID); len(v) == 2 && binary.LittleEndian.Uint16(v) != 0xFFFF {
		id.PanID = zigbee.PanID(binary.LittleEndian.Uint16(v))
	}
	return id, mask, true
}

// freePan avoids a PAN id that is heard on the channel.
func (m *Medium) freePan(id zigbee.Identity) zigbee.PanID {
	for pan := id.PanID; ; pan++ {
		taken := false
		for _, d := range m.dongles {
			taken = taken || d.onAir() && d.net.id.Channel == id.Channel && d.net.id.PanID == pan
		}
		if !taken && pan != 0xFFFF {
			return pan
		}
	}
}

func (d *Dongle) goOnAir(id zigbee.Identity, mask uint32, c zigbee.FrameCounter) {
	d.net = &network{id: id, mask: mask, counter: c, saved: c}
	d.saveCounter(id, c)
	d.stateChange(StateCoordinator)
	d.m.enter(d, c)
	d.every(linkStatusPeriod, d.broadcast)
	d.every(manyToOnePeriod, d.broadcast)
	if d.o.FrameRate > 0 {
		d.every(time.Second, d.relay)
	}
}

// every runs fn again and again in this boot.
func (d *Dongle) every(period time.Duration, fn func()) {
	d.after(period, func() {
		fn()
		d.every(period, fn)
	})
}

// relay sends the frames of the last second that DongleOptions.FrameRate asks for.
func (d *Dongle) relay() {
	d.net.carry += d.o.FrameRate
	for ; d.net.carry >= 1; d.net.carry-- {
		d.nextCounter()
	}
}

// nextCounter takes the counter of a frame that goes out now. It is false when the
// counter's life is over or the radio is dead: then nothing goes out.
func (d *Dongle) nextCounter() (zigbee.FrameCounter, bool) {
	c := d.net.counter
	if c == zigbee.MaxFrameCounter || d.fault.DeafReceiver {
		return 0, false
	}
	d.net.counter = c.Add(1)
	d.m.heard(d.net.id, c)
	if d.net.counter-d.net.saved > counterSaveStep {
		d.persist()
	}
	return c, true
}

// persist writes the RAM state over the items, as the running stack does; what a
// host wrote there meanwhile is lost.
func (d *Dongle) persist() {
	d.net.saved = d.net.counter
	d.setOSAL(nvimage.Nib, nib(d.net.id, d.net.mask))
	d.saveCounter(d.net.id, d.net.counter)
}

// broadcast sends a frame that every device with its receiver on hears.
func (d *Dongle) broadcast() {
	c, ok := d.nextCounter()
	if !ok {
		return
	}
	for _, dev := range d.m.devices {
		if !dev.sleeps() {
			dev.hear(d.net.id, c)
		}
	}
}
