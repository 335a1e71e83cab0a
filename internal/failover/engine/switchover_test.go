package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

const lamp zigbee.IEEE = 0x00158d0000000100

func newHome(names ...string) *inmem.Home {
	h := inmem.New(formed(), nvimagetest.Stick, func(i int) *nvimage.Image {
		return nvimagetest.Reset(zigbee.IEEE(0x00124b00bb000000 + uint64(i)))
	}, names...)
	h.Devices = []engine.BridgeDevice{
		{IEEE: lamp, FriendlyName: "lamp", Type: "Router", Askable: true, AskProperty: "state"},
		{IEEE: lamp + 1, FriendlyName: "door", Type: "EndDevice"},
	}
	return h
}

// formed is a network in which two devices have application link keys.
func formed() *nvimage.Image {
	img := nvimagetest.Formed()
	child, _ := img.Address(nvimagetest.NumLinked)
	child.User |= nvimage.UserSecurity
	img.PutAddress(nvimagetest.NumLinked, child)
	img.PutAPSLink(nvimage.APSLink{Slot: 0, Address: nvimagetest.NumLinked, Key: 0})
	img.PutAPSLink(nvimage.APSLink{Slot: 1, Address: nvimagetest.NumLinked - 1, Key: 1})
	return img
}

func controller(h *inmem.Home, s *inmem.Stores) *engine.Controller {
	return engine.New(engine.Parts{
		Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Bridge: h.Bridge(), Timing: plan.DefaultTiming()}},
		Journal:  s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Log: slog.New(slog.DiscardHandler),
	})
}

func quiet(engine.Report) {}

func switchover(t *testing.T, c *engine.Controller, to string) engine.Ended {
	t.Helper()
	ended, err := c.Switchover(context.Background(), engine.Request{To: to}, quiet)
	if err != nil {
		t.Fatalf("switchover to %q: %v", to, err)
	}
	return ended
}

// settled asserts what must hold whenever nothing runs: no safety rule was broken
// and exactly one node serves the home.
func settled(t *testing.T, h *inmem.Home, active string) {
	t.Helper()
	if v := h.Violations(); len(v) > 0 {
		t.Fatalf("safety rules were broken:\n%s", strings.Join(v, "\n"))
	}
	if on := h.OnAir(); !slices.Equal(on, []string{active}) {
		t.Fatalf("on air: %v, want only %s", on, active)
	}
	if !h.Works() {
		t.Fatal("the devices do not hear the coordinator")
	}
}

func TestSwitchoverAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		c := controller(h, s)
		for _, to := range []string{"cellar", "attic", "cellar"} {
			time.Sleep(36 * time.Hour)
			if ended := switchover(t, c, to); ended.Outcome != plan.Completed {
				t.Fatalf("to %s: %s: %v", to, ended.Outcome, ended.Err)
			}
			settled(t, h, to)
			rec, err := s.Memory().Load("home")
			if err != nil || rec.Active != to || rec.Unproven != "" {
				t.Fatalf("record: %+v, %v", rec, err)
			}
		}
	})
}

func TestSwitchoverToActiveChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		before := h.Host("cellar").Stick()
		_, err := controller(h, inmem.NewStores()).Switchover(context.Background(), engine.Request{To: "attic"}, quiet)
		if !errors.Is(err, engine.ErrAlreadyActive) {
			t.Fatalf("got %v, want ErrAlreadyActive", err)
		}
		if len(nvimage.Diff(before, h.Host("cellar").Stick())) != 0 {
			t.Error("the stand-by's stick was written")
		}
		settled(t, h, "attic")
	})
}

func TestDryRunChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		h.SetFault(func(op string) error {
			if slices.ContainsFunc([]string{"observe", "refresh", "devices"}, func(s string) bool { return strings.HasSuffix(op, "."+s) }) {
				return nil
			}
			return fmt.Errorf("a dry run called %s", op)
		})
		p, steps, err := controller(h, inmem.NewStores()).DryRun(context.Background(), engine.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if p.To != "cellar" || len(steps) != len(p.Steps) {
			t.Errorf("plan to %q with %d of %d steps explained", p.To, len(steps), len(p.Steps))
		}
	})
}

// TestTargetDies is the home's worst moment: the new active comes up and is gone
// two seconds later with its stick on air.
func TestTargetDies(t *testing.T) {
	for _, after := range []time.Duration{time.Millisecond, 2 * time.Second, 6 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome("attic", "cellar")
				h.Host("cellar").DieAfter(after)
				ended := switchover(t, controller(h, inmem.NewStores()), "cellar")
				if ended.Outcome != plan.RolledBack || ended.Err == nil {
					t.Fatalf("got %s, %v", ended.Outcome, ended.Err)
				}
				settled(t, h, "attic")
			})
		})
	}
}

// TestDeafDevices: everything looks right, but no device answers any more.
func TestDeafDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		h.SetFault(func(op string) error {
			if op == "cellar.start" {
				h.Deaf[lamp] = true
			}
			if op == "attic.start" {
				h.Deaf[lamp] = false
			}
			return nil
		})
		if ended := switchover(t, controller(h, inmem.NewStores()), "cellar"); ended.Outcome != plan.RolledBack {
			t.Fatalf("got %s, %v", ended.Outcome, ended.Err)
		}
		settled(t, h, "attic")
	})
}

var errFault = errors.New("injected fault")

