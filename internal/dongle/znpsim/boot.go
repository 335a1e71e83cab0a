package znpsim

import (
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
)

// STARTUP_OPTION bits. Bit 2, auto start, has no effect in ZNP builds.
const (
	optClearConfig   byte = 0x01
	optClearState    byte = 0x02
	optClearCounters byte = 0x80
)

// What boot adds to transmit counters, so that a stick on its own flash never
// repeats one.
const (
	tclkBootLeap   = 11
	apsBootLeap    = 1001
	nwkRestoreLeap = 1250
)

// reset silences the stick, forgets RAM and boots when bootTime has passed.
func (d *Dongle) reset() {
	d.silence()
	d.booting = true
	d.after(bootTime, func() {
		d.boot()
		d.indicate(unpi.SYS, cmdResetInd, append([]byte{0}, d.version()[:5]...))
	})
}

// silence takes the stick off the air and forgets its RAM.
func (d *Dongle) silence() {
	if d.onAir() {
		d.m.leave(d)
	}
	d.epoch++
	d.state = StateHold
	d.net = nil
	d.booting = false
	d.restored = false
	d.endpoints = nil
	d.groups = make(map[uint32]string)
	d.primary = 0
}

// boot is what the firmware does with its items before it listens.
func (d *Dongle) boot() {
	d.silence()
	d.stats.Boots++
	option := d.startupOption()
	d.bootAddress(option)
	if option&optClearConfig != 0 {
		d.clearConfig()
	}
	if option&optClearState != 0 {
		d.clearState(option)
	}
	d.createMissing()
	d.leapLinkCounters()
	d.touched()
}

func (d *Dongle) startupOption() byte {
	if v, ok := d.osal(nvimage.StartupOption); ok {
		return v[0]
	}
	return 0
}

// bootAddress lets NV EXTADDR win over the hardware address unless it is empty or
// the state is to be cleared.
func (d *Dongle) bootAddress(option byte) {
	v, ok := d.osal(nvimage.ExtAddr)
	if !ok || len(v) != 8 || zigbee.IEEEFromLE(v) == zigbee.NoIEEE || option&optClearState != 0 {
		d.setOSAL(nvimage.ExtAddr, d.o.Hardware.LE())
	}
}

// clearConfig restores the configuration items and takes its own bit back.
func (d *Dongle) clearConfig() {
	for _, it := range defaults {
		if !it.state {
			d.setOSAL(it.id, it.value(d))
		}
	}
	d.setOSAL(nvimage.StartupOption, []byte{d.startupOption() &^ optClearConfig})
}

// clearState forgets the network. The network frame counters survive it.
func (d *Dongle) clearState(option byte) {
	for _, id := range []uint16{nvimage.Nib, nvimage.GroupTable, nvimage.ApsLinkKeyTable, nvimage.BdbNodeIsOnANetwork, nvimage.NwkActiveKeyInfo, nvimage.NwkAlternKeyInfo, nvimage.NwkKey} {
		d.image.Delete(nvimage.OSAL(id))
	}
	tables := []uint16{nvimage.AddrMgr, nvimage.BindingTable, nvimage.DeviceList, nvimage.TclkTable, nvimage.TclkIcTable, nvimage.ApsKeyDataTable}
	if option&optClearCounters != 0 {
		tables = append(tables, nvimage.NwkSecMaterialTable)
	}
	for _, id := range d.image.IDs() {
		for _, t := range tables {
			if id.Item == t {
				d.image.Delete(id)
			}
		}
	}
}

// createMissing recreates the items that a stick always has.
func (d *Dongle) createMissing() {
	for _, it := range defaults {
		if _, ok := d.osal(it.id); !ok {
			d.setOSAL(it.id, it.value(d))
		}
	}
	for _, t := range bootTables {
		t.fill(d.image)
	}
}

// leapLinkCounters moves the transmit counters of the link keys in use.
func (d *Dongle) leapLinkCounters() {
	for _, id := range d.image.IDs() {
		v, _ := d.image.Get(id)
		switch {
		case id.Item == nvimage.TclkTable && len(v) == 20 && usedAddress(v[8:]):
			d.image.Set(id, leap(v, 0, tclkBootLeap))
		case id.Item == nvimage.ApsKeyDataTable && len(v) == 24 && !allZero(v[:16]):
			d.image.Set(id, leap(v, 16, apsBootLeap))
		}
	}
}

func usedAddress(le []byte) bool {
	a := zigbee.IEEEFromLE(le)
	return a != 0 && a != zigbee.NoIEEE
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func leap(v []byte, at int, by uint64) []byte {
	putCounter(v, at, counterIn(v, at).Add(by))
	return v
}
