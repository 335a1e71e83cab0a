package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// What keeps stand-bys warm, and what a warm stand-by is good for.

// warmHome was seeded: both stand-bys hold the network.
func warmHome(t *testing.T) (*inmem.Home, *inmem.Stores) {
	t.Helper()
	return warmed.home(t, func() (*inmem.Home, *inmem.Stores) {
		h, s := newHome("attic", "cellar", "shed"), inmem.NewStores()
		ended, err := controller(h, s).Seed(context.Background(), engine.Request{}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, ended)
		return h, s
	})
}

var newcomer = engine.BridgeDevice{IEEE: lamp + 0x50, FriendlyName: "newcomer", Type: "EndDevice"}

// captured takes a live capture that must go well.
func captured(t *testing.T, c *engine.Controller) engine.Captured {
	t.Helper()
	time.Sleep(time.Minute)
	got, err := c.Capture(context.Background(), engine.CaptureRequest{Live: true}, quiet)
	if err != nil || got.Err != nil || got.Refused != 0 {
		t.Fatalf("capture: %+v, %v", got, err)
	}
	return got
}

func knows(img *nvimage.Image, d engine.BridgeDevice) bool {
	return slices.ContainsFunc(img.Devices(), func(x nvimage.Device) bool { return x.IEEE == d.IEEE })
}

func recordOf(t *testing.T, s *inmem.Stores) network.Record {
	t.Helper()
	r, err := s.Memory().Load("home")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// writes counts the operations that change something on a node.
func writes(h *inmem.Home) *[]string {
	var ops []string
	h.SetFault(func(op string) error {
		if strings.HasSuffix(op, ".load-stick") || strings.HasSuffix(op, ".stage") || strings.HasSuffix(op, ".patch-stick") {
			ops = append(ops, op)
		}
		return nil
	})
	return &ops
}

func TestCaptureKeepsStandbysCurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		current := func(devices string) {
			t.Helper()
			g, err := s.Shelf().Latest("home")
			if err != nil || len(g.Refused) > 0 {
				t.Fatal(g.Refused, err)
			}
			for _, name := range []string{"cellar", "shed"} {
				if on := recordOf(t, s).Sticks[name]; on.Trouble != "" || on.Image == "" {
					t.Fatalf("%s: %+v", name, on)
				}
				if got := recordOf(t, s).Staged[name].Generation; got != g.Number {
					t.Fatalf("%s has generation %d staged, %d is the last", name, got, g.Number)
				}
				if got := knows(h.Host(name).Stick(), newcomer); got != strings.Contains(devices, "newcomer") {
					t.Fatalf("the stick of %s knows the newcomer: %t", name, got)
				}
			}
			noViolations(t, h)
		}
		captured(t, c)
		current("")
		h.Join(newcomer)
		if got := captured(t, c); !got.New || got.Outcome != plan.Completed {
			t.Fatalf("after a join: %+v", got)
		}
		current("newcomer")
		h.Rename(newcomer.IEEE, "renamed")
		if got := captured(t, c); !got.New {
			t.Fatalf("after a renaming: %+v", got)
		}
		current("newcomer")
		h.Leave(newcomer.IEEE)
		if err := c.NoteLeft("home", network.Leaving{IEEE: newcomer.IEEE, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		captured(t, c)
		current("")
		settled(t, h, "attic")
	})
}

func TestNothingIsWrittenWhenNothingChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		captured(t, c)
		ops := writes(h)
		got, err := c.Capture(context.Background(), engine.CaptureRequest{}, quiet)
		if err != nil || got.New || got.Run != "" || len(*ops) > 0 {
			t.Fatalf("%+v, %v, %v", got, err, *ops)
		}
		before := h.Host("cellar").Stick()
		time.Sleep(10 * time.Minute)
		captured(t, c)
		if diff := nvimage.Diff(before, h.Host("cellar").Stick()); len(diff) > 0 {
			t.Fatalf("ten minutes of traffic wrote %v", diff)
		}
	})
}

