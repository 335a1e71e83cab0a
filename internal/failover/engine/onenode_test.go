package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

func oneNode(t *testing.T, do func(context.Context, engine.Request, engine.Watch) (engine.Ended, error), node string) engine.Ended {
	t.Helper()
	ended, err := do(context.Background(), engine.Request{To: node}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

func completed(t *testing.T, e engine.Ended) {
	t.Helper()
	if e.Outcome != plan.Completed {
		t.Fatalf("%s %s: %v", e.Plan.Kind, e.Outcome, e.Err)
	}
}

func explained(t *testing.T, preview func(context.Context, string, string) (plan.Plan, []engine.Explained, error), node string) {
	t.Helper()
	p, steps, err := preview(context.Background(), "", node)
	if err != nil || len(steps) != len(p.Steps) {
		t.Fatalf("%d of %d steps explained, %v", len(steps), len(p.Steps), err)
	}
	for _, s := range steps {
		if len(s.Commands) == 0 && s.Step.Act != plan.ActRecord {
			t.Errorf("%s has no commands", s.Step.ID)
		}
	}
}

func noViolations(t *testing.T, h *inmem.Home) {
	t.Helper()
	if v := h.Violations(); len(v) > 0 {
		t.Fatalf("safety rules were broken:\n%s", strings.Join(v, "\n"))
	}
}

func TestStopAndStartAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar", "shed"), inmem.NewStores()
		c := controller(h, s)
		completed(t, switchover(t, c, "cellar"))
		explained(t, c.PlanStop, "cellar")
		completed(t, oneNode(t, c.StopNode, "cellar"))
		explained(t, c.PlanStart, "")
		if on := h.OnAir(); len(on) != 0 {
			t.Fatalf("on air after a stop: %v", on)
		}
		time.Sleep(72 * time.Hour)
		completed(t, oneNode(t, c.StartNode, ""))
		settled(t, h, "cellar")
		completed(t, switchover(t, c, "attic"))
		settled(t, h, "attic")
	})
}

// Whoever was active last holds the network; anybody else holds an older one.
func TestStartRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, c *engine.Controller, h *inmem.Home)
		node string
		want string
	}{
		{"a node that was not active last", func(t *testing.T, c *engine.Controller, h *inmem.Home) {
			completed(t, switchover(t, c, "cellar"))
			completed(t, oneNode(t, c.StopNode, "cellar"))
		}, "attic", "cellar was active last"},
		{"while somebody is active", func(t *testing.T, c *engine.Controller, h *inmem.Home) {
			completed(t, switchover(t, c, "cellar"))
		}, "cellar", "not stopped"},
		{"when nobody was seen active", func(t *testing.T, c *engine.Controller, h *inmem.Home) {
			h.Host("attic").SetRunning(false)
			h.Host("attic").PowerCycleStick()
		}, "attic", "not on record which"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome("attic", "cellar")
				c := controller(h, inmem.NewStores())
				tt.do(t, c, h)
				_, err := c.StartNode(context.Background(), engine.Request{To: tt.node}, quiet)
				var refused *network.RefusedError
				if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.want) || refused.Remedy == "" {
					t.Fatalf("got %v", err)
				}
				noViolations(t, h)
			})
		})
	}
}

// Every operation of a start fails once: the home is served by the node, or silent.
func TestStartUnderFaults(t *testing.T) {
	for i := range 60 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome("attic", "cellar")
				c := controller(h, inmem.NewStores())
				completed(t, switchover(t, c, "cellar"))
				completed(t, oneNode(t, c.StopNode, "cellar"))
				n := 0
				h.SetFault(func(op string) error {
					if n++; n == i+1 {
						return errors.New("a fault was put in: " + op)
					}
					return nil
				})
				_, _ = c.StartNode(context.Background(), engine.Request{}, quiet)
				h.SetFault(nil)
				noViolations(t, h)
				if len(h.OnAir()) == 1 {
					settled(t, h, "cellar")
					return
				}
				time.Sleep(time.Minute)
				if err := c.Recover(context.Background(), "", quiet); err != nil {
					t.Fatal(err)
				}
				if len(h.OnAir()) == 0 {
					completed(t, oneNode(t, c.StartNode, ""))
				}
				settled(t, h, "cellar")
			})
		})
	}
}

