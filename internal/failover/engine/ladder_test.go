package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// fencedBy is a controller whose nodes have fences.
func fencedBy(h *inmem.Home, s *inmem.Stores, fences map[string][]engine.Fence) *engine.Controller {
	return engine.New(engine.Parts{
		Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Bridge: h.Bridge(), Timing: plan.DefaultTiming(), Fences: fences}},
		Journal:  s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Log: slog.New(slog.DiscardHandler),
	})
}

// dark makes attic unreachable while its Zigbee2MQTT is gone and its stick goes on.
func dark(h *inmem.Home) {
	h.Host("attic").SetRunning(false)
	h.Host("attic").SetReachable(false)
}

// muted is a stick on air that does not answer its host.
func muted(h *inmem.Home) {
	h.Host("attic").SetRunning(false)
	h.Host("attic").SetMute(true)
}

func silentAndMute(h *inmem.Home) {
	muted(h)
	h.Host("attic").PowerCycleStick()
}

func TestLadder(t *testing.T) {
	type plugs = []*inmem.Plug
	risky := engine.Request{AcceptRisk: decide.RiskWords}
	for _, tt := range []struct {
		name    string
		lost    func(h *inmem.Home)
		plug    func(x *inmem.Host) plugs
		request engine.Request
		outcome plan.Outcome // "": refused before anything was touched
		says    string       // in the error, or in what the fence step saw
		rung    string       // that is remembered for attic; "" none
		tried   []string     // rungs that are journaled without proof
	}{
		{name: "takes the stick's own word", lost: func(h *inmem.Home) { h.Host("attic").SetRunning(false) },
			outcome: plan.Completed, says: "the stick says HOLD after a reset"},
		{name: "does not cut the power of a stick that can say HOLD", lost: func(h *inmem.Home) { h.Host("attic").SetRunning(false) },
			plug: func(x *inmem.Host) plugs { return plugs{x.Plug()} }, outcome: plan.Completed, says: "the stick says HOLD after a reset"},
		{name: "is refused when no rung is there", lost: dark, says: "--confirm-unplugged"},
		{name: "cuts the power of a host that is out of reach", lost: dark, plug: func(x *inmem.Host) plugs { return plugs{x.Plug()} },
			outcome: plan.Completed, says: "the plug of attic says off", rung: "power", tried: []string{"resetting its stick", "off USB"}},
		{name: "takes the second fence when the first cannot be reached", lost: dark, plug: func(x *inmem.Host) plugs {
			broken := x.Plug()
			broken.Unreachable = true
			return plugs{broken, x.Plug()}
		}, outcome: plan.Completed, says: "the plug of attic says off", rung: "power", tried: []string{"resetting its stick", "off USB", "does not answer"}},
		{name: "does not believe a fence that lies", lost: dark, plug: func(x *inmem.Host) plugs {
			p := x.Plug()
			p.Lies = true
			return plugs{p}
		}, outcome: plan.GivenUp, says: "is on still", tried: []string{"resetting its stick", "off USB", "is on still"}},
		{name: "does not wait for a fence for ever", lost: dark, plug: func(x *inmem.Host) plugs {
			p := x.Plug()
			p.Slow = time.Hour
			return plugs{p}
		}, outcome: plan.GivenUp, says: "see why the plug of attic did not cut the power", tried: []string{"resetting its stick", "off USB", "deadline"}},
		{name: "hears through a fence that both lies and confirms", lost: dark, plug: func(x *inmem.Host) plugs {
			p := x.Plug()
			p.Broken = true
			return plugs{p}
		}, outcome: plan.RolledBack, says: "somebody is on air", rung: "power", tried: []string{"resetting its stick", "off USB"}},
		{name: "takes a mute stick off USB when it is not heard", lost: silentAndMute, outcome: plan.Completed,
			says: "cellar hears a router and no coordinator", rung: "unplug", tried: []string{"cannot be silenced"}},
		{name: "does not take USB's word for a stick that is heard", lost: muted, outcome: plan.GivenUp,
			says: "see that the stick has no power", tried: []string{"cannot be silenced", "a coordinator of the network is on air: cellar hears it"}},
		{name: "does not take USB's word when nobody can hear", lost: func(h *inmem.Home) {
			silentAndMute(h)
			h.Host("cellar").SetFarAway(true)
			h.Host("shed").SetFarAway(true)
		}, outcome: plan.GivenUp, says: "silence says nothing", tried: []string{"cannot be silenced", "silence says nothing"}},
		{name: "lets the other stand-by listen", lost: func(h *inmem.Home) {
			silentAndMute(h)
			h.Host("cellar").SetFarAway(true)
		}, outcome: plan.Completed, says: "shed hears a router and no coordinator", rung: "unplug", tried: []string{"cannot be silenced"}},
		{name: "cuts the power of a mute stick on air", lost: muted, plug: func(x *inmem.Host) plugs { return plugs{x.Plug()} },
			outcome: plan.Completed, says: "the plug of attic says off", rung: "power", tried: []string{"cannot be silenced", "a coordinator of the network is on air"}},
		{name: "cuts the power of a stick that is not on USB", lost: func(h *inmem.Home) { muted(h); h.Host("attic").SetNoUSB() },
			plug:    func(x *inmem.Host) plugs { return plugs{x.Plug()} },
			outcome: plan.Completed, says: "the plug of attic says off", rung: "power", tried: []string{"cannot be silenced", "no USB device"}},
		{name: "takes a person's word last", lost: func(h *inmem.Home) { dark(h); h.Host("attic").PowerCycleStick() },
			plug: func(x *inmem.Host) plugs {
				p := x.Plug()
				p.Unreachable = true
				return plugs{p}
			},
			request: engine.Request{Confirmed: "the owner has pulled it"}, outcome: plan.Completed, says: "the owner has pulled it", rung: "person",
			tried: []string{"resetting its stick", "off USB", "does not answer"}},
		{name: "hears through a person's word", lost: dark, request: engine.Request{Confirmed: "the owner has pulled it"},
			outcome: plan.RolledBack, says: "somebody is on air", rung: "person", tried: []string{"resetting its stick", "off USB"}},
		{name: "takes no word against what is seen", lost: func(h *inmem.Home) {
			h.Host("attic").SetStuck(true)
			h.Host("attic").SetNoUSB()
		}, request: engine.Request{Confirmed: "the owner has pulled it", Broken: "its radio is dead"}, outcome: plan.GivenUp, says: "take the power from attic itself",
			tried: []string{"did not stop in time", "no USB device", "contradicts"}},
		{name: "leaves a node that answers, when its radio is broken", lost: func(*inmem.Home) {}, request: engine.Request{Broken: "its radio is dead"},
			outcome: plan.Completed, says: "the stick says HOLD after a reset"},
		{name: "does not leave a node that answers otherwise", lost: func(*inmem.Home) {}, says: "attic serves the home"},
		{name: "does not leave a node that serves out of sight", lost: func(h *inmem.Home) { h.Host("attic").SetReachable(false) },
			plug: func(x *inmem.Host) plugs { return plugs{x.Plug()} }, says: "the home has Zigbee"},
		{name: "goes on without proof in so many words", lost: func(h *inmem.Home) { dark(h); h.Host("attic").PowerCycleStick() },
			request: risky, outcome: plan.Completed, says: "unproven: nobody could prove that attic is silent", rung: network.ByRisk,
			tried: []string{"resetting its stick", "off USB"}},
		{name: "hears through the wish to go on without proof", lost: dark, request: risky, outcome: plan.RolledBack, says: "somebody is on air",
			rung: network.ByRisk, tried: []string{"resetting its stick", "off USB"}},
		{name: "wants the very words", lost: dark, request: engine.Request{AcceptRisk: "yes"}, says: "--confirm-unplugged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				captured(t, controller(h, s))
				fences := map[string][]engine.Fence{}
				if tt.plug != nil {
					for _, p := range tt.plug(h.Host("attic")) {
						fences["attic"] = append(fences["attic"], p)
					}
				}
				tt.lost(h)
				tt.request.To = "cellar"
				seen := ""
				e, err := fencedBy(h, s, fences).Failover(context.Background(), tt.request, func(r engine.Report) {
					if r.Event == plan.EventDone {
						seen += strings.Join(r.Saw, "\n") + "\n"
					}
				})
				if tt.outcome != e.Outcome || tt.outcome == "" && err == nil {
					t.Fatalf("%q: %v, %v", e.Outcome, e.Err, err)
				}
				if err = errors.Join(err, e.Err); err != nil {
					seen = err.Error()
				}
				if !strings.Contains(seen, tt.says) {
					t.Errorf("want %q, it says:\n%s", tt.says, seen)
				}
				noViolations(t, h)
				if on := h.OnAir(); tt.outcome == plan.Completed && !slices.Equal(on, []string{"cellar"}) || tt.outcome != plan.Completed && slices.Contains(on, "cellar") {
					t.Errorf("on air: %v", on)
				}
				remembered(t, s, tt.rung)
				journaled(t, s, e.Run, tt.tried)
			})
		})
	}
}

