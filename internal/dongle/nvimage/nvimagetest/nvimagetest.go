// Package nvimagetest makes NVRAM images for tests: own data in the shape of a
// CC2652 stick with Z-Stack 3.30, and, where they are at hand, published dumps of a
// real one.
package nvimagetest

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

// Stick is the firmware of the images made here.
var Stick = nvimage.Stick{Capabilities: 0x0659, Transport: 2, Product: 1, Major: 2, Minor: 7, Maint: 1, Revision: 20250321}

// The network of Formed.
const (
	Hardware  zigbee.IEEE         = 0x00124b00aa000001
	PanID     zigbee.PanID        = 0x1a62
	ExtPanID  zigbee.ExtPanID     = 0xc0ffee0011223344
	Channel   zigbee.Channel      = 20
	UpdateID  uint8               = 3
	Counter   zigbee.FrameCounter = 7500
	LinkTx    zigbee.FrameCounter = 400 // first device; each further one has 100 more
	LinkRx    zigbee.FrameCounter = 5000
	APSTx     zigbee.FrameCounter = 3000
	NumLinked                     = 6
)

// Key is the network key of Formed.
func Key() zigbee.Key { return zigbee.Key(secret("network key")) }

// Linked is the address of the i-th device with a link key.
func Linked(i int) zigbee.IEEE { return zigbee.IEEE(0x00158d0000000100 + uint64(i)) }

// Child is a device that joined the coordinator itself and has no link key.
const Child zigbee.IEEE = 0x00158d0000000900

// tableSizes are those of the reference stick; the first group exists from the
// first boot on, the second since a network was formed.
var (
	bootTables = map[uint16]int{nvimage.TclkTable: 200, nvimage.ApsKeyDataTable: 3, nvimage.NwkSecMaterialTable: 5}
	netTables  = map[uint16]int{nvimage.AddrMgr: 257, nvimage.BindingTable: 1, nvimage.DeviceList: 51}
)

// Reset is a stick that never was on a network, with the address hardware.
func Reset(hardware zigbee.IEEE) *nvimage.Image {
	m := nvimage.New()
	for id, n := range defaultItems {
		m.Set(nvimage.OSAL(id), make([]byte, n))
	}
	set(m, nvimage.ExtAddr, hardware.LE())
	set(m, nvimage.ExtendedPanID, hardware.LE())
	set(m, nvimage.StartupOption, []byte{0x02})
	set(m, nvimage.PanID, []byte{0xFF, 0xFF})
	set(m, nvimage.PrecfgKey, secret("factory key"))
	set(m, nvimage.TclkSeed, secret(hardware.String()))
	fill(m, bootTables)
	return m
}

// Formed is a stick with address Hardware on the network above: NumLinked devices
// with link keys, two application keys and one child.
func Formed() *nvimage.Image {
	m := Reset(Hardware)
	fill(m, netTables)
	key := append([]byte{0}, secret("network key")...)
	set(m, nvimage.HasConfiguredZStack3, []byte{0x55})
	set(m, nvimage.StartupOption, []byte{0})
	set(m, nvimage.BdbNodeIsOnANetwork, []byte{1})
	set(m, nvimage.Nib, nib())
	set(m, nvimage.NwkActiveKeyInfo, key)
	set(m, nvimage.NwkAlternKeyInfo, key)
	set(m, nvimage.PrecfgKey, key[1:])
	set(m, nvimage.NwkKey, append(append(key[:17:17], 0xFF, 0xFF, 0xFF), u32(Counter)...))
	set(m, nvimage.PanID, binary.LittleEndian.AppendUint16(nil, uint16(PanID)))
	set(m, nvimage.ChanList, binary.LittleEndian.AppendUint32(nil, 1<<Channel))
	set(m, nvimage.ExtendedPanID, ExtPanID.LE())
	set(m, nvimage.ApsUseExtPanID, ExtPanID.LE())
	set(m, nvimage.TclkSeed, secret("seed"))
	set(m, nvimage.GroupTable, make([]byte, 22))
	set(m, nvimage.LeaveCtrl, []byte{0})
	links := make([]byte, 20)
	links[0] = 2
	set(m, nvimage.ApsLinkKeyTable, links)
	m.Set(nvimage.Entry(nvimage.NwkSecMaterialTable, 0), append(u32(Counter), ExtPanID.LE()...))
	for i := range NumLinked {
		addDevice(m, uint16(i))
	}
	for i := range uint16(2) {
		entry := append(secret("aps"+string(rune('0'+i))), u32(APSTx)...)
		m.Set(nvimage.Entry(nvimage.ApsKeyDataTable, i), append(entry, u32(LinkRx)...))
	}
	m.Set(nvimage.Entry(nvimage.AddrMgr, NumLinked), addrMgr(1, 0x9000, Child))
	return m
}

func addDevice(m *nvimage.Image, i uint16) {
	m.Set(nvimage.Entry(nvimage.AddrMgr, i), addrMgr(2, zigbee.NwkAddr(0x1000+i), Linked(int(i))))
	entry := append(u32(LinkTx+100*zigbee.FrameCounter(i)), u32(LinkRx)...)
	entry = append(entry, Linked(int(i)).LE()...)
	m.Set(nvimage.Entry(nvimage.TclkTable, i), append(entry, 2, 0, byte(i), 0))
}

