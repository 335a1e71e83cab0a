package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// A crashing is a plan whose controller dies at each line of its journal, before and after
// the line is on disk.
type crashing struct {
	name string
	// home is made once; what is broken of the rules until it is ready is not ours.
	home func(t *testing.T) (*inmem.Home, *inmem.Stores)
	do   func(c *engine.Controller) (engine.Ended, error)
	// after is what a person does before the next controller comes by; started says that
	// the target was to start.
	after func(h *inmem.Home, started bool)
	// settles says that once something was stopped the recovery alone leaves attic on air,
	// and nobody else.
	settles bool

	ready prepared
}

func ask(verb func(*engine.Controller, context.Context, engine.Request, engine.Watch) (engine.Ended, error), r engine.Request) func(*engine.Controller) (engine.Ended, error) {
	return func(c *engine.Controller) (engine.Ended, error) { return verb(c, context.Background(), r, quiet) }
}

// then is a home to which something has happened.
func then(home func(*testing.T) (*inmem.Home, *inmem.Stores), happen func(h *inmem.Home)) func(*testing.T) (*inmem.Home, *inmem.Stores) {
	return func(t *testing.T) (*inmem.Home, *inmem.Stores) {
		h, s := home(t)
		happen(h)
		return h, s
	}
}

func later(h *inmem.Home) {
	time.Sleep(36 * time.Hour)
	h.Join(newcomer)
}

// pulled lets the host of the active be lost, and come back when all is over.
func pulled(h *inmem.Home, started bool) {
	h.Host("attic").SetAtBoot(!started && len(h.OnAir()) == 0)
	h.Host("attic").PowerOn()
}

var (
	twoSpeaking, backAgain prepared

	crashings = []*crashing{
		{name: "switchover, fast", home: then(warmHome, later), do: ask((*engine.Controller).Switchover, engine.Request{To: "cellar"})},
		{name: "switchover, fast, taken back", home: then(warmHome, func(h *inmem.Home) { h.Host("cellar").DieAfter(2 * time.Second) }),
			do: ask((*engine.Controller).Switchover, engine.Request{To: "cellar"})},
		{name: "switchover, careful", home: aNewHome, do: ask((*engine.Controller).Switchover, engine.Request{To: "cellar"})},
		{name: "switchover, careful, taken back", home: then(aHome, func(h *inmem.Home) { h.Host("cellar").DieAfter(2 * time.Second) }),
			do: ask((*engine.Controller).Switchover, engine.Request{To: "cellar", Careful: true})},
		{name: "switchover to a masked stand-by, taken back", home: then(aHome, func(h *inmem.Home) {
			h.Host("cellar").SetAtBoot(true)
			h.Host("cellar").Mask()
			h.Host("cellar").DieAfter(2 * time.Second)
		}), do: ask((*engine.Controller).Switchover, engine.Request{To: "cellar"})},
		{name: "switchover, yielding", home: then(warmHome, later), do: ask((*engine.Controller).Switchover, engine.Request{To: "cellar", Yield: true})},
		{name: "rehearsal", home: warmHome, do: ask((*engine.Controller).Switchover, engine.Request{To: "cellar", Rehearsal: true})},
		{name: "failover, host lost", home: then(warmHome, func(h *inmem.Home) {
			time.Sleep(48 * time.Hour)
			lost(h, true)
		}), do: ask((*engine.Controller).Failover, engine.Request{To: "cellar", Confirmed: "it is unplugged"}), after: pulled},
		{name: "failover, Zigbee2MQTT gone", home: then(warmHome, func(h *inmem.Home) {
			time.Sleep(48 * time.Hour)
			lost(h, false)
		}), do: ask((*engine.Controller).Failover, engine.Request{To: "cellar"})},
		{name: "seed", home: aNewHome, do: ask((*engine.Controller).Seed, engine.Request{})},
		{name: "restore", home: then(warmHome, func(*inmem.Home) { time.Sleep(48 * time.Hour) }), do: ask((*engine.Controller).Restore, engine.Request{Generation: 1})},
		{name: "sync", home: then(warmHome, later), do: func(c *engine.Controller) (engine.Ended, error) {
			got, err := c.Capture(context.Background(), engine.CaptureRequest{Live: true}, quiet)
			return got.Ended, err
		}},
		{name: "stop", home: aHome, do: ask((*engine.Controller).StopNode, engine.Request{To: "attic"})},
		{name: "stop of a stand-by", home: aHome, do: ask((*engine.Controller).StopNode, engine.Request{To: "cellar"})},
		{name: "start", home: stoppedHome, do: ask((*engine.Controller).StartNode, engine.Request{})},
		{name: "cold start", home: then(warmHome, func(h *inmem.Home) {
			h.PowerCut()
			h.Host("shed").PowerOff()
			h.Host("attic").SetRunning(false) // it does not come up
		}), do: ask((*engine.Controller).StartNode, engine.Request{}), after: func(h *inmem.Home, _ bool) { h.Host("shed").PowerOn() }},
		{name: "repair, Zigbee2MQTT gone", home: then(warmHome, func(h *inmem.Home) { h.Host("attic").SetRunning(false) }),
			do: ask((*engine.Controller).Repair, engine.Request{}), settles: true},
		{name: "repair, hung", home: then(aHome, func(h *inmem.Home) { h.Host("attic").SlowStop(80 * time.Second) }),
			do: ask((*engine.Controller).Repair, engine.Request{}), settles: true},
		{name: "repair that fails", home: then(warmHome, func(h *inmem.Home) {
			h.Host("attic").SetRunning(false)
			h.Host("attic").DieAfter(2 * time.Second)
		}), do: ask((*engine.Controller).Repair, engine.Request{})},
		{name: "silence", home: then(cameBack, func(*inmem.Home) {}), do: ask((*engine.Controller).Silence, engine.Request{To: "shed"}), settles: true},
		{name: "silence, the active behind", home: twoSpeakers, do: ask((*engine.Controller).Silence, engine.Request{To: "shed"}), settles: true},
		{name: "return", home: cameBack, do: ask((*engine.Controller).Return, engine.Request{To: "shed"}), settles: true},
		{name: "return, the active behind", home: twoSpeakers, do: ask((*engine.Controller).Return, engine.Request{To: "shed"}), settles: true},
	}
)