// remembered compares how attic was silenced, as is on record.
func remembered(t *testing.T, s *inmem.Stores, rung string) {
	t.Helper()
	r, err := s.Memory().Load("home")
	if err != nil || r.Fenced["attic"].Rung != rung {
		t.Errorf("attic is on record as %+v, %v", r.Fenced["attic"], err)
	}
	if rung == network.ByRisk && r.Active == "cellar" && !strings.Contains(r.Unproven, decide.RiskWords) {
		t.Errorf("unproven is %q", r.Unproven)
	}
}

// journaled looks for the rungs that gave no proof, in their order.
func journaled(t *testing.T, s *inmem.Stores, run string, want []string) {
	t.Helper()
	if run == "" {
		return
	}
	entries, err := s.Journal().Load("home", run)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if e.Event == plan.EventRung {
			got = append(got, e.Note)
		}
	}
	for i, text := range want {
		if i >= len(got) || !strings.Contains(got[i], text) {
			t.Fatalf("the journal has the rungs %q, want %q", got, want)
		}
	}
	if len(got) > len(want) {
		t.Errorf("the journal has the rungs %q, want %q", got, want)
	}
}

// A host that hangs is fenced, and thaws before the target has started: it goes on as if
// nothing had happened.
func TestFrozenHostThaws(t *testing.T) {
	for _, when := range []string{"cellar.stage", "cellar.patch-stick", "cellar.promote", "cellar.listen"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				captured(t, controller(h, s))
				x := h.Host("attic")
				plug := x.Plug()
				plug.Broken = true // it has cut something else
				x.SetReachable(false)
				silence := deafBridge{h.Bridge()}
				c := engine.New(engine.Parts{
					Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Bridge: silence, Timing: plan.DefaultTiming(),
						Fences: map[string][]engine.Fence{"attic": {plug}}}},
					Journal: s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Log: slog.New(slog.DiscardHandler),
				})
				thawed := false
				h.SetFault(func(op string) error {
					if op == when && !thawed {
						thawed = true
						x.ThawUnlocked()
					}
					return nil
				})
				e, err := c.Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
				if err != nil || e.Outcome != plan.GivenUp && e.Outcome != plan.RolledBack || !thawed {
					t.Fatalf("%s: %v, %v", e.Outcome, e.Err, err)
				}
				settled(t, h, "attic")
			})
		})
	}
}