// TestRefusedCaptureReachesNobody reaches every guard; a person's word lets it through.
func TestRefusedCaptureReachesNobody(t *testing.T) {
	edit := func(path string, f func(string) string) func(*inmem.Home) {
		return func(h *inmem.Home) { h.Host("attic").Edit(path, f) }
	}
	for _, tt := range []struct {
		name  string
		spoil func(h *inmem.Home)
		live  bool
		want  string
	}{
		{"emptied database", edit("database.db", func(string) string { return "" }), false, "holds no device"},
		{"vanished device", func(h *inmem.Home) { h.Leave(newcomer.IEEE) }, true, "newcomer"},
		{"hollowed entries", edit("database.db", func(s string) string { return strings.ReplaceAll(s, "  ", "") }), false, "shrank"},
		{"another key", func(h *inmem.Home) { h.Host("attic").EditKey("00000000") }, false, "network key"},
		{"a backup of a stick without link keys", edit("coordinator_backup.json", func(s string) string {
			return strings.ReplaceAll(s, `"link_key"`, `"no_link_key"`)
		}), false, "link key"},
		{"a backup of an older day", func(h *inmem.Home) {
			first := h.Host("attic").Data()["coordinator_backup.json"]
			time.Sleep(24 * time.Hour)
			h.Host("attic").Edit("coordinator_backup.json", func(string) string { return first })
		}, false, "fell from"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				c := controller(h, s)
				h.Join(newcomer)
				if tt.want == "fell from" { // what is edited is older than this
					time.Sleep(24 * time.Hour)
					old := h.Host("attic").Data()["coordinator_backup.json"]
					captured(t, c)
					tt.spoil = func(h *inmem.Home) {
						h.Host("attic").Edit("coordinator_backup.json", func(string) string { return old })
					}
				}
				good := captured(t, c)
				before := h.Host("cellar").Stick()
				tt.spoil(h)
				ops := writes(h)
				var got engine.Captured
				for range 2 { // the same again is not kept again
					var err error
					got, err = c.Capture(context.Background(), engine.CaptureRequest{Live: tt.live}, quiet)
					if err != nil || got.Refused != good.Generation+1 || got.Generation != good.Generation || !strings.Contains(strings.Join(got.Why, ", "), tt.want) {
						t.Fatalf("%+v, %v", got, err)
					}
				}
				if len(*ops) > 0 || recordOf(t, s).Refused != got.Refused || len(nvimage.Diff(before, h.Host("cellar").Stick())) > 0 {
					t.Fatalf("a refused capture was brought somewhere: %v", *ops)
				}
				if why, err := c.WhyRefused("", got.Refused); err != nil || len(why) == 0 {
					t.Fatal(why, err)
				}
				g, err := c.Accept("", got.Refused, "Owner")
				if err != nil || !g.Usable() || recordOf(t, s).Refused != 0 {
					t.Fatalf("%+v, %v", g, err)
				}
				next, err := c.Capture(context.Background(), engine.CaptureRequest{Live: tt.live}, quiet)
				if err != nil || next.Refused != 0 || recordOf(t, s).Staged["cellar"].Generation != next.Generation || next.Generation < g.Number {
					t.Fatalf("%+v, %v", next, err)
				}
				noViolations(t, h)
			})
		})
	}
}

// A stand-by that waits for days while a capture is refused may start at any time: its
// reservation goes on above what the network has used.
func TestRefusedCaptureKeepsTheReservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		captured(t, c)
		was := recordOf(t, s).Sticks["cellar"].Reserved
		h.Host("attic").Edit("database.db", func(string) string { return "" })
		for range 10 {
			time.Sleep(12 * time.Hour)
			got, err := c.Capture(context.Background(), engine.CaptureRequest{Live: true}, quiet)
			if err != nil || got.Refused == 0 {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		r := recordOf(t, s)
		is := r.Sticks["cellar"].Reserved
		if is <= was || is < r.Odometer.Floor(time.Now()) {
			t.Errorf("reserved %d, it was %d five days ago; the floor is %d", is, was, r.Odometer.Floor(time.Now()))
		}
		held, err := h.Host("cellar").Stick().Counters()
		if err != nil || held.NWK < is {
			t.Errorf("the stick holds %d, on record is %d, %v", held.NWK, is, err)
		}
		noViolations(t, h)
	})
}

