package netbackup_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
)

func TestApplyMakesTheMemoryWhatTheBackupSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := anyHome(t)
		b := anyNews(t, base.Image)
		before := base.Clone()
		got, n, err := netbackup.Apply(base.Image, b)
		if err != nil {
			t.Fatal(err)
		}
		if !base.Equal(before) {
			t.Fatal("the memory it started from was changed")
		}
		checkDevices(t, base, b, got)
		checkCounters(t, before, b, got)
		checkPlaces(t, base, home{got})
		checkFit(t, base, got)
		if items := len(nvimage.Diff(got, before)); items != n.Items {
			t.Fatalf("%d items differ, it says %d", items, n.Items)
		}
		again, n, err := netbackup.Apply(got, b)
		if err != nil || n != (netbackup.Applied{}) || !again.Equal(got) {
			t.Fatalf("a second time: %+v, %v", n, err)
		}
	})
}

func TestApplyingItsOwnBackupChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := anyHome(t)
		got, n, err := netbackup.Apply(base.Image, backupOf(t, base.Image))
		if err != nil || n != (netbackup.Applied{}) || !got.Equal(base.Image) {
			t.Fatalf("%+v, %v: %v", n, err, nvimage.Diff(got, base.Image))
		}
	})
}

// checkDevices compares device by device. A backup that does not tell a short address
// leaves it as it was.
func checkDevices(t *rapid.T, base home, b *netbackup.Backup, got *nvimage.Image) {
	was := byAddress(backupOf(t, base.Image))
	now := byAddress(backupOf(t, got))
	for _, d := range b.Devices {
		if old, ok := was[d.IEEE]; ok && !d.NwkKnown {
			d.Nwk, d.NwkKnown = old.Nwk, old.NwkKnown
		} else if nwk, listed := shortOf(base, d.IEEE); listed && !d.NwkKnown {
			d.Nwk, d.NwkKnown = nwk, true
		}
		found := now[d.IEEE]
		if d.LinkKey != nil && found.LinkKey != nil {
			d.LinkKey = &netbackup.LinkKey{Key: d.LinkKey.Key, Rx: d.LinkKey.Rx, Tx: found.LinkKey.Tx} // see checkCounters
		}
		if diff := cmp.Diff(d, found); diff != "" {
			t.Fatalf("%v:\n%s", d.IEEE, diff)
		}
	}
	if len(now) != len(b.Devices) {
		t.Fatalf("%d devices, want %d", len(now), len(b.Devices))
	}
	want, _ := b.Encode()
	have, _ := backupOf(t, got).Encode()
	if wantHead, haveHead := head(want), head(have); wantHead != haveHead {
		t.Fatalf("network:\n%s", cmp.Diff(wantHead, haveHead))
	}
}

// head is a backup's file as far as it tells of the network, counter apart.
func head(file []byte) string {
	h, _, _ := strings.Cut(string(file), `"frame_counter"`)
	return h
}

func shortOf(h home, device zigbee.IEEE) (zigbee.NwkAddr, bool) {
	for _, i := range h.Entries(nvimage.AddrMgr) {
		if a, ok := h.Address(i); ok && a.IEEE == device {
			return a.Nwk, true
		}
	}
	return 0, false
}

func byAddress(b *netbackup.Backup) map[zigbee.IEEE]netbackup.Device {
	out := make(map[zigbee.IEEE]netbackup.Device)
	for _, d := range b.Devices {
		out[d.IEEE] = d
	}
	return out
}

// checkCounters wants every transmit counter at least where it was under the same key,
// and where the backup has it; none higher than both.
func checkCounters(t *rapid.T, base *nvimage.Image, b *netbackup.Backup, got *nvimage.Image) {
	was, now := backupOf(t, base), backupOf(t, got)
	if want := max(was.FrameCounter, b.FrameCounter); now.FrameCounter != want {
		t.Fatalf("network counter %d, want %d", now.FrameCounter, want)
	}
	old, wanted := byAddress(was), byAddress(b)
	for ieee, d := range byAddress(now) {
		if d.LinkKey == nil {
			continue
		}
		lowest := wanted[ieee].LinkKey.Tx
		if o := old[ieee].LinkKey; o != nil && o.Key == d.LinkKey.Key {
			lowest = max(lowest, o.Tx)
		}
		if d.LinkKey.Tx < lowest {
			t.Fatalf("%v: transmit counter %d, want %d at least", ieee, d.LinkKey.Tx, lowest)
		}
	}
}