// deafBridge is a Zigbee2MQTT that hangs: the broker is there.
type deafBridge struct{ engine.Bridge }

func (deafBridge) Refresh(context.Context) (engine.BridgeInfo, error) {
	return engine.BridgeInfo{}, engine.ErrBridgeSilent
}

// The plug is switched on again while the stand-by gets its files. It is asked anew
// before anybody speaks.
func TestFenceMustHoldUntilTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		captured(t, controller(h, s))
		plug := h.Host("attic").Plug()
		dark(h)
		h.SetFault(func(op string) error {
			if op == "cellar.promote" {
				time.Sleep(time.Minute)
				plug.Lies = true
			}
			return nil
		})
		e, err := fencedBy(h, s, map[string][]engine.Fence{"attic": {plug}}).Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
		if err != nil || e.Outcome == plan.Completed || !strings.Contains(e.Err.Error(), "does not hold any more") {
			t.Fatalf("%s: %v, %v", e.Outcome, e.Err, err)
		}
		if on := h.OnAir(); len(on) != 0 || plug.Cuts != 2 {
			t.Errorf("on air: %v, cut %d times", on, plug.Cuts)
		}
		noViolations(t, h)
	})
}

// The old active has said HOLD, and its host is lost before the target starts: what does
// not depend on it is asked.
func TestHostLostAfterItsWord(t *testing.T) {
	for _, power := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h, s := warmHome(t)
			captured(t, controller(h, s))
			h.Host("attic").SetRunning(false)
			fences := map[string][]engine.Fence{}
			if power {
				fences["attic"] = []engine.Fence{h.Host("attic").Plug()}
			}
			h.SetFault(func(op string) error {
				if op == "cellar.promote" {
					h.Host("attic").CutOffUnlocked()
				}
				return nil
			})
			e, err := fencedBy(h, s, fences).Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
			if err != nil || (e.Outcome == plan.Completed) != power {
				t.Fatalf("power %t: %s, %v, %v", power, e.Outcome, e.Err, err)
			}
			if unconfirmed := new(engine.UnconfirmedError); !power && !errors.As(e.Err, &unconfirmed) {
				t.Errorf("got %v", e.Err)
			}
			noViolations(t, h)
		})
	}
}