// A stick that never held the network cannot be made ready without the active, and that is
// told before anything is stopped.
func TestNoFailoverToAStickThatWasNeverLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		c := controller(h, s)
		captured(t, c)
		lost(h, false)
		before := writes(h)
		_, err := c.Failover(context.Background(), engine.Request{To: "cellar", Confirmed: "the owner has unplugged it"}, quiet)
		var refused *network.RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "never loaded") || len(*before) > 0 {
			t.Fatalf("%v, %v", err, *before)
		}
		noViolations(t, h)
	})
}

// A capture is worth having also when nobody can be given it.
func TestCaptureWithoutAnyStandby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		h.Host("cellar").SetReachable(false)
		h.Host("shed").SetReachable(false)
		h.Join(newcomer)
		got := captured(t, c)
		if !got.New || got.Run != "" || len(got.Unreachable) != 2 {
			t.Fatalf("%+v", got)
		}
		if g, err := s.Shelf().Latest("home"); err != nil || g.Number != got.Generation || len(g.Summary.Members) != 3 {
			t.Fatalf("%+v, %v", g, err)
		}
		h.Host("cellar").SetReachable(true)
		if got = captured(t, c); got.Outcome != plan.Completed || got.Unreachable["shed"] == nil || !knows(h.Host("cellar").Stick(), newcomer) {
			t.Fatalf("%+v", got)
		}
	})
}

func moved(t *testing.T, c *engine.Controller, r engine.Request) engine.Ended {
	t.Helper()
	ended, err := c.Switchover(context.Background(), r, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

func TestFastThereAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		h.Join(newcomer)
		for i := range 20 {
			time.Sleep(36 * time.Hour)
			to := []string{"cellar", "attic"}[i%2]
			e := moved(t, c, engine.Request{To: to})
			completed(t, e)
			if !e.Plan.Fast {
				t.Fatalf("move %d to %s was not fast", i, to)
			}
			settled(t, h, to)
		}
		bootsAlone(t, h, "attic")
	})
}

func TestCarefulAlthoughWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		for _, to := range []string{"cellar", "shed", "attic"} {
			time.Sleep(36 * time.Hour)
			e := moved(t, controller(h, s), engine.Request{To: to, Careful: true})
			completed(t, e)
			if e.Plan.Fast {
				t.Fatal("it was fast")
			}
			settled(t, h, to)
		}
	})
}

// A stick that somebody has used by hand is not what is on record.
func TestFastFallsBackToCareful(t *testing.T) {
	for _, torn := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h, s := warmHome(t)
			c := controller(h, s)
			captured(t, c)
			if torn { // and cannot be patched
				h.SetFault(func(op string) error {
					if op == "cellar.patch-stick" {
						return errFault
					}
					return nil
				})
			} else {
				h.Host("cellar").SetNV(nvimagetest.Reset(0x00124b00bb000009))
				failOnce(h, "cellar.load-stick")
			}
			e := moved(t, c, engine.Request{To: "cellar"})
			completed(t, e)
			if e.Plan.Fast || !strings.Contains(e.Plan.Reason, "the fast way was given up") {
				t.Fatalf("fast %t, %q", e.Plan.Fast, e.Plan.Reason)
			}
			settled(t, h, "cellar")
		})
	}
}

// A stick that was swapped for another of the network is read anew, and the move goes on.
func TestFastReadsAStickThatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		img := h.Host("cellar").Stick()
		if err := img.Raise(nvimage.Floors{NWK: 5_000_000}); err != nil {
			t.Fatal(err)
		}
		h.Host("cellar").SetNV(img)
		completed(t, moved(t, c, engine.Request{To: "cellar"}))
		settled(t, h, "cellar")
		completed(t, moved(t, c, engine.Request{To: "attic"}))
		settled(t, h, "attic")
	})
}

// lost ends the active: its Zigbee2MQTT has died, or its whole host has.
func lost(h *inmem.Home, off bool) {
	if off {
		h.Host("attic").PowerOff()
		return
	}
	h.Host("attic").SetRunning(false) // its stick stays on air
}