// TestEveryOperationFails lets each operation of a switchover fail, once and for
// good, before and after it acted. Whatever fails, no rule is broken; when it fails
// only once, the home works at the end.
func TestEveryOperationFails(t *testing.T) {
	for op, calls := range operations(t) {
		for nth := 1; nth <= calls; nth++ {
			t.Run(fmt.Sprintf("%s-%d", op, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, s := newHome("attic", "cellar"), inmem.NewStores()
					seen := 0
					h.SetFault(func(o string) error {
						if o != op {
							return nil
						}
						if seen++; seen == nth {
							return errFault
						}
						return nil
					})
					_, _ = controller(h, s).Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
					h.SetFault(nil)
					if err := controller(h, s).Recover(context.Background(), "", quiet); err != nil {
						t.Fatalf("recover: %v", err)
					}
					settled(t, h, h.OnAir()[0])
				})
			})
		}
	}
}

// operations counts what a switchover calls.
func operations(t *testing.T) map[string]int {
	calls := map[string]int{"cellar.load-stick.torn": 1}
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		h.SetFault(func(op string) error { calls[op] = min(calls[op]+1, 6); return nil })
		switchover(t, controller(h, inmem.NewStores()), "cellar")
	})
	return calls
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		ctx, cancel := context.WithCancel(context.Background())
		ended, err := controller(h, inmem.NewStores()).Switchover(ctx, engine.Request{To: "cellar"}, func(r engine.Report) {
			if r.Step.Act == plan.ActReadStick {
				cancel()
			}
		})
		if err != nil || ended.Outcome != plan.RolledBack || !errors.Is(ended.Err, engine.ErrInterrupted) {
			t.Fatalf("got %s, %v, %v", ended.Outcome, ended.Err, err)
		}
		settled(t, h, "attic")
	})
}

// TestOldActiveComesBack: something starts the old Zigbee2MQTT again in the middle
// of the move, as a service manager would.
func TestOldActiveComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		h.SetFault(func(op string) error {
			if op == "cellar.promote" {
				h.Host("attic").RunUnlocked()
			}
			return nil
		})
		if ended := switchover(t, controller(h, inmem.NewStores()), "cellar"); ended.Outcome != plan.RolledBack {
			t.Fatalf("got %s, %v", ended.Outcome, ended.Err)
		}
		settled(t, h, "attic")
	})
}

func TestUnfenceableTargetIsNotTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		h.SetFault(func(op string) error {
			if op == "bridge.ask" && slices.Contains(h.OnAirUnlocked(), "cellar") {
				h.Host("cellar").CutOffUnlocked()
				return errFault
			}
			return nil
		})
		ended := switchover(t, controller(h, s), "cellar")
		var open *engine.UnsettledError
		if ended.Outcome != plan.NeedsHelp || !errors.As(ended.Err, &open) {
			t.Fatalf("got %s, %v", ended.Outcome, ended.Err)
		}
		settled(t, h, "cellar")
		_, err := controller(h, s).Switchover(context.Background(), engine.Request{To: "attic"}, quiet)
		if !errors.As(err, &open) {
			t.Fatalf("a new switchover was begun over an open one: %v", err)
		}
		h.SetFault(nil)
		h.Host("cellar").SetReachable(true) // it has served the home meanwhile
		if err := controller(h, s).Recover(context.Background(), "", quiet); err != nil {
			t.Fatal(err)
		}
		settled(t, h, "cellar")
	})
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(h *inmem.Home)
		want   string
		active string
	}{
		{"refuses while two nodes run", func(h *inmem.Home) { h.Host("cellar").SetData(h.Host("attic")) }, "runs on attic and cellar", ""},
		{"refuses while none runs", func(h *inmem.Home) { h.Host("attic").SetRunning(false) }, "no node runs", "attic"},
		{"refuses an unreachable target", func(h *inmem.Home) { h.Host("cellar").SetReachable(false) }, "does not answer", "attic"},
		{"refuses during an interview", func(h *inmem.Home) { h.Devices[1].Interviewing = true }, "door is being interviewed", "attic"},
		{"refuses a node given twice", func(h *inmem.Home) { h.Host("cellar").SameMachine(h.Host("attic")) }, "same stick", "attic"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome("attic", "cellar")
				tt.spoil(h)
				ended, err := controller(h, inmem.NewStores()).Switchover(context.Background(), engine.Request{To: "cellar"}, quiet)
				err = errors.Join(err, ended.Err)
				var refused *network.RefusedError
				if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("got %v, want a refusal with %q", err, tt.want)
				}
				if tt.active != "" {
					if on := h.OnAir(); !slices.Equal(on, []string{tt.active}) {
						t.Errorf("on air: %v", on)
					}
				}
			})
		})
	}
}

func TestOpenJoiningIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome("attic", "cellar")
		h.Joining = true
		if ended := switchover(t, controller(h, inmem.NewStores()), "cellar"); ended.Outcome != plan.Completed || h.Joining {
			t.Fatalf("got %s, %v, joining %t", ended.Outcome, ended.Err, h.Joining)
		}
	})
}

func TestSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar", "shed"), inmem.NewStores()
		h.Host("shed").SetReachable(false)
		got, err := controller(h, s).Capture(context.Background(), engine.CaptureRequest{}, quiet)
		if err != nil || got.Outcome != plan.Completed || got.Unreachable["shed"] == nil {
			t.Fatalf("got %+v, %v", got, err)
		}
		g, err := s.Shelf().Latest("home")
		if err != nil || g.Number != 1 || g.Source != "attic" {
			t.Fatalf("generation %+v, %v", g, err)
		}
		settled(t, h, "attic")
	})
}