// A further stand-by that is out of reach counts by its last proof, unless it was seen to
// run since.
func TestAnotherStandbyOutOfReach(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(h *inmem.Home, c *engine.Controller)
		want plan.Outcome
	}{
		{"goes on", func(*inmem.Home, *engine.Controller) {}, plan.Completed},
		{"stops for one that was seen to run", func(h *inmem.Home, c *engine.Controller) {
			h.Host("shed").SetMute(false)
			h.SetFault(nil)
			h.Host("attic").PowerCycleStick()
			h.Host("shed").SetRunning(true)
			time.Sleep(time.Second)
			if _, err := c.Look(context.Background(), "", false); err != nil {
				panic(err)
			}
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				c := controller(h, s)
				captured(t, c)
				h.Host("attic").SetRunning(false)
				tt.do(h, c)
				h.Host("shed").SetRunning(false)
				h.Host("shed").SetReachable(false)
				before := len(h.Violations()) // of the person who has started it
				e, err := controller(h, s).Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
				if e.Outcome != tt.want || tt.want == "" && !strings.Contains(err.Error(), "make shed reachable") {
					t.Fatalf("%s: %v, %v", e.Outcome, e.Err, err)
				}
				if v := h.Violations()[before:]; len(v) > 0 {
					t.Error(v)
				}
			})
		})
	}
}

// The controller dies on each rung, before and after it is written down. Nothing is on
// air then, and the next failover climbs anew.
func TestControllerDiesOnTheLadder(t *testing.T) {
	for n := 1; ; n++ {
		reached := false
		synctest.Test(t, func(t *testing.T) {
			h, s := warmHome(t)
			captured(t, controller(h, s))
			muted(h)
			fences := map[string][]engine.Fence{"attic": {h.Host("attic").Plug()}}
			lines, inFence := 0, false
			s.OnAppend = func(when string, e plan.Entry) error {
				inFence = strings.Contains(e.Step, string(plan.ActFence))
				if inFence {
					lines++
				}
				if reached = reached || inFence && lines == n; reached {
					return errFault
				}
				return nil
			}
			_, _ = fencedBy(h, s, fences).Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
			s.OnAppend = nil
			if !reached {
				return
			}
			if slices.Contains(h.OnAir(), "cellar") {
				t.Fatalf("on air: %v", h.OnAir())
			}
			c := fencedBy(h, s, fences)
			if err := c.Recover(context.Background(), "", quiet); err != nil {
				t.Fatal(err)
			}
			e, err := c.Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
			if err != nil {
				t.Fatal(err)
			}
			completed(t, e)
			settled(t, h, "cellar")
		})
		if !reached {
			if n < 6 {
				t.Fatalf("the ladder has %d lines only", n-1)
			}
			return
		}
	}
}

// Whoever is started when nobody is active listens first, too.
func TestColdStartListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := aHome(t)
		completed(t, oneNode(t, controller(h, s).StopNode, "attic"))
		heard := 0
		h.SetFault(func(op string) error {
			if op == "attic.listen" {
				if heard++; heard == 1 {
					h.Host("cellar").StrangerUnlocked()
				}
			}
			return nil
		})
		startRefused(t, controller(h, s), "", "somebody is on air")
		if on := h.OnAir(); slices.Contains(on, "attic") || heard != 1 {
			t.Fatalf("on air %v, listened %d times", on, heard)
		}
	})
}