// stoppedHome is silent: its active was stopped an hour ago.
func stoppedHome(t *testing.T) (*inmem.Home, *inmem.Stores) {
	h, s := aHome(t)
	completed(t, oneNode(t, controller(h, s).StopNode, "attic"))
	time.Sleep(time.Hour)
	return h, s
}

// twoSpeakers has a warm stand-by that somebody has started: it is far ahead.
func twoSpeakers(t *testing.T) (*inmem.Home, *inmem.Stores) {
	return twoSpeaking.home(t, func() (*inmem.Home, *inmem.Stores) {
		h, s := warmHome(t)
		captured(t, controller(h, s))
		h.Host("shed").SetRunning(true)
		h.Host("shed").SetAtBoot(true)
		time.Sleep(time.Hour)
		return h, s
	})
}

// cameBack was served by shed, which was lost; attic took over, and shed is back on air.
func cameBack(t *testing.T) (*inmem.Home, *inmem.Stores) {
	return backAgain.home(t, func() (*inmem.Home, *inmem.Stores) {
		h, s := warmHome(t)
		c := controller(h, s)
		completed(t, moved(t, c, engine.Request{To: "shed"}))
		captured(t, c)
		h.Host("shed").PowerOff()
		ended, err := c.Failover(context.Background(), engine.Request{To: "attic", Confirmed: "it is unplugged"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, ended)
		time.Sleep(time.Hour)
		h.Host("shed").PowerOn()
		time.Sleep(time.Minute)
		return h, s
	})
}

// TestEveryCrashPoint ends the controller before and after every journal line of every
// kind of plan; a new one settles what it finds. For some of these, that one dies too, at
// each of its own lines. At the end the home is served, by one node that starts at boot.
func TestEveryCrashPoint(t *testing.T) {
	kinds := map[string]bool{}
	total, began := 0, time.Now()
	for i, c := range crashings {
		t.Run(c.name, func(t *testing.T) {
			points, twice := 0, 0
			for n := 1; c.diesAt(t, n, 0, kinds); n++ {
				points++
				if n%sampleAgain != i%sampleAgain {
					continue
				}
				for m := 1; c.diesAt(t, n, m, kinds); m++ {
					twice++
				}
			}
			if points == 0 {
				t.Fatal("nothing was written down")
			}
			t.Logf("%d crash points, %d with a second crash in the recovery", points, twice)
			total += points + twice
		})
	}
	t.Logf("%d crash points in all, in %s; plans: %s", total, time.Since(began).Round(time.Millisecond), strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	for _, want := range []string{"switchover", "switchover fast", "switchover yielding", "switchover fast rehearsal", "failover", "seed", "restore",
		"sync", "stop", "start", "repair", "return", "silence"} {
		if !kinds[want] {
			t.Errorf("no %s was tried", want)
		}
	}
}

// sampleAgain: in one of so many recoveries the controller dies again.
const sampleAgain = 29

// diesAt lets the controller die at the nth chance, and the next one at the mth when m is
// above 0. It says whether there was such a chance.
func (c *crashing) diesAt(t *testing.T, n, m int, kinds map[string]bool) (died bool) {
	t.Helper()
	ok := t.Run(fmt.Sprintf("%d,%d", n, m), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { died = c.crash(t, n, m, kinds) })
	})
	return died && ok
}

