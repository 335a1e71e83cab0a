package netbackup_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// member is the i-th device that the tests know.
func member(i int) zigbee.IEEE { return zigbee.IEEE(0x00158d0000a00000 + uint64(i)) }

// A home is a stick's memory that is written byte by byte, as the stack lays it out.
type home struct{ *nvimage.Image }

// newHome is a stick on the tests' network without any device.
func newHome() home {
	m := nvimagetest.Formed()
	blank := nvimagetest.Reset(1)
	for _, table := range []uint16{nvimage.TclkTable, nvimage.ApsKeyDataTable} {
		for _, sub := range blank.Entries(table) {
			v, _ := blank.Get(nvimage.Entry(table, sub))
			m.Set(nvimage.Entry(table, sub), v)
		}
	}
	free, _ := m.Get(nvimage.Entry(nvimage.AddrMgr, 256))
	for _, sub := range m.Entries(nvimage.AddrMgr) {
		m.Set(nvimage.Entry(nvimage.AddrMgr, sub), free)
	}
	m.Set(nvimage.OSAL(nvimage.ApsLinkKeyTable), make([]byte, 20))
	return home{m}
}

func (h home) address(index uint16, user byte, nwk zigbee.NwkAddr, device zigbee.IEEE) {
	v := binary.LittleEndian.AppendUint16([]byte{user, 0xFF}, uint16(nwk))
	h.Set(nvimage.Entry(nvimage.AddrMgr, index), append(v, device.LE()...))
}

// seeded writes a trust-centre key and returns it, worked out by hand.
func (h home) seeded(index uint16, device zigbee.IEEE, shift byte, tx, rx zigbee.FrameCounter) zigbee.Key {
	v := append(append(u32(tx), u32(rx)...), device.LE()...)
	h.Set(nvimage.Entry(nvimage.TclkTable, index), append(v, 2, 0, shift, 0))
	seed, _ := h.Get(nvimage.OSAL(nvimage.TclkSeed))
	key := zigbee.Key(append(seed[shift:], seed[:shift]...))
	for i := range key {
		key[i] ^= byte(device >> (8 * (i % 8)))
	}
	return key
}

// own writes a key that stands in the memory, for the device at index.
func (h home) own(slot int, sub, index uint16, key zigbee.Key, tx, rx zigbee.FrameCounter) {
	h.Set(nvimage.Entry(nvimage.ApsKeyDataTable, sub), append(append(key[:], u32(tx)...), u32(rx)...))
	v, _ := h.Get(nvimage.OSAL(nvimage.ApsLinkKeyTable))
	v[0]++
	binary.LittleEndian.PutUint16(v[2+6*slot:], index)
	binary.LittleEndian.PutUint16(v[4+6*slot:], sub)
	v[6+6*slot], v[7+6*slot] = 1, 0xFF
	h.Set(nvimage.OSAL(nvimage.ApsLinkKeyTable), v)
}

// child writes a row of DEVICE_LIST.
func (h home) child(row, index uint16, nwk zigbee.NwkAddr) {
	v := make([]byte, 16)
	binary.LittleEndian.PutUint16(v, uint16(nwk))
	binary.LittleEndian.PutUint16(v[2:], index)
	v[4], v[15] = 1, 0x77
	h.Set(nvimage.Entry(nvimage.DeviceList, row), v)
}

// binding writes a row of BINDING_TABLE.
func (h home) binding(row, index uint16, group bool) {
	v := make([]byte, 14)
	v[0], v[4], v[5] = 1, 1, 1
	if group {
		v[1] = 1
	}
	binary.LittleEndian.PutUint16(v[2:], index)
	h.Set(nvimage.Entry(nvimage.BindingTable, row), v)
}

func (h home) bytes(table, index uint16) []byte {
	v, _ := h.Get(nvimage.Entry(table, index))
	return v
}

func u32(c zigbee.FrameCounter) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(c)) }