// Planned moves do not listen: that would be time without Zigbee.
func TestSwitchoverDoesNotListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		h.SetFault(func(op string) error {
			if strings.HasSuffix(op, ".listen") || strings.HasSuffix(op, ".unplug") {
				t.Errorf("it calls %s", op)
			}
			return nil
		})
		completed(t, switchover(t, controller(h, s), "cellar"))
	})
}

// A fenced node is shown as such until its stick has said HOLD again.
func TestFencedIsKnownUntilProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		captured(t, controller(h, s))
		dark(h)
		c := fencedBy(h, s, map[string][]engine.Fence{"attic": {h.Host("attic").Plug()}})
		e, err := c.Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		role := func() network.Role {
			st, err := c.Look(context.Background(), "", false)
			if err != nil {
				t.Fatal(err)
			}
			return st.Nodes[0].Role
		}
		if got := role(); got != network.RoleFenced {
			t.Errorf("out of reach it is %s", got)
		}
		x := h.Host("attic")
		x.SetAtBoot(false)
		x.SetReachable(true)
		x.PowerOn()
		if got := role(); got != network.RoleFenced {
			t.Errorf("back, and not proven, it is %s", got)
		}
		if _, err := c.Look(context.Background(), "", true); err != nil { // it says HOLD
			t.Fatal(err)
		}
		if got := role(); got != network.RoleStandby {
			t.Errorf("proven it is %s", got)
		}
		remembered(t, s, "")
	})
}

func TestRungs(t *testing.T) {
	h := newHome("attic", "cellar")
	c := fencedBy(h, inmem.NewStores(), map[string][]engine.Fence{"attic": {h.Host("attic").Plug()}})
	got := c.Rungs("home")
	if want := []decide.Rung{decide.RungStop, decide.RungReset, decide.RungUnplug, decide.RungPower, decide.RungPerson}; !slices.Equal(got["attic"], want) {
		t.Errorf("attic: %v", got["attic"])
	}
	if slices.Contains(got["cellar"], decide.RungPower) || len(c.Rungs("nowhere")) != 0 {
		t.Errorf("got %v", got)
	}
}

// What is said to have no power answers: a fence that has cut something else, or a person
// who has pulled the wrong stick, is contradicted.
func TestHostThatAnswersContradicts(t *testing.T) {
	for _, tt := range []struct {
		name    string
		request engine.Request
		fence   bool
	}{
		{"a fence", engine.Request{To: "cellar"}, true},
		{"a person", engine.Request{To: "cellar", Confirmed: "the owner has pulled it"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				captured(t, controller(h, s))
				muted(h)
				h.Host("attic").SetNoUSB()
				fences := map[string][]engine.Fence{}
				if tt.fence {
					p := h.Host("attic").Plug()
					p.Broken = true
					fences["attic"] = []engine.Fence{p}
				}
				e, err := fencedBy(h, s, fences).Failover(context.Background(), tt.request, quiet)
				if err != nil || e.Outcome != plan.GivenUp || !strings.Contains(e.Err.Error(), "that contradicts it") {
					t.Fatalf("%s: %v, %v", e.Outcome, e.Err, err)
				}
				noViolations(t, h)
			})
		})
	}
}

// A stick that was taken off USB may be fenced so again, by a later failover.
func TestUnpluggedStickIsFencedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		captured(t, controller(h, s))
		silentAndMute(h)
		h.SetFault(func(op string) error {
			if op == "cellar.start" {
				return errFault
			}
			return nil
		})
		e, err := controller(h, s).Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
		if err != nil || e.Outcome == plan.Completed {
			t.Fatalf("%s: %v, %v", e.Outcome, e.Err, err)
		}
		h.SetFault(nil)
		e, err = controller(h, s).Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		settled(t, h, "cellar")
		remembered(t, s, network.ByUnplug)
	})
}

