package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// What is put right in place: the active is restarted, a second one is ended, one that
// comes back is made a stand-by.

// refusedWith asserts that nothing was begun, or given up, for that reason.
func refusedWith(t *testing.T, ended engine.Ended, err error, want string) {
	t.Helper()
	err = errors.Join(err, ended.Err)
	var refused *network.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) || refused.Remedy == "" {
		t.Fatalf("got %v, want a refusal with %q", err, want)
	}
}

// loadsOf counts how often a stick was loaded.
func loadsOf(h *inmem.Home, node string) *int {
	n := 0
	h.SetFault(func(op string) error {
		if op == node+".load-stick" {
			n++
		}
		return nil
	})
	return &n
}

func TestRepair(t *testing.T) {
	for _, tt := range []struct {
		name   string
		spoil  func(h *inmem.Home)
		raised bool // nobody could tell that it may go on from its own counter
	}{
		{"its process is gone and its stick on air", func(h *inmem.Home) { h.Host("attic").SetRunning(false) }, false},
		{"its process is gone and its stick was booted", func(h *inmem.Home) {
			h.Host("attic").SetRunning(false)
			h.Host("attic").PowerCycleStick()
		}, false},
		{"it runs and does nothing", func(*inmem.Home) {}, false},
		{"it ends slowly", func(h *inmem.Home) { h.Host("attic").SlowStop(95 * time.Second) }, false},
		{"its stick was put back to an earlier day", func(h *inmem.Home) {
			old := h.Host("attic").Stick()
			time.Sleep(24 * time.Hour)
			h.Host("attic").SetRunning(false)
			h.Host("attic").PowerCycleStick()
			h.Host("attic").SetNV(old)
		}, true},
		{"a stand-by cannot be reached", func(h *inmem.Home) { h.Host("shed").SetReachable(false) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				c := controller(h, s)
				captured(t, c)
				time.Sleep(3 * time.Hour)
				tt.spoil(h)
				if tt.raised {
					captureLater(t, s)
				}
				explained(t, c.PlanRepair, "attic")
				loads := loadsOf(h, "attic")
				completed(t, oneNode(t, c.Repair, ""))
				if (*loads > 0) != tt.raised {
					t.Errorf("the stick was written %d times", *loads)
				}
				bootsAlone(t, h, "attic")
			})
		})
	}
}

// captureLater is what a controller knows that has captured until just now.
func captureLater(t *testing.T, s *inmem.Stores) {
	t.Helper()
	r := recordOf(t, s)
	r.Odometer = r.Odometer.Held(r.Odometer.Floor(time.Now()))
	if err := s.Memory().Save(r); err != nil {
		t.Fatal(err)
	}
}

// A stick that answers to no reset cannot be repaired: the node stays silent, and says why.
func TestRepairOfAMuteStick(t *testing.T) {
	for _, times := range []int{1, 9} {
		synctest.Test(t, func(t *testing.T) {
			h, s := warmHome(t)
			resets := 0
			h.SetFault(func(op string) error {
				if op == "attic.reset" {
					if resets++; resets <= times {
						return errFault
					}
				}
				return nil
			})
			ended := oneNode(t, controller(h, s).Repair, "attic")
			if times == 1 {
				completed(t, ended)
				settled(t, h, "attic")
				return
			}
			var mute *engine.MuteError
			if ended.Outcome != plan.RolledBack || !errors.As(ended.Err, &mute) || mute.Node != "attic" || resets != 2 {
				t.Fatalf("%s: %v, %d resets", ended.Outcome, ended.Err, resets)
			}
			noViolations(t, h)
			if h.Host("attic").Running() {
				t.Error("Zigbee2MQTT was started on a mute stick")
			}
		})
	}
}

// Whoever ends the command while the active is stopped gets a home that is served.
func TestInterruptedRepairGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended, err := controller(h, s).Repair(ctx, engine.Request{}, func(r engine.Report) {
			if r.Step.Act == plan.ActFence {
				cancel()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		completed(t, ended)
		settled(t, h, "attic")
	})
}

