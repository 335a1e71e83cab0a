package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/world/inmem"
)

func survives(st engine.Status, f coverage.Failure) coverage.Answer {
	i := slices.IndexFunc(st.Coverage, func(l coverage.Line) bool { return l.Failure == f })
	return st.Coverage[i].Survives
}

func TestLookKnowsWhatSticksHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		c := engine.New(engine.Parts{
			Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Bridge: h.Bridge(), Timing: plan.DefaultTiming(), AnyRevision: true}},
			Journal:  s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Log: slog.New(slog.DiscardHandler), HostID: "boot-attic",
		})
		look := func() engine.Status {
			t.Helper()
			st, err := c.Look(context.Background(), "home", true)
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		st := look()
		if len(st.Known.Holds) != 0 || st.Known.HostID != "boot-attic" || !st.Known.AnyRevision {
			t.Errorf("known is %+v", st.Known)
		}
		if st.Views[1].StickAt.IsZero() || st.Bridge.At.IsZero() || st.Bridge.Coordinator == 0 {
			t.Errorf("seen: %+v, %+v", st.Views[1], st.Bridge)
		}
		if survives(st, coverage.Process) != coverage.ByHand || survives(st, coverage.Stick) != coverage.No || survives(st, coverage.HomeAssistant) != coverage.No {
			t.Errorf("with a stick that is not known: %+v", st.Coverage)
		}

		img := nvimagetest.Formed()
		blob, err := s.Shelf().KeepImage("home", "cellar", img.Encode())
		if err != nil {
			t.Fatal(err)
		}
		odo := odometer.Odometer{Highest: 1000, At: st.Views[0].Observed.At}
		rec := network.Record{Network: "home", Odometer: odo, Sticks: map[string]network.StickRecord{
			"cellar": {Image: blob, Reserved: odo.Reservation(odo.At)}, "shed": {Image: strings.Repeat("0", 64)}}}
		if err := s.Memory().Save(rec); err != nil {
			t.Fatal(err)
		}
		want, err := img.Identity()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // read, and remembered
			st = look()
			if got := st.Known.Holds; len(got) != 1 || got["cellar"] != want {
				t.Errorf("the sticks hold %+v", got)
			}
		}
		in := readiness.Input{Network: "home", Views: st.Views, Bridge: st.Bridge, Known: st.Known, Now: odo.At}
		if ok, why := readiness.Warm(in, "cellar"); !ok {
			t.Errorf("not warm: %v", why)
		}
		if survives(st, coverage.Stick) != coverage.ByHand || survives(st, coverage.Host) != coverage.ByHand {
			t.Errorf("with a stick that is loaded: %+v", st.Coverage)
		}
	})
}

// A copy that cannot be read keeps nobody from moving the network.
func TestDamagedShelfIsToldAndNotInTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		c := engine.New(engine.Parts{
			Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Bridge: h.Bridge(), Timing: plan.DefaultTiming()}},
			Journal:  s.Journal(), Shelf: damaged{s.Shelf()}, Memory: s.Memory(), Log: slog.New(slog.DiscardHandler),
		})
		if _, err := c.Look(context.Background(), "home", false); err == nil || !strings.Contains(err.Error(), "torn") {
			t.Errorf("a look says %v", err)
		}
		a, err := c.Preflight(context.Background(), "home", "")
		if err != nil || len(a.Blocking()) > 0 {
			t.Errorf("a preflight says %v, %+v", err, a.Blocking())
		}
	})
}

type damaged struct{ engine.Shelf }

func (damaged) Latest(string) (generation.Generation, error) {
	return generation.Generation{}, errors.New("generation 3 is torn")
}
