package desk_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

func looks(e *fakeEngine, name string) int {
	return get(e, name, func(h *fakeHome) int { return h.looks })
}

func TestLooksAtIntervals(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		time.Sleep(time.Hour)
		if n := looks(e, "home"); n < 235 || n > 245 {
			t.Errorf("%d looks in an hour", n)
		}
		if n := get(e, "home", func(h *fakeHome) int { return h.stickLooks }); n < 6 || n > 7 {
			t.Errorf("%d looks with sticks in an hour", n)
		}
		n := o.network("home")
		if n.Nodes[1].Kind != "docker" || n.Nodes[1].Address != "cellar:22" || n.Nodes[1].Firmware == "" || n.Devices != 40 || n.Took == 0 {
			t.Errorf("shown %+v", n)
		}
	})
}

func TestLookIsAskedForSoon(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		time.Sleep(5 * time.Second)
		before := looks(e, "home")
		for range 1000 {
			o.Look("home")
			o.Look("")
			o.Look("no such network")
		}
		time.Sleep(2 * time.Second)
		if n := looks(e, "home") - before; n < 1 || n > 2 {
			t.Errorf("%d looks were made", n)
		}
	})
}

// The fake fails the test when a look meets a run.
func TestNoLookDuringARun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.stepTakes = time.Minute })
		o.ask(desk.Request{Verb: desk.Switchover})
		before := looks(e, "home")
		sticks := get(e, "home", func(h *fakeHome) int { return h.stickLooks })
		for range 7 {
			time.Sleep(time.Minute)
			o.Look("home")
		}
		if looks(e, "home") != before || o.network("home").Protection != status.Acting {
			t.Errorf("looked at %d times, %s", looks(e, "home")-before, o.network("home").Protection)
		}
		time.Sleep(2 * time.Minute)
		if n := get(e, "home", func(h *fakeHome) int { return h.stickLooks }); n != sticks+1 {
			t.Errorf("%d looks with sticks after the run", n-sticks)
		}
	})
}

func TestLookIsPutOffForARequest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.lookTakes = 50 * time.Second })
		time.Sleep(20 * time.Second) // a look without sticks is under way
		began := time.Now()
		o.ask(desk.Request{Verb: desk.Sync})
		if took := time.Since(began); took > time.Second {
			t.Errorf("the request waited %s", took)
		}
		time.Sleep(10 * time.Second)
		if n := o.network("home"); n.LookErr != nil || n.Ended == nil {
			t.Errorf("look: %v, ended %v", n.LookErr, n.Ended)
		}
	})
}

func TestLookThatFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		at := o.network("home").At
		e.set("home", func(h *fakeHome) { h.lookErr = errors.New("the record is damaged") })
		time.Sleep(20 * time.Second)
		n := o.network("home")
		if n.LookErr == nil || n.Protection != status.Unprotected || !n.At.Equal(at) || n.Active != "attic" || n.Nodes[0].CanTake || n.Ready != nil {
			t.Errorf("shown %s, %v, at %s", n.Protection, n.LookErr, n.At)
		}
		e.set("home", func(h *fakeHome) { h.lookErr = nil })
		time.Sleep(20 * time.Second)
		if n := o.network("home"); n.LookErr != nil || n.Protection != status.Degraded {
			t.Errorf("later %s, %v", n.Protection, n.LookErr)
		}
		const want = "→degraded degraded→unprotected redundancy_lost unprotected→degraded redundancy_restored"
		if got := o.toldTypes(); got != want {
			t.Errorf("told %s", got)
		}
	})
}

func TestLookThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.lookTakes = time.Hour })
		time.Sleep(62 * time.Second)
		if n := o.network("home"); n.Protection != status.Unprotected || !strings.Contains(n.Reasons[0].What, "old") {
			t.Errorf("%s %v", n.Protection, n.Reasons)
		}
		if got := o.toldTypes(); !strings.HasSuffix(got, "redundancy_lost") {
			t.Errorf("told %s", got)
		}
	})
}

