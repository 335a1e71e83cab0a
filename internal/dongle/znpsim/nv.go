package znpsim

import (
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
)

// Commands of the OSAL items and of the NVINTF items.
const (
	cmdOsalRead    byte = 0x08
	cmdOsalReadExt byte = 0x1C
)

// Statuses of the OSAL commands.
const (
	osalOK         byte = 0x00
	osalInvalid    byte = 0x02
	osalUninit     byte = 0x09 // "created" to INIT, "absent" to DELETE
	osalOperFailed byte = 0x0A
	osalBadLength  byte = 0x0C
)

// Statuses of the NVINTF commands.
const (
	nvOK        byte = 0
	nvFailure   byte = 1
	nvBadParam  byte = 4
	nvBadLength byte = 5
	nvBadItem   byte = 7
	nvBadSub    byte = 8
	nvBadSystem byte = 9
	nvNotFound  byte = 10
	nvExists    byte = 13
)

// maxRead is what one OSAL read returns at most.
const maxRead = 247

// systemZStack is the only NVINTF system emulated.
const systemZStack = 1

var nvCommands = map[uint16]handler{
	0x2107: osalInit, 0x2108: osalRead, 0x2109: osalWrite, 0x2112: osalDelete, 0x2113: osalLength,
	0x211C: osalReadExt, 0x211D: osalWriteExt,
	0x2130: nvCreate, 0x2131: nvDelete, 0x2132: nvLength, 0x2133: nvRead, 0x2134: nvWrite, 0x2135: nvUpdate,
	0x2136: func(_ *Dongle, a *args) []byte { a.u16(); return []byte{nvOK} }, // NV_COMPACT
}

func osalInit(d *Dongle, a *args) []byte {
	id, length, value := a.u16(), int(a.u16()), a.bytes(int(a.u8()))
	if a.short || id == nvimage.PollRateOld16 {
		return []byte{osalOK}
	}
	if have, ok := d.osal(id); ok {
		if len(have) == length {
			return []byte{osalOK}
		}
		return []byte{osalUninit}
	}
	// The answer is "created" whatever the store said, a driver failure apart.
	if len(value) != length || length == 0 || id > nvimage.MaxSub {
		return []byte{osalUninit}
	}
	return []byte{d.write1(nvimage.OSAL(id), value, osalUninit, osalOperFailed)}
}

func osalRead(d *Dongle, a *args) []byte {
	id := a.u16()
	var offset int
	if len(a.b) == 1 {
		offset = int(a.u8())
	} else { // READ_EXT, see proxied
		offset = int(a.u16())
	}
	if id == nvimage.PollRateOld16 {
		return append([]byte{osalOK, 2}, d.pollRateOld()...)
	}
	return d.readOSAL(id, offset)
}

func osalReadExt(d *Dongle, a *args) []byte { return d.readOSAL(a.u16(), int(a.u16())) }

func (d *Dongle) readOSAL(id uint16, offset int) []byte {
	v, ok := d.osal(id)
	if !ok || offset >= len(v) || blocked(id) {
		return []byte{osalInvalid, 0}
	}
	v = v[offset:]
	v = v[:min(len(v), maxRead)]
	return append([]byte{osalOK, byte(len(v))}, v...)
}

// blocked items hold certificates; builds with key management let keys be read.
func blocked(id uint16) bool { return id >= nvimage.ImplicitCertificate && id <= nvimage.CaPublicKey }

func osalWrite(d *Dongle, a *args) []byte {
	id, offset, value := a.u16(), int(a.u8()), a.bytes(int(a.u8()))
	return d.writeOSAL(a, id, offset, value)
}

func osalWriteExt(d *Dongle, a *args) []byte {
	id, offset, value := a.u16(), int(a.u16()), a.bytes(int(a.u16()))
	return d.writeOSAL(a, id, offset, value)
}

// writeOSAL checks the offset but then replaces the whole item by what it got, as
// the real store does.
func (d *Dongle) writeOSAL(a *args, id uint16, offset int, value []byte) []byte {
	if a.short {
		return nil
	}
	if id == nvimage.PollRateOld16 {
		if len(value) != 2 || offset != 0 {
			return []byte{osalInvalid}
		}
		return []byte{d.write1(nvimage.OSAL(nvimage.PollRate), value, osalOK, osalOperFailed)}
	}
	have, ok := d.osal(id)
	if !ok || offset+len(value) > len(have) {
		return []byte{osalInvalid}
	}
	if len(value) == 0 {
		return []byte{osalOperFailed}
	}
	return []byte{d.write1(nvimage.OSAL(id), value, osalOK, osalOperFailed)}
}