func backupOf(t interface{ Fatal(...any) }, m *nvimage.Image) *netbackup.Backup {
	b, err := netbackup.FromImage(m, "z2mha@1.0.0", at)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func applied(t *testing.T, m *nvimage.Image, b *netbackup.Backup) (home, netbackup.Applied) {
	t.Helper()
	out, n, err := netbackup.Apply(m, b)
	if err != nil {
		t.Fatal(err)
	}
	return home{out}, n
}

// anyHome draws a stick with devices in any place, gaps between, some of them children
// or bound.
func anyHome(t *rapid.T) home {
	h := newHome()
	if rapid.Bool().Draw(t, "restored once") {
		for _, i := range h.Entries(nvimage.AddrMgr) { // Zigbee2MQTT's empty entries
			h.Set(nvimage.Entry(nvimage.AddrMgr, i), append([]byte{0, 0xFF}, make([]byte, 10)...))
		}
	}
	places := rapid.Permutation([]uint16{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 256}).Draw(t, "places")
	owns := uint16(0)
	rows := uint16(0)
	for i := range rapid.IntRange(0, len(places)).Draw(t, "devices") {
		index, device := places[i], member(i)
		nwk := anyNwk(t)
		user := rapid.SampledFrom([]byte{1, 2, 3, 4, 5, 6, 7, 10}).Draw(t, "user")
		if user&1 != 0 {
			h.child(rows, index, nwk)
			rows++
		}
		switch kind := rapid.SampledFrom([]string{"none", "seeded", "own", "both"}).Draw(t, "key"); {
		case user&2 == 0 || kind == "none":
		case kind == "own" && owns < 3 || kind == "both" && owns < 3:
			h.own(int(owns), owns, index, anyKey(t, "home", device), anyCounter(t, "tx"), anyCounter(t, "rx"))
			owns++
			if kind == "both" {
				h.seeded(uint16(100+i), device, 3, anyCounter(t, "tx"), anyCounter(t, "rx"))
			}
		default:
			h.seeded(uint16(10+i), device, rapid.ByteRange(0, 15).Draw(t, "shift"), anyCounter(t, "tx"), anyCounter(t, "rx"))
		}
		h.address(index, user, nwk, device)
		if user&4 != 0 && rapid.Bool().Draw(t, "bound") {
			h.binding(0, index, false)
		}
	}
	return h
}

// anyNews draws what a later backup of that stick may say.
func anyNews(t *rapid.T, m *nvimage.Image) *netbackup.Backup {
	b := backupOf(t, m)
	b.FrameCounter = anyCounter(t, "network counter")
	if rapid.IntRange(0, 4).Draw(t, "another seed") == 0 {
		seed := anyKey(t, "seed", 0)
		b.Seed = &seed
	}
	b.Devices = anyDevices(t, b)
	return b
}

// anyDevices draws devices of a backup: some of those in b as they are or with other
// counters, and others that are new.
func anyDevices(t *rapid.T, b *netbackup.Backup) []netbackup.Device {
	var out []netbackup.Device
	owns := 0
	known := make(map[zigbee.IEEE]netbackup.Device)
	seed := zigbee.Key{1, 2, 3}
	if b != nil {
		seed = *b.Seed
		for _, d := range b.Devices {
			known[d.IEEE] = d
		}
	}
	for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}).Draw(t, "order") {
		d, was := known[member(i)]
		what := rapid.SampledFrom([]string{"gone", "as it was", "counted on", "changed"}).Draw(t, "news")
		switch {
		case what == "gone" || !was && what != "changed":
			continue
		case what == "counted on" && d.LinkKey != nil:
			d.LinkKey = &netbackup.LinkKey{Key: d.LinkKey.Key, Tx: anyCounter(t, "tx"), Rx: anyCounter(t, "rx")}
		case what == "changed":
			d = anyDevice(t, member(i), seed)
		}
		if d.LinkKey != nil {
			if _, seeded := nvimage.ShiftOf(seed, d.IEEE, d.LinkKey.Key); !seeded {
				if owns++; owns > 3 {
					d.LinkKey = nil
				}
			}
		}
		out = append(out, d)
	}
	return out
}

func anyDevice(t *rapid.T, ieee zigbee.IEEE, seed zigbee.Key) netbackup.Device {
	d := netbackup.Device{IEEE: ieee, Child: rapid.Bool().Draw(t, "child"), NwkKnown: rapid.Bool().Draw(t, "known")}
	if d.NwkKnown {
		d.Nwk = anyNwk(t)
	}
	switch rapid.SampledFrom([]string{"none", "seeded", "own"}).Draw(t, "key") {
	case "seeded":
		d.LinkKey = &netbackup.LinkKey{Key: nvimage.DeriveKey(seed, ieee, rapid.Uint8Range(0, 15).Draw(t, "shift"))}
	case "own":
		d.LinkKey = &netbackup.LinkKey{Key: anyKey(t, "news", ieee)}
	}
	if d.LinkKey != nil {
		d.LinkKey.Tx, d.LinkKey.Rx = anyCounter(t, "tx"), anyCounter(t, "rx")
	}
	return d
}

func anyNwk(t *rapid.T) zigbee.NwkAddr {
	return zigbee.NwkAddr(rapid.Uint16Range(1, 0xFFF7).Draw(t, "nwk"))
}

// anyKey draws a key of one device, which no other has: whose is that of the stick, or
// of the news about it.
func anyKey(t *rapid.T, whose string, device zigbee.IEEE) (key zigbee.Key) {
	copy(key[:], fmt.Sprintf("%s%03x%08x", whose, uint64(device)&0xFFF, rapid.Uint32().Draw(t, "secret")))
	return key
}
