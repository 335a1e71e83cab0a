package znpsim_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
)

// toggle is an AF_DATA_REQUEST that toggles the lamp at nwk, transaction 9.
func toggle(nwk zigbee.NwkAddr, options byte) []byte {
	return cat(le(uint64(nwk), 2), []byte{1, 1}, le(6, 2), []byte{9, options, 30, 3, 0x01, 0x42, 0x02})
}

// confirmation sends a toggle and returns the status of its DATA_CONFIRM.
func (h *host) confirmation(nwk zigbee.NwkAddr, options byte) byte {
	h.tb.Helper()
	if got := h.answer(0x2401, toggle(nwk, options)...); got[0] != 0 {
		h.tb.Fatalf("data request refused: %x", got)
	}
	return h.indication(0x4480)[0]
}

func TestLampBelievesItsCoordinatorOnly(t *testing.T) {
	other := func(change func(*zigbee.Identity)) zigbee.Identity {
		id := home
		change(&id)
		return id
	}
	tests := []struct {
		name    string
		lamp    zigbee.Identity
		last    zigbee.FrameCounter
		options byte
		status  byte
		on      bool
	}{
		{"obeys its coordinator", home, 0, 0, 0, true},
		{"obeys a counter just above the last", home, znpsim.FirstCounter + 1249, 0, 0, true},
		{"drops the last counter as a replay", home, znpsim.FirstCounter + 1250, 0, 0, false},
		{"drops it without an APS acknowledgement", home, znpsim.FirstCounter + 1250, 0x10, 0xB7, false},
		{"ignores another key", other(func(i *zigbee.Identity) { i.Key[3]++ }), 0, 0, 0, false},
		{"ignores another key sequence", other(func(i *zigbee.Identity) { i.KeySeq++ }), 0, 0, 0, false},
		{"ignores another address", other(func(i *zigbee.Identity) { i.IEEE++ }), 0, 0, 0, false},
		{"ignores another extended PAN", other(func(i *zigbee.Identity) { i.ExtPanID++ }), 0, 0, 0, false},
		{"does not hear another PAN", other(func(i *zigbee.Identity) { i.PanID++ }), 0, 0, 0xE9, false},
		{"does not hear another channel", other(func(i *zigbee.Identity) { i.Channel++ }), 0, 0, 0xE9, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := medium(t)
				lamp := m.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp, Network: tt.lamp, LastCounter: tt.last})
				d := stick(t, m, "attic", znpsim.FormedImage(home, lamp.Joined()))
				h := attach(t, d)
				h.start()
				if got := h.confirmation(lamp.Status().Nwk, tt.options); got != tt.status {
					t.Errorf("DATA_CONFIRM %#02x, want %#02x", got, tt.status)
				}
				time.Sleep(time.Second)
				if lamp.On() != tt.on {
					t.Errorf("lamp on: %v", lamp.On())
				}
				if got := m.Record().DeliveredTo["attic"]; (got > 0) != tt.on { // default response and report
					t.Errorf("%d frames delivered", got)
				}
			})
		})
	}
}

func TestNobodyThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		lamp := m.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp, Network: home})
		h := attach(t, stick(t, m, "attic", znpsim.FormedImage(home, lamp.Joined())))
		h.start()
		if got := h.confirmation(0x4242, 0); got != 0xCD {
			t.Errorf("unknown address: %#02x, want no route", got)
		}
		lamp.SetPower(false)
		if got := h.confirmation(lamp.Status().Nwk, 0); got != 0xE9 {
			t.Errorf("lamp without power: %#02x, want no MAC ack", got)
		}
	})
}

func TestUnregisteredEndpointsGetNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		lamp := m.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp, Network: home})
		h := attach(t, stick(t, m, "attic", znpsim.FormedImage(home)))
		h.answer(0x2540, 0, 0)
		time.Sleep(time.Second)
		lamp.Toggle()
		time.Sleep(time.Second)
		if got := m.Record().DeliveredTo["attic"]; got != 0 {
			t.Errorf("%d frames delivered to endpoint 1, which nobody registered", got)
		}
	})
}

func TestStickOutlivesItsHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		d := stick(t, m, "attic", znpsim.FormedImage(home))
		h := attach(t, d)
		h.start()
		h.leave()
		synctest.Wait()
		before, _ := d.Counter()
		time.Sleep(time.Hour + time.Second)
		after, on := d.Counter()
		if want := before + 3600/15 + 3600/120; !on || after != want {
			t.Errorf("an hour after its host left: on air %v, counter %d, want %d", on, after, want)
		}
		h = attach(t, d)
		if got := h.answer(0x2700); got[12] != 9 {
			t.Errorf("device state %d for the next host, want 9", got[12])
		}
	})
}

func TestCounterIsSavedEveryThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := stick(t, nil, "attic", znpsim.FormedImage(home))
		h := attach(t, d)
		h.start()
		const perDay = 86400/15 + 86400/120
		time.Sleep(24*time.Hour + time.Second)
		ram, _ := d.Counter()
		first := znpsim.FirstCounter + 1250
		if ram != first+perDay {
			t.Errorf("counter %d after a day, want %d", ram, first+perDay)
		}
		flash := u32(item(t, d, nvimage.Entry(nvimage.NwkSecMaterialTable, 0)))
		if want := uint64(first) + perDay/1001*1001; flash != want {
			t.Errorf("saved %d, want %d", flash, want)
		}
		if key := item(t, d, nvimage.OSAL(nvimage.NwkKey)); u32(key[20:]) != flash {
			t.Errorf("NWKKEY holds %d, want %d", u32(key[20:]), flash)
		}
		d.PowerCut()
		time.Sleep(time.Second)
		h.start()
		if again, _ := d.Counter(); uint64(again) != flash+1250 {
			t.Errorf("counter after a power cut %d, want %d", again, flash+1250)
		}
		if r := d.Medium().Record(); len(r.CounterRegressions) > 0 {
			t.Errorf("regressions %+v", r.CounterRegressions)
		}
	})
}

func TestTwoVoices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		image := znpsim.FormedImage(home)
		attic, cellar := stick(t, m, "attic", image), stick(t, m, "cellar", image)
		one, two := attach(t, attic), attach(t, cellar)
		one.start()
		time.Sleep(time.Minute)
		two.start()
		time.Sleep(time.Minute)
		two.reset()
		r := m.Record()
		if len(r.DualActive) != 1 || r.DualActive[0].Dongles != [2]string{"attic", "cellar"} || r.DualActive[0].To.Sub(r.DualActive[0].From).Round(time.Second) != time.Minute {
			t.Errorf("dual active %+v", r.DualActive)
		}
		if len(r.CounterRegressions) != 1 || r.CounterRegressions[0].Dongle != "cellar" {
			t.Errorf("regressions %+v", r.CounterRegressions)
		}
		if last := r.OnAir[len(r.OnAir)-1]; last.Dongle != "cellar" || last.To.IsZero() || !r.OnAir[0].To.IsZero() {
			t.Errorf("spans %+v", r.OnAir)
		}
	})
}

func TestRaisedCounterIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		lamp := m.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp, Network: home})
		image := znpsim.FormedImage(home, lamp.Joined())
		attic, cellar := stick(t, m, "attic", image), stick(t, m, "cellar", image)
		one, two := attach(t, attic), attach(t, cellar)
		one.start()
		time.Sleep(time.Hour)
		one.reset()
		two.start()
		if got := two.confirmation(lamp.Status().Nwk, 0); got != 0 || lamp.On() {
			t.Errorf("a stale clone: confirm %#02x, lamp on %v", got, lamp.On())
		}
		if m.Record().ReplaysBy["lamp"] == 0 {
			t.Error("no replay recorded")
		}
		two.answer(0x2FFF, le(50_000, 4)...)
		if two.confirmation(lamp.Status().Nwk, 0); !lamp.On() {
			t.Error("the lamp does not follow a raised counter")
		}
	})
}

func TestSleepyChildRejoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		kid := m.AddDevice(znpsim.DeviceSpec{Name: "button", Kind: znpsim.SleepyChild, Network: home})
		image := znpsim.FormedImage(home, kid.Joined())
		attic, cellar := stick(t, m, "attic", image), stick(t, m, "cellar", raised(t, image, 100_000))
		one, two := attach(t, attic), attach(t, cellar)
		one.start()
		time.Sleep(time.Hour)
		if got := m.Record().Rejoins; got != 0 {
			t.Errorf("%d rejoins under a living parent", got)
		}
		one.reset()
		time.Sleep(time.Minute)
		two.start()
		got := two.indication(0x45C1)
		if !bytes.Equal(got[4:12], kid.IEEE().LE()) {
			t.Errorf("announcement %x", got)
		}
		if r := m.Record(); r.Rejoins != 1 || r.RejoinsBy["button"] != 1 || r.Joins != 0 {
			t.Errorf("record %+v", r)
		}
	})
}

// raised is the image with its counters brought to a floor.
func raised(t *testing.T, image *nvimage.Image, floor zigbee.FrameCounter) *nvimage.Image {
	t.Helper()
	image = image.Clone()
	if err := image.Raise(nvimage.Floors{NWK: floor}); err != nil {
		t.Fatal(err)
	}
	return image
}

func TestSleepingDevicesGetFramesWhenTheyAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		quick := m.AddDevice(znpsim.DeviceSpec{Name: "quick", Kind: znpsim.SleepyChild, Network: home, PollEvery: 2 * time.Second})
		slow := m.AddDevice(znpsim.DeviceSpec{Name: "slow", Kind: znpsim.Sensor, Network: home, PollEvery: time.Hour})
		h := attach(t, stick(t, m, "attic", znpsim.FormedImage(home)))
		h.start()
		if got := h.confirmation(quick.Status().Nwk, 0); got != 0 {
			t.Errorf("a child that polls: %#02x", got)
		}
		began := time.Now()
		if got := h.confirmation(slow.Status().Nwk, 0); got != 0xF0 {
			t.Errorf("a device that sleeps on: %#02x, want transaction expired", got)
		}
		if took := time.Since(began).Round(time.Second); took != 7*time.Second {
			t.Errorf("expired after %v, want 7s", took)
		}
	})
}

func TestSensorReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		sensor := m.AddDevice(znpsim.DeviceSpec{Name: "bath", Kind: znpsim.Sensor, Network: home, ReportEvery: 30 * time.Second})
		h := attach(t, stick(t, m, "attic", znpsim.FormedImage(home)))
		h.start()
		time.Sleep(6 * time.Hour)
		if got := m.Record().DeliveredTo["attic"]; got != 6*3600/30 {
			t.Errorf("%d reports delivered in 6 h, want %d", got, 6*3600/30)
		}
		for len(h.frames) > 0 {
			<-h.frames
		}
		sensor.SetTemperature(-3.5)
		got := h.indication(0x4481)
		if want := []byte{0x0A, 0, 0, 0x29, 0xA2, 0xFE}; !bytes.Equal(got[19:25], want) {
			t.Errorf("report % x, want % x", got[19:25], want)
		}
	})
}

func TestPairing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		lamp := m.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp})
		d := stick(t, m, "attic", znpsim.FormedImage(home))
		h := attach(t, d)
		h.start()
		time.Sleep(time.Minute)
		if lamp.Status().Joined {
			t.Fatal("the lamp joined a closed network")
		}
		h.answer(0x2536, cat([]byte{0x0F}, le(0xFFFC, 2), []byte{60, 1})...)
		h.indication(0x45CA)
		h.indication(0x45C1)
		devices := d.Image().Devices()
		if len(devices) != 1 || devices[0].IEEE != lamp.IEEE() || !devices[0].LinkKey {
			t.Errorf("tables hold %+v", devices)
		}
		if h.confirmation(lamp.Status().Nwk, 0x10); !lamp.On() {
			t.Error("the lamp does not follow")
		}
	})
}

func TestFormation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		d := stick(t, m, "attic", nil)
		h := attach(t, d)
		h.answer(0x2F05, 4)
		if got := h.indication(0x45C0); got[0] != 8 {
			t.Fatalf("state %d", got[0])
		}
		if got := h.indication(0x45C0); got[0] != 0 {
			t.Errorf("formed on no channel: state %d", got[0])
		}
		write := func(id uint16, v []byte) { h.answer(0x211D, cat(osal(id), le(0, 2), le(uint64(len(v)), 2), v)...) }
		write(0x83, le(uint64(home.PanID), 2))
		write(0x47, home.ExtPanID.LE())
		write(0x62, home.Key[:])
		h.answer(0x2F08, cat([]byte{1}, le(1<<home.Channel, 4))...)
		h.answer(0x2F05, 4)
		for h.indication(0x45C0)[0] != 9 {
		}
		want := home
		want.IEEE = d.Status().Hardware
		if id, err := d.Image().Identity(); err != nil || id != want {
			t.Errorf("identity: %v, %v", id.Differences(want), err)
		}
		if r := m.Record(); len(r.Formed) != 1 || r.OnAir[0].First != 1250 {
			t.Errorf("record %+v", r)
		}
		if got := d.Image().Layout().Counts[nvimage.AddrMgr]; got != 257 {
			t.Errorf("%d address manager entries", got)
		}
	})
}

func TestBeaconScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		attic, cellar := stick(t, m, "attic", znpsim.FormedImage(home)), stick(t, m, "cellar", znpsim.FormedImage(home))
		one, two := attach(t, attic), attach(t, cellar)
		scan := func() (beacons int, first []byte) {
			t.Helper()
			if got := two.answer(0x2526, cat(le(0x07FFF800, 4), []byte{2})...); got[0] != 0 {
				t.Fatalf("scan refused: %x", got)
			}
			for {
				f, ok := two.next(func(f unpi.Frame) bool { return f.ID == 0xC5 || f.ID == 0xC7 })
				if !ok || f.ID == 0xC7 {
					return beacons, first
				}
				beacons += int(f.Data[0])
				first = f.Data[1:22]
			}
		}
		if n, _ := scan(); n != 0 {
			t.Errorf("%d beacons in silence", n)
		}
		one.start()
		n, b := scan()
		if n != 1 || !bytes.Equal(b[:5], cat(le(0, 2), le(uint64(home.PanID), 2), []byte{byte(home.Channel)})) || !bytes.Equal(b[13:], home.ExtPanID.LE()) {
			t.Errorf("%d beacons, %x", n, b)
		}
		if cellar.State() != znpsim.StateHold || len(m.Record().OnAir) != 1 {
			t.Error("the listener went on air")
		}
		one.reset()
		if n, _ := scan(); n != 0 {
			t.Errorf("%d beacons of a silenced stick", n)
		}
	})
}