func osalDelete(d *Dongle, a *args) []byte {
	id, length := a.u16(), int(a.u16())
	if a.short || id == nvimage.PollRateOld16 {
		return []byte{osalOK}
	}
	have, ok := d.osal(id)
	switch {
	case !ok:
		return []byte{osalUninit}
	case len(have) != length:
		return []byte{osalBadLength}
	}
	return []byte{d.delete1(nvimage.OSAL(id), osalOK, osalOperFailed)}
}

func osalLength(d *Dongle, a *args) []byte {
	v, _ := d.osal(a.u16())
	return le16(nil, uint16(len(v)))
}

// nvTarget reads what all NVINTF commands begin with and checks it.
func nvTarget(a *args) (nvimage.ID, byte) {
	system, id := a.u8(), nvimage.ID{Item: a.u16(), Sub: a.u16()}
	switch {
	case system != systemZStack:
		return id, nvBadSystem
	case id.Item > nvimage.MaxSub:
		return id, nvBadItem
	case id.Sub > nvimage.MaxSub:
		return id, nvBadSub
	}
	return id, nvOK
}

func nvCreate(d *Dongle, a *args) []byte {
	id, status := nvTarget(a)
	length := a.u32()
	if a.short || status != nvOK {
		return []byte{status}
	}
	const maxLength = 1<<12 - 1
	if length == 0 || length > maxLength {
		return []byte{nvBadLength}
	}
	if _, ok := d.image.Get(id); ok {
		return []byte{nvExists}
	}
	return []byte{d.write1(id, make([]byte, length), nvOK, nvFailure)}
}

func nvDelete(d *Dongle, a *args) []byte {
	id, status := nvTarget(a)
	if a.short || status != nvOK {
		return []byte{status}
	}
	if _, ok := d.image.Get(id); !ok {
		return []byte{nvNotFound}
	}
	return []byte{d.delete1(id, nvOK, nvFailure)}
}

func nvLength(d *Dongle, a *args) []byte {
	id, status := nvTarget(a)
	if status != nvOK {
		return le32(nil, 0)
	}
	v, _ := d.image.Get(id)
	return le32(nil, uint32(len(v)))
}

func nvRead(d *Dongle, a *args) []byte {
	id, status := nvTarget(a)
	offset, length := int(a.u16()), int(a.u8())
	if status != nvOK {
		return []byte{status, 0}
	}
	v, ok := d.image.Get(id)
	switch {
	case !ok:
		return []byte{nvNotFound, 0}
	case offset+length > len(v) || length > unpi.MaxData-2:
		return []byte{nvBadLength, 0}
	}
	return append([]byte{nvOK, byte(length)}, v[offset:offset+length]...)
}

func nvWrite(d *Dongle, a *args) []byte {
	id, status := nvTarget(a)
	offset, value := a.u16(), a.bytes(int(a.u8()))
	if status == nvOK && offset != 0 {
		status = nvBadParam
	}
	return d.replace(a, id, status, value)
}

func nvUpdate(d *Dongle, a *args) []byte {
	id, status := nvTarget(a)
	return d.replace(a, id, status, a.bytes(int(a.u8())))
}

func (d *Dongle) replace(a *args, id nvimage.ID, status byte, value []byte) []byte {
	if a.short || status != nvOK {
		return []byte{status}
	}
	if len(value) == 0 {
		return []byte{nvBadLength}
	}
	return []byte{d.write1(id, value, nvOK, nvFailure)}
}

// write1 writes one item for the host and returns ok, or failed when a fault says so.
func (d *Dongle) write1(id nvimage.ID, value []byte, ok, failed byte) byte {
	if status, over := d.disturbed(id, value, failed); over {
		return status
	}
	d.image.Set(id, value)
	d.rewritten(id)
	return ok
}

func (d *Dongle) delete1(id nvimage.ID, ok, failed byte) byte {
	if status, over := d.disturbed(id, nil, failed); over {
		return status
	}
	d.image.Delete(id)
	d.rewritten(id)
	return ok
}

// disturbed counts a write and lets a fault end it.
func (d *Dongle) disturbed(id nvimage.ID, value []byte, failed byte) (byte, bool) {
	d.stats.Writes++
	if countdown(&d.fault.CutAtWrite) {
		d.image.Delete(id)
		if half := value[:len(value)/2]; d.fault.TornItem && len(half) > 0 {
			d.image.Set(id, half)
		}
		d.touched()
		d.reset()
		return failed, true
	}
	return failed, d.fault.failsWrite()
}

// rewritten makes the stack notice: the MAC takes a new address at once.
func (d *Dongle) rewritten(id nvimage.ID) {
	d.touched()
	if id != nvimage.OSAL(nvimage.ExtAddr) || !d.onAir() {
		return
	}
	d.m.leave(d)
	d.net.id.IEEE = d.ieee()
	d.m.enter(d, d.net.counter)
}

// leIEEE reads an address off a request.
func leIEEE(a *args) zigbee.IEEE { return zigbee.IEEEFromLE(a.bytes(8)) }
