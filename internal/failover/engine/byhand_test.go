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
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// What a stop and a start meet when people, other programs and service managers act too.

func startRefused(t *testing.T, c *engine.Controller, node, want string) {
	t.Helper()
	ended, err := c.StartNode(context.Background(), engine.Request{To: node}, quiet)
	if err = errors.Join(err, ended.Err); err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want %q", err, want)
	}
}

// An active node that was never promoted has no mark in its configuration.
func TestFirstActiveCanBeStartedAgain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(t *testing.T, h *inmem.Home, c *engine.Controller)
	}{
		{"nothing was done yet", func(*testing.T, *inmem.Home, *engine.Controller) {}},
		{"after a move that was taken back", func(t *testing.T, h *inmem.Home, c *engine.Controller) {
			h.Host("cellar").DieAfter(2 * time.Second)
			if e := switchover(t, c, "cellar"); e.Outcome != plan.RolledBack {
				t.Fatalf("%s: %v", e.Outcome, e.Err)
			}
		}},
		{"after a sync", func(t *testing.T, h *inmem.Home, c *engine.Controller) {
			if _, err := c.Capture(context.Background(), engine.CaptureRequest{}, quiet); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHome("attic", "cellar"), inmem.NewStores()
				c := controller(h, s)
				tt.before(t, h, c)
				completed(t, oneNode(t, c.StopNode, "attic"))
				time.Sleep(time.Hour)
				completed(t, oneNode(t, c.StartNode, ""))
				bootsAlone(t, h, "attic")
			})
		})
	}
}

// A move that is on record is never taken back, whatever is left of its run.
func TestRecordedMoveIsNotTakenBack(t *testing.T) {
	for _, ev := range []plan.Event{plan.EventBegin, plan.EventDone} {
		for _, when := range []string{"before", "after"} {
			t.Run(when+" "+string(ev), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHome("attic", "cellar")
					s := died(h, when, ev, plan.ActEnable)
					settled(t, h, "cellar")
					data := h.Host("cellar").Data()
					time.Sleep(72 * time.Hour)
					h.Host("cellar").SetRunning(false) // for some work on it
					h.Host("cellar").PowerCycleStick()
					if err := comeBack(t, h, s); err != nil {
						t.Fatal(err)
					}
					noViolations(t, h)
					if on := h.OnAir(); len(on) != 0 || len(data) != len(h.Host("cellar").Data()) {
						t.Fatalf("on air %v, data %v", on, h.Host("cellar").Data())
					}
					completed(t, oneNode(t, controller(h, s).StartNode, ""))
					bootsAlone(t, h, "cellar")
				})
			})
		}
	}
}

// The controller dies before it has stopped anything; a person moves the network.
func TestNobodyElseIsEnabledLater(t *testing.T) {
	for _, ev := range []plan.Event{plan.EventBegin, plan.EventDone} {
		t.Run(string(ev), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := aHome(t)
				cutOff(s, "after", ev, plan.ActDisable)
				_, _ = controller(h, s).Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
				s.OnAppend = nil
				for _, name := range []string{"attic", "cellar"} {
					h.Host(name).SetRunning(name == "cellar")
					h.Host(name).SetAtBoot(name == "cellar")
					h.Host("attic").PowerCycleStick()
				}
				before := len(h.Violations())
				_ = comeBack(t, h, s)
				if v := h.Violations()[before:]; len(v) > 0 || !slices.Equal(h.AtBoot(), []string{"cellar"}) {
					t.Fatalf("start at boot: %v, %v", h.AtBoot(), v)
				}
			})
		})
	}
}

// Somebody ends the command while the target is being proven.
func TestInterruptedProofStillMovesTheStartAtBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := aHome(t)
		ctx, cancel := context.WithCancel(context.Background())
		ended, err := controller(h, s).Switchover(ctx, engine.Request{To: "cellar"}, func(r engine.Report) {
			if r.Step.Act == plan.ActProve {
				cancel()
			}
		})
		if err != nil || ended.Outcome != plan.Completed {
			t.Fatalf("%s: %v, %v", ended.Outcome, ended.Err, err)
		}
		bootsAlone(t, h, "cellar")
	})
}

// Two run, and one of them cannot be disabled: it is silenced all the same.
func TestStopGoesOnWithoutDisable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := aHome(t)
		h.SetFault(func(op string) error {
			if op == "attic.disable" {
				return errFault
			}
			return nil
		})
		ended := oneNode(t, controller(h, s).StopNode, "attic")
		completed(t, ended)
		if on := h.OnAir(); len(on) != 0 || !strings.Contains(ended.Facts.Unproven, "still starts at boot") {
			t.Fatalf("on air %v, unproven %q", on, ended.Facts.Unproven)
		}
	})
}

func TestStuckStopLeavesTheStartAtBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := aHome(t)
		h.Host("attic").SetStuck(true)
		if ended := oneNode(t, controller(h, s).StopNode, "attic"); ended.Outcome != plan.GivenUp {
			t.Fatalf("%s: %v", ended.Outcome, ended.Err)
		}
		bootsAlone(t, h, "attic")
	})
}

// A person moves the network by hand. Afterwards the record is wrong, and whoever is
// started from it may hold an old network.
func TestStaleRecord(t *testing.T) {
	byHand := func(h *inmem.Home, from, to string) {
		h.Host(from).SetRunning(false)
		h.Host(from).PowerCycleStick()
		h.Host(to).SetRunning(true)
	}
	t.Run("a sync shows it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, s := newHome("attic", "cellar"), inmem.NewStores()
			c := controller(h, s)
			completed(t, switchover(t, c, "cellar"))
			byHand(h, "cellar", "attic")
			if got, err := c.Capture(context.Background(), engine.CaptureRequest{}, quiet); err != nil || got.Outcome != plan.Completed {
				t.Fatalf("%s, %v, %v", got.Outcome, got.Err, err)
			}
			completed(t, oneNode(t, c.StopNode, "attic"))
			startRefused(t, c, "cellar", "attic was active last")
		})
	})
	t.Run("a stop shows it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, s := newHome("attic", "cellar"), inmem.NewStores()
			c := controller(h, s)
			completed(t, switchover(t, c, "cellar"))
			byHand(h, "cellar", "attic")
			completed(t, oneNode(t, c.StopNode, "attic"))
			for _, node := range []string{"", "attic", "cellar"} {
				startRefused(t, c, node, "not on record which node was active last")
			}
			if on := h.OnAir(); len(on) != 0 {
				t.Fatalf("on air: %v", on)
			}
		})
	})
	t.Run("the stop of a second voice keeps it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, s := newHome("attic", "cellar"), inmem.NewStores()
			c := controller(h, s)
			completed(t, switchover(t, c, "cellar"))
			h.Host("attic").SetRunning(true)
			completed(t, oneNode(t, c.StopNode, "attic"))
			completed(t, oneNode(t, c.StopNode, "cellar"))
			completed(t, oneNode(t, c.StartNode, ""))
			if on := h.OnAir(); !slices.Equal(on, []string{"cellar"}) || !h.Works() {
				t.Fatalf("on air: %v", on)
			}
		})
	})
}

// Between stop and start the old active is started by hand, and left on air.
func TestOldActiveByHandBetweenStopAndStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		c := controller(h, s)
		completed(t, switchover(t, c, "cellar"))
		completed(t, oneNode(t, c.StopNode, "cellar"))
		h.Host("attic").SetRunning(true) // breaks I2 without our doing
		before := len(h.Violations())
		startRefused(t, c, "", "attic is not stopped")
		time.Sleep(96 * time.Hour)
		h.Host("attic").SetRunning(false) // its stick stays on air
		completed(t, oneNode(t, c.StartNode, ""))
		if v := h.Violations()[before:]; len(v) > 0 {
			t.Fatalf("broken: %v", v)
		}
		if on := h.OnAir(); !slices.Equal(on, []string{"cellar"}) || !h.Works() {
			t.Fatalf("on air: %v", on)
		}
	})
}

// A stick that was put back to an earlier state by hand holds fewer counters than the
// network has used, which only the data beside it can tell.
func TestOlderStickIsNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		c := controller(h, s)
		completed(t, switchover(t, c, "cellar"))
		old := h.Host("cellar").Stick()
		time.Sleep(10 * 24 * time.Hour)
		completed(t, oneNode(t, c.StopNode, "cellar"))
		used := h.Host("cellar").Stick()
		h.Host("cellar").SetNV(old)
		startRefused(t, c, "", "older")
		if on := h.OnAir(); len(on) != 0 {
			t.Fatalf("on air: %v", on)
		}
		ended, err := c.StartNode(context.Background(), engine.Request{AcceptChange: true}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, ended)
		settled(t, h, "cellar")
		was, err1 := used.Counters()
		is, err2 := h.Host("cellar").Stick().Counters()
		if err := errors.Join(err1, err2); err != nil || is.NWK <= was.NWK {
			t.Fatalf("counter %d, %d were used, %v", is.NWK, was.NWK, err)
		}
		for dev, n := range was.LinkKey {
			if is.LinkKey[dev] < n+500_000 {
				t.Errorf("link key of %s at %d after %d", dev, is.LinkKey[dev], n)
			}
		}
	})
}

