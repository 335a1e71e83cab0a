package desk_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/rehearsal"
	"z2mha/internal/failover/status"
)

func TestCutOffRunIsTakenUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		run := e.leaveOpen("home", plan.ActStop)
		o := unwatched(t, e, t.TempDir())
		time.Sleep(500 * time.Millisecond)
		n := o.network("home")
		if n.Run == nil || n.Run.ID != run || n.Run.By != "Owner" || n.Run.Turning == "" || n.Protection != status.Acting {
			t.Fatalf("taken up: %s %+v", n.Protection, n.Run)
		}
		if n.Run.Steps[0].State != status.StepDone {
			t.Errorf("what was done before is %s", n.Run.Steps[0].State)
		}
		o.refused(desk.Request{Verb: desk.Sync}, "the recovery of a run that was cut off is being carried out")
		time.Sleep(time.Minute)
		n = o.network("home")
		if n.Run != nil || n.Ended.Outcome != plan.RolledBack || n.Active != "attic" || n.Last.Outcome != plan.RolledBack {
			t.Fatalf("settled: %+v", n.Last)
		}
		if got := o.toldTypes(); !strings.HasPrefix(got, "→acting refused switchover_failed") {
			t.Errorf("told %s", got)
		}
	})
}

// A failover of the controller's own that ended before the target was to start has moved
// nothing: the home is dark, and must not stay so for a cool-down.
func TestCutOffFailoverThatMovedNothing(t *testing.T) {
	for after, counts := range map[plan.Act]int{plan.ActPromote: 0, plan.ActStart: 1} {
		inBubble(t, func(t *testing.T) {
			e, m := newFake(t, "home"), &mind{think: calm}
			p := move("home", "attic", "cellar")
			p.Kind = plan.KindFailover
			e.leave("home", p, "decided by the controller", after)
			o := watched(t, e, m, t.TempDir(), rehearsal.Plan{})
			time.Sleep(2 * time.Minute)
			n := o.network("home")
			if n.Run != nil || n.Last == nil || n.Last.Cause != status.CauseAutomatic || n.Last.Outcome != plan.RolledBack {
				t.Fatalf("left after %s: %+v", after, n.Last)
			}
			if got := m.last().State.Failovers; len(got) != counts {
				t.Errorf("left after %s: it counts %d times, want %d", after, len(got), counts)
			}
		})
	}
}

func TestCutOffRunWaitsForRelease(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e, dir := newFake(t, "home"), t.TempDir()
		o := opened(t, e, dir)
		o.ask(desk.Request{Verb: desk.Hold})
		o.close()
		run := e.leaveOpen("home", plan.ActStop)
		o = opened(t, e, dir)
		time.Sleep(time.Hour)
		n := o.network("home")
		if n.Run != nil || n.Ended != nil || n.Protection != status.Held || len(n.Reasons) < 2 ||
			!strings.Contains(n.Reasons[1].What, run) || !strings.Contains(n.Reasons[1].Fix, "release the hold") {
			t.Fatalf("held: %s %v", n.Protection, n.Reasons)
		}
		o.ask(desk.Request{Verb: desk.Release})
		time.Sleep(30 * time.Second)
		if n := o.network("home"); n.Ended == nil || n.Ended.ID != run {
			t.Fatalf("released: %s %v", n.Protection, n.Reasons)
		}
	})
}

func TestCutOffRunThatCannotBeSettled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		run := e.leaveOpen("home", plan.ActStart)
		e.set("home", func(h *fakeHome) { h.unreachable = errors.New("cellar cannot be reached") })
		o := opened(t, e, t.TempDir())
		time.Sleep(time.Minute)
		n := o.network("home")
		if n.Protection != status.Unprotected || !strings.Contains(n.Reasons[0].What, "cellar cannot be reached") {
			t.Fatalf("open: %s %v", n.Protection, n.Reasons)
		}
		o.refused(desk.Request{Verb: desk.Switchover}, "cellar cannot be reached")
		time.Sleep(20 * time.Minute)
		if got := strings.Count(o.toldTypes(), "needs_help"); got != 1 {
			t.Errorf("cried %d times: %s", got, o.toldTypes())
		}
		if ev := o.last(status.EventNeedsHelp); ev.Run != run || ev.Fix == "" {
			t.Errorf("told %+v", ev)
		}
		e.set("home", func(h *fakeHome) { h.unreachable = nil })
		time.Sleep(6 * time.Minute)
		if n := o.network("home"); n.Ended == nil || n.Ended.Outcome != plan.RolledBack || n.Protection == status.Unprotected {
			t.Fatalf("reachable again: %s %v", n.Protection, n.Reasons)
		}
	})
}