// checkPlaces wants devices where they were, and nothing that refers to a place whose
// device is another one now.
func checkPlaces(t *rapid.T, base, got home) {
	for _, i := range base.Entries(nvimage.AddrMgr) {
		was, used := base.Address(i)
		now, still := got.Address(i)
		if used && still && was.IEEE == now.IEEE {
			continue
		}
		if at, here := shortIndex(got, was.IEEE); used && here {
			t.Fatalf("%v moved from entry %d to %d", was.IEEE, i, at)
		}
		for _, table := range []uint16{nvimage.BindingTable, nvimage.DeviceList} {
			for _, row := range got.Entries(table) {
				if v := got.bytes(table, row); v[0] != 0xFF && binary.LittleEndian.Uint16(v[2:]) == i {
					t.Fatalf("%v still refers to entry %d", nvimage.Entry(table, row), i)
				}
			}
		}
	}
	links, _ := got.APSLinks()
	seen := make(map[uint16]bool)
	for _, l := range links {
		_, device := got.Address(l.Address)
		_, key := got.APSKey(l.Key)
		if !device || !key || seen[l.Key] {
			t.Fatalf("slot %d: device %v, key %v, key taken twice %v", l.Slot, device, key, seen[l.Key])
		}
		seen[l.Key] = true
	}
}

func shortIndex(h home, device zigbee.IEEE) (uint16, bool) {
	for _, i := range h.Entries(nvimage.AddrMgr) {
		if a, ok := h.Address(i); ok && a.IEEE == device {
			return i, true
		}
	}
	return 0, false
}