// A stick of another network whose key happens to be the same.
func TestStickOfAnotherPANIsNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		c := controller(h, s)
		completed(t, switchover(t, c, "cellar"))
		completed(t, oneNode(t, c.StopNode, "cellar"))
		other := h.Host("cellar").Stick()
		nib, _ := other.Get(nvimage.OSAL(nvimage.Nib))
		nib = slices.Clone(nib)
		nib[36], nib[37] = 0x99, 0x99
		other.Set(nvimage.OSAL(nvimage.Nib), nib)
		h.Host("cellar").SetSwapped(other)
		startRefused(t, c, "", "PAN id")
		if on := h.OnAir(); len(on) != 0 {
			t.Fatalf("on air: %v", on)
		}
	})
}

// Another Zigbee2MQTT with our base topic answers in place of the one that was started.
type stranger struct {
	engine.Bridge
	info engine.BridgeInfo
}

func (s stranger) Refresh(context.Context) (engine.BridgeInfo, error) { return s.info, nil }

func TestStrangerOnOurTopic(t *testing.T) {
	for _, mark := range []string{"", "elsewhere", "attic"} {
		t.Run(mark, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHome("attic", "cellar"), inmem.NewStores()
				c := controller(h, s)
				completed(t, switchover(t, c, "cellar"))
				completed(t, oneNode(t, c.StopNode, "cellar"))
				c = engine.New(engine.Parts{
					Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Timing: plan.DefaultTiming(),
						Bridge: stranger{h.Bridge(), engine.BridgeInfo{Node: mark, PanID: 0x1234, Channel: 20}}}},
					Journal: s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Log: slog.New(slog.DiscardHandler),
				})
				if e := oneNode(t, c.StartNode, ""); e.Outcome != plan.RolledBack {
					t.Fatalf("%s: %v", e.Outcome, e.Err)
				}
				noViolations(t, h)
				if on := h.OnAir(); len(on) != 0 || len(h.AtBoot()) != 0 {
					t.Fatalf("on air %v, at boot %v", on, h.AtBoot())
				}
				time.Sleep(time.Minute)
				completed(t, oneNode(t, controller(h, s).StartNode, "")) // it is gone
				bootsAlone(t, h, "cellar")
			})
		})
	}
}

// The clock was a day ahead until the stop.
func TestClockSetBackBetweenStopAndStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		c := controller(h, s)
		completed(t, switchover(t, c, "cellar"))
		time.Sleep(72 * time.Hour)
		completed(t, oneNode(t, c.StopNode, "cellar"))
		r, err := s.Memory().Load("home")
		if err != nil {
			t.Fatal(err)
		}
		r.Odometer.At = time.Now().Add(24 * time.Hour)
		if err := s.Memory().Save(r); err != nil {
			t.Fatal(err)
		}
		completed(t, oneNode(t, c.StartNode, ""))
		settled(t, h, "cellar")
		completed(t, switchover(t, c, "attic"))
		settled(t, h, "attic")
	})
}

func TestStartWithEmptiedData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		c := controller(h, s)
		completed(t, switchover(t, c, "cellar"))
		completed(t, oneNode(t, c.StopNode, "cellar"))
		h.Devices = nil
		startRefused(t, c, "", "holds no device")
		if on := h.OnAir(); len(on) != 0 {
			t.Fatalf("on air: %v", on)
		}
	})
}

// A hold is set in mid-run: the run goes on to a safe end, and after a crash nothing is
// done until the hold is released.
func TestHoldInMidRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := aHome(t)
		held := false
		c := func() *engine.Controller {
			return engine.New(engine.Parts{
				Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Bridge: h.Bridge(), Timing: plan.DefaultTiming()}},
				Journal:  s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Log: slog.New(slog.DiscardHandler),
				Held: func(string) (string, error) {
					if held {
						return "home is on hold", nil
					}
					return "", nil
				},
			})
		}
		h.SetFault(func(op string) error { held = held || op == "attic.stop"; return nil })
		completed(t, switchover(t, c(), "cellar"))
		settled(t, h, "cellar")
		held = false
		cutOff(s, "after", plan.EventDone, plan.ActFence)
		_, _ = c().Switchover(context.Background(), engine.Request{To: "attic"}, quiet)
		s.OnAppend = nil
		held = true
		h.SetFault(func(op string) error { t.Errorf("on hold, and %s", op); return nil })
		var refused *network.RefusedError
		if err := c().Recover(context.Background(), "", quiet); !errors.As(err, &refused) {
			t.Fatalf("got %v", err)
		}
		h.SetFault(nil)
		held = false
		if err := c().Recover(context.Background(), "", quiet); err != nil {
			t.Fatal(err)
		}
		bootsAlone(t, h, "cellar")
	})
}

