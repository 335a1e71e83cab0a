package znpsim

import (
	"z2mha/internal/dongle/nvimage"
)

const (
	cmdReset    byte = 0x00
	cmdResetInd byte = 0x80
)

// capabilities are SYS, AF, ZDO, UTIL, GP and APP_CNF.
const capabilities uint16 = 0x0659

var sysCommands = map[uint16]handler{
	0x2101: func(*Dongle, *args) []byte { return le16(nil, capabilities) },
	0x2102: func(d *Dongle, _ *args) []byte { return d.version() },
	0x2103: sysSetExtAddr,
	0x2104: func(d *Dongle, _ *args) []byte { return d.ieee().LE() },
	0x210F: sysStackTune,
	0x2114: func(_ *Dongle, a *args) []byte { return []byte{a.u8()} }, // SET_TX_POWER
}

// version is transport, product, major, minor, maintenance, revision.
func (d *Dongle) version() []byte { return le32([]byte{2, 1, 2, 7, 1}, d.o.Revision) }

func sysSetExtAddr(d *Dongle, a *args) []byte {
	v := a.bytes(8)
	if a.short {
		return nil
	}
	return []byte{d.write1(nvimage.OSAL(nvimage.ExtAddr), v, osalOK, osalOperFailed)}
}

// sysStackTune takes TX power (0) and RX-on-when-idle (1); a query of the latter
// says "on" when the stick is on air.
func sysStackTune(d *Dongle, a *args) []byte {
	op, value := a.u8(), a.u8()
	switch {
	case op > 1:
		return []byte{osalInvalid}
	case op == 1 && value > 1 && d.onAir():
		return []byte{1}
	}
	return []byte{osalOK}
}