// It comes up and dies again: then it ends silent, and another one may take over.
func TestRepairThatFailsEndsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		captured(t, c)
		h.Host("attic").SetRunning(false)
		h.Host("attic").DieAfter(2 * time.Second)
		if e := oneNode(t, c.Repair, ""); e.Outcome != plan.RolledBack {
			t.Fatalf("%s: %v", e.Outcome, e.Err)
		}
		noViolations(t, h)
		if on := h.OnAir(); len(on) != 0 {
			t.Fatalf("on air: %v", on)
		}
		e, err := c.Failover(t.Context(), engine.Request{To: "cellar"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		settled(t, h, "cellar")
	})
}

func TestRepairRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, h *inmem.Home, s *inmem.Stores)
		node  string
		want  string
	}{
		{"a node that is not the active one", nil, "cellar", "attic is the active node on record"},
		{"a host that does not answer", func(_ *testing.T, h *inmem.Home, _ *inmem.Stores) { h.Host("attic").SetReachable(false) }, "attic", "does not answer"},
		{"while another one runs", func(_ *testing.T, h *inmem.Home, _ *inmem.Stores) { h.Host("cellar").SetData(h.Host("attic")) }, "attic", "cellar is not stopped"},
		{"when a stand-by that ran cannot be asked any more", func(t *testing.T, h *inmem.Home, s *inmem.Stores) {
			h.Host("shed").SetData(h.Host("attic"))
			if _, err := controller(h, s).Look(t.Context(), "", false); err != nil {
				t.Fatal(err)
			}
			h.Host("shed").SetReachable(false)
		}, "attic", "shed cannot be looked at"},
		{"when nobody is on record", func(t *testing.T, _ *inmem.Home, s *inmem.Stores) {
			r := recordOf(t, s)
			r.Active = ""
			if err := s.Memory().Save(r); err != nil {
				t.Fatal(err)
			}
		}, "attic", "not on record"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				if tt.spoil != nil {
					tt.spoil(t, h, s)
				}
				ended, err := controller(h, s).Repair(t.Context(), engine.Request{To: tt.node}, quiet)
				refusedWith(t, ended, err, tt.want)
				if !h.Host("attic").Running() {
					t.Error("the active was stopped")
				}
			})
		})
	}
}

// After a power cut the active host is back, does not start by itself, and the stand-bys'
// hosts come later.
func TestColdStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		captured(t, controller(h, s))
		h.Host("attic").SetAtBoot(false)
		h.PowerCut()
		for _, name := range []string{"cellar", "shed"} {
			h.Host(name).PowerOff()
		}
		time.Sleep(time.Hour)
		c := controller(h, s) // it had no power either
		completed(t, oneNode(t, c.StartNode, ""))
		settled(t, h, "attic")
		for _, name := range []string{"cellar", "shed"} {
			h.Host(name).PowerOn()
		}
		settled(t, h, "attic")
		captured(t, c)
		completed(t, moved(t, c, engine.Request{To: "cellar"}))
		settled(t, h, "cellar")
	})
}

// A node was lost and its power cut, or somebody has given their word. It is still gone
// when the power fails.
func TestColdStartBesideAFencedNode(t *testing.T) {
	for _, tt := range []struct {
		name   string
		word   string
		back   bool // its power is back, and the fence cannot cut it any more
		starts bool
	}{
		{"a person's word stands", "it is unplugged", false, true},
		{"a fence still cuts", "", false, true},
		{"a fence that does not cut any more", "", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				plug := h.Host("attic").Plug()
				c := fencedBy(h, s, map[string][]engine.Fence{"attic": {plug}})
				captured(t, c)
				time.Sleep(time.Hour)
				lost(h, false)
				h.Host("attic").SetReachable(false)
				if tt.word != "" {
					lost(h, true)
					plug.Unreachable = true
				}
				e, err := c.Failover(t.Context(), engine.Request{To: "cellar", Confirmed: tt.word}, quiet)
				if err != nil {
					t.Fatal(err)
				}
				completed(t, e)
				h.PowerCut()
				h.Host("cellar").SetRunning(false)
				if tt.back {
					plug.Unreachable = true
				}
				ended, err := c.StartNode(t.Context(), engine.Request{}, quiet)
				noViolations(t, h)
				if started := err == nil && ended.Outcome == plan.Completed; started != tt.starts {
					t.Fatalf("started %t: %s, %v, %v", started, ended.Outcome, ended.Err, err)
				}
			})
		})
	}
}

func TestColdStartRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, h *inmem.Home, s *inmem.Stores)
		want  string
	}{
		{"when a stand-by that ran cannot be asked any more", func(t *testing.T, h *inmem.Home, s *inmem.Stores) {
			h.Host("shed").SetRunning(true)
			if _, err := controller(h, s).Look(t.Context(), "", false); err != nil {
				t.Fatal(err)
			}
			h.Host("shed").PowerOff()
		}, "shed cannot be looked at"},
		{"when the old active cannot be reached", func(_ *testing.T, h *inmem.Home, _ *inmem.Stores) { h.Host("attic").PowerOff() }, "does not answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				h.Host("attic").SetAtBoot(false)
				h.PowerCut()
				tt.spoil(t, h, s)
				ended, err := controller(h, s).StartNode(t.Context(), engine.Request{}, quiet)
				refusedWith(t, ended, err, tt.want)
				if on := h.OnAir(); len(on) != 0 {
					t.Errorf("on air: %v", on)
				}
			})
		})
	}
}

// Two speak, and the record names one of them. The other one had been the active before,
// so its counters are low; or a warm stick was started, which is far ahead.
func TestSilence(t *testing.T) {
	for _, tt := range []struct {
		name   string
		second string
		ran    time.Duration
		end    func(h *inmem.Home)
		raised bool
	}{
		{"the old active runs again", "attic", time.Hour, func(*inmem.Home) {}, false},
		{"its stick was left on air", "attic", time.Hour, func(h *inmem.Home) { h.Host("attic").SetRunning(false) }, false},
		{"a warm stand-by runs", "shed", time.Hour, func(*inmem.Home) {}, true},
		{"a warm stand-by has run for days", "shed", 100 * time.Hour, func(*inmem.Home) {}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				c := controller(h, s)
				completed(t, moved(t, c, engine.Request{To: "cellar", Careful: true}))
				captured(t, c)
				if tt.second == "attic" { // as it was left, before it became a stand-by
					h.Host("attic").SetNV(formed())
				}
				h.Host(tt.second).SetRunning(true) // breaks I1, and may break I2, without our doing
				h.Host(tt.second).SetAtBoot(true)
				time.Sleep(tt.ran)
				tt.end(h)
				theirs := len(h.Violations())
				explained(t, c.PlanSilence, tt.second)
				loads := loadsOf(h, "cellar")
				ended := oneNode(t, c.Silence, tt.second)
				completed(t, ended)
				if (*loads > 0) != tt.raised {
					t.Errorf("the active's stick was written %d times, facts %q", *loads, ended.Facts.Behind)
				}
				if v := h.Violations(); len(v) > theirs {
					t.Fatalf("ours: %v", v[theirs:])
				}
				if on := h.OnAir(); !slices.Equal(on, []string{"cellar"}) || !h.Works() || !slices.Equal(h.AtBoot(), []string{"cellar"}) {
					t.Fatalf("on air %v, works %t, start at boot %v", on, h.Works(), h.AtBoot())
				}
			})
		})
	}
}

// The second speaker's stick answers nobody any more: then only its power will do.
func TestSilenceOfAMuteStick(t *testing.T) {
	for _, fenced := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h, s := twoSpeakers(t)
			var fences map[string][]engine.Fence
			if fenced {
				fences = map[string][]engine.Fence{"shed": {h.Host("shed").Plug()}}
			}
			h.Host("shed").SetMute(true)
			theirs := len(h.Violations())
			ended := oneNode(t, fencedBy(h, s, fences).Silence, "shed")
			ours(t, h, theirs)
			if !fenced {
				var open *engine.UnconfirmedError
				if !errors.As(ended.Err, &open) || ended.Outcome != plan.GivenUp || !strings.Contains(ended.Err.Error(), "pull its stick") {
					t.Fatalf("%s, %v", ended.Outcome, ended.Err)
				}
				return
			}
			completed(t, ended)
			if on := h.OnAir(); !slices.Equal(on, []string{"attic"}) || !h.Works() || ended.Facts.Behind == "" {
				t.Fatalf("on air %v, works %t, %q", on, h.Works(), ended.Facts.Behind)
			}
		})
	}
}

func TestSilenceRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, h *inmem.Home, s *inmem.Stores)
		node  string
		want  string
	}{
		{"the active one", nil, "attic", "is the active node on record"},
		{"one that is silent", nil, "cellar", "silent already"},
		{"when the active does not serve", func(_ *testing.T, h *inmem.Home, _ *inmem.Stores) {
			h.Host("cellar").SetRunning(true)
			h.Host("attic").SetRunning(false)
		}, "cellar", "does not serve"},
		{"when nobody is on record", func(t *testing.T, h *inmem.Home, s *inmem.Stores) {
			r := recordOf(t, s)
			r.Active = ""
			if err := s.Memory().Save(r); err != nil {
				t.Fatal(err)
			}
			h.Host("cellar").SetRunning(true)
		}, "cellar", "not on record"},
		{"one that cannot be reached", func(_ *testing.T, h *inmem.Home, _ *inmem.Stores) {
			h.Host("cellar").SetRunning(true)
			h.Host("cellar").SetReachable(false)
		}, "cellar", "does not answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				if tt.spoil != nil {
					tt.spoil(t, h, s)
				}
				before := h.OnAir()
				ended, err := controller(h, s).Silence(t.Context(), engine.Request{To: tt.node}, quiet)
				refusedWith(t, ended, err, tt.want)
				if on := h.OnAir(); !slices.Equal(on, before) {
					t.Errorf("on air %v, was %v", on, before)
				}
			})
		})
	}
}

// The old active was lost, a stand-by took over, and now the old one is back.
func TestReturn(t *testing.T) {
	for _, tt := range []struct {
		name string
		back func(h *inmem.Home)
	}{
		{"it starts by itself", func(h *inmem.Home) { h.Host("attic").PowerOn() }},
		{"it does not start", func(h *inmem.Home) {
			h.Host("attic").SetAtBoot(false)
			h.Host("attic").PowerOn()
		}},
		{"it was started and died, its stick is on air", func(h *inmem.Home) {
			h.Host("attic").PowerOn()
			h.Host("attic").SetRunning(false)
		}},
		{"it comes back with an empty stick", func(h *inmem.Home) {
			h.Host("attic").SetAtBoot(false)
			h.Host("attic").PowerOn()
			h.Host("attic").SetNV(nvimagetest.Reset(0x00124b00bb000009))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				c := controller(h, s)
				captured(t, c)
				time.Sleep(24 * time.Hour)
				lost(h, true)
				e, err := c.Failover(t.Context(), engine.Request{To: "cellar", Confirmed: "it is unplugged"}, quiet)
				if err != nil {
					t.Fatal(err)
				}
				completed(t, e)
				h.Join(newcomer)
				time.Sleep(time.Hour)
				tt.back(h)
				time.Sleep(time.Minute)
				theirs, old := len(h.Violations()), h.Host("attic").Data()
				explained(t, c.PlanReturn, "attic")
				completed(t, oneNode(t, c.Return, "attic"))
				if v := h.Violations(); len(v) > theirs {
					t.Fatalf("ours: %v", v[theirs:])
				}
				returned(t, h, s, old)
				time.Sleep(36 * time.Hour)
				back := moved(t, c, engine.Request{To: "attic"})
				completed(t, back)
				if v := h.Violations(); !back.Plan.Fast || len(v) > theirs || !h.Works() {
					t.Fatalf("fast %t, ours: %v", back.Plan.Fast, v[theirs:])
				}
			})
		})
	}
}

