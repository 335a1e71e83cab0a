package znpsim_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/znpsim"
)

func (h *host) mute() bool {
	h.tb.Helper()
	h.send(0x2101)
	_, ok := h.next(func(f unpi.Frame) bool { return f.Type == unpi.SRSP })
	return !ok
}

func TestFaults(t *testing.T) {
	write := cat(nv(1, 0), []byte{2, 7, 7})
	tests := []struct {
		name  string
		fault znpsim.Fault
		run   func(t *testing.T, d *znpsim.Dongle, h *host)
	}{
		{"silent: no answers, but still on air", znpsim.Fault{Silent: true}, func(t *testing.T, d *znpsim.Dongle, h *host) {
			if !h.mute() {
				t.Error("it answers")
			}
			if d.State() != znpsim.StateCoordinator {
				t.Error("it left the air")
			}
		}},
		{"loses the second answer only", znpsim.Fault{LoseAnswer: 2}, func(t *testing.T, d *znpsim.Dongle, h *host) {
			h.answer(0x2101)
			if !h.mute() {
				t.Error("the second answer came")
			}
			h.answer(0x2101)
		}},
		{"fails one write", znpsim.Fault{FailWrite: 2}, func(t *testing.T, d *znpsim.Dongle, h *host) {
			got := cat(h.answer(0x2135, write...), h.answer(0x2109, cat(osal(3), []byte{0, 1, 2})...), h.answer(0x2135, write...))
			if !bytes.Equal(got, []byte{0, 0x0A, 0}) {
				t.Errorf("statuses % x, want 00 0a 00", got)
			}
			if v := item(t, d, nvimage.OSAL(3)); v[0] == 2 {
				t.Error("the failed write took effect")
			}
		}},
		{"fails every write", znpsim.Fault{FailWrites: true}, func(t *testing.T, d *znpsim.Dongle, h *host) {
			got := cat(h.answer(0x2135, write...), h.answer(0x2107, cat(osal(0x5F), le(1, 2), []byte{1, 1})...), h.answer(0x2112, cat(osal(3), le(1, 2))...))
			if !bytes.Equal(got, []byte{1, 0x0A, 0x0A}) {
				t.Errorf("statuses % x, want 01 0a 0a", got)
			}
		}},
		{"loses power in a write: item gone, in HOLD", znpsim.Fault{CutAtWrite: 2}, func(t *testing.T, d *znpsim.Dongle, h *host) {
			h.answer(0x2135, write...)
			h.send(0x2135, cat(nv(0, 0x3B), []byte{17}, make([]byte, 17))...)
			h.indication(0x4180)
			if v := item(t, d, nvimage.OSAL(0x3B)); !bytes.Equal(v, make([]byte, 17)) { // recreated at boot
				t.Errorf("item %x", v)
			}
			if d.State() != znpsim.StateHold {
				t.Errorf("state %d", d.State())
			}
		}},
		{"loses power in a write: item torn", znpsim.Fault{CutAtWrite: 1, TornItem: true}, func(t *testing.T, d *znpsim.Dongle, h *host) {
			h.send(0x2135, cat(nv(0, 0x3B), []byte{17}, make([]byte, 17))...)
			h.indication(0x4180)
			if v := item(t, d, nvimage.OSAL(0x3B)); len(v) != 8 {
				t.Errorf("item of %d bytes, want 8", len(v))
			}
		}},
		{"dead radio: answers, is heard by nobody", znpsim.Fault{DeafReceiver: true}, func(t *testing.T, d *znpsim.Dongle, h *host) {
			h.answer(0x2101)
			before, _ := d.Counter()
			time.Sleep(time.Hour)
			if after, _ := d.Counter(); after != before {
				t.Errorf("%d frames went out", after-before)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := stick(t, nil, "attic", znpsim.FormedImage(home))
				h := attach(t, d)
				h.start()
				d.SetFault(tt.fault)
				tt.run(t, d, h)
			})
		})
	}
}

func TestUnplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := medium(t)
		d := stick(t, m, "attic", znpsim.FormedImage(home))
		h := attach(t, d)
		h.start()
		d.Unplug()
		synctest.Wait()
		if _, err := h.conn.Write([]byte{0xEF}); err == nil {
			t.Error("the line is still there")
		}
		if d.State() != znpsim.StateHold || m.Record().OnAir[0].To.IsZero() {
			t.Error("it is still on air")
		}
		near, far := net.Pipe()
		defer near.Close()
		if err := d.Serve(t.Context(), far); !errors.Is(err, znpsim.ErrUnplugged) {
			t.Errorf("serve an unplugged stick: %v", err)
		}
		d.Replug()
		time.Sleep(time.Second)
		if got := attach(t, d).answer(0x2700); got[12] != 0 {
			t.Errorf("state %d after it was plugged in again, want HOLD", got[12])
		}
	})
}

func TestOneClientAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := stick(t, nil, "attic", nil)
		attach(t, d).answer(0x2101)
		near, far := net.Pipe()
		defer near.Close()
		if err := d.Serve(t.Context(), far); !errors.Is(err, znpsim.ErrAttached) {
			t.Errorf("a second client: %v, want ErrAttached", err)
		}
	})
}

func TestResetMakesItDeafForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := stick(t, nil, "attic", nil)
		h := attach(t, d)
		h.send(0x4100, 1)
		h.send(0x2101)
		f, _ := h.next(func(unpi.Frame) bool { return true })
		if f.ID != 0x80 {
			t.Errorf("%v before RESET_IND", f)
		}
	})
}

func TestImageFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "attic.json")
		open := func() *znpsim.Dongle {
			d, err := znpsim.OpenDongle(znpsim.DongleOptions{Name: "attic", Path: path, Image: znpsim.FormedImage(home)})
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		d := open()
		h := attach(t, d)
		h.answer(0x2135, cat(nv(0, 0x5F), []byte{1, 7})...)
		time.Sleep(time.Second)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := nvimage.Parse(b); err != nil || m.Len() != d.Image().Len()-1 { // POLL_RATE_OLD16 is no item
			t.Errorf("file: %v, %v", m, err)
		}
		if err := d.Medium().Close(); err != nil {
			t.Fatal(err)
		}
		again := open()
		if v := item(t, again, nvimage.OSAL(0x5F)); !bytes.Equal(v, []byte{7}) {
			t.Errorf("item after the emulator was started again: %x", v)
		}
		if err := again.Medium().Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b[:len(b)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := znpsim.OpenDongle(znpsim.DongleOptions{Name: "attic", Path: path}); err == nil {
			t.Error("a torn image file was opened")
		}
	})
}
