package znpsim

import (
	"encoding/binary"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

// osal returns an OSAL item.
func (d *Dongle) osal(id uint16) ([]byte, bool) { return d.image.Get(nvimage.OSAL(id)) }

// setOSAL is a write by the firmware itself; faults do not touch it.
func (d *Dongle) setOSAL(id uint16, v []byte) { d.image.Set(nvimage.OSAL(id), v) }

// pollRateOld is what reads of POLL_RATE_OLD16 yield: the low half of POLL_RATE.
func (d *Dongle) pollRateOld() []byte {
	v, _ := d.osal(nvimage.PollRate)
	return append(v, 0, 0)[:2]
}

func counterIn(v []byte, at int) zigbee.FrameCounter {
	return zigbee.FrameCounter(binary.LittleEndian.Uint32(v[at:]))
}

func putCounter(v []byte, at int, c zigbee.FrameCounter) {
	binary.LittleEndian.PutUint32(v[at:], uint32(c))
}

// The parts of a 12-byte entry of NWK_SEC_MATERIAL_TABLE: counter, extended PAN id.
const (
	secLen  = 12
	secEPID = 4
)

// genericEPID marks the entry for networks that have none of their own.
const genericEPID zigbee.ExtPanID = 0xFFFFFFFFFFFFFFFF

// secMaterial finds the entry to resume from: that of the network, else the generic
// one when it has a counter.
func (d *Dongle) secMaterial(epid zigbee.ExtPanID) (nvimage.ID, []byte, bool) {
	var generic nvimage.ID
	for sub := uint16(0); ; sub++ {
		id := nvimage.Entry(nvimage.NwkSecMaterialTable, sub)
		v, ok := d.image.Get(id)
		if !ok {
			break
		}
		switch {
		case len(v) != secLen:
		case zigbee.ExtPanIDFromLE(v[secEPID:]) == epid:
			return id, v, true
		case zigbee.ExtPanIDFromLE(v[secEPID:]) == genericEPID && counterIn(v, 0) != 0:
			generic = id
		}
	}
	if generic == (nvimage.ID{}) {
		return nvimage.ID{}, nil, false
	}
	v, _ := d.image.Get(generic)
	return generic, v, true
}

// saveCounter writes the counter to the network's own entry, made in the first free
// place when there is none, and to NWKKEY.
func (d *Dongle) saveCounter(id zigbee.Identity, c zigbee.FrameCounter) {
	if at, ok := d.ownSecMaterial(id.ExtPanID); ok {
		d.image.Set(at, append(le32(nil, uint32(c)), id.ExtPanID.LE()...))
	}
	v := append([]byte{id.KeySeq}, id.Key[:]...)
	v = append(v, 0, 0, 0)
	d.setOSAL(nvimage.NwkKey, le32(v, uint32(c)))
	d.touched()
}

func (d *Dongle) ownSecMaterial(epid zigbee.ExtPanID) (nvimage.ID, bool) {
	var free nvimage.ID
	found := false
	for sub := uint16(0); ; sub++ {
		id := nvimage.Entry(nvimage.NwkSecMaterialTable, sub)
		v, ok := d.image.Get(id)
		if !ok {
			return free, found
		}
		if len(v) == secLen && zigbee.ExtPanIDFromLE(v[secEPID:]) == epid {
			return id, true
		}
		if !found && allZero(v) {
			free, found = id, true
		}
	}
}
