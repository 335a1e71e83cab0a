package znpsim

import (
	"bytes"
	"crypto/sha256"

	"z2mha/internal/dongle/nvimage"
)

// An item is one that a stick recreates at boot when it is missing.
type item struct {
	id    uint16
	def   []byte
	make  func(d *Dongle) []byte // for values of the stick's own; def is nil then
	state bool                   // not configuration: bit 0 of STARTUP_OPTION leaves it
}

func (it item) value(d *Dongle) []byte {
	if it.make != nil {
		return it.make(d)
	}
	return bytes.Clone(it.def)
}

func zeros(n int) []byte { return make([]byte, n) }

// defaults are the OSAL items of a stick that never was on a network. Lengths are
// the firmware's; values that do not matter to the emulator are plain.
var defaults = []item{
	{id: nvimage.ExtAddr, make: hardwareAddress, state: true},
	{id: nvimage.StartupOption, def: zeros(1), state: true},
	{id: nvimage.StartDelay, def: []byte{10}},
	{id: nvimage.PollRate, def: append([]byte{0xE8, 0x03}, zeros(38)...)},
	{id: nvimage.DataRetries, def: []byte{2}},
	{id: nvimage.PollFailureRetries, def: []byte{2}},
	{id: nvimage.StackProfile, def: []byte{2}},
	{id: nvimage.IndirectMsgTimeout, def: []byte{7}},
	{id: nvimage.RouteExpiryTime, def: []byte{30}},
	{id: nvimage.ExtendedPanID, make: hardwareAddress},
	{id: nvimage.BcastRetries, def: []byte{2}},
	{id: nvimage.PassiveAckTimeout, def: []byte{5}},
	{id: nvimage.BcastDeliveryTime, def: []byte{30}},
	{id: nvimage.ConcentratorEnable, def: []byte{1}},
	{id: nvimage.ConcentratorDiscovery, def: []byte{120}},
	{id: nvimage.ConcentratorRadius, def: []byte{10}},
	{id: nvimage.ConcentratorRc, def: []byte{1}},
	{id: nvimage.NwkMgrMode, def: []byte{1}},
	{id: nvimage.SrcRtgExpiryTime, def: []byte{255}},
	{id: nvimage.RouteDiscoveryTime, def: []byte{13}},
	{id: nvimage.NwkActiveKeyInfo, def: zeros(17), state: true},
	{id: nvimage.NwkAlternKeyInfo, def: zeros(17), state: true},
	{id: nvimage.RouterOffAssocCleanup, def: zeros(1)},
	{id: nvimage.NwkLeaveReqAllowed, def: []byte{1}},
	{id: nvimage.NwkChildAgeEnable, def: zeros(1)},
	{id: nvimage.ApsFrameRetries, def: []byte{3}},
	{id: nvimage.ApsAckWaitDuration, def: []byte{0xB8, 0x0B}},
	{id: nvimage.ApsAckWaitMultiplier, def: []byte{2}},
	{id: nvimage.BindingTime, def: []byte{0x80, 0x3E}},
	{id: nvimage.ApsUseExtPanID, def: zeros(8)},
	{id: nvimage.ApsUseInsecureJoin, def: []byte{1}},
	{id: nvimage.CommissionedNwkAddr, def: []byte{0xFE, 0xFF}},
	{id: nvimage.ApsNonmemberRadius, def: []byte{2}},
	{id: nvimage.ApsLinkKeyTable, def: zeros(20), state: true},
	{id: nvimage.ApsDupRejTimeoutInc, def: []byte{0xE8, 0x03}},
	{id: nvimage.ApsDupRejTimeoutCount, def: []byte{10}},
	{id: nvimage.ApsDupRejTableSize, def: []byte{5, 0}},
	{id: nvimage.NwkParentInfo, def: []byte{1}},
	{id: nvimage.NwkEndDevTimeoutDef, def: []byte{8}},
	{id: nvimage.EndDevTimeoutValue, def: []byte{8}},
	{id: nvimage.EndDevConfiguration, def: zeros(1)},
	{id: nvimage.BdbNodeIsOnANetwork, def: zeros(1), state: true},
	{id: nvimage.PrecfgKey, make: factoryKey},
	{id: nvimage.PrecfgKeysEnable, def: zeros(1)},
	{id: nvimage.SecurePermitJoin, def: []byte{1}},
	{id: nvimage.ApsLinkKeyType, def: []byte{1}},
	{id: nvimage.ApsAllowR19Security, def: zeros(1)},
	{id: nvimage.UseDefaultTclk, def: []byte{1}},
	{id: nvimage.TrustCenterAddr, def: zeros(8)},
	{id: nvimage.UserDesc, def: zeros(17)},
	{id: nvimage.NwkKey, def: zeros(24), state: true},
	{id: nvimage.PanID, def: []byte{0xFF, 0xFF}},
	{id: nvimage.ChanList, def: zeros(4)},
	{id: nvimage.ScanDuration, def: []byte{4}},
	{id: nvimage.LogicalType, def: zeros(1)},
	{id: nvimage.NwkMgrMinTx, def: []byte{20}},
	{id: nvimage.ZdoDirectCb, def: []byte{1}},
	{id: nvimage.SapiEndpoint, def: []byte{0xE0}},
	{id: nvimage.TclkSeed, make: linkKeySeed, state: true},
}

func hardwareAddress(d *Dongle) []byte { return d.o.Hardware.LE() }

// secretOf makes 16 bytes that look random and are the same for a stick every time.
func secretOf(label string) []byte {
	sum := sha256.Sum256([]byte("znpsim " + label))
	return sum[:16]
}

func factoryKey(d *Dongle) []byte  { return secretOf("factory key " + d.o.Hardware.String()) }
func linkKeySeed(d *Dongle) []byte { return secretOf("link key seed " + d.o.Hardware.String()) }

// A table is one whose entries the firmware creates, all equal.
type table struct {
	id    uint16
	count int
	entry []byte
}

// bootTables exist from the first boot on, networkTables since a network was formed.
var (
	bootTables = []table{
		{nvimage.TclkTable, 200, append(append(zeros(16), 0xFF), zeros(3)...)},
		{nvimage.ApsKeyDataTable, 3, zeros(24)},
		{nvimage.NwkSecMaterialTable, 5, zeros(12)},
	}
	networkTables = []table{
		{nvimage.AddrMgr, 257, bytes.Repeat([]byte{0xFF}, 12)},
		{nvimage.BindingTable, 1, bytes.Repeat([]byte{0xFF}, 14)},
		{nvimage.DeviceList, 51, bytes.Repeat([]byte{0xFF}, 16)},
	}
)

// fill creates the entries that are missing.
func (t table) fill(m *nvimage.Image) {
	for i := range uint16(t.count) {
		if _, ok := m.Get(nvimage.Entry(t.id, i)); !ok {
			m.Set(nvimage.Entry(t.id, i), t.entry)
		}
	}
}
