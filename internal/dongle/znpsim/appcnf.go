package znpsim

import (
	"z2mha/internal/dongle/zigbee"
)

func accept(sizes int) handler {
	return func(_ *Dongle, a *args) []byte {
		a.bytes(sizes)
		return []byte{0}
	}
}

var appCnfCommands = map[uint16]handler{
	0x2F01: accept(1), // SET_DEFAULT_REMOTE_ENDDEVICE_TIMEOUT
	0x2F02: accept(1), // SET_ENDDEVICETIMEOUT
	0x2F03: accept(1), // SET_ALLOWREJOIN_TC_POLICY
	0x2F04: appInstallCode,
	0x2F05: appStartCommissioning,
	0x2F06: accept(1), // BDB_SET_JOINUSESINSTALLCODEKEY
	0x2F07: accept(1), // BDB_SET_ACTIVE_DEFAULT_CENTRALIZED_KEY
	0x2F08: appSetChannel,
	0x2F09: accept(1), // BDB_SET_TC_REQUIRE_KEY_EXCHANGE
	0x2FFF: appSetFrameCounter,
}

func appInstallCode(_ *Dongle, a *args) []byte {
	format := a.u8()
	a.bytes(8)
	if want, ok := map[byte]int{1: 18, 2: 16}[format]; !ok || len(a.rest()) != want {
		return []byte{osalInvalid}
	}
	return []byte{0}
}

func appStartCommissioning(d *Dongle, a *args) []byte {
	mode := a.u8()
	if !a.short && mode&bdbFormationBit != 0 {
		d.after(0, func() { d.start(0) })
	}
	return []byte{0}
}

func appSetChannel(d *Dongle, a *args) []byte {
	isPrimary, mask := a.u8(), a.u32()
	if !a.short && isPrimary != 0 {
		d.primary = mask
	}
	return []byte{0}
}

// appSetFrameCounter sets the counter in RAM and saves it at once. Without a network
// there is nothing to set.
func appSetFrameCounter(d *Dongle, a *args) []byte {
	c := zigbee.FrameCounter(a.u32())
	if a.short || !d.onAir() {
		return []byte{1}
	}
	d.net.counter = c
	d.persist()
	return []byte{0}
}
