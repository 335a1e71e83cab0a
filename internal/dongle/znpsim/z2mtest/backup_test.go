package z2mtest_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
)

// backup reads the file that Zigbee2MQTT left behind.
func (p pairing) backup(t *testing.T) *netbackup.Backup {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(p.data, "coordinator_backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := netbackup.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkBackup compares Zigbee2MQTT's backup with ours of the same memory.
func checkBackup(t *testing.T, p pairing) {
	theirs := p.backup(t)
	ours := fromImage(t, p.image)
	ours.Source, ours.Date = theirs.Source, theirs.Date
	if len(ours.Devices) != 1 || ours.Devices[0].LinkKey == nil {
		t.Fatalf("the lamp has no link key in %v", ours)
	}
	if diff := cmp.Diff(encode(t, theirs), encode(t, ours)); diff != "" {
		t.Errorf("theirs and ours:\n%s", diff)
	}
}

func fromImage(t *testing.T, m *nvimage.Image) *netbackup.Backup {
	t.Helper()
	b, err := netbackup.FromImage(m, "z2mha@1.0.0", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func encode(t *testing.T, b *netbackup.Backup) string {
	t.Helper()
	file, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(file)
}

// overlaid is the memory that the first stick had before the lamp joined, brought up to
// date by the backup alone.
func overlaid(t *testing.T, p pairing) *nvimage.Image {
	out, n, err := netbackup.Apply(znpsim.FormedImage(identity), p.backup(t))
	if err != nil {
		t.Fatal(err)
	}
	if n.Added != 1 || n.Removed+n.Changed != 0 {
		t.Errorf("laying the backup over did %+v", n)
	}
	return out
}

// The devices of compareRestores.
var (
	router  = znpsim.Joined{IEEE: 0x00158d00b0000001, Nwk: 0x1001, LinkKey: true}
	leaver  = znpsim.Joined{IEEE: 0x00158d00b0000002, Nwk: 0x1002, LinkKey: true}
	sleeper = znpsim.Joined{IEEE: 0x00158d00b0000003, Nwk: 0x1003, LinkKey: true, Child: true}
	child   = znpsim.Joined{IEEE: 0x00158d00b0000004, Nwk: 0x1004, Child: true}
	strange = znpsim.Joined{IEEE: 0x00158d00b0000005, Nwk: 0x1005, Child: true} // has a key that is not of the seed
	lost    = znpsim.Joined{IEEE: 0x00158d00b0000006, Nwk: 0xFFFE, LinkKey: true}
	keyless = znpsim.Joined{IEEE: 0x00158d00b0000007, Nwk: 0x1007, LinkKey: true} // its key is gone
)

// seededLongAgo is a stick that knows the router, and another device which left since.
// It has what no backup tells of.
func seededLongAgo() *nvimage.Image {
	m := znpsim.FormedImage(identity, router, leaver)
	m.Set(nvimage.Entry(nvimage.BindingTable, 0), []byte{1, 0, 0, 0, 1, 1, 6, 0, 0, 0, 0, 0, 0, 0})
	return m
}

// news is a backup of the network as it is now.
func news(t *testing.T) *netbackup.Backup {
	b := fromImage(t, znpsim.FormedImage(identity, router, sleeper, child, strange, lost, keyless))
	b.FrameCounter = 20_000
	for i := range b.Devices {
		switch d := &b.Devices[i]; {
		case d.IEEE == strange.IEEE:
			d.LinkKey = &netbackup.LinkKey{Key: zigbee.Key{5, 4, 3, 2, 1}, Tx: 3000, Rx: 70}
		case d.IEEE == keyless.IEEE:
			d.LinkKey = nil
		case d.LinkKey != nil:
			d.LinkKey.Tx, d.LinkKey.Rx = zigbee.FrameCounter(100+i), zigbee.FrameCounter(500+i)
		}
	}
	return b
}

// A difference is one that is known between a stick which Zigbee2MQTT restored and one
// over which the backup was laid, both started since.
type difference struct {
	id   nvimage.ID
	more uint16 // entries of the table behind id that are alike
	why  string
	fits func(restored, overlaid []byte) bool
}

// restoreMargin is what Zigbee2MQTT adds to every transmit counter that it restores.
// Here the odometer does that, when the stick is about to be used.
const restoreMargin = 2500

var differences = []difference{
	{nvimage.Entry(nvimage.NwkSecMaterialTable, 0), 0, "the margin", ahead(0)},
	{nvimage.OSAL(nvimage.NwkKey), 0, "the copy of the same counter", ahead(20)},
	{nvimage.Entry(nvimage.NwkSecMaterialTable, 4), 0, "the generic entry is used only where the network has none of its own, which it has", func(r, o []byte) bool {
		return binary.LittleEndian.Uint32(r) == 20_000+restoreMargin && bytes.Equal(r[4:], bytes.Repeat([]byte{0xFF}, 8)) && bytes.Equal(o, make([]byte, 12))
	}},
	{nvimage.Entry(nvimage.TclkTable, 0), 0, "the margin", ahead(0)},
	{nvimage.Entry(nvimage.TclkTable, 1), 0, "the margin", ahead(0)},
	{nvimage.Entry(nvimage.TclkTable, 2), 0, "the margin", ahead(0)},
	{nvimage.Entry(nvimage.TclkTable, 3), 196, "an empty entry has attributes FF to the stack and 0 to Zigbee2MQTT", only(16, []byte{0}, []byte{0xFF})},
	{nvimage.Entry(nvimage.ApsKeyDataTable, 0), 0, "the margin", ahead(16)},
	{nvimage.Entry(nvimage.AddrMgr, 4), 0, "no short address is 0xFFFF to Zigbee2MQTT and 0xFFFE to the stack", only(2, []byte{0xFF, 0xFF}, []byte{0xFE, 0xFF})},
	{nvimage.Entry(nvimage.AddrMgr, 5), 0, "a device with neither key nor parent is used for nothing to Zigbee2MQTT; it was in the backup for its security bit", only(0, []byte{0}, []byte{2})},
	{nvimage.Entry(nvimage.AddrMgr, 6), 250, "an empty entry is all FF to the stack and zeros to Zigbee2MQTT", func(r, o []byte) bool {
		return bytes.Equal(r, append([]byte{0, 0xFF}, make([]byte, 10)...)) && bytes.Equal(o, bytes.Repeat([]byte{0xFF}, 12))
	}},
	{nvimage.Entry(nvimage.BindingTable, 0), 0, "no backup tells of bindings; the seed has them", absent},
	{nvimage.OSAL(nvimage.GroupTable), 0, "no backup tells of groups; the seed has them", absent},
	{nvimage.OSAL(nvimage.LeaveCtrl), 0, "the stack makes it in the course of its life; the seed has it", absent},
}

// ahead wants the restored counter at offset to be ahead by the margin, all else equal.
func ahead(offset int) func(restored, overlaid []byte) bool {
	return func(restored, overlaid []byte) bool {
		r, o := binary.LittleEndian.Uint32(restored[offset:]), binary.LittleEndian.Uint32(overlaid[offset:])
		return r == o+restoreMargin && bytes.Equal(restored[:offset], overlaid[:offset]) && bytes.Equal(restored[offset+4:], overlaid[offset+4:])
	}
}

// only wants certain bytes at offset, all else equal.
func only(offset int, r, o []byte) func(restored, overlaid []byte) bool {
	return func(restored, overlaid []byte) bool {
		end := offset + len(r)
		return bytes.Equal(restored[offset:end], r) && bytes.Equal(overlaid[offset:end], o) &&
			bytes.Equal(restored[:offset], overlaid[:offset]) && bytes.Equal(restored[end:], overlaid[end:])
	}
}

// absent wants nothing, or an empty entry, on the restored stick.
func absent(restored, overlaid []byte) bool {
	return len(bytes.Trim(restored, "\xFF")) == 0 && len(overlaid) > 0
}

// compareRestores lets Zigbee2MQTT restore a backup onto an empty stick, lays the same
// backup over a seeded one, which Zigbee2MQTT must resume, and compares all items.
func compareRestores(t *testing.T, dir, broker string) {
	b := news(t)
	seeded, n, err := netbackup.Apply(seededLongAgo(), b)
	if err != nil {
		t.Fatal(err)
	}
	if n.Added != 5 || n.Removed != 1 || n.Changed != 1 {
		t.Errorf("laying the backup over did %+v", n)
	}
	restored := startedOn(t, dir, broker, "restored", b, empty(t, pairing{})).image
	overlaid := startedOn(t, dir, broker, "resumed", b, seeded).image
	known := make(map[nvimage.ID]difference)
	for _, d := range differences {
		for i := range d.more + 1 {
			known[nvimage.ID{Item: d.id.Item, Sub: d.id.Sub + i}] = d
		}
	}
	for _, c := range nvimage.Diff(restored, overlaid) {
		d, listed := known[c.ID]
		delete(known, c.ID)
		if !listed || !d.fits(c.Want, c.Have) {
			t.Errorf("%v: restored % x, overlaid % x (%s)", c.ID, c.Want, c.Have, d.why)
		}
	}
	for id, d := range known {
		t.Errorf("%v is equal on both, and was not expected to be: %s", id, d.why)
	}
}

// forgetKey lets Zigbee2MQTT back up a stick whose address manager has a gap below a
// device with a key that is not of the seed, and lays that backup over the same stick.
func forgetKey(t *testing.T, dir, broker string) {
	key := zigbee.Key{5, 4, 3, 2, 1}
	b := fromImage(t, znpsim.FormedImage(identity, router, sleeper, strange))
	b.Devices[2].LinkKey = &netbackup.LinkKey{Key: key, Tx: 3000, Rx: 70}
	seeded, _, err := netbackup.Apply(znpsim.FormedImage(identity, router, leaver, sleeper), b)
	if err != nil {
		t.Fatal(err)
	}
	b.Devices = b.Devices[1:] // the router leaves: a gap at index 0
	gap, _, err := netbackup.Apply(seeded, b)
	if err != nil {
		t.Fatal(err)
	}
	p := startedOn(t, dir, broker, "resumed", nil, gap)
	theirs, ours := p.backup(t), fromImage(t, p.image)
	had := 0
	for i, d := range ours.Devices {
		if d.LinkKey != nil && d.LinkKey.Key == key {
			had++
			if k := theirs.Devices[i].LinkKey; k != nil && k.Key == key {
				t.Error("Zigbee2MQTT's backup has the key where it belongs: it counts all entries now")
			}
		}
	}
	after, n, err := netbackup.Apply(p.image, theirs)
	if err != nil || had != 1 {
		t.Fatalf("%d devices have the key; %v", had, err)
	}
	if n.Added+n.Removed != 0 || !sameKeys(ours, fromImage(t, after)) {
		t.Errorf("laying it over did %+v", n)
	}
}

func sameKeys(a, b *netbackup.Backup) bool {
	return slices.EqualFunc(a.Devices, b.Devices, func(x, y netbackup.Device) bool {
		return x.IEEE == y.IEEE && (x.LinkKey == nil) == (y.LinkKey == nil) && (x.LinkKey == nil || x.LinkKey.Key == y.LinkKey.Key)
	})
}

// startedOn starts Zigbee2MQTT on a stick with that memory, beside the backup. It
// returns the memory once it runs, and the data directory with the backup that it wrote
// itself where it found none.
func startedOn(t *testing.T, dir, broker, want string, b *netbackup.Backup, image *nvimage.Image) pairing {
	t.Helper()
	medium := znpsim.NewMedium(znpsim.MediumOptions{})
	t.Cleanup(func() { medium.Close() })
	lamp := medium.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp})
	stick := znpsim.NewDongle(znpsim.DongleOptions{Name: want, Medium: medium, Image: image})
	data := t.TempDir()
	if b != nil {
		if err := os.WriteFile(filepath.Join(data, "coordinator_backup.json"), []byte(encode(t, b)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := newNode(t, dir, broker, filepath.Base(t.Name())+"-"+want, data, onTCP, stick, lamp)
	if how := n.run(); how != want {
		t.Fatalf("start said %q, want %q", how, want)
	}
	n.process.kill()
	n.noUnknownCommands()
	return pairing{data: data, image: stick.Image()}
}
