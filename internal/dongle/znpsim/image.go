package znpsim

import (
	"encoding/binary"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

// A Joined is a device that a formed image knows.
type Joined struct {
	IEEE    zigbee.IEEE
	Nwk     zigbee.NwkAddr
	Child   bool // associated with the coordinator itself
	LinkKey bool // has a trust centre link key of its own
}

// FirstCounter is the stored frame counter of FormedImage.
const FirstCounter zigbee.FrameCounter = 4000

// ResetImage is a stick that never was on a network, as it is after a boot.
func ResetImage(hardware zigbee.IEEE) *nvimage.Image {
	d := &Dongle{o: DongleOptions{Hardware: hardware}, image: nvimage.New()}
	d.createMissing()
	d.setOSAL(nvimage.PollRateOld16, d.pollRateOld())
	return d.image
}

// FormedImage is a stick that carries the network id, with the address id.IEEE and
// the given devices. All data is our own; ids, lengths and table sizes are those of a
// CC2652 with Z-Stack 3.30. It holds the flag by which Zigbee2MQTT knows its own.
func FormedImage(id zigbee.Identity, devices ...Joined) *nvimage.Image {
	d := &Dongle{o: DongleOptions{Hardware: id.IEEE}, image: nvimage.New()}
	d.createMissing()
	d.storeNetwork(id, 1<<id.Channel)
	d.saveCounter(id, FirstCounter)
	d.setOSAL(nvimage.HasConfiguredZStack3, []byte{0x55})
	d.setOSAL(nvimage.PrecfgKey, id.Key[:])
	d.setOSAL(nvimage.PanID, le16(nil, uint16(id.PanID)))
	d.setOSAL(nvimage.ChanList, le32(nil, 1<<id.Channel))
	d.setOSAL(nvimage.ExtendedPanID, id.ExtPanID.LE())
	d.setOSAL(nvimage.ApsUseExtPanID, id.ExtPanID.LE())
	d.setOSAL(nvimage.GroupTable, zeros(22))
	d.setOSAL(nvimage.LeaveCtrl, zeros(1))
	for _, j := range devices {
		d.admit(j)
	}
	d.setOSAL(nvimage.PollRateOld16, d.pollRateOld())
	return d.image
}

// User bits of an ADDRMGR entry.
const securityBit byte = 0x02

// admit enters a device into the tables, as a join does.
func (d *Dongle) admit(j Joined) bool {
	var user byte
	if j.Child {
		user |= childBit
	}
	if j.LinkKey {
		user |= securityBit
	}
	return d.addAddress(user, j.Nwk, j.IEEE) && (!j.LinkKey || d.addLinkKey(j.IEEE))
}

// addLinkKey gives a device a key derived from the seed, in the first free entry.
func (d *Dongle) addLinkKey(ieee zigbee.IEEE) bool {
	const verified, noInstallCode = 2, 0
	for i := uint16(0); ; i++ {
		id := nvimage.Entry(nvimage.TclkTable, i)
		v, ok := d.image.Get(id)
		if !ok {
			return false
		}
		if len(v) != 20 || usedAddress(v[8:]) && zigbee.IEEEFromLE(v[8:]) != ieee {
			continue
		}
		v = append(zeros(8), ieee.LE()...)
		d.image.Set(id, append(v, verified, 0, byte(i%16), noInstallCode))
		return true
	}
}

// storeNetwork writes what the stack keeps of a network it formed.
func (d *Dongle) storeNetwork(id zigbee.Identity, mask uint32) {
	d.setOSAL(nvimage.Nib, nib(id, mask))
	d.setOSAL(nvimage.BdbNodeIsOnANetwork, []byte{1})
	info := append([]byte{id.KeySeq}, id.Key[:]...)
	d.setOSAL(nvimage.NwkActiveKeyInfo, info)
	d.setOSAL(nvimage.NwkAlternKeyInfo, info)
	for _, t := range networkTables {
		t.fill(d.image)
	}
}

// nib lays out the network information base. What it does not set is padding.
func nib(id zigbee.Identity, mask uint32) []byte {
	b := make([]byte, 116)
	copy(b, []byte{0x01, 5, 2, 20, 15, 20, 0, 30})
	copy(b[11:], []byte{1, 5, 1, 0x8F, 0, 7, 0, 2, 13, 30})
	b[24] = byte(id.Channel)
	copy(b[28:], make([]byte, 8))
	binary.LittleEndian.PutUint16(b[36:], uint16(id.PanID))
	b[38] = 8 // running as coordinator
	binary.LittleEndian.PutUint32(b[40:], mask)
	copy(b[44:], []byte{0x0F, 0x0F, 4, 0, 1, 0, 0, 0, 1})
	copy(b[57:], id.ExtPanID.LE())
	b[65] = 1 // key loaded
	copy(b[102:], []byte{15, 5, 0, 1, 120, 10, 1})
	b[114] = id.UpdateID
	return b
}
