package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// Each of these broke a rule once.

// cutOff ends the controller for good at the nth journal line of an act.
func cutOff(s *inmem.Stores, when string, ev plan.Event, act plan.Act) {
	dead := false
	s.OnAppend = func(w string, e plan.Entry) error {
		if dead = dead || (w == when && e.Event == ev && strings.Contains(e.Step, string(act))); dead {
			return errFault
		}
		return nil
	}
}

// TestRestartedBehindOurBack: after the move something starts the old Zigbee2MQTT.
// That cannot be hindered from here, but it must not be called a success.
func TestRestartedBehindOurBack(t *testing.T) {
	for _, after := range []time.Duration{100 * time.Millisecond, 3 * time.Second, 8 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome("attic", "cellar")
				h.SetFault(func(op string) error {
					if op == "cellar.start" {
						time.AfterFunc(after, func() { h.Host("attic").SetRunning(true) })
					}
					return nil
				})
				ended := switchover(t, controller(h, inmem.NewStores()), "cellar")
				if ended.Outcome != plan.RolledBack || !strings.Contains(ended.Err.Error(), "runs again") {
					t.Fatalf("got %s, %v", ended.Outcome, ended.Err)
				}
				if on := h.OnAir(); !slices.Equal(on, []string{"attic"}) || !h.Works() {
					t.Fatalf("on air %v, works %t", on, h.Works())
				}
			})
		})
	}
}

// TestStopRefusedBeforeARestart: the target dies, its manager will start it again,
// and the stop that would keep it from that is refused at first.
func TestStopRefusedBeforeARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		h.Host("cellar").RestartAlways()
		h.Host("cellar").DieAfter(2 * time.Second)
		refused := 0
		h.SetFault(func(op string) error {
			if op == "cellar.stop" && refused < 3 {
				refused++
				return errFault
			}
			return nil
		})
		ended := switchover(t, controller(h, inmem.NewStores()), "cellar")
		time.Sleep(time.Minute)
		if ended.Outcome == plan.NeedsHelp {
			t.Fatalf("got %s, %v", ended.Outcome, ended.Err)
		}
		settled(t, h, h.OnAir()[0])
	})
}

// TestOldLoadIsNotStarted: the controller dies right before the start; a person
// starts the old active, and a month later another controller comes by.
func TestOldLoadIsNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		cutOff(s, "after", plan.EventBegin, plan.ActStart)
		_, _ = controller(h, s).Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
		s.OnAppend = nil
		h.Host("attic").SetRunning(true)
		time.Sleep(30 * 24 * time.Hour)
		h.Host("attic").SetRunning(false)
		if err := controller(h, s).Recover(context.Background(), "", quiet); err != nil {
			t.Fatal(err)
		}
		settled(t, h, "attic")
	})
}

// TestLinkKeysSurviveRepeatedRollBacks: every load lifts the target's link-key
// counters; the old stick must end above them all.
func TestLinkKeysSurviveRepeatedRollBacks(t *testing.T) {
	for n := range 4 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHome("attic", "cellar"), inmem.NewStores()
				for range n {
					failOnce(h, "cellar.promote")
					if got := switchover(t, controller(h, s), "cellar"); got.Outcome != plan.RolledBack {
						t.Fatalf("got %s, %v", got.Outcome, got.Err)
					}
				}
				h.SetFault(nil)
				h.Host("cellar").DieAfter(2 * time.Second)
				switchover(t, controller(h, s), "cellar")
				settled(t, h, "attic")
				old, err1 := h.Host("attic").Stick().Counters()
				target, err2 := h.Host("cellar").Stick().Counters()
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
				for dev, c := range target.LinkKey {
					if old.LinkKey[dev] <= c {
						t.Errorf("link key of %s: %d on the active, %d were used", dev, old.LinkKey[dev], c)
					}
				}
				for i, c := range target.APSKey {
					if old.APSKey[i] <= c {
						t.Errorf("application key %d: %d on the active, %d were used", i, old.APSKey[i], c)
					}
				}
			})
		})
	}
}

func failOnce(h *inmem.Home, op string) {
	done := false
	h.SetFault(func(o string) error {
		if o != op || done {
			return nil
		}
		done = true
		return errFault
	})
}

// TestLateRecoveryKeepsWhatHappened: the controller dies after the start, the target
// serves for days, devices come and go. The next controller must not undo that.
func TestLateRecoveryKeepsWhatHappened(t *testing.T) {
	tests := []struct {
		name   string
		happen func(h *inmem.Home)
	}{
		{"a device was paired", func(h *inmem.Home) {
			h.Devices = append(h.Devices, engine.BridgeDevice{IEEE: lamp + 9, FriendlyName: "new"})
		}},
		{"a device was removed", func(h *inmem.Home) { h.Devices = h.Devices[:1] }},
		{"the witness is switched off", func(h *inmem.Home) { h.Deaf[lamp] = true }},
	}
	for _, tt := range tests {
		for _, ev := range []plan.Event{plan.EventDone, plan.EventBegin} {
			act := map[plan.Event]plan.Act{plan.EventDone: plan.ActStart, plan.EventBegin: plan.ActProve}[ev]
			t.Run(fmt.Sprintf("%s, dead at %s of %s", tt.name, ev, act), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, s := newHome("attic", "cellar"), inmem.NewStores()
					cutOff(s, "before", ev, act)
					_, _ = controller(h, s).Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
					s.OnAppend = nil
					time.Sleep(72 * time.Hour)
					tt.happen(h)
					if err := controller(h, s).Recover(context.Background(), "", quiet); err != nil {
						t.Fatal(err)
					}
					settled(t, h, "cellar")
				})
			})
		}
	}
}