// Two stand-bys; one cannot be reached.
func TestStartWithAnUnreachableStandby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := aHome(t)
		c := controller(h, s)
		completed(t, oneNode(t, c.StopNode, "attic"))
		h.SetFault(func(op string) error { // lost in the middle, proven silent by this very run
			if op == "attic.load-stick" {
				h.Host("shed").CutOffUnlocked()
			}
			return nil
		})
		completed(t, oneNode(t, c.StartNode, ""))
		bootsAlone(t, h, "attic")
	})
}

// The node that is started dies at once, and its manager starts it again and again.
func TestStartedNodeRestartsByItself(t *testing.T) {
	for _, after := range []time.Duration{time.Millisecond, 2 * time.Second, 12 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := aHome(t)
				c := controller(h, s)
				completed(t, oneNode(t, c.StopNode, "attic"))
				h.Host("attic").RestartAlways()
				h.Host("attic").DieAfter(after)
				e := oneNode(t, c.StartNode, "")
				time.Sleep(time.Minute)
				noViolations(t, h)
				switch on := h.OnAir(); {
				case e.Outcome == plan.Completed && slices.Equal(on, []string{"attic"}):
				case e.Outcome == plan.RolledBack && len(on) == 0:
				default:
					t.Fatalf("%s with %v on air: %v", e.Outcome, on, e.Err)
				}
			})
		})
	}
}

// Stopping a stand-by touches nothing of the active.
func TestStopOfAStandby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := aHome(t)
		c := controller(h, s)
		h.SetFault(func(op string) error {
			if strings.HasPrefix(op, "attic.") && op != "attic.observe" {
				return errors.New(op)
			}
			return nil
		})
		completed(t, oneNode(t, c.StopNode, "cellar"))
		h.SetFault(nil)
		if r, err := s.Memory().Load("home"); err != nil || r.Active != "attic" {
			t.Fatalf("%+v, %v", r, err)
		}
		completed(t, switchover(t, c, "cellar"))
		bootsAlone(t, h, "cellar")
	})
}

// A stand-by that was proven silent is started between a look at it and the question to
// its stick: that the stick is held then is no mere lack of an answer.
func TestStickTakenBetweenLookAndQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := aHome(t)
		c := controller(h, s)
		completed(t, oneNode(t, c.StopNode, "attic"))
		theirs := 0
		h.SetFault(func(op string) error {
			if op == "cellar.inspect" && theirs == 0 {
				h.Host("cellar").RunUnlocked()
				theirs = len(h.ViolationsUnlocked())
			}
			return nil
		})
		if e := oneNode(t, c.StartNode, ""); e.Outcome != plan.RolledBack || !strings.Contains(e.Err.Error(), "cellar must be silent") {
			t.Fatalf("%s: %v", e.Outcome, e.Err)
		}
		if v := h.Violations(); len(v) > theirs || !slices.Equal(h.OnAir(), []string{"cellar"}) {
			t.Fatalf("on air %v: %v", h.OnAir(), v)
		}
	})
}

// A person starts the very node by hand while its stick is being raised: it serves, so the
// run does not stay open for that.
func TestStartedByHandInTheMiddleOfItsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := aHome(t)
		c := controller(h, s)
		completed(t, oneNode(t, c.StopNode, "attic"))
		h.SetFault(func(op string) error {
			if op == "attic.load-stick" {
				h.Host("attic").RunUnlocked()
			}
			return nil
		})
		if e := oneNode(t, c.StartNode, ""); e.Outcome != plan.RolledBack {
			t.Fatalf("%s: %v", e.Outcome, e.Err)
		}
		h.SetFault(nil)
		completed(t, switchover(t, c, "cellar"))
		bootsAlone(t, h, "cellar")
	})
}

// The active has died, and somebody tries another network on the stand-by: that is none
// of ours, whether it is synced or stopped.
func TestAnotherNetworkIsNeverOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := aHome(t)
		c := controller(h, s)
		h.Host("attic").SetRunning(false)
		h.Host("attic").PowerCycleStick()
		other := h.Host("attic").Stick()
		nib, _ := other.Get(nvimage.OSAL(nvimage.Nib))
		nib = slices.Clone(nib)
		nib[36], nib[37] = 0x99, 0x99
		other.Set(nvimage.OSAL(nvimage.Nib), nib)
		h.Host("cellar").SetNV(other)
		h.Host("cellar").SetRunning(true)
		if got, err := c.Capture(context.Background(), engine.CaptureRequest{}, quiet); err != nil || got.Refused == 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		completed(t, oneNode(t, c.StopNode, "cellar"))
		completed(t, oneNode(t, c.StartNode, ""))
		if on := h.OnAir(); !slices.Equal(on, []string{"attic"}) {
			t.Fatalf("on air: %v", on)
		}
	})
}