func addrMgr(user byte, nwk zigbee.NwkAddr, ieee zigbee.IEEE) []byte {
	v := binary.LittleEndian.AppendUint16([]byte{user, 0xFF}, uint16(nwk))
	return append(v, ieee.LE()...)
}

func nib() []byte {
	b := make([]byte, 116)
	b[12] = 5
	b[24] = byte(Channel)
	binary.LittleEndian.PutUint16(b[36:], uint16(PanID))
	b[38] = 8
	binary.LittleEndian.PutUint32(b[40:], 1<<Channel)
	copy(b[57:], ExtPanID.LE())
	b[65] = 1
	b[114] = UpdateID
	return b
}

// emptyEntry is what the stack puts into a new entry of a table.
func emptyEntry(table uint16) []byte {
	v := make([]byte, nvimage.EntryLen(table))
	switch table {
	case nvimage.AddrMgr, nvimage.DeviceList, nvimage.BindingTable:
		for i := range v {
			v[i] = 0xFF
		}
	case nvimage.TclkTable:
		v[16] = 0xFF
	}
	return v
}

func fill(m *nvimage.Image, sizes map[uint16]int) {
	for table, n := range sizes {
		for i := range uint16(n) {
			m.Set(nvimage.Entry(table, i), emptyEntry(table))
		}
	}
}

func set(m *nvimage.Image, id uint16, v []byte) { m.Set(nvimage.OSAL(id), v) }

func u32(c zigbee.FrameCounter) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(c)) }

// secret makes 16 bytes that look like a key and are the same every time.
func secret(label string) []byte {
	sum := sha256.Sum256([]byte("nvimagetest " + label))
	return sum[:16]
}

// defaultItems are the OSAL items of a stick after its first boot, with their lengths.
var defaultItems = withOneByteItems(map[uint16]int{
	nvimage.ExtAddr: 8, nvimage.PollRateOld16: 2, nvimage.PollRate: 40, nvimage.ExtendedPanID: 8,
	nvimage.NwkActiveKeyInfo: 17, nvimage.NwkAlternKeyInfo: 17, nvimage.ApsAckWaitDuration: 2,
	nvimage.BindingTime: 2, nvimage.ApsUseExtPanID: 8, nvimage.CommissionedNwkAddr: 2,
	nvimage.ApsDupRejTimeoutInc: 2, nvimage.ApsDupRejTableSize: 2, nvimage.PrecfgKey: 16,
	nvimage.TrustCenterAddr: 8, nvimage.UserDesc: 17, nvimage.NwkKey: 24, nvimage.PanID: 2,
	nvimage.ChanList: 4, nvimage.TclkSeed: 16,
})

func withOneByteItems(items map[uint16]int) map[uint16]int {
	for _, id := range []uint16{
		nvimage.StartupOption, nvimage.StartDelay, nvimage.DataRetries, nvimage.PollFailureRetries,
		nvimage.StackProfile, nvimage.IndirectMsgTimeout, nvimage.RouteExpiryTime, nvimage.BcastRetries,
		nvimage.PassiveAckTimeout, nvimage.BcastDeliveryTime, nvimage.ConcentratorEnable,
		nvimage.ConcentratorDiscovery, nvimage.ConcentratorRadius, nvimage.ConcentratorRc, nvimage.NwkMgrMode,
		nvimage.SrcRtgExpiryTime, nvimage.RouteDiscoveryTime, nvimage.RouterOffAssocCleanup,
		nvimage.NwkLeaveReqAllowed, nvimage.NwkChildAgeEnable, nvimage.ApsFrameRetries,
		nvimage.ApsAckWaitMultiplier, nvimage.ApsUseInsecureJoin, nvimage.ApsNonmemberRadius,
		nvimage.ApsDupRejTimeoutCount, nvimage.NwkParentInfo, nvimage.NwkEndDevTimeoutDef,
		nvimage.EndDevTimeoutValue, nvimage.EndDevConfiguration, nvimage.BdbNodeIsOnANetwork,
		nvimage.PrecfgKeysEnable, nvimage.SecurePermitJoin, nvimage.ApsLinkKeyType,
		nvimage.ApsAllowR19Security, nvimage.UseDefaultTclk, nvimage.ScanDuration, nvimage.LogicalType,
		nvimage.NwkMgrMinTx, nvimage.ZdoDirectCb, nvimage.SapiEndpoint,
	} {
		items[id] = 1
	}
	return items
}

// Published returns a published dump of a real stick, "formed" or "reset", when the
// environment variable Z2MHA_SHARED or a folder beside the repository holds it. The
// dumps are not ours to ship, so tests leave out what needs them where they are not.
func Published(tb testing.TB, which string) ([]byte, bool) {
	tb.Helper()
	for _, root := range []string{os.Getenv("Z2MHA_SHARED"), filepath.Join(repository(tb), "..", "shared")} {
		if root == "" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, "data", "nvram", "CC2652R-ZStack4."+which+".json"))
		if err == nil {
			return b, true
		}
	}
	tb.Logf("no published %s dump at hand (Z2MHA_SHARED): that part is left out", which)
	return nil, false
}

// repository is the folder above the test's that holds go.mod.
func repository(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}