func (c *crashing) crash(t *testing.T, n, m int, kinds map[string]bool) bool {
	h, s := c.ready.home(t, func() (*inmem.Home, *inmem.Stores) { return c.home(t) })
	theirs, started := len(h.Violations()), false
	h.SetFault(func(op string) error { started = started || op == "cellar.start"; return nil })
	died := killAt(s, n)
	ended, err := c.do(controller(h, s))
	if s.OnAppend = nil; !*died {
		ours(t, h, theirs)
		if err != nil || ended.Outcome == plan.NeedsHelp {
			t.Fatalf("without a crash: %s, %v, %v", ended.Outcome, ended.Err, err)
		}
	}
	if !*died {
		kinds[kindOf(ended.Plan)] = true
	}
	if c.after != nil {
		c.after(h, started)
	}
	time.Sleep(20 * time.Minute) // what was loaded is too old by now
	if m > 0 {
		died = killAt(s, m)
		_ = controller(h, s).Recover(context.Background(), "", quiet)
		s.OnAppend = nil
		time.Sleep(time.Minute)
	}
	ours(t, h, theirs)
	h.Host("cellar").DieAfter(0)
	h.Host("attic").DieAfter(0)
	if err := controller(h, s).Recover(context.Background(), "", quiet); err != nil {
		t.Fatalf("recover: %v", err)
	}
	if on := h.OnAir(); c.settles && hasStopped(t, s) && (!slices.Equal(on, []string{"attic"}) || !h.Works()) {
		t.Fatalf("recovered, and on air %v, works %t", on, h.Works())
	}
	served(t, h, s, theirs)
	return *died
}

// hasStopped says that the last run had begun to stop something.
func hasStopped(t *testing.T, s *inmem.Stores) bool {
	t.Helper()
	runs, err := s.Journal().Runs("home")
	if err != nil || len(runs) == 0 {
		t.Fatal(runs, err)
	}
	entries, err := s.Journal().Load("home", runs[len(runs)-1])
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(entries, func(e plan.Entry) bool {
		return e.Event == plan.EventBegin && (strings.Contains(e.Step, "-"+string(plan.ActStop)+"-") || strings.Contains(e.Step, "-"+string(plan.ActFence)+"-"))
	})
}

// killAt ends the controller at the nth chance: once dead, it writes nothing any more.
func killAt(s *inmem.Stores, n int) *bool {
	count, died := 0, false
	s.OnAppend = func(string, plan.Entry) error {
		if count++; count >= n {
			died = true
			return errFault
		}
		return nil
	}
	return &died
}

func kindOf(p plan.Plan) string {
	kind := string(p.Kind)
	for _, is := range []struct {
		so   bool
		word string
	}{{p.Fast, " fast"}, {p.Yield, " yielding"}, {p.Rehearsal, " rehearsal"}} {
		if is.so {
			kind += is.word
		}
	}
	return kind
}

// ours fails for a rule that was broken by us.
func ours(t *testing.T, h *inmem.Home, theirs int) {
	t.Helper()
	if v := h.Violations(); len(v) > theirs {
		t.Fatalf("safety rules were broken:\n%s", strings.Join(v[theirs:], "\n"))
	}
}

// served lets the next controller do what it would do by itself, and asserts that one node
// serves the home alone, and would do so after a power cut.
func served(t *testing.T, h *inmem.Home, s *inmem.Stores, theirs int) {
	t.Helper()
	c := controller(h, s)
	if err := c.Recover(context.Background(), "", quiet); err != nil {
		t.Fatalf("recover: %v", err)
	}
	ours(t, h, theirs)
	active := recordOf(t, s).Active
	if second := slices.DeleteFunc(h.OnAir(), func(name string) bool { return name == active }); len(second) == 1 && len(h.OnAir()) == 2 {
		completed(t, oneNode(t, c.Silence, second[0]))
	}
	if len(h.OnAir()) == 0 || !h.Works() {
		revive(t, c)
	}
	if recordOf(t, s).BootOwed { // what the server does every few minutes
		if _, err := c.Capture(context.Background(), engine.CaptureRequest{Live: true}, quiet); err != nil {
			t.Fatalf("capture: %v", err)
		}
	}
	ours(t, h, theirs)
	on := h.OnAir()
	if len(on) != 1 || !h.Works() || !slices.Equal(h.AtBoot(), on) {
		t.Fatalf("on air %v, works %t, start at boot %v", on, h.Works(), h.AtBoot())
	}
	h.PowerCut()
	ours(t, h, theirs)
	if now := h.OnAir(); !slices.Equal(now, on) || !h.Works() {
		t.Fatalf("on air after a power cut %v, before %v", now, on)
	}
}

// revive starts who was active last, or repairs it.
func revive(t *testing.T, c *engine.Controller) {
	t.Helper()
	ended, err := c.StartNode(context.Background(), engine.Request{}, quiet)
	var refused *network.RefusedError
	if errors.As(err, &refused) && strings.Contains(err.Error(), "not stopped") {
		ended, err = c.Repair(context.Background(), engine.Request{}, quiet)
	}
	if err != nil {
		t.Fatal(err)
	}
	completed(t, ended)
}
