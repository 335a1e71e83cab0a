package engine_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// Whatever happens, one node at most starts at boot, and when all is over that is the
// one that serves the home. A power cut shows it.

// bootsAlone asserts that after a power cut the home is served by node as before.
func bootsAlone(t *testing.T, h *inmem.Home, node string) {
	t.Helper()
	settled(t, h, node)
	if at := h.AtBoot(); !slices.Equal(at, []string{node}) {
		t.Fatalf("start at boot: %v, want only %s", at, node)
	}
	h.PowerCut()
	settled(t, h, node)
}

// story is what a controller is asked for; it may die in it.
type story struct {
	name string
	do   func(c *engine.Controller)

	home   func(t *testing.T) (*inmem.Home, *inmem.Stores) // aHome, when nil
	before func(h *inmem.Home)                             // what happens to the home just before
	// after is what a person does when it is over; started says that the target was to
	// start.
	after func(h *inmem.Home, started bool)
	// every leaves tests out: one of so many is done.
	every int
}

// begin makes the home of a story.
func (st story) begin(t *testing.T) (*inmem.Home, *inmem.Stores) {
	t.Helper()
	home := st.home
	if home == nil {
		home = aHome
	}
	h, s := home(t)
	if st.before != nil {
		st.before(h)
	}
	return h, s
}

func (st story) end(h *inmem.Home, started bool) {
	if st.after != nil {
		st.after(h, started)
	}
}

// sampled says whether the nth test of a story is done.
func (st story) sampled(n, shift int) bool { return st.every == 0 || n%st.every == shift%st.every }

var stories = []story{
	{name: "switchover", do: func(c *engine.Controller) {
		_, _ = c.Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
	}},
	{name: "stop", do: func(c *engine.Controller) {
		_, _ = c.StopNode(context.Background(), engine.Request{To: "attic"}, quiet)
	}},
	{name: "stop and start", do: func(c *engine.Controller) {
		_, _ = c.StopNode(context.Background(), engine.Request{To: "attic"}, quiet)
		time.Sleep(time.Hour)
		_, _ = c.StartNode(context.Background(), engine.Request{}, quiet)
	}},
	{name: "stop of a stand-by", do: func(c *engine.Controller) {
		_, _ = c.StopNode(context.Background(), engine.Request{To: "cellar"}, quiet)
	}},
	{name: "stop of both and start", do: func(c *engine.Controller) {
		_, _ = c.StopNode(context.Background(), engine.Request{To: "attic"}, quiet)
		_, _ = c.StopNode(context.Background(), engine.Request{To: "cellar"}, quiet)
		_, _ = c.StartNode(context.Background(), engine.Request{}, quiet)
	}},
	{name: "fast switchover", home: warmHome, every: 5, do: func(c *engine.Controller) {
		_, _ = c.Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
	}},
	{name: "sync", home: warmHome, every: 5, before: func(h *inmem.Home) {
		time.Sleep(48 * time.Hour)
		h.Join(newcomer)
	}, do: func(c *engine.Controller) {
		_, _ = c.Capture(context.Background(), engine.CaptureRequest{Live: true}, quiet)
	}},
	{name: "seed", every: 5, home: aNewHome, do: func(c *engine.Controller) {
		_, _ = c.Seed(context.Background(), engine.Request{}, quiet)
	}},
	{name: "failover", every: 5, home: warmHome, before: func(h *inmem.Home) {
		time.Sleep(48 * time.Hour)
		lost(h, true)
	}, do: func(c *engine.Controller) {
		_, _ = c.Failover(context.Background(), engine.Request{To: "cellar", Confirmed: "it is unplugged"}, quiet)
	}, after: func(h *inmem.Home, started bool) {
		h.Host("attic").SetAtBoot(!started && len(h.OnAir()) == 0)
		h.Host("attic").PowerOn()
	}},
	{name: "restore", every: 5, home: warmHome, before: func(h *inmem.Home) { time.Sleep(48 * time.Hour) }, do: func(c *engine.Controller) {
		_, _ = c.Restore(context.Background(), engine.Request{Generation: 1}, quiet)
	}},
	{name: "repair", every: 3, home: warmHome, before: func(h *inmem.Home) { h.Host("attic").SetRunning(false) }, do: func(c *engine.Controller) {
		_, _ = c.Repair(context.Background(), engine.Request{}, quiet)
	}},
	{name: "silence", every: 3, home: twoSpeakers, do: func(c *engine.Controller) {
		_, _ = c.Silence(context.Background(), engine.Request{To: "shed"}, quiet)
	}},
	{name: "return", every: 3, home: cameBack, do: func(c *engine.Controller) {
		_, _ = c.Return(context.Background(), engine.Request{To: "shed"}, quiet)
	}},
}

func aNewHome(*testing.T) (*inmem.Home, *inmem.Stores) {
	return newHome("attic", "cellar", "shed"), inmem.NewStores()
}

// aHome has been moved once and back, so that everything is on record.
func aHome(t *testing.T) (*inmem.Home, *inmem.Stores) {
	t.Helper()
	return lived.home(t, func() (*inmem.Home, *inmem.Stores) {
		h, s := newHome("attic", "cellar", "shed"), inmem.NewStores()
		completed(t, switchover(t, controller(h, s), "cellar"))
		completed(t, switchover(t, controller(h, s), "attic"))
		return h, s
	})
}

func TestEveryOperationOfEveryStoryFails(t *testing.T) {
	for _, st := range stories {
		for n := 1; ; n++ {
			if !st.sampled(n, 1) {
				continue
			}
			failed := false
			t.Run(fmt.Sprintf("%s-%02d", st.name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, s := st.begin(t)
					count, started, theirs := 0, false, len(h.Violations())
					h.SetFault(func(op string) error {
						started = started || op == "cellar.start"
						if count++; count == n {
							failed = true
							return fmt.Errorf("%w: %s", errFault, op)
						}
						return nil
					})
					st.do(controller(h, s))
					h.SetFault(nil)
					st.end(h, started)
					time.Sleep(10 * time.Minute)
					served(t, h, s, theirs)
				})
			})
			if !failed {
				break
			}
		}
	}
}

// A stand-by was masked while it was enabled. The start takes the mask off; when the move
// is taken back, both would start at boot.
func TestMaskThatIsTakenOff(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		t.Run(fmt.Sprint(enabled), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := aHome(t)
				h.Host("cellar").SetAtBoot(enabled)
				h.Host("cellar").Mask()
				h.Host("cellar").DieAfter(2 * time.Second)
				if e := switchover(t, controller(h, s), "cellar"); e.Outcome != plan.RolledBack {
					t.Fatalf("%s: %v", e.Outcome, e.Err)
				}
				bootsAlone(t, h, "attic")
				h.Host("cellar").Mask()
				completed(t, switchover(t, controller(h, s), "cellar"))
				bootsAlone(t, h, "cellar")
			})
		})
	}
}
