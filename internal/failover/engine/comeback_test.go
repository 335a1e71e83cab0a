package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// What a controller finds that comes back after another has died, and what a way
// back meets. Each of these went wrong once.

// died runs a switchover whose controller dies, and returns the disk it leaves.
func died(h *inmem.Home, when string, ev plan.Event, act plan.Act) *inmem.Stores {
	s := inmem.NewStores()
	cutOff(s, when, ev, act)
	_, _ = controller(h, s).Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
	s.OnAppend = nil
	return s
}

func comeBack(t *testing.T, h *inmem.Home, s *inmem.Stores) error {
	t.Helper()
	return controller(h, s).Recover(context.Background(), "", quiet)
}

func TestProofOfSilenceEndsWithItsController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		s := died(h, "after", plan.EventDone, plan.ActPromote)
		h.Host("cellar").SetRunning(true)
		time.Sleep(time.Hour)
		h.Host("cellar").SetReachable(false)
		var open *engine.UnsettledError
		if err := comeBack(t, h, s); !errors.As(err, &open) {
			t.Fatalf("got %v, want an open run", err)
		}
		settled(t, h, "cellar")
	})
}

func TestTargetThatSpokeBeforeItsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		s := died(h, "after", plan.EventDone, plan.ActPromote)
		h.Host("cellar").SetRunning(true)
		time.Sleep(time.Hour)
		h.Host("cellar").SetRunning(false)
		h.Host("cellar").PowerCycleStick()
		if err := comeBack(t, h, s); err != nil {
			t.Fatal(err)
		}
		settled(t, h, "attic")
	})
}

func TestOldStickTornOnTheWayBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		h.Host("cellar").DieAfter(2 * time.Second)
		failOnce(h, "attic.load-stick.torn")
		if got := switchover(t, controller(h, inmem.NewStores()), "cellar"); got.Outcome != plan.RolledBack {
			t.Fatalf("got %s, %v", got.Outcome, got.Err)
		}
		settled(t, h, "attic")
	})
}

func TestServingTargetIsLeftAlone(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(h *inmem.Home) context.Context
	}{
		{"one look at it fails", func(h *inmem.Home) context.Context { failOnce(h, "cellar.observe"); return context.Background() }},
		{"a person stops the recovery", func(*inmem.Home) context.Context {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return ctx
		}},
		{"MQTT fails, and the command is given again", func(h *inmem.Home) context.Context {
			h.SetFault(func(op string) error {
				if op == "bridge.refresh" {
					return errFault
				}
				return nil
			})
			return context.Background()
		}},
		{"it cannot be reached", func(h *inmem.Home) context.Context {
			h.Host("cellar").SetReachable(false)
			return context.Background()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome("attic", "cellar")
				s := died(h, "before", plan.EventDone, plan.ActStart)
				time.Sleep(72 * time.Hour)
				ctx := tt.spoil(h)
				for range 3 {
					_ = controller(h, s).Recover(ctx, "", quiet)
				}
				settled(t, h, "cellar")
				h.SetFault(nil)
				h.Host("cellar").SetReachable(true)
				if err := comeBack(t, h, s); err != nil {
					t.Fatal(err)
				}
				settled(t, h, "cellar")
			})
		})
	}
}

func TestTargetStaysWhenTheOldActiveIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		s := died(h, "before", plan.EventDone, plan.ActStart)
		h.Host("attic").SetReachable(false)
		var open *engine.UnsettledError
		if err := comeBack(t, h, s); !errors.As(err, &open) {
			t.Fatalf("got %v, want an open run", err)
		}
		settled(t, h, "cellar")
	})
}

func TestPassingFaultsOnTheWayBack(t *testing.T) {
	for _, op := range []string{"cellar.reset", "attic.start", "attic.park", "attic.read-stick", "attic.load-stick"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome("attic", "cellar")
				h.Host("cellar").DieAfter(2 * time.Second)
				started, failed := false, false
				h.SetFault(func(o string) error {
					started = started || o == "cellar.start"
					if started && o == op && !failed {
						failed = true
						return errFault
					}
					return nil
				})
				if got := switchover(t, controller(h, inmem.NewStores()), "cellar"); got.Outcome != plan.RolledBack {
					t.Fatalf("got %s, %v", got.Outcome, got.Err)
				}
				settled(t, h, "attic")
			})
		})
	}
}

func TestOrphanedTargetIsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		s := died(h, "after", plan.EventDone, plan.ActPromote)
		h.Host("cellar").SetRunning(true)
		time.Sleep(time.Hour)
		h.Host("cellar").SetRunning(false) // its stick stays on air
		if err := comeBack(t, h, s); err != nil {
			t.Fatal(err)
		}
		settled(t, h, "attic")
	})
}

func TestRecentDeathExcusesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		cutOff(s, "after", plan.EventBegin, plan.ActProve)
		h.SetFault(func(op string) error {
			h.Deaf[lamp] = slices.Contains(h.OnAirUnlocked(), "cellar")
			return nil
		})
		_, _ = controller(h, s).Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
		s.OnAppend = nil
		if err := comeBack(t, h, s); err != nil {
			t.Fatal(err)
		}
		settled(t, h, "attic")
	})
}

func TestNothingIsBegunOverARunThatCannotBeClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		s := died(h, "before", plan.EventEnded, "")
		settled(t, h, "cellar")
		cutOff(s, "before", plan.EventEnded, "")
		_, err := controller(h, s).Switchover(context.Background(), engine.Request{To: "attic"}, quiet)
		var open *engine.UnsettledError
		if !errors.As(err, &open) {
			t.Fatalf("got %v, want an open run", err)
		}
		settled(t, h, "cellar")
		s.OnAppend = nil
		if err := comeBack(t, h, s); err != nil {
			t.Fatal(err)
		}
		settled(t, h, "cellar")
	})
}

func TestOneLostAnswerIsNoSecondOutage(t *testing.T) {
	for _, op := range []string{"bridge.devices", "cellar.observe"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome("attic", "cellar")
				started := time.Time{}
				h.SetFault(func(o string) error {
					if o == "cellar.start" {
						started = time.Now()
					}
					late := op == "bridge.devices" || time.Since(started) > 9*time.Second
					if o == op && !started.IsZero() && late && time.Since(started) < 12*time.Second {
						return errFault
					}
					return nil
				})
				if got := switchover(t, controller(h, inmem.NewStores()), "cellar"); got.Outcome != plan.Completed {
					t.Fatalf("got %s, %v", got.Outcome, got.Err)
				}
				settled(t, h, "cellar")
			})
		})
	}
}

func TestRecordFollowsTheWayBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		h.Host("cellar").DieAfter(2 * time.Second)
		s := inmem.NewStores()
		switchover(t, controller(h, s), "cellar")
		rec, err := s.Memory().Load("home")
		if err != nil || rec.Active != "attic" || strings.Contains(rec.Unproven, "not") {
			t.Fatalf("record %+v, %v", rec, err)
		}
	})
}
