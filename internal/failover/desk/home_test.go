package desk_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/events"
	"z2mha/internal/storage/holds"
	"z2mha/internal/world/inmem"
)

// The real engine before the desk, on a home in memory.

func newHome(names ...string) *inmem.Home {
	const lamp zigbee.IEEE = 0x00158d0000000100
	h := inmem.New(nvimagetest.Formed(), nvimagetest.Stick, func(i int) *nvimage.Image {
		return nvimagetest.Reset(zigbee.IEEE(0x00124b00bb000000 + uint64(i)))
	}, names...)
	h.Devices = []engine.BridgeDevice{{IEEE: lamp, FriendlyName: "lamp", Type: "Router", Askable: true, AskProperty: "state"}}
	return h
}

// attended opens a desk before h; stop closes it.
func attended(t *testing.T, h *inmem.Home, s *inmem.Stores, dir string) (d *desk.Desk, stop func()) {
	t.Helper()
	return scheduled(t, h, s, dir, cadence.Rule{})
}

// scheduled captures by that rule as well.
func scheduled(t *testing.T, h *inmem.Home, s *inmem.Stores, dir string, rule cadence.Rule) (d *desk.Desk, stop func()) {
	t.Helper()
	held := holds.New(filepath.Join(dir, "holds"), durable.Disk{})
	kept := events.New(filepath.Join(dir, "events"), durable.Disk{}, slog.New(slog.DiscardHandler))
	c := engine.New(engine.Parts{
		Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Bridge: h.Bridge(), Timing: plan.DefaultTiming()}},
		Journal:  s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Held: held.Held, Log: slog.New(slog.DiscardHandler),
	})
	d = desk.New(desk.Parts{Engine: c, History: s.Journal(), Events: kept, Holds: held, Log: slog.New(slog.DiscardHandler),
		Capture: rule, Membership: c.Membership})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	<-d.Ready()
	return d, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	}
}

func seen(t *testing.T, h *inmem.Home, d *desk.Desk, active string, want status.Protection) status.Network {
	t.Helper()
	if v := h.Violations(); len(v) > 0 {
		t.Fatalf("safety rules were broken:\n%s", strings.Join(v, "\n"))
	}
	if on := h.OnAir(); !slices.Equal(on, []string{active}) {
		t.Fatalf("on air: %v, want only %s", on, active)
	}
	n := d.Networks()[0]
	if n.Active != active || n.Protection != want {
		t.Fatalf("shown: %q active, %s %v; want %s, %s", n.Active, n.Protection, n.Reasons, active, want)
	}
	return n
}

func TestWithTheRealEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, dir := newHome("attic", "cellar"), inmem.NewStores(), t.TempDir()
		d, stop := attended(t, h, s, dir)
		time.Sleep(time.Minute)
		seen(t, h, d, "attic", status.Degraded)
		run, err := d.Ask(t.Context(), desk.Request{Verb: desk.Switchover, By: "Owner"})
		if err != nil || run == "" {
			t.Fatalf("run %q, %v", run, err)
		}
		time.Sleep(5 * time.Minute)
		n := seen(t, h, d, "cellar", status.Protected)
		if n.Last.Run != run || n.Last.Outage <= 0 || n.Last.Duration < n.Last.Outage || n.Last.By != "Owner" || n.Recorded != "cellar" || n.Devices != 1 {
			t.Errorf("last move %+v", n.Last)
		}
		for _, x := range n.Nodes {
			if x.Host.State != status.LightGood || x.Service.State != status.LightGood || x.Dongle.State != status.LightGood || x.Radio.State != status.LightGood {
				t.Errorf("lights of %s: %+v", x.Name, x)
			}
		}
		for _, verb := range []desk.Verb{desk.Switchover, desk.Sync} {
			if p, err := d.Preview(t.Context(), desk.Request{Verb: verb}); err != nil || len(p.Steps) == 0 {
				t.Errorf("preview of %s: %+v, %v", verb, p, err)
			}
		}
		if _, err := d.Ask(t.Context(), desk.Request{Verb: desk.Switchover, To: "cellar"}); err == nil || !strings.Contains(err.Error(), "is active already") {
			t.Errorf("to where it is: %v", err)
		}
		stop()
		seen(t, h, d, "cellar", status.Protected)
	})
}

// A host that is gone cannot be asked, so another node takes over on a person's word.
func TestFailoverWithTheRealEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, dir := newHome("attic", "cellar"), inmem.NewStores(), t.TempDir()
		d, stop := scheduled(t, h, s, dir, cadence.Default())
		defer stop()
		time.Sleep(time.Minute)
		if _, err := d.Ask(t.Context(), desk.Request{Verb: desk.Seed}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		seen(t, h, d, "attic", status.Protected)
		attic := h.Host("attic")
		attic.SetRunning(false)
		attic.PowerCycleStick()
		attic.SetAtBoot(false) // nobody could take that from it any more
		attic.SetReachable(false)
		time.Sleep(time.Minute)
		p, err := d.Preview(t.Context(), desk.Request{Verb: desk.Failover})
		if err != nil || !p.NeedsWord || p.Plan.From != "attic" || p.Plan.To != "cellar" {
			t.Fatalf("preview %+v, %v", p, err)
		}
		if _, err := d.Ask(t.Context(), desk.Request{Verb: desk.Failover}); err == nil || !strings.Contains(err.Error(), "attic cannot be looked at") {
			t.Fatalf("without a word: %v", err)
		}
		if _, err := d.Ask(t.Context(), desk.Request{Verb: desk.Failover, By: "Owner", Confirmed: "Owner says that it is unplugged"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		n := seen(t, h, d, "cellar", status.Unprotected)
		if n.Moves != 1 || n.Last.To != "cellar" || n.Ended.Plan.Confirmed != "Owner says that it is unplugged" {
			t.Errorf("%d moves, last %+v", n.Moves, n.Last)
		}
	})
}