// Every operation of a stop fails once; asking again ends it.
func TestStopUnderFaults(t *testing.T) {
	for i := range 12 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome("attic", "cellar")
				c := controller(h, inmem.NewStores())
				completed(t, switchover(t, c, "cellar"))
				n := 0
				h.SetFault(func(op string) error {
					if n++; n == i+1 {
						return errors.New("a fault was put in: " + op)
					}
					return nil
				})
				_, _ = c.StopNode(context.Background(), engine.Request{To: "cellar"}, quiet)
				h.SetFault(nil)
				noViolations(t, h)
				time.Sleep(time.Minute)
				completed(t, oneNode(t, c.StopNode, "cellar"))
				if on := h.OnAir(); len(on) != 0 {
					t.Fatalf("on air: %v", on)
				}
			})
		})
	}
}

func TestPlanSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar", "shed")
		c := controller(h, inmem.NewStores())
		explained(t, func(ctx context.Context, net, _ string) (plan.Plan, []engine.Explained, error) {
			return c.PlanSync(ctx, net)
		}, "")
		down := errors.New("no route")
		h.SetFault(func(op string) error {
			if strings.HasPrefix(op, "cellar.") || strings.HasPrefix(op, "shed.") {
				return down
			}
			return nil
		})
		if _, _, err := c.PlanSync(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "no stand-by can be reached") {
			t.Errorf("sync to nobody: %v", err)
		}
	})
}

// Whoever serves the home starts at boot, and nobody else does.
func TestAutostartMovesAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		c := controller(h, s)
		want := func(attic, cellar string) {
			t.Helper()
			for name, enabled := range map[string]string{"attic": attic, "cellar": cellar} {
				o, err := h.Host(name).Observe(context.Background())
				if err != nil || o.Enabled != enabled {
					t.Fatalf("%s starts at boot: %q, want %q, %v", name, o.Enabled, enabled, err)
				}
			}
		}
		want("yes", "no")
		completed(t, switchover(t, c, "cellar"))
		want("no", "yes")
		completed(t, oneNode(t, c.StopNode, "cellar"))
		want("no", "no")
		time.Sleep(time.Minute)
		completed(t, oneNode(t, c.StartNode, ""))
		want("no", "yes")
		h.Host("attic").DieAfter(2 * time.Second)
		if e := switchover(t, c, "attic"); e.Outcome != plan.RolledBack {
			t.Fatalf("%s: %v", e.Outcome, e.Err)
		}
		want("no", "yes")
		settled(t, h, "cellar")
	})
}

func heldController(h *inmem.Home, s *inmem.Stores) *engine.Controller {
	return engine.New(engine.Parts{
		Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Bridge: h.Bridge(), Timing: plan.DefaultTiming()}},
		Journal:  s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Log: slog.New(slog.DiscardHandler),
		Held: func(string) (string, error) { return "home is on hold since noon", nil },
	})
}

func TestHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		c := heldController(h, s)
		for what, do := range map[string]func() error{
			"switchover": func() error { _, err := c.Switchover(t.Context(), engine.Request{}, quiet); return err },
			"sync":       func() error { _, err := c.Capture(t.Context(), engine.CaptureRequest{}, quiet); return err },
			"stop":       func() error { _, err := c.StopNode(t.Context(), engine.Request{To: "attic"}, quiet); return err },
			"start":      func() error { _, err := c.StartNode(t.Context(), engine.Request{}, quiet); return err },
			"repair":     func() error { _, err := c.Repair(t.Context(), engine.Request{}, quiet); return err },
			"silence":    func() error { _, err := c.Silence(t.Context(), engine.Request{To: "cellar"}, quiet); return err },
			"return":     func() error { _, err := c.Return(t.Context(), engine.Request{To: "cellar"}, quiet); return err },
			"recovery":   func() error { return c.Recover(t.Context(), "", quiet) },
		} {
			var refused *network.RefusedError
			if err := do(); !errors.As(err, &refused) || !strings.Contains(err.Error(), "on hold since noon") {
				t.Errorf("%s: %v", what, err)
			}
		}
		settled(t, h, "attic")
	})
}