func checkFit(t *rapid.T, base home, got *nvimage.Image) {
	if err := got.Resumable(); err != nil {
		t.Fatal(err)
	}
	if err := nvimage.CheckFit(got, nvimagetest.Stick, base.Image, nvimagetest.Stick, nvimage.Fit{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range nvimage.Diff(got, base.Image) {
		if len(c.Want) != len(c.Have) {
			t.Fatal(c)
		}
	}
}

func TestApplyChangesNoMoreThanItMust(t *testing.T) {
	h := newHome()
	key := h.seeded(5, member(1), 3, 100, 50)
	h.address(4, 3, 0x1111, member(1))
	h.child(0, 4, 0x1111)
	b := backupOf(t, h.Image)
	b.Devices = append(b.Devices, netbackup.Device{IEEE: member(2), Nwk: 0x2222, NwkKnown: true,
		LinkKey: &netbackup.LinkKey{Key: nvimage.DeriveKey(*b.Seed, member(2), 15), Tx: 7, Rx: 8}})
	b.Devices[0].Nwk = 0x3333
	b.Devices[0].LinkKey = &netbackup.LinkKey{Key: key, Tx: 90, Rx: 60}
	got, n := applied(t, h.Image, b)
	if want := (netbackup.Applied{Added: 1, Changed: 1, Items: 5}); n != want {
		t.Errorf("got %+v, want %+v", n, want)
	}
	want := map[nvimage.ID]string{
		nvimage.Entry(nvimage.AddrMgr, 4):    "03ff3333" + "0100a000008d1500",
		nvimage.Entry(nvimage.AddrMgr, 0):    "02ff2222" + "0200a000008d1500",
		nvimage.Entry(nvimage.TclkTable, 5):  "64000000" + "3c000000" + "0100a000008d1500" + "02000300",
		nvimage.Entry(nvimage.TclkTable, 0):  "07000000" + "08000000" + "0200a000008d1500" + "02000f00",
		nvimage.Entry(nvimage.DeviceList, 0): "3333" + "0400" + "0100000000000000000000" + "77",
	}
	for _, c := range nvimage.Diff(got.Image, h.Image) {
		if diff := cmp.Diff(want[c.ID], hexOf(c.Want)); diff != "" {
			t.Errorf("%v:\n%s", c.ID, diff)
		}
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, c := range b {
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}

func TestApplyTakesADeviceOutOfEveryTable(t *testing.T) {
	h := newHome()
	h.address(2, 7, 0x1111, member(1))
	h.own(1, 2, 2, zigbee.Key{1, 2}, 10, 20)
	h.seeded(9, member(1), 3, 100, 50)
	h.child(7, 2, 0x1111)
	h.binding(0, 2, false)
	b := backupOf(t, h.Image)
	b.Devices = nil
	got, n := applied(t, h.Image, b)
	if want := (netbackup.Applied{Removed: 1, Items: 6}); n != want {
		t.Errorf("got %+v, want %+v", n, want)
	}
	for _, id := range []nvimage.ID{
		nvimage.Entry(nvimage.AddrMgr, 2), nvimage.Entry(nvimage.ApsKeyDataTable, 2), nvimage.Entry(nvimage.TclkTable, 9),
		nvimage.Entry(nvimage.DeviceList, 7), nvimage.Entry(nvimage.BindingTable, 0),
	} {
		v, _ := got.Get(id)
		blank, _ := newHome().Get(id)
		if !bytes.Equal(v, blank) {
			t.Errorf("%v is % x, want it empty: % x", id, v, blank)
		}
	}
	if links, _ := got.APSLinks(); len(links) != 0 {
		t.Errorf("%v is left", links)
	}
}

func TestApplyLeavesAloneWhatABackupCannotTell(t *testing.T) {
	h := newHome()
	h.address(0, 8, 0x1111, member(1)) // the stack's own purpose
	h.address(1, 4, 0x2222, member(2)) // bound, neither child nor keyed
	h.binding(0, 1, false)
	h.seeded(3, member(3), 5, 1, 2) // a key whose device the address manager lost
	h.address(2, 10, 0x4444, member(4))
	b := backupOf(t, h.Image)
	b.Devices = nil
	got, n := applied(t, h.Image, b)
	if want := (netbackup.Applied{Removed: 1, Items: 1}); n != want {
		t.Errorf("got %+v, want %+v", n, want)
	}
	if a, ok := got.Address(2); !ok || a.User != 8 {
		t.Errorf("the stack's own entry became %+v", a)
	}
}

func TestApplyForgetsTheRowOfAChildThatMovedAway(t *testing.T) {
	h := newHome()
	h.address(2, 3, 0x1111, member(1))
	h.address(3, 3, 0x2222, member(2))
	h.child(0, 2, 0x1111)
	h.child(1, 3, 0x2222)
	b := backupOf(t, h.Image)
	b.Devices[0].Child = false
	got, n := applied(t, h.Image, b)
	if want := (netbackup.Applied{Changed: 1, Items: 2}); n != want {
		t.Errorf("got %+v, want %+v", n, want)
	}
	if moved, still := got.bytes(nvimage.DeviceList, 0), got.bytes(nvimage.DeviceList, 1); moved[0] != 0xFF || still[0] != 0x22 {
		t.Errorf("rows % x and % x", moved, still)
	}
}

func TestApplyWithAnotherSeedDropsWhatFollowedFromTheOld(t *testing.T) {
	h := newHome()
	h.address(0, 2, 0x1111, member(1))
	h.seeded(0, member(1), 3, 100, 50)
	h.seeded(1, member(2), 3, 100, 50) // its device is nowhere else
	b := backupOf(t, h.Image)
	b.Seed = &zigbee.Key{7, 7, 7}
	b.Devices[0].LinkKey = &netbackup.LinkKey{Key: nvimage.DeriveKey(*b.Seed, member(1), 9), Tx: 1, Rx: 2}
	got, _ := applied(t, h.Image, b)
	seed, _ := got.Seed()
	first, _ := got.SeededKey(0)
	if _, stale := got.SeededKey(1); stale || seed != *b.Seed || first.Shift != 9 {
		t.Errorf("stale key there %v, shift %d", stale, first.Shift)
	}
}

func TestApplyReplacesALinkThatLeadsToNoKey(t *testing.T) {
	h := newHome()
	h.address(1, 2, 0x1111, member(1))
	h.own(1, 2, 1, zigbee.Key{}, 0, 0) // slot 0 is free
	b := backupOf(t, h.Image)
	b.Devices[0].LinkKey = &netbackup.LinkKey{Key: zigbee.Key{1, 2}, Tx: 1, Rx: 2}
	got, _ := applied(t, h.Image, b)
	if links, _ := got.APSLinks(); len(links) != 1 {
		t.Errorf("%d links: %v", len(links), links)
	}
}

func TestApplyKeepsABindingToAGroup(t *testing.T) {
	h := newHome()
	h.address(2, 3, 0x1111, member(1))
	h.binding(0, 2, true)
	b := backupOf(t, h.Image)
	b.Devices = nil
	got, _ := applied(t, h.Image, b)
	if !bytes.Equal(got.bytes(nvimage.BindingTable, 0), h.bytes(nvimage.BindingTable, 0)) {
		t.Error("a group's number was taken for a device's index")
	}
}

func TestApplyCounters(t *testing.T) {
	tests := []struct {
		name           string
		tx, rx         zigbee.FrameCounter // of the backup; the stick has 100, 50
		rekeyed        bool
		wantTx, wantRx zigbee.FrameCounter
		wantAttributes byte
		unverified     bool
	}{
		{name: "it takes higher ones", tx: 200, rx: 60, wantTx: 200, wantRx: 60, wantAttributes: 2},
		{name: "it never lowers a transmit counter", tx: 20, rx: 60, wantTx: 100, wantRx: 60, wantAttributes: 2},
		{name: "it takes a lower receive counter, lest the device is locked out", tx: 200, rx: 3, wantTx: 200, wantRx: 3, wantAttributes: 2},
		{name: "it never lowers a transmit counter, not even for another key", tx: 5, rx: 5, rekeyed: true, wantTx: 100, wantRx: 5, wantAttributes: 2},
		{name: "it leaves a key unverified", tx: 200, rx: 50, unverified: true, wantTx: 200, wantRx: 50, wantAttributes: 1},
		{name: "it sees by the receive counter that a key was verified", tx: 200, rx: 51, unverified: true, wantTx: 200, wantRx: 51, wantAttributes: 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHome()
			h.address(0, 2, 0x1111, member(1))
			key := h.seeded(7, member(1), 3, 100, 50)
			if test.unverified {
				v := h.bytes(nvimage.TclkTable, 7)
				v[16] = 1
				h.Set(nvimage.Entry(nvimage.TclkTable, 7), v)
			}
			b := backupOf(t, h.Image)
			if test.rekeyed {
				key = nvimage.DeriveKey(*b.Seed, member(1), 4)
			}
			b.Devices[0].LinkKey = &netbackup.LinkKey{Key: key, Tx: test.tx, Rx: test.rx}
			got, _ := applied(t, h.Image, b)
			k, _ := got.SeededKey(7)
			if k.Tx != test.wantTx || k.Rx != test.wantRx || k.Attributes != test.wantAttributes {
				t.Errorf("got %+v", k)
			}
		})
	}
}

func TestApplyMovesWithTheNetwork(t *testing.T) {
	b := backupOf(t, newHome().Image)
	text, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.NewReplacer(`"channel": 20`, `"channel": 25`, "[\n    20\n  ]", "[25]", `"nwk_update_id": 3`, `"nwk_update_id": 4`).Replace(string(text))
	got, n := applied(t, newHome().Image, parse(t, moved))
	if n.Items != 2 {
		t.Errorf("%d items", n.Items)
	}
	id, err := got.Identity()
	level, mask, _ := got.Network()
	list, _ := got.Get(nvimage.OSAL(nvimage.ChanList))
	if err != nil || id.Channel != 25 || id.UpdateID != 4 || mask != 1<<25 || level != 5 || binary.LittleEndian.Uint32(list) != 1<<25 {
		t.Errorf("channel %d, update id %d, channels %#x, level %d, list % x: %v", id.Channel, id.UpdateID, mask, level, list, err)
	}
}

func TestApplyWritesTheKeyWhereItIsMissing(t *testing.T) {
	h := newHome()
	h.Set(nvimage.OSAL(nvimage.PrecfgKey), make([]byte, 16))
	v, _ := h.Get(nvimage.OSAL(nvimage.NwkKey))
	clear(v[:17])
	h.Set(nvimage.OSAL(nvimage.NwkKey), v)
	got, n := applied(t, h.Image, backupOf(t, h.Image))
	for _, id := range []uint16{nvimage.PrecfgKey, nvimage.NwkKey} {
		have, _ := got.Get(nvimage.OSAL(id))
		want, _ := newHome().Get(nvimage.OSAL(id))
		if !bytes.Equal(have, want) || n.Items != 2 {
			t.Errorf("%v is wrong; %d items", nvimage.OSAL(id), n.Items)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	tests := []struct {
		name       string
		home       func(home)
		old, new   string
		want       string
		identity   bool
		keyChanged bool
	}{
		{name: "another PAN", old: `"pan_id": "1a62"`, new: `"pan_id": "1a63"`, want: "PAN id 0x1a63 is not 0x1a62", identity: true},
		{name: "another extended PAN", old: "c0ffee0011223344", new: "c0ffee0011223345", want: "extended PAN id", identity: true},
		{name: "another coordinator", old: "00124b00aa000001", new: "00124b00aa000002", want: "coordinator address", identity: true},
		{name: "another key", old: `"key": "`, new: `"key": "ff`, want: "the network key was changed since the stick was seeded", identity: true, keyChanged: true},
		{name: "another key sequence", old: `"sequence_number": 0`, new: `"sequence_number": 1`, want: "seed it with a raw image of the active stick", identity: true, keyChanged: true},
		{name: "another security level", old: `"security_level": 5`, new: `"security_level": 4`, want: "security level 4 is not 5", identity: true},
		{name: "a device twice", old: `"devices": [`, new: `"devices": [{"nwk_address": null, "ieee_address": "00158d0000a00001"},`, want: "0x00158d0000a00001 is there twice"},
		{name: "a device without address", old: `"devices": [`, new: `"devices": [{"nwk_address": null, "ieee_address": "0000000000000000"},`, want: "is no device's address"},
		{name: "an empty link key", old: `"devices": [`, new: `"devices": [{"nwk_address": null, "ieee_address": "00158d0000a00009",
			"link_key": {"key": "00000000000000000000000000000000", "rx_counter": 0, "tx_counter": 0}},`, want: "the link key of 0x00158d0000a00009 is empty"},
		{name: "a stick that would not resume", home: func(h home) { h.Set(nvimage.OSAL(nvimage.BdbNodeIsOnANetwork), []byte{0}) },
			want: "the stick's memory is no seed"},
	}
	for _, test := range tests {
		t.Run("it refuses "+test.name, func(t *testing.T) {
			h := newHome()
			h.address(0, 1, 0x1111, member(1))
			text, err := backupOf(t, h.Image).Encode()
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(text), test.old, test.new, 1)
			if test.keyChanged && strings.Contains(test.new, "ff") {
				changed = strings.Replace(changed, test.new+hexOf(networkKeyOf(h))[:2], test.new, 1)
			}
			if test.home != nil {
				test.home(h)
			}
			_, _, err = netbackup.Apply(h.Image, parse(t, changed))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v\nwant %s", err, test.want)
			}
			var identity *netbackup.IdentityError
			if errors.As(err, &identity) != test.identity || test.identity && identity.KeyChanged != test.keyChanged {
				t.Errorf("got %#v", identity)
			}
		})
	}
}

func networkKeyOf(h home) []byte {
	v, _ := h.Get(nvimage.OSAL(nvimage.NwkActiveKeyInfo))
	return v[1:]
}

func TestApplySaysWhichTableIsFull(t *testing.T) {
	tests := []struct {
		table string
		size  int
		fill  func(home)
		own   bool
	}{
		{"ADDRMGR", 257, func(h home) {
			for i := range uint16(257) {
				h.address(i, 8, 1, zigbee.IEEE(0x1000+uint64(i)))
			}
		}, false},
		{"TCLK_TABLE", 200, func(h home) {
			for i := range uint16(200) {
				h.seeded(i, zigbee.IEEE(0x1000+uint64(i)), 0, 1, 1)
			}
		}, false},
		{"APS_KEY_DATA_TABLE", 3, func(h home) {
			for i := range uint16(3) {
				h.Set(nvimage.Entry(nvimage.ApsKeyDataTable, i), bytes.Repeat([]byte{7}, 24))
			}
		}, true},
		{"APS_LINK_KEY_TABLE (0x004C)", 2, func(h home) {
			h.Set(nvimage.OSAL(nvimage.ApsLinkKeyTable), []byte{2, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0})
		}, true},
	}
	for _, test := range tests {
		t.Run(test.table, func(t *testing.T) {
			h := newHome()
			test.fill(h)
			b := backupOf(t, h.Image)
			key := nvimage.DeriveKey(*b.Seed, member(1), 1)
			if test.own {
				key = zigbee.Key{1, 2, 3}
			}
			b.Devices = []netbackup.Device{{IEEE: member(1), LinkKey: &netbackup.LinkKey{Key: key}}}
			var full *netbackup.FullError
			_, _, err := netbackup.Apply(h.Image, b)
			if !errors.As(err, &full) {
				t.Fatal(err)
			}
			if want := (netbackup.FullError{Table: test.table, Size: test.size, Device: member(1)}); *full != want {
				t.Errorf("got %+v, want %+v", *full, want)
			}
		})
	}
}

// TestApplyUndoesTheMistakeWithGaps hands over what Zigbee2MQTT makes of a table with a
// gap: the key of the device at index 3 is told of the device at index 4, the fourth.
func TestApplyUndoesTheMistakeWithGaps(t *testing.T) {
	h := newHome()
	for i, index := range []uint16{0, 1, 3, 4} {
		h.address(index, 2, zigbee.NwkAddr(0x1000+i), member(i))
		if index != 3 {
			h.seeded(uint16(i), member(i), byte(i), 10, 20)
		}
	}
	h.own(0, 1, 3, zigbee.Key{9, 9, 9}, 100, 200)
	b := backupOf(t, h.Image)
	if k := b.Devices[2].LinkKey; k == nil || k.Key != (zigbee.Key{9, 9, 9}) {
		t.Fatalf("our own backup: %+v", b.Devices[2])
	}
	b.Devices[3].LinkKey = &netbackup.LinkKey{Key: zigbee.Key{9, 9, 9}, Tx: 101, Rx: 201}
	b.Devices[2].LinkKey = nil
	got, n := applied(t, h.Image, b)
	if want := (netbackup.Applied{Changed: 1, Items: 1}); n != want {
		t.Errorf("got %+v, want %+v", n, want)
	}
	if k, _ := got.APSKey(1); k.Tx != 101 || k.Rx != 201 {
		t.Errorf("tx %d, rx %d", k.Tx, k.Rx)
	}
}

// TestApplyKeepsAKeyThatZigbee2MQTTForgot has the device of the key last, behind a gap:
// Zigbee2MQTT would give it to the fourth of three devices.
func TestApplyKeepsAKeyThatZigbee2MQTTForgot(t *testing.T) {
	for source, kept := range map[string]bool{"zigbee-herdsman@10.9.0": true, "z2mha@1.0.0": false} {
		h := newHome()
		for _, index := range []uint16{0, 2, 3} {
			h.address(index, 3, zigbee.NwkAddr(0x1000+index), member(int(index)))
		}
		h.own(0, 1, 3, zigbee.Key{9, 9, 9}, 100, 200)
		b := backupOf(t, h.Image)
		b.Source = source
		b.Devices[2].LinkKey = nil
		got, n := applied(t, h.Image, b)
		if _, has := got.APSKey(1); has != kept || (n == netbackup.Applied{}) != kept {
			t.Errorf("%s: the key is there %v, want %v; %+v", source, has, kept, n)
		}
	}
}

func TestApplyLeavesNoPhantomKey(t *testing.T) {
	h := newHome()
	h.address(0, 2, 0x1000, member(0))
	b := backupOf(t, h.Image)
	b.Devices = append(b.Devices, netbackup.Device{IEEE: member(1), LinkKey: &netbackup.LinkKey{Key: zigbee.Key{1, 2}}})
	got, _ := applied(t, h.Image, b)
	v, _ := got.Get(nvimage.OSAL(nvimage.ApsLinkKeyTable))
	if want := "0100" + "010000000100" + "feff00000000" + "feff00000000"; hexOf(v) != want {
		t.Errorf("the table is %s, want %s: zeros would give the key to the device at index 0", hexOf(v), want)
	}
}
