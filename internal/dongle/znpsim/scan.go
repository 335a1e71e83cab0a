package znpsim

import (
	"encoding/binary"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
)

// ZDO_NWK_DISCOVERY_REQ 25/26 {channels u32, duration u8} asks for beacons on each
// channel in turn without joining; it works in HOLD. The beacons come as
// ZDO_BEACON_NOTIFY_IND 45/C5, a count followed by beacons of 21 bytes:
//
//	source u16, PAN u16, channel, permit joining, router capacity, device capacity,
//	protocol version, stack profile, LQI, depth, update id, extended PAN id 8
//
// and ZDO_NWK_DISCOVERY_CNF 45/C7 {status} ends it. Channels that are not in the item
// CHANLIST are not listened to: zigpy-znp's network_scan puts all of them there first. That
// such a scan takes its time all the same is assumed.
const (
	beaconLen      = 21
	beaconsInFrame = 11
	maxDuration    = 14
)

// scanTime is how long one channel is listened to: aBaseSuperframeDuration·(2ⁿ+1).
func scanTime(duration byte) time.Duration {
	const superframe = 15360 * time.Microsecond
	return superframe * (1<<duration + 1)
}

// zdoDiscover refuses while the stick is on air itself: its receiver is not free.
func zdoDiscover(d *Dongle, a *args) []byte {
	mask, duration := a.u32()&0x07FFF800, a.u8()
	switch {
	case a.short || mask == 0 || duration > maxDuration:
		return []byte{osalInvalid}
	case d.state != StateHold:
		return []byte{statusNotOnNetwork}
	}
	channels := 0
	for m := mask; m != 0; m &= m - 1 {
		channels++
	}
	d.after(time.Duration(channels)*scanTime(duration), func() { d.discovered(mask) })
	return []byte{0}
}

func (d *Dongle) discovered(mask uint32) {
	beacons := d.m.beacons(d, mask&d.channels())
	for len(beacons) > 0 {
		n := min(len(beacons), beaconsInFrame)
		data := []byte{byte(n)}
		for _, b := range beacons[:n] {
			data = append(data, b...)
		}
		d.indicate(unpi.ZDO, 0xC5, data)
		beacons = beacons[n:]
	}
	d.indicate(unpi.ZDO, 0xC7, []byte{0})
}

// channels are those in CHANLIST.
func (d *Dongle) channels() uint32 {
	if v, _ := d.osal(nvimage.ChanList); len(v) == 4 {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

// beacons are those of coordinators and routers on air. A router answers a beacon
// request whether or not its coordinator is there.
func (m *Medium) beacons(listener *Dongle, mask uint32) [][]byte {
	if listener.fault.DeafReceiver {
		return nil
	}
	var out [][]byte
	for _, d := range m.dongles {
		if d != listener && d.onAir() && !d.fault.DeafReceiver && mask&(1<<d.net.id.Channel) != 0 {
			out = append(out, beacon(0, d.net.id.PanID, d.net.id.Channel, d.permits(), 0, d.net.id.UpdateID, d.net.id.ExtPanID.LE()))
		}
	}
	for _, dev := range m.devices {
		if dev.routes() && dev.alive() && mask&(1<<dev.net.Channel) != 0 {
			out = append(out, beacon(dev.spec.Nwk, dev.net.PanID, dev.net.Channel, false, 1, dev.net.UpdateID, dev.net.ExtPanID.LE()))
		}
	}
	return out
}

func (d *Dongle) permits() bool { return d.onAir() && time.Now().Before(d.net.permitUntil) }
