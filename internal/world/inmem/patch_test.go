package inmem_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
	"z2mha/internal/world/inmem"
)

// aHome has a stand-by whose stick holds a copy of the network, and what raises it.
func aHome() (*inmem.Home, *inmem.Host, network.StickPatch) {
	h := inmem.New(nvimagetest.Formed(), nvimagetest.Stick, func(int) *nvimage.Image { return nvimagetest.Formed() }, "attic", "cellar")
	want := nvimagetest.Formed()
	if err := want.Raise(nvimage.Floors{NWK: 90_000}); err != nil {
		panic(err)
	}
	want.Delete(nvimage.OSAL(nvimage.UserDesc))
	return h, h.Host("cellar"), network.StickPatch{Run: "r", Known: nvimagetest.Formed(), Want: want, From: nvimagetest.Stick}
}

func TestPatchStick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, cellar, p := aHome()
		p.Reset = true
		r, err := cellar.PatchStick(context.Background(), p, nil)
		if err != nil || r.Written != 2 || r.Deleted != 1 || r.Bytes != 36 || r.Boots != 1 || !r.Now.Equal(cellar.Stick()) {
			t.Errorf("report %+v, %v", r, err)
		}
		p = network.StickPatch{Run: "look", Known: r.Now, Want: r.Now, From: p.From}
		if r, err = cellar.PatchStick(context.Background(), p, nil); err != nil || r.Written+r.Deleted+r.Boots != 0 {
			t.Errorf("a look: %+v, %v", r, err)
		}
		if got, err := cellar.ReadStickKnown(context.Background(), p.Known, nil); err != nil || !got.Image.Equal(r.Now) {
			t.Errorf("read %v, %v", got.Image, err)
		}
		if v := h.Violations(); len(v) > 0 {
			t.Error(v)
		}
	})
}

func TestPatchStickRefuses(t *testing.T) {
	tests := []struct {
		name string
		edit func(*inmem.Host, *network.StickPatch)
		want string
	}{
		{"a stick that is not what is known of it", func(x *inmem.Host, _ *network.StickPatch) { x.SetNV(nvimagetest.Reset(1)) }, "not what is known"},
		{"a stick on air", func(x *inmem.Host, _ *network.StickPatch) { x.SetRunning(true); x.SetRunning(false) }, "on air"},
		{"a stick that is held", func(x *inmem.Host, _ *network.StickPatch) { x.SetRunning(true) }, "held"},
		{"another firmware", func(_ *inmem.Host, p *network.StickPatch) { p.From.Revision = 1 }, "revision 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, cellar, p := aHome()
				test.edit(cellar, &p)
				before := cellar.Stick()
				_, err := cellar.PatchStick(context.Background(), p, nil)
				if err == nil || !strings.Contains(err.Error(), test.want) || !cellar.Stick().Equal(before) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestPatchStickThatIsTorn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, cellar, p := aHome()
		cut := errors.New("cut")
		h.SetFault(func(op string) error {
			if op == "cellar.patch-stick.torn" {
				return cut
			}
			return nil
		})
		if _, err := cellar.PatchStick(context.Background(), p, nil); !errors.Is(err, cut) || cellar.Stick().Configured() {
			t.Errorf("configured %v, %v", cellar.Stick().Configured(), err)
		}
		h.SetFault(nil)
		other := p
		other.Run = "other"
		if _, err := cellar.PatchStick(context.Background(), other, nil); !errors.Is(err, network.ErrStickChanged) {
			t.Errorf("another run: %v", err)
		}
		r, err := cellar.PatchStick(context.Background(), p, nil)
		if err != nil || !cellar.Stick().Configured() || !r.Now.Equal(cellar.Stick()) {
			t.Errorf("the same run: %+v, %v", r, err)
		}
	})
}

func TestOdometerCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cellar, _ := aHome()
		want := odometer.Odometer{Highest: 5}
		none, err := cellar.Odometer(context.Background(), "home")
		if err != nil || none.Highest != 0 {
			t.Errorf("without a copy: %+v, %v", none, err)
		}
		if err := cellar.KeepOdometer(context.Background(), "home", want); err != nil {
			t.Fatal(err)
		}
		if got, err := cellar.Odometer(context.Background(), "home"); err != nil || got.Highest != 5 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
