package nvram_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znpsim"
)

var simNetwork = zigbee.Identity{
	PanID: 0x1a62, ExtPanID: 0xc0ffee0011223344, Channel: 20, IEEE: 0x00124b00aa000001,
	Key: zigbee.Key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
}

func simImage() *nvimage.Image {
	return znpsim.FormedImage(simNetwork,
		znpsim.Joined{IEEE: 0x00158d0000000101, Nwk: 0x1001, LinkKey: true},
		znpsim.Joined{IEEE: 0x00158d0000000102, Nwk: 0x1002, LinkKey: true, Child: true})
}

// onSim runs a test against an emulated stick, in time that costs nothing.
func onSim(t *testing.T, memory *nvimage.Image, test func(*testing.T, *znpsim.Dongle, func() *znp.Client)) {
	synctest.Test(t, func(t *testing.T) {
		medium := znpsim.NewMedium(znpsim.MediumOptions{})
		stick := znpsim.NewDongle(znpsim.DongleOptions{Name: "cellar", Image: memory, Medium: medium})
		ctx, stop := context.WithCancel(context.Background())
		dial := func() *znp.Client {
			synctest.Wait() // until the client before is gone
			near, far := net.Pipe()
			go func() { _ = stick.Serve(ctx, far) }()
			c := znp.NewClient(near, znp.Options{})
			t.Cleanup(func() { _ = c.Close() })
			if err := c.Connect(ctx); err != nil {
				t.Fatal(err)
			}
			return c
		}
		t.Cleanup(func() { _ = medium.Close() })
		t.Cleanup(stop)
		test(t, stick, dial)
	})
}

func simOptions(c *znp.Client) nvram.WriteOptions {
	s, _ := c.Version(context.Background())
	return nvram.WriteOptions{From: s}
}

