package znpsim_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
)

// stick powers a stick on with an image; its medium is closed with the test.
func stick(t *testing.T, m *znpsim.Medium, name string, image *nvimage.Image) *znpsim.Dongle {
	t.Helper()
	d := znpsim.NewDongle(znpsim.DongleOptions{Name: name, Medium: m, Image: image})
	t.Cleanup(func() { d.Medium().Close() })
	return d
}

func medium(t *testing.T) *znpsim.Medium {
	m := znpsim.NewMedium(znpsim.MediumOptions{})
	t.Cleanup(func() { m.Close() })
	return m
}

func item(t *testing.T, d *znpsim.Dongle, id nvimage.ID) []byte {
	t.Helper()
	v, _ := d.Image().Get(id)
	return v
}

func u32(b []byte) uint64 {
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24
}

var child = znpsim.Joined{IEEE: 0x00158d0000000001, Nwk: 0x1111, LinkKey: true}

func TestImagesHaveTheReferenceShape(t *testing.T) {
	formed, reset := znpsim.FormedImage(home, child), znpsim.ResetImage(7)
	want := map[uint16]int{nvimage.AddrMgr: 257, nvimage.BindingTable: 1, nvimage.DeviceList: 51, nvimage.TclkTable: 200, nvimage.ApsKeyDataTable: 3, nvimage.NwkSecMaterialTable: 5}
	if diff := cmp.Diff(want, formed.Layout().Counts); diff != "" {
		t.Errorf("tables of a formed image (-want +got):\n%s", diff)
	}
	if id, err := formed.Identity(); err != nil || id != home {
		t.Errorf("identity: %v %v", id.Differences(home), err)
	}
	if err := formed.Resumable(); err != nil {
		t.Errorf("a formed image cannot be resumed: %v", err)
	}
	if reset.Configured() || reset.OnNetwork() {
		t.Error("a reset image is on a network")
	}
	for _, which := range []string{"formed", "reset"} {
		b, ok := nvimagetest.Published(t, which)
		if !ok {
			continue
		}
		published, err := nvimage.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		ours := map[string]*nvimage.Image{"formed": formed, "reset": reset}[which]
		compareShape(t, which, ours, published)
	}
}

// compareShape finds items that one has and the other lacks, and other lengths. The
// stick of the published reset dump was of an earlier build, without this item.
func compareShape(t *testing.T, which string, ours, published *nvimage.Image) {
	t.Helper()
	for _, c := range nvimage.Diff(published, ours) {
		if which == "reset" && c.ID == nvimage.OSAL(nvimage.ApsLinkKeyTable) {
			continue
		}
		if len(c.Want) != len(c.Have) {
			t.Errorf("%s: %v has %d bytes, published %d", which, c.ID, len(c.Have), len(c.Want))
		}
	}
}

func TestBoot(t *testing.T) {
	osal := nvimage.OSAL
	tests := []struct {
		name  string
		write map[nvimage.ID][]byte
		check func(t *testing.T, d *znpsim.Dongle)
	}{
		{"keeps a written address", map[nvimage.ID][]byte{osal(1): zigbee.IEEE(5).LE()}, func(t *testing.T, d *znpsim.Dongle) {
			if got := item(t, d, osal(1)); zigbee.IEEEFromLE(got) != 5 {
				t.Errorf("address %x", got)
			}
		}},
		{"takes the hardware address for an empty one", map[nvimage.ID][]byte{osal(1): bytes.Repeat([]byte{0xFF}, 8)}, func(t *testing.T, d *znpsim.Dongle) {
			if got := item(t, d, osal(1)); zigbee.IEEEFromLE(got) != d.Status().Hardware {
				t.Errorf("address %x", got)
			}
		}},
		{"clears the state and keeps the network's counters", map[nvimage.ID][]byte{osal(3): {2}}, func(t *testing.T, d *znpsim.Dongle) {
			if m := d.Image(); m.OnNetwork() || item(t, d, osal(0x21)) != nil || item(t, d, osal(3))[0] != 2 {
				t.Error("the network is still there, or bit 1 is not")
			}
			if got := item(t, d, osal(1)); zigbee.IEEEFromLE(got) != d.Status().Hardware {
				t.Errorf("address %x", got)
			}
			if sec := item(t, d, nvimage.Entry(nvimage.NwkSecMaterialTable, 0)); u32(sec) != uint64(znpsim.FirstCounter) {
				t.Errorf("counter %d, want it kept", u32(sec))
			}
		}},
		{"clears the counters too when told", map[nvimage.ID][]byte{osal(3): {0x82}}, func(t *testing.T, d *znpsim.Dongle) {
			if sec := item(t, d, nvimage.Entry(nvimage.NwkSecMaterialTable, 0)); u32(sec) != 0 {
				t.Errorf("counter %d", u32(sec))
			}
		}},
		{"clears the configuration once", map[nvimage.ID][]byte{osal(3): {1}}, func(t *testing.T, d *znpsim.Dongle) {
			if got := item(t, d, osal(0x83)); !bytes.Equal(got, []byte{0xFF, 0xFF}) {
				t.Errorf("PANID %x", got)
			}
			if got := item(t, d, osal(3)); got[0] != 0 {
				t.Errorf("STARTUP_OPTION %x", got)
			}
			if !d.Image().OnNetwork() {
				t.Error("the network is gone")
			}
		}},
		{"moves link key counters", nil, func(t *testing.T, d *znpsim.Dongle) {
			if got := u32(item(t, d, nvimage.Entry(nvimage.TclkTable, 0))); got != 2*11 { // power-on and reset
				t.Errorf("used entry at %d, want 22", got)
			}
			if got := u32(item(t, d, nvimage.Entry(nvimage.TclkTable, 1))); got != 0 {
				t.Errorf("free entry at %d", got)
			}
		}},
		{"moves application key counters", map[nvimage.ID][]byte{nvimage.Entry(nvimage.ApsKeyDataTable, 1): append(bytes.Repeat([]byte{7}, 16), make([]byte, 8)...)}, func(t *testing.T, d *znpsim.Dongle) {
			if got := u32(item(t, d, nvimage.Entry(nvimage.ApsKeyDataTable, 1))[16:]); got != 1001 {
				t.Errorf("used entry at %d, want 1001", got)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := stick(t, nil, "attic", znpsim.FormedImage(home, child))
				h := attach(t, d)
				for id, v := range tt.write {
					h.answer(0x2135, cat(nv(id.Item, id.Sub), []byte{byte(len(v))}, v)...)
				}
				if got := h.reset(); !bytes.Equal(got, []byte{0, 2, 1, 2, 7, 1}) {
					t.Errorf("RESET_IND %x", got)
				}
				tt.check(t, d)
			})
		})
	}
}

func TestMissingItemsComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := stick(t, nil, "attic", znpsim.ResetImage(7))
		h := attach(t, d)
		before := d.Image()
		for _, id := range before.IDs() {
			v, _ := before.Get(id)
			if id.IsOSAL() {
				h.answer(0x2112, cat(osal(id.Sub), le(uint64(len(v)), 2))...)
			} else {
				h.answer(0x2131, nv(id.Item, id.Sub)...)
			}
		}
		h.reset()
		for _, c := range nvimage.Diff(before, d.Image()) {
			if c.ID != nvimage.OSAL(nvimage.TclkSeed) && (c.Have == nil || c.Want == nil) {
				t.Errorf("%v is not what it was", c)
			}
		}
	})
}

func TestResumeLeapsOncePerBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		d := stick(t, m, "attic", znpsim.FormedImage(home))
		h := attach(t, d)
		want := uint64(znpsim.FirstCounter)
		for range 3 {
			h.start()
			want += 1250
			if got := u32(item(t, d, nvimage.Entry(nvimage.NwkSecMaterialTable, 0))); got != want {
				t.Errorf("stored counter %d, want %d", got, want)
			}
			if got := h.indication(0x4F80); !bytes.Equal(got, []byte{8, 2, 0}) {
				t.Errorf("notification after the start %x", got)
			}
			h.answer(0x2540, 0, 0) // again: only a formation failure
			if got := h.indication(0x4F80); !bytes.Equal(got, []byte{8, 2, 0}) {
				t.Errorf("notification %x", got)
			}
			if d.State() != znpsim.StateCoordinator {
				t.Errorf("state %d after a second start", d.State())
			}
			h.reset()
			if d.State() != znpsim.StateHold {
				t.Errorf("state %d after a reset", d.State())
			}
			for len(h.frames) > 0 {
				<-h.frames
			}
		}
		if r := m.Record(); len(r.CounterRegressions)+len(r.DualActive) > 0 || len(r.OnAir) != 3 {
			t.Errorf("record %+v", r)
		}
	})
}

func TestGenericCounterServesAStrangeNetwork(t *testing.T) {
	tests := []struct {
		name  string
		entry []byte
		want  uint64
	}{
		{"resumes from the generic entry", cat(le(9000, 4), bytes.Repeat([]byte{0xFF}, 8)), 9000 + 1250},
		{"begins at zero without any", make([]byte, 12), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				image := znpsim.FormedImage(home)
				image.Set(nvimage.Entry(nvimage.NwkSecMaterialTable, 0), make([]byte, 12))
				image.Set(nvimage.Entry(nvimage.NwkSecMaterialTable, 4), tt.entry)
				d := stick(t, nil, "attic", image)
				attach(t, d).start()
				if got := d.Medium().Record().OnAir[0].First; uint64(got) != tt.want {
					t.Errorf("first counter %d, want %d", got, tt.want)
				}
			})
		})
	}
}

func TestLatencyAndPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := znpsim.NewDongle(znpsim.DongleOptions{Name: "attic", Latency: 15 * time.Millisecond, BytesPerSecond: znpsim.WireSpeed})
		t.Cleanup(func() { d.Medium().Close() })
		h := attach(t, d)
		began := time.Now()
		h.answer(0x2101)
		bytesOnWire := 5 + 7
		want := 15*time.Millisecond + time.Duration(bytesOnWire)*time.Second/znpsim.WireSpeed
		if took := time.Since(began); took < want-time.Microsecond || took > want+time.Microsecond {
			t.Errorf("a ping took %v, want %v", took, want)
		}
	})
}