// The real engine is asked by schedule and after a join, and what it captures is staged.
func TestCapturesWithTheRealEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, dir := newHome("attic", "cellar"), inmem.NewStores(), t.TempDir()
		d, stop := scheduled(t, h, s, dir, cadence.Default())
		defer stop()
		time.Sleep(time.Minute)
		n := seen(t, h, d, "attic", status.Degraded)
		if len(n.Reasons) != 1 || !strings.Contains(n.Reasons[0].What, "never loaded") || !n.Nodes[1].Unloaded || n.Nodes[0].Unloaded {
			t.Errorf("before the stick was loaded: %v", n.Reasons)
		}
		if _, err := d.Ask(t.Context(), desk.Request{Verb: desk.Seed, By: "Owner"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		n = seen(t, h, d, "attic", status.Protected)
		if n.Nodes[1].Unloaded || n.Nodes[1].Stick.Generation != n.Generation || n.Moves != 0 || n.Last != nil {
			t.Errorf("after it was: %+v", n.Nodes[1].Stick)
		}
		if n.BackedUp.IsZero() || n.Generation == 0 || len(n.Reasons) > 0 {
			t.Errorf("after a minute: backed up %s, generation %d, %v", n.BackedUp, n.Generation, n.Reasons)
		}
		time.Sleep(3 * time.Minute)
		h.Join(engine.BridgeDevice{IEEE: 0xa09, FriendlyName: "new", Type: "Router"})
		h.Leave(0xa09)
		joined := time.Now()
		time.Sleep(time.Minute)
		rec, err := s.Memory().Load("home")
		if err != nil {
			t.Fatal(err)
		}
		if !rec.BackedUp.After(joined) || len(rec.Left) != 0 || rec.Refused != 0 {
			t.Errorf("a minute after a join: backed up %s before it, left %v, refused %d", joined.Sub(rec.BackedUp), rec.Left, rec.Refused)
		}
		h.SetFault(func(op string) error {
			if op == "bridge.backup" {
				return errors.New("the stick is slow")
			}
			return nil
		})
		time.Sleep(2 * time.Hour)
		if n := seen(t, h, d, "attic", status.Protected); time.Since(n.Captured) > 6*time.Minute || time.Since(n.BackedUp) < time.Hour {
			t.Errorf("without backups: captured %s ago, backed up %s ago", time.Since(n.Captured), time.Since(n.BackedUp))
		}
	})
}

// Whenever the desk is closed in a switchover, the home ends with one voice, and a new
// desk goes on from there.
func TestClosedAtAnyTime(t *testing.T) {
	for after := time.Duration(0); after < 20*time.Second; after += 1300 * time.Millisecond {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s, dir := newHome("attic", "cellar"), inmem.NewStores(), t.TempDir()
				d, stop := attended(t, h, s, dir)
				time.Sleep(time.Minute)
				if _, err := d.Ask(t.Context(), desk.Request{Verb: desk.Switchover}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(after)
				stop()
				d, stop = attended(t, h, s, dir)
				defer stop()
				time.Sleep(10 * time.Minute)
				if n := d.Networks()[0]; n.Active == "" || n.Run != nil || n.Last == nil || n.Last.Outcome == plan.NeedsHelp {
					t.Fatalf("%s %v, last %+v", n.Protection, n.Reasons, n.Last)
				}
				if v := h.Violations(); len(v) > 0 {
					t.Fatal(v)
				}
			})
		})
	}
}

// A controller that dies in mid-move is followed by one that settles the run, unless
// somebody holds the network.
func TestDeathUnderHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, dir := newHome("attic", "cellar"), inmem.NewStores(), t.TempDir()
		s.OnAppend = func(_ string, e plan.Entry) error {
			if e.Event == plan.EventBegin && strings.Contains(e.Step, string(plan.ActLoad)) {
				return durable.ErrCrashed
			}
			return nil
		}
		d, stop := attended(t, h, s, dir)
		time.Sleep(time.Minute)
		if _, err := d.Ask(t.Context(), desk.Request{Verb: desk.Switchover}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := d.Networks()[0]; n.Protection != status.Unprotected || n.Ended.Outcome != plan.NeedsHelp {
			t.Fatalf("%s, %s", n.Protection, n.Ended.Outcome)
		}
		if _, err := d.Ask(t.Context(), desk.Request{Verb: desk.Hold, By: "Owner"}); err != nil {
			t.Fatal(err)
		}
		stop()
		s.OnAppend = nil
		d, stop = attended(t, h, s, dir)
		defer stop()
		time.Sleep(time.Hour)
		if on := h.OnAir(); len(on) != 0 || d.Networks()[0].Protection != status.Held {
			t.Fatalf("on hold something was done: on air %v", on)
		}
		if _, err := d.Ask(t.Context(), desk.Request{Verb: desk.Release, By: "Owner"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if n := seen(t, h, d, "attic", status.Protected); n.Last.Outcome != plan.RolledBack || n.Last.Outage < time.Hour {
			t.Errorf("last move %+v", n.Last)
		}
	})
}
