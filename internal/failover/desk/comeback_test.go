package desk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/internal/world/inmem"
)

// A new desk takes up what another one has left, on a home in memory.

var errDead = errors.New("the controller is dead")

// askAndWait asks and waits until all is over.
func askAndWait(d *desk.Desk, verb desk.Verb, to string) {
	_, _ = d.Ask(context.Background(), desk.Request{Verb: verb, To: to, By: "Owner"})
	time.Sleep(10 * time.Minute)
}

func TestDeskAfterADeath(t *testing.T) {
	for _, story := range [][]desk.Verb{{desk.Stop}, {desk.Stop, desk.Start}, {desk.Switchover}} {
		for n := 1; ; n += 2 {
			dead := false
			t.Run(fmt.Sprint(story, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { dead = deskAfterADeath(t, story, n) })
			})
			if !dead {
				break
			}
		}
	}
}

func deskAfterADeath(t *testing.T, story []desk.Verb, n int) (dead bool) {
	h, s, dir := newHome("attic", "cellar"), inmem.NewStores(), t.TempDir()
	d, stop := attended(t, h, s, dir)
	time.Sleep(time.Minute)
	count := 0
	s.OnAppend = func(string, plan.Entry) error {
		if count++; count >= n {
			dead = true
			return errDead
		}
		return nil
	}
	for _, verb := range story {
		to := map[desk.Verb]string{desk.Stop: "attic", desk.Switchover: "cellar"}[verb]
		_, _ = d.Ask(context.Background(), desk.Request{Verb: verb, To: to, By: "Owner"})
		time.Sleep(3 * time.Minute)
	}
	stop()
	s.OnAppend = nil
	d, stop = attended(t, h, s, dir)
	defer stop()
	time.Sleep(11 * time.Minute)
	net := d.Networks()[0]
	if net.Run != nil || strings.Contains(fmt.Sprint(net.Reasons), "cut off") {
		t.Fatalf("still open: %+v", net.Reasons)
	}
	if len(h.OnAir()) == 0 || !h.Works() {
		askAndWait(d, desk.Start, "")
	}
	on := h.OnAir()
	if v := h.Violations(); len(v) > 0 || len(on) != 1 || !h.Works() || !slices.Equal(h.AtBoot(), on) {
		t.Fatalf("on air %v, at boot %v, broken: %v; %+v", on, h.AtBoot(), v, d.Networks()[0].Reasons)
	}
	if got := d.Networks()[0].Active; got != on[0] {
		t.Fatalf("%q is shown as active, %s is", got, on[0])
	}
	return dead
}

// A hold that comes in mid-run does not leave the home dark, and one that is there after
// a death is respected.
func TestHoldInMidRunAndDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, dir := newHome("attic", "cellar"), inmem.NewStores(), t.TempDir()
		d, stop := attended(t, h, s, dir)
		time.Sleep(time.Minute)
		s.OnAppend = func(when string, e plan.Entry) error {
			if when == "after" && e.Event == plan.EventDone && strings.Contains(e.Step, string(plan.ActFence)) {
				_, _ = d.Ask(context.Background(), desk.Request{Verb: desk.Hold, By: "Owner"})
			}
			return nil
		}
		askAndWait(d, desk.Switchover, "cellar")
		n := seen(t, h, d, "cellar", status.Held)
		if n.Ended == nil || n.Ended.Outcome != plan.Completed {
			t.Fatalf("ended %+v", n.Ended)
		}
		askAndWait(d, desk.Release, "")
		dead := false
		s.OnAppend = func(when string, e plan.Entry) error {
			if dead = dead || e.Event == plan.EventDone && strings.Contains(e.Step, string(plan.ActFence)); dead {
				return errDead
			}
			return nil
		}
		_, _ = d.Ask(context.Background(), desk.Request{Verb: desk.Switchover, To: "attic"})
		time.Sleep(30 * time.Second)
		_, _ = d.Ask(context.Background(), desk.Request{Verb: desk.Hold, By: "Owner"})
		stop()
		s.OnAppend = nil
		h.SetFault(func(op string) error {
			for _, allowed := range []string{".observe", ".inspect", "bridge."} {
				if strings.Contains(op, allowed) {
					return nil
				}
			}
			t.Errorf("on hold, and %s", op)
			return nil
		})
		d, stop = attended(t, h, s, dir)
		defer stop()
		time.Sleep(24 * time.Hour)
		if on := h.OnAir(); len(on) != 0 {
			t.Fatalf("on air: %v", on)
		}
		h.SetFault(nil)
		askAndWait(d, desk.Release, "")
		if on := h.OnAir(); !slices.Equal(on, []string{"cellar"}) || !h.Works() || len(h.Violations()) > 0 {
			t.Fatalf("on air %v, %v", on, h.Violations())
		}
	})
}