func TestEmulatedStickIsReadWhole(t *testing.T) {
	onSim(t, simImage(), func(t *testing.T, stick *znpsim.Dongle, dial func() *znp.Client) {
		got, err := nvram.Read(context.Background(), dial(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if changes := nvimage.Diff(stick.Image(), got); len(changes) > 0 {
			t.Errorf("differs: %v", changes)
		}
	})
}

func TestEmulatedStickIsLoadedOnce(t *testing.T) {
	onSim(t, nil, func(t *testing.T, stick *znpsim.Dongle, dial func() *znp.Client) {
		c := dial()
		want, err := nvimage.Successor(simImage(), stick.Image(), nvimage.Floors{NWK: 50_000, LinkMargin: 2500})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nvram.Write(context.Background(), c, want, simOptions(c)); err != nil {
			t.Fatal(err)
		}
		if changes, err := nvram.Verify(context.Background(), c, want); err != nil || len(changes) > 0 {
			t.Errorf("after the load: %v, %v", changes, err)
		}
		if id, err := stick.Image().Identity(); err != nil || len(id.Differences(simNetwork)) > 0 {
			t.Errorf("identity %v, %v", id, err)
		}
		if counters, err := stick.Image().Counters(); err != nil || counters.NWK < 50_000 {
			t.Errorf("counters %+v, %v", counters, err)
		}
		again, err := nvram.Write(context.Background(), c, want, simOptions(c))
		if err != nil || again.Written != 0 || again.Boots != 0 {
			t.Errorf("again: %+v, %v", again, err)
		}
	})
}

func TestEmulatedStickThatLosesPower(t *testing.T) {
	for _, torn := range []bool{false, true} {
		for n := 1; n < 340; n += 37 {
			onSim(t, nil, func(t *testing.T, stick *znpsim.Dongle, dial func() *znp.Client) {
				c := dial()
				o := simOptions(c)
				want, err := nvimage.Successor(simImage(), nil, nvimage.Floors{NWK: 50_000})
				if err != nil {
					t.Fatal(err)
				}
				stick.SetFault(znpsim.Fault{CutAtWrite: n, TornItem: torn})
				_, err = nvram.Write(context.Background(), c, want, o)
				if stick.Fault().CutAtWrite > 0 {
					return // the load has fewer writes
				}
				if err == nil || stick.Image().Configured() {
					t.Fatalf("cut at write %d: configured %v, error %v", n, stick.Image().Configured(), err)
				}
				_ = c.Close()
				c = dial()
				o.Resume = true
				if _, err := nvram.Write(context.Background(), c, want, o); err != nil {
					t.Fatalf("load after a cut at write %d: %v", n, err)
				}
				if changes, err := nvram.Verify(context.Background(), c, want); err != nil || len(changes) > 0 {
					t.Fatalf("load after a cut at write %d leaves %v, %v", n, changes, err)
				}
			})
		}
	}
}

func TestEmulatedStickThatRefusesAWrite(t *testing.T) {
	onSim(t, nil, func(t *testing.T, stick *znpsim.Dongle, dial func() *znp.Client) {
		c := dial()
		stick.SetFault(znpsim.Fault{FailWrite: 40})
		_, err := nvram.Write(context.Background(), c, simImage(), simOptions(c))
		var status *znp.StatusError
		if !errors.As(err, &status) || stick.Image().Configured() {
			t.Errorf("configured %v, error %v", stick.Image().Configured(), err)
		}
	})
}

func TestEmulatedStickThatLosesAnswers(t *testing.T) {
	for _, n := range []int{50, 500, 700, 800, 1000} {
		onSim(t, nil, func(t *testing.T, stick *znpsim.Dongle, dial func() *znp.Client) {
			c := dial()
			o := simOptions(c)
			stick.SetFault(znpsim.Fault{LoseAnswer: n})
			if _, err := nvram.Write(context.Background(), c, simImage(), o); err != nil {
				t.Fatalf("answer %d lost: %v", n, err)
			}
			if changes, err := nvram.Verify(context.Background(), c, simImage()); err != nil || len(changes) > 0 {
				t.Errorf("answer %d lost: %v, %v", n, changes, err)
			}
		})
	}
}

// simJoin is memory after a device has joined, and the options to bring it there.
func simJoin(c *znp.Client, memory *nvimage.Image) (*nvimage.Image, nvram.PatchOptions) {
	s, _ := c.Version(context.Background())
	return joined(memory), nvram.PatchOptions{From: s, Reset: true}
}

func TestEmulatedStickIsKeptCurrent(t *testing.T) {
	onSim(t, simImage(), func(t *testing.T, stick *znpsim.Dongle, dial func() *znp.Client) {
		c := dial()
		known, err := nvram.Read(context.Background(), c, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, o := simJoin(c, known)
		report, err := nvram.Patch(context.Background(), c, known, want, o)
		if err != nil {
			t.Fatal(err)
		}
		if changes := nvimage.Diff(report.Now, stick.Image()); len(changes) > 0 || report.Boots != 1 {
			t.Errorf("the report is wrong in %v: %+v", changes, report)
		}
		again, err := nvram.ReadKnown(context.Background(), c, report.Now.Layout(), nil)
		if err != nil || !again.Equal(report.Now) {
			t.Errorf("read again: %v, %v", nvimage.Diff(report.Now, again), err)
		}
		o.Reset = false
		if report, err = nvram.Patch(context.Background(), c, again, again, o); err != nil || report.Written+report.Boots != 0 {
			t.Errorf("again: %+v, %v", report, err)
		}
	})
}

func TestEmulatedStickLosesPowerInAPatch(t *testing.T) {
	for _, torn := range []bool{false, true} {
		for n := 1; n <= 8; n++ {
			onSim(t, simImage(), func(t *testing.T, stick *znpsim.Dongle, dial func() *znp.Client) {
				c := dial()
				known := stick.Image()
				want, o := simJoin(c, known)
				var kept *nvimage.Image
				o.Keep = func(old *nvimage.Image) error { kept = old; return nil }
				stick.SetFault(znpsim.Fault{CutAtWrite: n, TornItem: torn})
				_, err := nvram.Patch(context.Background(), c, known, want, o)
				if stick.Fault().CutAtWrite > 0 {
					return // the patch has fewer writes
				}
				if err == nil || stick.Image().Configured() {
					t.Fatalf("cut at write %d: configured %v, error %v", n, stick.Image().Configured(), err)
				}
				_ = c.Close()
				o.Resume = kept
				report, err := nvram.Patch(context.Background(), dial(), known, want, o)
				if err != nil {
					t.Fatalf("cut at write %d, taken up again: %v", n, err)
				}
				for _, change := range nvimage.Diff(report.Now, stick.Image()) {
					if !change.IsCounterOnly() { // a boot more moves them on
						t.Errorf("cut at write %d: %v", n, change)
					}
				}
				if fell := fallen(known, stick.Image()); fell != "" {
					t.Errorf("cut at write %d: %s", n, fell)
				}
			})
		}
	}
}

func TestEmulatedStickLosesAnswersInAPatch(t *testing.T) {
	for n := 1; n < 40; n++ {
		onSim(t, simImage(), func(t *testing.T, stick *znpsim.Dongle, dial func() *znp.Client) {
			c := dial()
			known := stick.Image()
			want, o := simJoin(c, known)
			var kept *nvimage.Image
			o.Keep = func(old *nvimage.Image) error { kept = old; return nil }
			stick.SetFault(znpsim.Fault{LoseAnswer: n})
			report, err := nvram.Patch(context.Background(), c, known, want, o)
			if err != nil { // a question of another kind than for an item is not repeated
				o.Resume = kept
				report, err = nvram.Patch(context.Background(), c, known, want, o)
			}
			if err != nil {
				t.Fatalf("answer %d lost: %v", n, err)
			}
			if changes := nvimage.Diff(report.Now, stick.Image()); len(changes) > 0 && !changes[0].IsCounterOnly() {
				t.Errorf("answer %d lost: %v", n, changes)
			}
		})
	}
}
