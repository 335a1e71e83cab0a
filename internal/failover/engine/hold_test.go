package engine_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// A hold that is set while the hosts are still being looked at stops what was asked for:
// nothing has begun.
func TestHoldWhileLooking(t *testing.T) {
	for what, do := range map[string]func(t *testing.T, c *engine.Controller) error{
		"switchover": func(t *testing.T, c *engine.Controller) error {
			_, err := c.Switchover(t.Context(), engine.Request{}, quiet)
			return err
		},
		"sync": func(t *testing.T, c *engine.Controller) error {
			_, err := c.Capture(t.Context(), engine.CaptureRequest{}, quiet)
			return err
		},
		"stop": func(t *testing.T, c *engine.Controller) error {
			_, err := c.StopNode(t.Context(), engine.Request{To: "attic"}, quiet)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHome("attic", "cellar"), inmem.NewStores()
				asked := 0
				c := engine.New(engine.Parts{
					Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Bridge: h.Bridge(), Timing: plan.DefaultTiming()}},
					Journal:  s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Log: slog.New(slog.DiscardHandler),
					Held: func(string) (string, error) {
						if asked++; asked > 1 {
							return "home is on hold since just now", nil
						}
						return "", nil
					},
				})
				var refused *network.RefusedError
				if err := do(t, c); !errors.As(err, &refused) || !strings.Contains(err.Error(), "since just now") {
					t.Errorf("got %v", err)
				}
				if runs, err := s.Journal().Runs("home"); err != nil || len(runs) != 0 {
					t.Errorf("runs %v, %v", runs, err)
				}
				settled(t, h, "attic")
			})
		})
	}
}
