package netbackup_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
)

func TestFromImage(t *testing.T) {
	h := newHome()
	own := zigbee.Key{1, 2, 3}
	h.address(1, 3, 0x1111, member(1)) // index 0 is a gap
	h.address(3, 2, 0xFFFE, member(3))
	h.address(4, 2, 0x4444, member(4))
	h.address(5, 4, 0x5555, member(5))
	h.address(7, 1, 0x7777, member(7))
	h.address(8, 3, 0x8888, member(1))
	first := h.seeded(0, member(1), 3, 100, 50)
	second := h.seeded(2, member(4), 15, 101, 51)
	h.own(1, 2, 3, own, 7, 8)
	h.seeded(6, member(3), 1, 9, 9) // a key of its own is before this
	h.seeded(5, member(6), 1, 9, 9) // no such device
	b := backupOf(t, h.Image)
	want := []netbackup.Device{
		{IEEE: member(1), Nwk: 0x1111, NwkKnown: true, Child: true, LinkKey: &netbackup.LinkKey{Key: first, Tx: 100, Rx: 50}},
		{IEEE: member(3), LinkKey: &netbackup.LinkKey{Key: own, Tx: 7, Rx: 8}},
		{IEEE: member(4), Nwk: 0x4444, NwkKnown: true, LinkKey: &netbackup.LinkKey{Key: second, Tx: 101, Rx: 51}},
		{IEEE: member(7), Nwk: 0x7777, NwkKnown: true, Child: true},
	}
	if diff := cmp.Diff(want, b.Devices); diff != "" {
		t.Error(diff)
	}
	id, err := h.Identity()
	seed, _ := h.Seed()
	if err != nil || b.Identity() != id || b.FrameCounter != nvimagetest.Counter || b.SecurityLevel != 5 || *b.Seed != seed ||
		!b.Date.Equal(at) || b.Source != "z2mha@1.0.0" || !cmp.Equal(b.ChannelMask, []zigbee.Channel{20}) {
		t.Errorf("got %v, counter %d, level %d, channels %v, %v, %q", b, b.FrameCounter, b.SecurityLevel, b.ChannelMask, b.Date, b.Source)
	}
}

func TestFromImageNeedsANetwork(t *testing.T) {
	if _, err := netbackup.FromImage(nvimagetest.Reset(2), "z2mha@1.0.0", at); err == nil {
		t.Error("a stick without a network was backed up")
	}
}

// TestPublishedDump takes the backup of a real stick and lays it over the same.
func TestPublishedDump(t *testing.T) {
	dump, ok := nvimagetest.Published(t, "formed")
	if !ok {
		return
	}
	m, err := nvimage.Parse(dump)
	if err != nil {
		t.Fatal(err)
	}
	b := backupOf(t, m)
	seeded, own := 0, 0
	for _, d := range b.Devices {
		if d.LinkKey == nil {
			continue
		}
		if _, ok := nvimage.ShiftOf(*b.Seed, d.IEEE, d.LinkKey.Key); ok {
			seeded++
		} else {
			own++
		}
	}
	if len(b.Devices) != 8 || seeded != 5 || own != 2 || b.FrameCounter != 0x1d4c {
		t.Errorf("%d devices, %d seeded and %d own keys, counter %d", len(b.Devices), seeded, own, b.FrameCounter)
	}
	_, n := applied(t, m, b)
	if n.Added+n.Removed+n.Changed != 0 || n.Items > 1 {
		t.Errorf("its own backup changes %+v", n)
	}
}
