package nvimage_test

import (
	"bytes"
	"testing"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
)

func TestDeriveKey(t *testing.T) {
	seed := zigbee.Key{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	const device zigbee.IEEE = 0x00158d00a0b0c0d0
	want := zigbee.Key{3 ^ 0xd0, 4 ^ 0xc0, 5 ^ 0xb0, 6 ^ 0xa0, 7, 8 ^ 0x8d, 9 ^ 0x15, 10, 11 ^ 0xd0, 12 ^ 0xc0, 13 ^ 0xb0, 14 ^ 0xa0, 15, 0 ^ 0x8d, 1 ^ 0x15, 2}
	if got := nvimage.DeriveKey(seed, device, 3); got != want {
		t.Error("the seed is not rotated left by 3 and laid under the address")
	}
	if shift, ok := nvimage.ShiftOf(seed, device, want); !ok || shift != 3 {
		t.Errorf("shift %d, %v", shift, ok)
	}
	if _, ok := nvimage.ShiftOf(seed, device+1, want); ok {
		t.Error("the key of another device was found")
	}
}

func TestEraseMakesWhatTheStackTakesForEmpty(t *testing.T) {
	for _, table := range []uint16{nvimage.AddrMgr, nvimage.BindingTable, nvimage.DeviceList, nvimage.TclkTable, nvimage.ApsKeyDataTable} {
		for _, full := range []bool{false, true} {
			m, blank := nvimagetest.Formed(), nvimagetest.Formed()
			last := m.Entries(table)[len(m.Entries(table))-1]
			used := bytes.Repeat([]byte{0x41}, nvimage.EntryLen(table))
			for _, sub := range m.Entries(table) {
				if full || sub == last {
					m.Set(nvimage.Entry(table, sub), used)
				}
			}
			if _, ok := m.Free(table); full && ok {
				t.Errorf("%s: an empty entry in a full table", nvimage.TableName(table))
			}
			m.Erase(table, last)
			got, _ := m.Get(nvimage.Entry(table, last))
			want, _ := blank.Get(nvimage.Entry(table, last))
			if free, ok := m.Free(table); !bytes.Equal(got, want) || !ok || full && free != last {
				t.Errorf("%s, full %v: % x, want % x; first free %d", nvimage.TableName(table), full, got, want, free)
			}
		}
	}
}

func TestAStickThatZigbee2MQTTRestoredHasEmptyEntriesOfItsOwnShape(t *testing.T) {
	m := nvimagetest.Formed()
	shape := append([]byte{0, 0xFF}, make([]byte, 10)...)
	for _, sub := range m.Entries(nvimage.AddrMgr)[nvimagetest.NumLinked+1:] {
		m.Set(nvimage.Entry(nvimage.AddrMgr, sub), shape)
	}
	if sub, ok := m.Free(nvimage.AddrMgr); !ok || sub != nvimagetest.NumLinked+1 {
		t.Errorf("the first empty entry is %d, %v", sub, ok)
	}
	m.Erase(nvimage.AddrMgr, 0)
	if v, _ := m.Get(nvimage.Entry(nvimage.AddrMgr, 0)); !bytes.Equal(v, shape) {
		t.Errorf("erased, it is % x", v)
	}
}

func TestFullTablesAndStrangersHaveNoEmptyEntry(t *testing.T) {
	if _, ok := nvimagetest.Formed().Free(nvimage.NwkSecMaterialTable); ok {
		t.Error("the counters' table has an empty entry for a device")
	}
	if _, ok := nvimagetest.Reset(1).Free(nvimage.AddrMgr); ok {
		t.Error("a stick without address manager has an empty entry in it")
	}
}