// TestStartedByHandAfterAnOpenRun: the way back stops half-way, a person starts the
// old active on its low counters, and the next controller repairs that.
func TestStartedByHandAfterAnOpenRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		h.Host("cellar").DieAfter(2 * time.Second)
		h.SetFault(func(op string) error {
			if strings.HasPrefix(op, "attic.") && !slices.Contains([]string{"attic.observe", "attic.inspect"}, op) && len(h.OnAirUnlocked()) == 0 {
				return errFault
			}
			return nil
		})
		// The plan needs attic until it is read; only afterwards is it cut off.
		began := false
		inner := h.Fault()
		h.SetFault(func(op string) error {
			if began = began || op == "cellar.start"; began {
				return inner(op)
			}
			return nil
		})
		if got := switchover(t, controller(h, s), "cellar"); got.Outcome != plan.NeedsHelp {
			t.Fatalf("got %s, %v", got.Outcome, got.Err)
		}
		h.SetFault(nil)
		h.Host("attic").SetRunning(true) // on a counter that devices have heard
		if err := controller(h, s).Recover(context.Background(), "", quiet); err != nil {
			t.Fatal(err)
		}
		if on := h.OnAir(); !slices.Equal(on, []string{"attic"}) || !h.Works() {
			t.Fatalf("on air %v, works %t", on, h.Works())
		}
	})
}

// TestTargetVanishesAtPromote: data that cannot be taken back on a silent stand-by
// is no reason to leave the home dark.
func TestTargetVanishesAtPromote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		h.SetFault(func(op string) error {
			if op == "cellar.promote" {
				h.Host("cellar").CutOffUnlocked()
			}
			return nil
		})
		if got := switchover(t, controller(h, inmem.NewStores()), "cellar"); got.Outcome != plan.RolledBack {
			t.Fatalf("got %s, %v", got.Outcome, got.Err)
		}
		settled(t, h, "attic")
	})
}

func TestStopSlowerThanItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		h.Host("attic").SlowStop(95 * time.Second)
		if got := switchover(t, controller(h, inmem.NewStores()), "cellar"); got.Outcome != plan.RolledBack {
			t.Fatalf("got %s, %v", got.Outcome, got.Err)
		}
		time.Sleep(2 * time.Minute) // the stop would have ended by now
		settled(t, h, "attic")
	})
}

// TestHelperStillWrites: a controller was killed in mid-load; its helper on the
// target goes on for a while.
func TestHelperStillWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		cutOff(s, "after", plan.EventBegin, plan.ActLoad)
		_, _ = controller(h, s).Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
		s.OnAppend = nil
		h.Host("cellar").HelperBusy(40 * time.Second)
		if err := controller(h, s).Recover(context.Background(), "", quiet); err != nil {
			t.Fatal(err)
		}
		settled(t, h, "attic")
	})
}

// TestForeignNetworkIsNotSynced: somebody started the active on a wrong stick.
func TestForeignNetworkIsNotSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		if _, err := controller(h, s).Capture(context.Background(), engine.CaptureRequest{}, quiet); err != nil {
			t.Fatal(err)
		}
		other := h.Host("attic").Stick()
		nib, _ := other.Get(nvimage.OSAL(nvimage.Nib))
		nib = slices.Clone(nib)
		nib[36], nib[37] = 0x99, 0x99
		other.Set(nvimage.OSAL(nvimage.Nib), nib)
		h.Host("attic").SetNV(other)
		got, err := controller(h, s).Capture(context.Background(), engine.CaptureRequest{}, quiet)
		if err != nil || got.Refused != 2 || !strings.Contains(strings.Join(got.Why, ", "), "PAN id") {
			t.Fatalf("got %+v, %v, want a refusal that names the PAN id", got, err)
		}
		if g, err := s.Shelf().Latest("home"); err != nil || g.Number != 1 {
			t.Fatalf("latest generation %d, %v; want the good one", g.Number, err)
		}
		if got, err := controller(h, s).Capture(context.Background(), engine.CaptureRequest{AcceptChange: true}, quiet); err != nil || got.Outcome != plan.Completed {
			t.Fatalf("accepted, but %s: %v, %v", got.Outcome, got.Err, err)
		}
	})
}

// TestEditedKeyNeverReachesAStart: the key in the configuration was edited while
// Zigbee2MQTT ran, which reads it only at its start.
func TestEditedKeyNeverReachesAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		h.Host("attic").EditKey("00000000")
		got := switchover(t, controller(h, inmem.NewStores()), "cellar")
		if got.Outcome != plan.RolledBack || !strings.Contains(got.Err.Error(), "network key") {
			t.Fatalf("got %s, %v", got.Outcome, got.Err)
		}
		settled(t, h, "attic")
	})
}
