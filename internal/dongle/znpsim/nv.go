package znpsim

import (
	"z2mha/internal/dongle/nvimage"
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
