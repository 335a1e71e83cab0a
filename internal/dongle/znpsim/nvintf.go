package znpsim

import (
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
)

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
