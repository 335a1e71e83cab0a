package nvram_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znp/znptest"
	"z2mha/internal/dongle/znpsim"
)

// onMedium serves sticks that share a medium.
func onMedium(t *testing.T, m *znpsim.Medium, name string, memory *nvimage.Image) (*znpsim.Dongle, *znp.Client) {
	t.Helper()
	d := znpsim.NewDongle(znpsim.DongleOptions{Name: name, Image: memory, Medium: m})
	ctx, stop := context.WithCancel(context.Background())
	near, far := net.Pipe()
	go func() { _ = d.Serve(ctx, far) }()
	c := znp.NewClient(near, znp.Options{})
	t.Cleanup(func() { _ = c.Close(); stop() })
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	return d, c
}

func TestListen(t *testing.T) {
	neighbour := simNetwork
	neighbour.ExtPanID++ // and the same short PAN id
	for _, tt := range []struct {
		name   string
		active bool // attic is on air
		router *zigbee.Identity
		memory *nvimage.Image // of the listener
		deaf   bool
		want   nvram.Heard
	}{
		{"hears who is on air", true, nil, simImage(), false, nvram.Heard{Coordinator: true}},
		{"hears nobody in silence", false, nil, simImage(), false, nvram.Heard{}},
		{"hears a router whose coordinator is gone", false, &simNetwork, simImage(), false, nvram.Heard{Neighbours: []zigbee.NwkAddr{0x1234}}},
		{"hears both", true, &simNetwork, simImage(), false, nvram.Heard{Coordinator: true, Neighbours: []zigbee.NwkAddr{0x1234}}},
		{"does not take a neighbour's network for its own", false, &neighbour, simImage(), false, nvram.Heard{Others: 3}},
		{"hears nothing with a dead receiver", true, &simNetwork, simImage(), true, nvram.Heard{}},
		{"hears nothing on a channel that it was never told of", true, nil, nil, false, nvram.Heard{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := znpsim.NewMedium(znpsim.MediumOptions{})
				t.Cleanup(func() { _ = m.Close() })
				_, active := onMedium(t, m, "attic", simImage())
				d, c := onMedium(t, m, "cellar", tt.memory)
				if tt.active {
					if _, err := active.Request(t.Context(), unpi.ZDO, 0x40, []byte{0, 0}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				if tt.router != nil {
					m.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp, Nwk: 0x1234, Network: *tt.router})
				}
				d.SetFault(znpsim.Fault{DeafReceiver: tt.deaf})
				before := d.Image()
				got, err := nvram.Listen(t.Context(), c, simNetwork)
				tt.want.State = "HOLD"
				if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
					t.Errorf("%v, %s", err, diff)
				}
				if d.State() != znpsim.StateHold || len(nvimage.Diff(before, d.Image())) > 0 {
					t.Errorf("afterwards it is in state %v, changed by %v", d.State(), nvimage.Diff(before, d.Image()))
				}
			})
		})
	}
}

// A stick on air is not reset for the sake of listening.
func TestListenNeedsAParkedStick(t *testing.T) {
	onSim(t, simImage(), func(t *testing.T, stick *znpsim.Dongle, dial func() *znp.Client) {
		c := dial()
		if _, err := c.Request(t.Context(), unpi.ZDO, 0x40, []byte{0, 0}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := nvram.Listen(t.Context(), c, simNetwork); !errors.Is(err, nvram.ErrNotHold) || stick.State() == znpsim.StateHold {
			t.Errorf("%v, state %v", err, stick.State())
		}
	})
}

// Firmware that does not know the command, refuses it, or never ends a scan.
func TestListenWithOldFirmware(t *testing.T) {
	hold := append(make([]byte, 13), 0) // UTIL_GET_DEVICE_INFO: state HOLD, no children
	for _, tt := range []struct {
		name   string
		answer func() ([]byte, error)
		want   error
	}{
		{"does not know it", func() ([]byte, error) { return nil, &znp.RPCError{Code: 2} }, new(znp.RPCError)},
		{"refuses it", func() ([]byte, error) { return []byte{0xC2}, nil }, new(znp.StatusError)},
		{"never ends", func() ([]byte, error) { return []byte{0}, nil }, znp.ErrTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := znptest.Dial(t, znp.Options{}, func(f unpi.Frame) ([]byte, error) {
					switch {
					case f.Subsystem == unpi.ZDO && f.ID == 0x26:
						return tt.answer()
					case f.Subsystem == unpi.UTIL:
						return hold, nil
					case f.Subsystem == unpi.SYS && f.ID == 1:
						return []byte{0x59, 0x06}, nil
					}
					return make([]byte, 9), nil
				})
				got, err := nvram.Listen(t.Context(), c, simNetwork)
				rpc, status := new(znp.RPCError), new(znp.StatusError)
				is := errors.Is(err, tt.want)
				switch tt.want.(type) {
				case *znp.RPCError:
					is = errors.As(err, &rpc)
				case *znp.StatusError:
					is = errors.As(err, &status)
				}
				if !is || got.Coordinator {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		})
	}
}
