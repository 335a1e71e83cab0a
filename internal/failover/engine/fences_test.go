package engine_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"z2mha/internal/failover/engine"
	"z2mha/internal/world/inmem"
)

func TestCheckFences(t *testing.T) {
	h := newHome("attic", "cellar")
	gone := h.Host("cellar").Plug()
	gone.Unreachable = true
	c := fencedBy(h, inmem.NewStores(), map[string][]engine.Fence{"attic": {h.Host("attic").Plug()}, "cellar": {gone}})
	got, err := c.CheckFences(context.Background(), "", "")
	if err != nil || len(got) != 2 || got[0].Node != "attic" || got[0].Err != nil || got[1].Err == nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := c.CheckFences(context.Background(), "", "cellar"); err != nil || len(got) != 1 || got[0].Fence != "the plug of cellar" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.CheckFences(context.Background(), "", "barn"); err == nil {
		t.Error("a node that is not there was asked")
	}
	if gone.Cuts != 0 {
		t.Error("something was cut")
	}
}

func TestTestFences(t *testing.T) {
	for _, tt := range []struct {
		name   string
		node   string
		change func(h *inmem.Home, p *inmem.Plug)
		err    string // of the test itself
		found  string // of the fence; "" when it cuts
	}{
		{name: "cuts a stand-by", node: "cellar"},
		{name: "finds a fence that cuts something else", node: "cellar", change: func(_ *inmem.Home, p *inmem.Plug) { p.Broken = true }, found: "that contradicts it"},
		{name: "finds a fence that lies", node: "cellar", change: func(_ *inmem.Home, p *inmem.Plug) { p.Lies = true }, found: "is on still"},
		{name: "leaves the active alone", node: "attic", err: "serves the home"},
		{name: "leaves one alone that runs", node: "cellar", change: func(h *inmem.Home, _ *inmem.Plug) { h.Host("cellar").SetData(h.Host("attic")) }, err: "look at cellar first"},
		{name: "leaves one alone that it cannot look at", node: "cellar", change: func(h *inmem.Home, _ *inmem.Plug) { h.Host("cellar").SetReachable(false) }, err: "could not be seen"},
		{name: "leaves one alone that is the machine of another", node: "cellar", change: func(h *inmem.Home, _ *inmem.Plug) { h.Host("cellar").SameMachine(h.Host("attic")) }, err: "attic is the same machine"},
		{name: "has nothing to test", node: "shed", err: "it has none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := aHome(t)
				fences := map[string][]engine.Fence{}
				for _, name := range []string{"attic", "cellar"} {
					p := h.Host(name).Plug()
					fences[name] = []engine.Fence{p}
					if name == tt.node && tt.change != nil {
						tt.change(h, p)
					}
				}
				got, err := fencedBy(h, s, fences).TestFences(context.Background(), "", tt.node)
				if tt.err != "" {
					if err == nil || !strings.Contains(err.Error(), tt.err) || h.Host("attic").Plug().Cuts != 0 {
						t.Errorf("got %v, want %q", err, tt.err)
					}
					return
				}
				if err != nil || len(got) != 1 || (got[0].Err == nil) != (tt.found == "") || got[0].Err != nil && !strings.Contains(got[0].Err.Error(), tt.found) {
					t.Errorf("%+v, %v", got, err)
				}
				settled(t, h, "attic")
			})
		})
	}
}