func TestWayBackThatSticks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := opened(t, newFake(t, "home"), t.TempDir())
		o.engine.set("home", func(h *fakeHome) { h.fail, h.stuck = plan.ActLoad, errors.New("the stick of attic does not answer") })
		o.ask(desk.Request{Verb: desk.Switchover})
		time.Sleep(30 * time.Second)
		n := o.network("home")
		if n.Protection != status.Unprotected || n.Ended.Outcome != plan.NeedsHelp || n.Last.Outcome != plan.NeedsHelp ||
			!strings.Contains(n.Reasons[0].What, "does not answer") {
			t.Fatalf("stuck: %s %v %+v", n.Protection, n.Reasons, n.Last)
		}
		o.engine.set("home", func(h *fakeHome) { h.stuck = nil })
		time.Sleep(6 * time.Minute)
		n = o.network("home")
		if n.Ended.Outcome != plan.RolledBack || n.Active != "attic" || n.Moves != 0 {
			t.Fatalf("later: %+v", n.Ended)
		}
		if got := strings.Count(o.toldTypes(), "needs_help"); got != 1 {
			t.Errorf("cried %d times: %s", got, o.toldTypes())
		}
	})
}

// An open run is settled by the engine before what was asked for; the id returned is
// that of what was asked for.
func TestRequestSettlesAnOpenRunFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		open := e.leaveOpen("home", plan.ActStart)
		e.set("home", func(h *fakeHome) { h.unreachable = errors.New("cellar cannot be reached") })
		o := opened(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.unreachable = nil })
		run := o.ask(desk.Request{Verb: desk.Sync})
		if run == "" || run == open {
			t.Fatalf("run %q, the open one was %q", run, open)
		}
		time.Sleep(time.Minute)
		if n := o.network("home"); n.Ended.ID != run || n.Last.Run != open || n.Last.Outcome != plan.RolledBack {
			t.Fatalf("ended %s, last move %+v", n.Ended.ID, n.Last)
		}
		if got := o.toldTypes(); !strings.Contains(got, "switchover_failed sync_completed") {
			t.Errorf("told %s", got)
		}
	})
}

func TestClosingInterruptsARun(t *testing.T) {
	for _, tt := range []struct {
		name    string
		after   time.Duration
		outcome plan.Outcome
		want    string
	}{
		{"gives up what is not dark yet", 500 * time.Millisecond, plan.GivenUp, "switchover_failed"},
		{"ends a dark step and takes it back", 3500 * time.Millisecond, plan.RolledBack, "switchover_failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				e, dir := newFake(t, "home"), t.TempDir()
				o := opened(t, e, dir)
				o.ask(desk.Request{Verb: desk.Switchover})
				time.Sleep(tt.after)
				o.close()
				if n := o.network("home"); n.Ended == nil || n.Ended.Outcome != tt.outcome || n.Run != nil {
					t.Fatalf("closed: %s %s", n.Ended.Outcome, n.Ended.Err)
				}
				if ev := o.last(status.EventSwitchoverFailed); ev.Text == "" {
					t.Error("not told")
				}
				if _, err := o.Ask(t.Context(), desk.Request{Verb: desk.Sync}); err == nil || !strings.Contains(err.Error(), "the controller is stopping") {
					t.Errorf("asked of a closed desk: %v", err)
				}
				o = opened(t, e, dir)
				n := o.network("home")
				if n.Last == nil || n.Last.Outcome != tt.outcome || n.Ended != nil || len(n.Events) == 0 {
					t.Errorf("after a restart: %+v", n.Last)
				}
			})
		})
	}
}

func TestHistoryAfterARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e, dir := newFake(t, "home"), t.TempDir()
		o := opened(t, e, dir)
		for _, to := range []string{"cellar", "attic"} {
			o.ask(desk.Request{Verb: desk.Switchover, To: to, By: "Owner"})
			time.Sleep(time.Minute)
		}
		before := o.network("home")
		o.close()
		e.set("home", func(h *fakeHome) { h.runs = append([]string{"gone"}, h.runs...) }) // one that cannot be read
		o = opened(t, e, dir)
		n := o.network("home")
		if n.Moves != 2 || *n.Last != *before.Last || n.Last.By != "Owner" || n.Last.Outage == 0 || n.Last.To != "attic" {
			t.Errorf("after a restart: %d moves, last %+v, was %+v", n.Moves, n.Last, before.Last)
		}
		if len(n.Events) < 3 || n.Events[0].Type != before.Events[0].Type || n.Nodes[1].OutOfSync != before.Nodes[1].OutOfSync {
			t.Errorf("events %v, were %v", n.Events, before.Events)
		}
		p, err := o.Preview(t.Context(), desk.Request{Verb: desk.Switchover, To: "cellar"})
		if err != nil || !p.Interruption.Measured || p.Interruption.Expected != before.Last.Outage {
			t.Errorf("preview %+v, %v", p.Interruption, err)
		}
		if got := o.toldTypes(); got != "" {
			t.Errorf("told again: %s", got)
		}
	})
}

func TestDamagedEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e, dir := newFake(t, "home"), t.TempDir()
		o := opened(t, e, dir)
		o.close()
		o.write("events/home.jsonl", "\x00\x01 rubbish\n{\"type\":\"sync_completed\",\"network\":\"home\"}\n{\"ty")
		o = opened(t, e, dir)
		synctest.Wait()
		if n := o.network("home"); len(n.Events) != 2 || n.Events[1].Type != status.EventSyncCompleted {
			t.Errorf("events %v", n.Events)
		}
	})
}
