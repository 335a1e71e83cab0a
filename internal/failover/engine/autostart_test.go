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

// bringUp starts who was active last, if nobody is.
func bringUp(t *testing.T, h *inmem.Home, s *inmem.Stores) string {
	t.Helper()
	c := controller(h, s)
	if err := c.Recover(context.Background(), "", quiet); err != nil {
		t.Fatalf("recover: %v", err)
	}
	if len(h.OnAir()) == 0 || !h.Works() {
		completed(t, oneNode(t, c.StartNode, ""))
	}
	on := h.OnAir()
	if len(on) != 1 {
		t.Fatalf("on air: %v", on)
	}
	return on[0]
}

// story is what a controller is asked for; it may die in it.
type story struct {
	name string
	do   func(c *engine.Controller)
}

var stories = []story{
	{"switchover", func(c *engine.Controller) {
		_, _ = c.Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
	}},
	{"stop", func(c *engine.Controller) {
		_, _ = c.StopNode(context.Background(), engine.Request{To: "attic"}, quiet)
	}},
	{"stop and start", func(c *engine.Controller) {
		_, _ = c.StopNode(context.Background(), engine.Request{To: "attic"}, quiet)
		time.Sleep(time.Hour)
		_, _ = c.StartNode(context.Background(), engine.Request{}, quiet)
	}},
	{"stop of a stand-by", func(c *engine.Controller) {
		_, _ = c.StopNode(context.Background(), engine.Request{To: "cellar"}, quiet)
	}},
	{"stop of both and start", func(c *engine.Controller) {
		_, _ = c.StopNode(context.Background(), engine.Request{To: "attic"}, quiet)
		_, _ = c.StopNode(context.Background(), engine.Request{To: "cellar"}, quiet)
		_, _ = c.StartNode(context.Background(), engine.Request{}, quiet)
	}},
}

// aHome has been moved once and back, so that everything is on record.
func aHome(t *testing.T) (*inmem.Home, *inmem.Stores) {
	t.Helper()
	h, s := newHome("attic", "cellar", "shed"), inmem.NewStores()
	completed(t, switchover(t, controller(h, s), "cellar"))
	completed(t, switchover(t, controller(h, s), "attic"))
	return h, s
}

func TestControllerDiesInEveryStory(t *testing.T) {
	for _, st := range stories {
		for n := 1; ; n++ {
			died := false
			t.Run(fmt.Sprintf("%s-%02d", st.name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, s := aHome(t)
					count := 0
					s.OnAppend = func(string, plan.Entry) error {
						if count++; count >= n {
							died = true
							return errFault
						}
						return nil
					}
					st.do(controller(h, s))
					s.OnAppend = nil
					time.Sleep(10 * time.Minute)
					bootsAlone(t, h, bringUp(t, h, s))
				})
			})
			if !died {
				break
			}
		}
	}
}

func TestEveryOperationOfEveryStoryFails(t *testing.T) {
	for _, st := range stories {
		for n := 1; ; n++ {
			failed := false
			t.Run(fmt.Sprintf("%s-%02d", st.name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, s := aHome(t)
					count := 0
					h.SetFault(func(op string) error {
						if count++; count == n {
							failed = true
							return fmt.Errorf("%w: %s", errFault, op)
						}
						return nil
					})
					st.do(controller(h, s))
					h.SetFault(nil)
					time.Sleep(10 * time.Minute)
					bootsAlone(t, h, bringUp(t, h, s))
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

// The same, and the controller dies anywhere on the way.
func TestControllerDiesWithAMaskedStandby(t *testing.T) {
	for n := 1; ; n++ {
		dead := false
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := aHome(t)
				h.Host("cellar").SetAtBoot(true)
				h.Host("cellar").Mask()
				h.Host("cellar").DieAfter(2 * time.Second)
				count := 0
				s.OnAppend = func(string, plan.Entry) error {
					if count++; count >= n {
						dead = true
						return errFault
					}
					return nil
				}
				_, _ = controller(h, s).Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
				s.OnAppend = nil
				h.Host("cellar").DieAfter(0)
				bootsAlone(t, h, bringUp(t, h, s))
			})
		})
		if !dead {
			break
		}
	}
}