func TestFailover(t *testing.T) {
	for _, age := range []time.Duration{time.Minute, 36 * time.Hour, 20 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			h, s := warmHome(t)
			c := controller(h, s)
			h.Join(newcomer)
			captured(t, c)
			time.Sleep(age)
			lost(h, false)
			e, err := c.Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
			if err != nil {
				t.Fatal(err)
			}
			completed(t, e)
			bootsAlone(t, h, "cellar")
		})
	}
}

// deafBroker is a broker that is down: Zigbee2MQTT goes on and nobody hears it.
type deafBroker struct{ engine.Bridge }

func (deafBroker) State(context.Context) (engine.BridgeState, error) {
	return engine.BridgeState{}, errFault
}

func (deafBroker) Refresh(context.Context) (engine.BridgeInfo, error) {
	return engine.BridgeInfo{}, errFault
}

func TestNoFailoverWithoutABroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		captured(t, controller(h, s))
		c := engine.New(engine.Parts{
			Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Bridge: deafBroker{h.Bridge()}, Timing: plan.DefaultTiming()}},
			Journal:  s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Log: slog.New(slog.DiscardHandler),
		})
		_, err := c.Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
		if refused := new(network.RefusedError); !errors.As(err, &refused) || !strings.Contains(err.Error(), "broker") {
			t.Errorf("got %v", err)
		}
		settled(t, h, "attic")
	})
}

func TestFailoverFromAnUnreachableNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		captured(t, c)
		time.Sleep(48 * time.Hour)
		lost(h, true)
		_, err := c.Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
		var refused *network.RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "--confirm-unplugged") || len(h.OnAir()) != 0 {
			t.Fatalf("without a word: %v", err)
		}
		e, err := c.Failover(context.Background(), engine.Request{To: "cellar", Confirmed: "the owner has unplugged it"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		settled(t, h, "cellar")
		h.Host("attic").SetAtBoot(false) // by a person, before it has the stick again
		h.Host("attic").PowerOn()
		time.Sleep(time.Hour)
		captured(t, c)
		for _, to := range []string{"", "attic"} {
			if _, err := c.StartNode(context.Background(), engine.Request{To: to}, quiet); err == nil {
				t.Fatal("a start while cellar serves was not refused")
			}
		}
		bootsAlone(t, h, "cellar")
		completed(t, moved(t, c, engine.Request{To: "attic"}))
		bootsAlone(t, h, "attic")
	})
}

func TestRestoreBringsADeviceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		h.Join(newcomer)
		good := captured(t, c).Generation
		time.Sleep(36 * time.Hour)
		h.Host("attic").Edit("database.db", func(string) string { return "" })
		e, err := c.Restore(context.Background(), engine.Request{Generation: good, Reason: "Owner"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		settled(t, h, "attic")
		g, err := s.Shelf().Latest("home")
		if err != nil || g.Accepted == nil || len(g.Summary.Members) != 3 {
			t.Fatalf("%+v, %v", g, err)
		}
		captured(t, c)
		completed(t, moved(t, c, engine.Request{To: "cellar"}))
		bootsAlone(t, h, "cellar")
	})
}

// A stick that can take no copy gets what Zigbee2MQTT restores.
func TestYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		h.Join(newcomer)
		time.Sleep(36 * time.Hour)
		completed(t, moved(t, c, engine.Request{To: "cellar", Yield: true}))
		settled(t, h, "cellar")
		time.Sleep(36 * time.Hour)
		completed(t, moved(t, c, engine.Request{To: "attic", Careful: true}))
		settled(t, h, "attic")
	})
}

// Another firmware is why a stick takes no copy, so it is no reason to refuse this.
func TestYieldToAnotherFirmware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		h.Host("cellar").Flash(20240710)
		if e := moved(t, c, engine.Request{To: "cellar", Careful: true}); e.Outcome != plan.GivenUp || !strings.Contains(e.Err.Error(), "firmware revision") {
			t.Fatalf("%s, %v", e.Outcome, e.Err)
		}
		completed(t, moved(t, c, engine.Request{To: "cellar", Yield: true}))
		settled(t, h, "cellar")
		completed(t, moved(t, c, engine.Request{To: "attic", Yield: true}))
		settled(t, h, "attic")
	})
}
