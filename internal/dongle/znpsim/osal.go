package znpsim

import "z2mha/internal/dongle/nvimage"

// The OSAL item commands. OSAL item N is also item {0, N} of the NVINTF system ZSTACK.

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