// returned asserts that attic is a stand-by of cellar, and nothing of it is lost.
func returned(t *testing.T, h *inmem.Home, s *inmem.Stores, old map[string]string) {
	t.Helper()
	if on := h.OnAir(); !slices.Equal(on, []string{"cellar"}) || !h.Works() || !slices.Equal(h.AtBoot(), []string{"cellar"}) {
		t.Fatalf("on air %v, works %t, start at boot %v", on, h.Works(), h.AtBoot())
	}
	r := recordOf(t, s)
	last, err := s.Shelf().Latest("home")
	if err != nil || last.Source != "cellar" || r.Staged["attic"].Generation != last.Number {
		t.Fatalf("staged %+v, last %d of %s, %v", r.Staged["attic"], last.Number, last.Source, err)
	}
	if on := r.Sticks["attic"]; on.Trouble != "" || on.Generation != last.Number || !knows(h.Host("attic").Stick(), newcomer) {
		t.Fatalf("the stick of attic: %+v", on)
	}
	newest, err := s.Shelf().Newest("home")
	if err != nil {
		t.Fatal(err)
	}
	for n := newest.Number; n > 0; n-- {
		if g, err := s.Shelf().Get("home", n); err == nil && g.Source == "attic" && holds(g, old) {
			return
		}
	}
	t.Fatal("the data of attic were not kept")
}

// holds says that a generation has just these files.
func holds(g generation.Generation, data map[string]string) bool {
	for path, content := range data {
		sum := sha256.Sum256([]byte(content))
		if f, ok := g.File(path); !ok || f.SHA256 != hex.EncodeToString(sum[:]) {
			return false
		}
	}
	return len(data) == len(g.Files)
}

func TestReturnRefusesWhenTheActiveDoesNotServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		completed(t, moved(t, controller(h, s), engine.Request{To: "cellar"}))
		h.Host("cellar").SetRunning(false)
		ended, err := controller(h, s).Return(t.Context(), engine.Request{To: "attic"}, quiet)
		refusedWith(t, ended, err, "does not serve")
	})
}

// A rehearsal is a fast move, or none.
func TestRehearsal(t *testing.T) {
	for _, tt := range []struct {
		name    string
		spoil   func(t *testing.T, h *inmem.Home, s *inmem.Stores)
		careful bool
		want    string
	}{
		{name: "moves the fast way"},
		{name: "moves the careful way when told so", careful: true},
		{name: "waits while joining is open", want: "joining is open",
			spoil: func(_ *testing.T, h *inmem.Home, _ *inmem.Stores) { h.Joining = true }},
		{name: "waits for a stick that is not current", want: "a careful one",
			spoil: func(t *testing.T, _ *inmem.Home, s *inmem.Stores) {
				r := recordOf(t, s)
				on := r.Sticks["cellar"]
				on.Trouble = "it could not be written"
				r.Sticks["cellar"] = on
				if err := s.Memory().Save(r); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "waits for a counter that is too low", want: "may have reached",
			spoil: func(*testing.T, *inmem.Home, *inmem.Stores) { time.Sleep(72 * time.Hour) }},
		{name: "does not fall back to the careful way", want: "not warm",
			spoil: func(_ *testing.T, h *inmem.Home, _ *inmem.Stores) {
				h.SetFault(func(op string) error {
					if op == "cellar.patch-stick" {
						return errFault
					}
					return nil
				})
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				c := controller(h, s)
				captured(t, c)
				if tt.spoil != nil {
					tt.spoil(t, h, s)
				}
				e, err := c.Switchover(t.Context(), engine.Request{To: "cellar", Rehearsal: true, Careful: tt.careful}, quiet)
				if tt.want == "" {
					completed(t, e)
					if !e.Plan.Rehearsal || e.Plan.Fast == tt.careful {
						t.Fatalf("rehearsal %t, fast %t", e.Plan.Rehearsal, e.Plan.Fast)
					}
					settled(t, h, "cellar")
					return
				}
				if err = errors.Join(err, e.Err); err == nil || !strings.Contains(err.Error(), tt.want) || e.Outcome == plan.Completed {
					t.Fatalf("%s, %v, want %q", e.Outcome, err, tt.want)
				}
				settled(t, h, "attic")
			})
		})
	}
}

// A person may start what was active last although the network is on hold.
func TestStartDespiteHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		h.Host("attic").SetAtBoot(false)
		h.PowerCut()
		c := heldController(h, s)
		ended, err := c.StartNode(t.Context(), engine.Request{}, quiet)
		refusedWith(t, ended, err, "on hold")
		e, err := c.StartNode(t.Context(), engine.Request{DespiteHold: true}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		settled(t, h, "attic")
	})
}
