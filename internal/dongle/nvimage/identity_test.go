package nvimage_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
)

func TestIdentity(t *testing.T) {
	got, err := nvimagetest.Formed().Identity()
	if err != nil {
		t.Fatal(err)
	}
	want := zigbee.Identity{
		PanID: nvimagetest.PanID, ExtPanID: nvimagetest.ExtPanID, Channel: nvimagetest.Channel,
		IEEE: nvimagetest.Hardware, Key: nvimagetest.Key(), UpdateID: nvimagetest.UpdateID,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPublishedDump(t *testing.T) {
	dump, ok := nvimagetest.Published(t, "formed")
	if !ok {
		return
	}
	m := parse(t, dump)
	id, err := m.Identity()
	if err != nil {
		t.Fatal(err)
	}
	if id.Channel != 15 || id.PanID != 0x4402 || id.ExtPanID != 0xa2ba38a8b5e683a0 || id.IEEE != 0x00124b001e17efa8 {
		t.Errorf("identity %+v", id)
	}
	if err := m.Resumable(); err != nil {
		t.Errorf("not resumable: %v", err)
	}
	c, err := m.Counters()
	if err != nil || c.NWK != 0x1d4c || len(c.LinkKey) == 0 || len(c.APSKey) != 2 {
		t.Errorf("counters %+v, %v", c, err)
	}
	if n := len(m.Devices()); n != 8 {
		t.Errorf("%d devices, want 8", n)
	}
	if err := nvimage.CheckFit(m, nvimagetest.Stick, m, nvimagetest.Stick, nvimage.Fit{}); err != nil {
		t.Errorf("does not fit its own stick: %v", err)
	}
}

func TestIdentityNamesWhatIsMissing(t *testing.T) {
	tests := []struct {
		name string
		edit func(*nvimage.Image)
		want string
	}{
		{"address", func(m *nvimage.Image) { m.Delete(nvimage.OSAL(nvimage.ExtAddr)) }, "EXTADDR (0x0001) is missing"},
		{"NIB", func(m *nvimage.Image) { m.Delete(nvimage.OSAL(nvimage.Nib)) }, "NIB (0x0021) is missing"},
		{"NIB of a CC2531", func(m *nvimage.Image) { m.Set(nvimage.OSAL(nvimage.Nib), make([]byte, 110)) }, "NIB (0x0021) has 110 bytes, want 116"},
		{"key", func(m *nvimage.Image) { m.Set(nvimage.OSAL(nvimage.NwkActiveKeyInfo), make([]byte, 3)) }, "NWK_ACTIVE_KEY_INFO (0x003A) has 3 bytes, want 17"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := nvimagetest.Formed()
			test.edit(m)
			if _, err := m.Identity(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestResumableTellsWhatWouldLoseTheNetwork(t *testing.T) {
	tests := []struct {
		name string
		edit func(*nvimage.Image)
		want string
	}{
		{"no flag", func(m *nvimage.Image) { m.Delete(nvimage.OSAL(nvimage.HasConfiguredZStack3)) }, "HAS_CONFIGURED_ZSTACK3"},
		{"off network", func(m *nvimage.Image) { m.Set(nvimage.OSAL(nvimage.BdbNodeIsOnANetwork), []byte{0}) }, "form a new network"},
		{"a router", func(m *nvimage.Image) { m.Set(nvimage.OSAL(nvimage.LogicalType), []byte{1}) }, "no coordinator"},
		{"no key loaded", func(m *nvimage.Image) { patch(m, nvimage.OSAL(nvimage.Nib), 65, 0) }, "no network key is loaded"},
		{"no address", func(m *nvimage.Image) { patch(m, nvimage.OSAL(nvimage.Nib), 22, 0xFE, 0xFF) }, "not that of a coordinator"},
		{"no NWKKEY", func(m *nvimage.Image) { m.Delete(nvimage.OSAL(nvimage.NwkKey)) }, "NWKKEY (0x0082) is missing"},
		{"two keys", func(m *nvimage.Image) { patch(m, nvimage.OSAL(nvimage.NwkAlternKeyInfo), 0, 1) }, "being changed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := nvimagetest.Formed()
			test.edit(m)
			if err := m.Resumable(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	if err := nvimagetest.Formed().Resumable(); err != nil {
		t.Errorf("a formed stick: %v", err)
	}
}

func TestDevices(t *testing.T) {
	m := nvimagetest.Formed()
	const unlisted zigbee.IEEE = 0x00158d0000000777
	m.Set(nvimage.Entry(nvimage.TclkTable, 9), append(append(make([]byte, 8), unlisted.LE()...), 2, 0, 0, 0))
	devices := m.Devices()
	if len(devices) != nvimagetest.NumLinked+2 {
		t.Fatalf("%d devices: %+v", len(devices), devices)
	}
	want := []nvimage.Device{
		{IEEE: nvimagetest.Linked(0), Nwk: 0x1000, LinkKey: true},
		{IEEE: nvimagetest.Child, Nwk: 0x9000, Child: true},
		{IEEE: unlisted, Nwk: nvimage.NoNwk, LinkKey: true},
	}
	got := []nvimage.Device{devices[0], devices[nvimagetest.NumLinked], devices[nvimagetest.NumLinked+1]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