func TestStandbyComesAndGoes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e, dir := newFake(t, "home"), t.TempDir()
		o := opened(t, e, dir)
		e.set("home", func(h *fakeHome) { h.down["cellar"] = errors.New("no route to cellar") })
		time.Sleep(20 * time.Second)
		if ev := o.last(status.EventRedundancyLost); !strings.Contains(ev.Text, "no route to cellar") || ev.Node != "cellar" || ev.Fix == "" {
			t.Errorf("told %+v", ev)
		}
		o.close()
		e.set("home", func(h *fakeHome) { delete(h.down, "cellar") })
		o = opened(t, e, dir)
		if got := o.toldTypes(); got != "unprotected→degraded redundancy_restored" {
			t.Errorf("after a restart: told %s", got)
		}
	})
}

func TestSplitBrainIsToldOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		for range 2 {
			e.set("home", func(h *fakeHome) { h.active = []string{"attic", "cellar"} })
			time.Sleep(time.Minute)
			if n := o.network("home"); n.Active != "" || n.Protection != status.Unprotected {
				t.Errorf("%q is active, %s", n.Active, n.Protection)
			}
			e.set("home", func(h *fakeHome) { h.active = []string{"attic"} })
			time.Sleep(time.Minute)
		}
		if got := strings.Count(o.toldTypes(), "split_brain"); got != 2 {
			t.Errorf("told %d times", got)
		}
	})
}

func TestTwoNetworksAreIndependent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home", "barn")
		o := opened(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.stepTakes = time.Minute })
		o.refused(desk.Request{Verb: desk.Sync}, "the configuration has home, barn")
		o.ask(desk.Request{Network: "home", Verb: desk.Switchover})
		o.ask(desk.Request{Network: "barn", Verb: desk.Sync})
		time.Sleep(30 * time.Second)
		if home, barn := o.network("home"), o.network("barn"); home.Run == nil || barn.Run != nil || barn.Ended == nil || barn.Protection != status.Protected {
			t.Errorf("home %v, barn %s", home.Run, barn.Protection)
		}
		o.ask(desk.Request{Network: "barn", Verb: desk.Hold})
		if home := o.network("home"); home.Hold.On || home.Protection != status.Acting {
			t.Errorf("home is %s", home.Protection)
		}
		if all := o.Networks(); all[0].Name != "home" || all[1].Name != "barn" {
			t.Error("not in the order of the configuration")
		}
	})
}

// dark is how long the dark steps of a plan may take.
func dark(p plan.Plan) (total time.Duration) {
	for _, s := range p.Steps {
		if s.Dark {
			total += s.Budget
		}
	}
	return total
}

func TestPreviews(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		for _, tt := range []struct {
			name string
			r    desk.Request
			want desk.Interruption
			kind plan.Kind
		}{
			{"switchover", desk.Request{Verb: desk.Switchover}, desk.Interruption{Expected: 45 * time.Second, AtMost: 5 * time.Minute}, plan.KindSwitchover},
			{"sync", desk.Request{Verb: desk.Sync}, desk.Interruption{None: true}, plan.KindSync},
			{"stop of the active", desk.Request{Verb: desk.Stop, To: "attic"}, desk.Interruption{Forever: true}, plan.KindStop},
			{"stop of a stand-by", desk.Request{Verb: desk.Stop, To: "cellar"}, desk.Interruption{None: true}, plan.KindStop},
			{"hold", desk.Request{Verb: desk.Hold}, desk.Interruption{None: true}, ""},
			{"seed", desk.Request{Verb: desk.Seed}, desk.Interruption{Expected: 45 * time.Second, AtMost: dark(plan.Seed("home", "attic", []string{"cellar"}, plan.DefaultTiming()))}, plan.KindSeed},
			{"failover", desk.Request{Verb: desk.Failover}, desk.Interruption{Expected: 30 * time.Second, AtMost: dark(plan.Failover("home", "attic", "cellar", nil, 1, "", plan.DefaultTiming()))}, plan.KindFailover},
			{"restore", desk.Request{Verb: desk.Restore, Generation: 3}, desk.Interruption{Expected: 45 * time.Second, AtMost: dark(plan.Restore("home", "attic", nil, 3, plan.DefaultTiming()))}, plan.KindRestore},
		} {
			p, err := o.Preview(t.Context(), tt.r)
			if err != nil || p.Interruption != tt.want || p.Plan.Kind != tt.kind || p.Request.Network != "home" {
				t.Errorf("%s: %+v %s, %v", tt.name, p.Interruption, p.Plan.Kind, err)
			}
		}
		o.ask(desk.Request{Verb: desk.Sync})
		if _, err := o.Preview(t.Context(), desk.Request{Verb: desk.Switchover}); err == nil || !strings.Contains(err.Error(), "a sync is being carried out") {
			t.Errorf("while a run is under way: %v", err)
		}
		time.Sleep(time.Minute)
		e.set("home", func(h *fakeHome) { h.refuse = errors.New("no stand-by can be reached") })
		if _, err := o.Preview(t.Context(), desk.Request{Verb: desk.Sync}); err == nil || !strings.Contains(err.Error(), "no stand-by can be reached") {
			t.Errorf("sync to nobody: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := o.Preview(ctx, desk.Request{Verb: desk.Switchover}); !errors.Is(err, context.Canceled) {
			t.Errorf("nobody waits: %v", err)
		}
	})
}

func TestStopAndStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		o.ask(desk.Request{Verb: desk.Stop, To: "attic", By: "Owner"})
		time.Sleep(time.Minute)
		if n := o.network("home"); n.Active != "" || n.Protection != status.Unprotected || n.Nodes[0].Service.State != status.LightBad {
			t.Errorf("stopped: %q is active, %s, %+v", n.Active, n.Protection, n.Nodes[0].Service)
		}
		if ev := o.last(status.EventNodeStopped); ev.Node != "attic" || ev.By != "Owner" {
			t.Errorf("told %+v", ev)
		}
		o.ask(desk.Request{Verb: desk.Start})
		time.Sleep(time.Minute)
		if n := o.network("home"); n.Active != "attic" || n.Last != nil {
			t.Errorf("started: %q is active, last move %v", n.Active, n.Last)
		}
		if ev := o.last(status.EventNodeStarted); ev.Node != "attic" {
			t.Errorf("told %+v", ev)
		}
	})
}

func TestSyncFailsAndRecovers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e, dir := newFake(t, "home"), t.TempDir()
		o := opened(t, e, dir)
		e.set("home", func(h *fakeHome) { h.fail = plan.ActCopy })
		o.ask(desk.Request{Verb: desk.Sync})
		time.Sleep(time.Minute)
		o.last(status.EventSyncFailed)
		o.close()
		e.set("home", func(h *fakeHome) { h.fail = "" })
		o = opened(t, e, dir)
		for range 2 {
			o.ask(desk.Request{Verb: desk.Sync})
			time.Sleep(time.Minute)
		}
		if got := o.toldTypes(); !strings.Contains(got, "sync_recovered") || !strings.Contains(got, "sync_completed") {
			t.Errorf("told %s", got)
		}
		if n := o.network("home"); n.Generation != 2 || n.Nodes[1].OutOfSync || n.LastSync.IsZero() || n.Moves != 0 {
			t.Errorf("synced: %+v", n)
		}
	})
}

func TestAskDoesNotWaitForever(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.planTakes = 40 * time.Second })
		began := time.Now()
		if run := o.ask(desk.Request{Verb: desk.Sync}); run != "" || time.Since(began) != 30*time.Second {
			t.Errorf("run %q after %s", run, time.Since(began))
		}
		time.Sleep(time.Minute)
		o.last(status.EventSyncCompleted)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := o.Ask(ctx, desk.Request{Verb: desk.Sync}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody waits: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if got := strings.Count(o.toldTypes(), "sync_completed"); got != 2 {
			t.Errorf("%d were carried out", got)
		}
	})
}

func TestOneOfTwoRequestsIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := opened(t, newFake(t, "home"), t.TempDir())
		errs := make(chan error)
		for range 2 {
			go func() {
				_, err := o.Ask(context.Background(), desk.Request{Verb: desk.Switchover})
				errs <- err
			}()
		}
		if a, b := <-errs, <-errs; (a == nil) == (b == nil) {
			t.Errorf("answers %v and %v", a, b)
		}
	})
}

func TestSlowListener(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := opened(t, newFake(t, "home"), t.TempDir())
		release := make(chan struct{})
		heard, late := 0, 0
		cancel := o.Listen(func(status.Event) {
			<-release
			heard++
		})
		defer cancel()
		gone := o.Listen(func(status.Event) { late++ })
		gone()
		gone()
		const many = 1100
		for range many {
			if _, err := o.Ask(t.Context(), desk.Request{Verb: "nonsense"}); err == nil {
				t.Fatal("not refused")
			}
			synctest.Wait()
		}
		if got := strings.Count(o.toldTypes(), "refused"); got != many {
			t.Errorf("the quick one heard %d", got)
		}
		close(release)
		synctest.Wait()
		if heard < 1000 || heard > 1002 || late != 0 {
			t.Errorf("the slow one heard %d, the one that went %d", heard, late)
		}
		o.refused(desk.Request{Verb: "nonsense"}, "nobody knows how")
		synctest.Wait()
		if heard < 1001 {
			t.Errorf("the slow one has caught up and heard %d", heard)
		}
		for range status.MaxEvents {
			o.ask(desk.Request{Verb: desk.Hold})
			o.ask(desk.Request{Verb: desk.Release})
		}
		if n := o.network("home"); len(n.Events) != status.MaxEvents {
			t.Errorf("%d events are shown", len(n.Events))
		}
	})
}

func TestListenerThatHangsKeepsNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := opened(t, newFake(t, "home"), t.TempDir())
		release := make(chan struct{})
		defer close(release)
		o.Listen(func(status.Event) { <-release })
		o.ask(desk.Request{Verb: desk.Hold})
		began := time.Now()
		o.close()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("closing took %s", took)
		}
	})
}

func TestChangedIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.stepTakes = time.Millisecond })
		changes, stop := 0, make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-o.Changed():
					changes++
				case <-stop:
					return
				}
			}
		}()
		for range 50 {
			o.ask(desk.Request{Verb: desk.Sync})
			time.Sleep(100 * time.Millisecond)
		}
		close(stop)
		<-done
		if changes < 20 || changes > 300 {
			t.Errorf("%d changes", changes)
		}
	})
}

// Between the end of a run and the next look the desk says what the run has proven.
func TestShownBeforeTheNextLook(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.lookTakes = 20 * time.Second })
		o.ask(desk.Request{Verb: desk.Switchover})
		time.Sleep(10 * time.Second)
		n := o.network("home")
		if n.Run != nil || n.Protection != status.Acting || n.Active != "cellar" || n.Recorded != "cellar" || n.Nodes[1].Role != "active" || n.Nodes[0].Role == "active" {
			t.Errorf("after a move: %s, %q active, %q on record, run %v", n.Protection, n.Active, n.Recorded, n.Run)
		}
		time.Sleep(30 * time.Second)
		e.set("home", func(h *fakeHome) { h.fail = plan.ActLoad })
		o.ask(desk.Request{Verb: desk.Switchover, To: "attic"})
		time.Sleep(10 * time.Second)
		if n := o.network("home"); n.Active != "cellar" || n.Ended.Outcome != plan.RolledBack {
			t.Errorf("after a move that was taken back: %q active, %s", n.Active, n.Ended.Outcome)
		}
	})
}

func TestErrorsOfSeveralLines(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.lookErr = errors.Join(errors.New("one"), errors.New("two")) })
		time.Sleep(20 * time.Second)
		if ev, r := o.last(status.EventRedundancyLost), o.network("home").Reasons[0]; strings.Contains(ev.Text+r.What, "\n") || !strings.Contains(r.What, "one; two") {
			t.Errorf("told %q, shown %q", ev.Text, r.What)
		}
	})
}
