package nvram_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znp/znptest"
)

func TestReadReturnsTheWholeMemory(t *testing.T) {
	withOldTable := nvimagetest.Formed()
	withOldTable.Set(nvimage.OSAL(nvimage.LegacyTclkTableStart), []byte{1})
	withOldTable.Set(nvimage.OSAL(nvimage.LegacyTclkTableStart+1), []byte{2})
	withOldTable.Set(nvimage.OSAL(nvimage.LegacyTclkTableEnd), []byte{3})
	odd := nvimagetest.Formed()
	odd.Set(nvimage.Entry(nvimage.TclkTable, 7), make([]byte, 13))
	odd.Set(nvimage.Entry(nvimage.TclkIcTable, 0), make([]byte, 31))
	odd.Set(nvimage.OSAL(nvimage.UserDesc), make([]byte, 300))
	tests := map[string]*nvimage.Image{
		"of a formed stick":              nvimagetest.Formed(),
		"of a reset stick":               nvimagetest.Reset(2),
		"with tables of an old stack":    withOldTable,
		"with entries of unequal length": odd,
	}
	for name, memory := range tests {
		t.Run(name, func(t *testing.T) {
			last, total := 0, 0
			got, err := nvram.Read(context.Background(), newFake(memory).dial(t), func(d, n int) {
				if d < last || d > n {
					t.Errorf("progress %d of %d after %d", d, n, last)
				}
				last, total = d, n
			})
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(memory) {
				t.Errorf("differs: %v", nvimage.Diff(memory, got))
			}
			if last != total {
				t.Errorf("progress ended at %d of %d", last, total)
			}
		})
	}
}

// A memory that is not quite what was known is read as it is.
func TestReadKnown(t *testing.T) {
	withOldTable := nvimagetest.Formed()
	withOldTable.Set(nvimage.OSAL(nvimage.LegacyTclkTableStart), []byte{1})
	tests := []struct {
		name  string
		known *nvimage.Image
		edit  func(m *nvimage.Image)
	}{
		{"reads what it was", nvimagetest.Formed(), func(*nvimage.Image) {}},
		{"sees other content", nvimagetest.Formed(), func(m *nvimage.Image) { m.Set(flag, []byte{0}) }},
		{"sees an item that is gone", nvimagetest.Formed(), func(m *nvimage.Image) { m.Delete(flag) }},
		{"sees a longer item", nvimagetest.Formed(), func(m *nvimage.Image) { m.Set(nvimage.OSAL(nvimage.GroupTable), make([]byte, 90)) }},
		{"sees a shorter entry", nvimagetest.Formed(), func(m *nvimage.Image) { m.Set(nvimage.Entry(nvimage.AddrMgr, 9), make([]byte, 6)) }},
		{"sees longer entries", nvimagetest.Formed(), func(m *nvimage.Image) {
			for i := range uint16(200) {
				m.Set(nvimage.Entry(nvimage.TclkTable, i), make([]byte, 24))
			}
		}},
		{"sees a new entry", nvimagetest.Formed(), func(m *nvimage.Image) { m.Set(nvimage.Entry(nvimage.DeviceList, 51), make([]byte, 16)) }},
		{"sees a table cut short", nvimagetest.Formed(), func(m *nvimage.Image) { m.Delete(nvimage.Entry(nvimage.TclkTable, 199)) }},
		{"sees a new table", nvimagetest.Formed(), func(m *nvimage.Image) { m.Set(nvimage.Entry(nvimage.TclkIcTable, 0), make([]byte, 30)) }},
		{"sees tables gone", nvimagetest.Formed(), func(m *nvimage.Image) { *m = *nvimagetest.Reset(nvimagetest.Hardware) }},
		{"sees a new entry of an old table", withOldTable, func(m *nvimage.Image) {
			m.Set(nvimage.OSAL(nvimage.LegacyTclkTableStart), []byte{1})
			m.Set(nvimage.OSAL(nvimage.LegacyTclkTableStart+1), []byte{2})
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := test.known.Clone()
			test.edit(m)
			last, total := 0, 0
			got, err := nvram.ReadKnown(context.Background(), newFake(m).dial(t), test.known.Layout(), func(d, n int) { last, total = d, n })
			if err != nil || !got.Equal(m) {
				t.Errorf("differs: %v, %v", nvimage.Diff(m, got), err)
			}
			if last != total {
				t.Errorf("progress ended at %d of %d", last, total)
			}
		})
	}
}

func TestReadKnownNeverTakesSilenceForAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nvimagetest.Formed())
		c := f.dial(t)
		f.fault = onOSALRead(nvimage.NwkKey, func() error { return znptest.ErrSilent })
		_, err := nvram.ReadKnown(context.Background(), c, nvimagetest.Formed().Layout(), nil)
		if !errors.Is(err, znp.ErrTimeout) || !strings.Contains(err.Error(), "NWKKEY (0x0082)") {
			t.Errorf("got %v", err)
		}
	})
}

func TestReadOfAFirmwareWithoutTables(t *testing.T) {
	f := newFake(nvimagetest.Formed())
	f.fault = func(r unpi.Frame) error {
		if r.Type == unpi.SREQ && r.ID >= 0x30 {
			return &znp.RPCError{Code: 2}
		}
		return nil
	}
	got, err := nvram.Read(context.Background(), f.dial(t), nil)
	if err != nil || got.Len() != 64 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestReadNeverTakesSilenceForAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nvimagetest.Formed())
		c := f.dial(t)
		f.fault = onOSALRead(nvimage.NwkKey, func() error { return znptest.ErrSilent })
		_, err := nvram.Read(context.Background(), c, nil)
		if !errors.Is(err, znp.ErrTimeout) || !strings.Contains(err.Error(), "NWKKEY (0x0082)") {
			t.Errorf("got %v", err)
		}
	})
}

func TestReadSurvivesALostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nvimagetest.Formed())
		c := f.dial(t)
		f.fault = onOSALRead(nvimage.NwkKey, once(znptest.ErrSilent))
		got, err := nvram.Read(context.Background(), c, nil)
		if err != nil || !got.Equal(nvimagetest.Formed()) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestReadOfAStickPulledOut(t *testing.T) {
	f := newFake(nvimagetest.Formed())
	c := f.dial(t)
	f.fault = onOSALRead(nvimage.NwkKey, func() error { return znptest.ErrUnplug })
	if _, err := nvram.Read(context.Background(), c, nil); !errors.Is(err, znp.ErrPortLost) {
		t.Errorf("got %v", err)
	}
}

func TestParkAndReset(t *testing.T) {
	tests := []struct {
		name      string
		state     znp.DeviceState
		stuck     bool
		act       func(context.Context, *znp.Client) (nvram.Silence, error)
		wantBoots int
		wantErr   error
	}{
		{name: "park leaves a silent stick alone", state: znp.StateHold, act: nvram.Park},
		{name: "park resets a coordinator", state: znp.StateCoordinator, act: nvram.Park, wantBoots: 1},
		{name: "reset boots a silent stick", state: znp.StateHold, act: nvram.Reset, wantBoots: 1},
		{name: "a boot is no proof", state: znp.StateCoordinator, stuck: true, act: nvram.Reset, wantBoots: 1, wantErr: nvram.ErrNotHold},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(nvimagetest.Formed())
			f.state, f.stuck = test.state, test.stuck
			s, err := test.act(context.Background(), f.dial(t))
			if !errors.Is(err, test.wantErr) || f.boots != test.wantBoots {
				t.Fatalf("%d boots, error %v", f.boots, err)
			}
			if err == nil && (s.State != "HOLD" || s.Reset != (test.wantBoots > 0) || s.Address != nvimagetest.Hardware || s.Stick != nvimagetest.Stick) {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestAStateReadBackProvesSilenceWithoutAnAnnouncement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nvimagetest.Formed())
		c := f.dial(t)
		f.fault = func(r unpi.Frame) error {
			if r.Type == unpi.AREQ {
				return znptest.ErrSilent
			}
			return nil
		}
		s, err := nvram.Reset(context.Background(), c)
		if err != nil || s.Reset || s.State != "HOLD" {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// onOSALRead makes reads of one item fail as then says.
func onOSALRead(id uint16, then func() error) func(unpi.Frame) error {
	return func(r unpi.Frame) error {
		if r.Subsystem == unpi.SYS && r.ID == 0x08 && u16(r.Data) == id {
			return then()
		}
		return nil
	}
}

func once(err error) func() error {
	return func() error {
		e := err
		err = nil
		return e
	}
}