// What was taken off its bus is given back: at once when it was in vain, and when the node
// is to be a stand-by again when it was proof.
func TestWhatWasTakenOffIsGivenBack(t *testing.T) {
	there := func(t *testing.T, h *inmem.Home) bool {
		o, err := h.Host("attic").Observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return o.TTYPresent
	}
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		captured(t, c)
		h.Host("attic").SetMute(true) // and on air: whoever listens hears it
		e, err := c.Failover(t.Context(), engine.Request{To: "cellar", Broken: "its stick does not answer"}, quiet)
		if err != nil || e.Outcome == plan.Completed {
			t.Fatalf("%s, %v", e.Outcome, err)
		}
		if !there(t, h) || len(recordOf(t, s).Off) > 0 {
			t.Errorf("taken off in vain, and not given back: %v", recordOf(t, s).Off)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		captured(t, c)
		attic := h.Host("attic")
		attic.SetRunning(false)
		attic.PowerCycleStick() // silent, and mute
		attic.SetMute(true)
		e, err := c.Failover(t.Context(), engine.Request{To: "cellar"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		if there(t, h) || recordOf(t, s).Off["attic"].IsZero() {
			t.Fatalf("it was not taken off: %v", recordOf(t, s).Off)
		}
		attic.SetMute(false)
		e, err = c.Return(t.Context(), engine.Request{To: "attic"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		if !there(t, h) || len(recordOf(t, s).Off) > 0 {
			t.Errorf("it is a stand-by without a stick: %v", recordOf(t, s).Off)
		}
		settled(t, h, "cellar")
	})
}

// A controller that dies while a stick is off its bus leaves a node that can be repaired.
func TestRepairGivesTheStickBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		captured(t, controller(h, s))
		silentAndMute(h)
		h.SetFault(func(op string) error {
			if strings.HasSuffix(op, ".listen") { // the moment between taking it off and knowing
				s.OnAppend = func(string, plan.Entry) error { return errFault }
				return errFault
			}
			if strings.HasSuffix(op, ".replug") {
				return errFault
			}
			return nil
		})
		_, _ = controller(h, s).Failover(t.Context(), engine.Request{To: "cellar"}, quiet)
		s.OnAppend = nil
		h.SetFault(nil)
		if recordOf(t, s).Off["attic"].IsZero() {
			t.Fatal("it is not on record that the stick was taken off")
		}
		h.Host("attic").SetMute(false)
		e, err := controller(h, s).Repair(t.Context(), engine.Request{To: "attic"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		settled(t, h, "attic")
		if len(recordOf(t, s).Off) > 0 {
			t.Errorf("still off: %v", recordOf(t, s).Off)
		}
	})
}

// A controller dies when the target has started, and the old active comes back before another
// one takes the run up: it is silenced again, and the failover ends as it was meant.
func TestOldActiveComesBackDuringAnOpenFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		captured(t, controller(h, s))
		dark(h)
		c := fencedBy(h, s, map[string][]engine.Fence{"attic": {h.Host("attic").Plug()}})
		s.OnAppend = func(_ string, e plan.Entry) error {
			if e.Event == plan.EventDone && strings.Contains(e.Step, "prove") {
				return errFault
			}
			return nil
		}
		_, _ = c.Failover(t.Context(), engine.Request{To: "cellar"}, quiet)
		s.OnAppend = nil
		time.Sleep(10 * time.Minute)
		attic := h.Host("attic")
		attic.SetAtBoot(true)
		attic.SetReachable(true)
		attic.PowerOn()
		if on := h.OnAir(); len(on) != 2 {
			t.Fatalf("there is nothing to end: %v on air", on)
		}
		if err := controller(h, s).Recover(t.Context(), "", quiet); err != nil {
			t.Fatal(err)
		}
		if on := h.OnAir(); !slices.Equal(on, []string{"cellar"}) || recordOf(t, s).Active != "cellar" {
			t.Errorf("%v on air, %s on record", on, recordOf(t, s).Active)
		}
	})
}

// A stick that is on no USB bus cannot be taken off it, and nothing is owed then.
func TestNothingIsOwedForAStickWithoutUSB(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		captured(t, controller(h, s))
		silentAndMute(h)
		h.Host("attic").SetNoUSB()
		if e, err := controller(h, s).Failover(t.Context(), engine.Request{To: "cellar"}, quiet); err != nil || e.Outcome == plan.Completed {
			t.Fatalf("%s, %v", e.Outcome, err)
		}
		if off := recordOf(t, s).Off; len(off) > 0 {
			t.Errorf("on record as taken off: %v", off)
		}
	})
}
