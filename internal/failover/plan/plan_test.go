package plan_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"z2mha/internal/failover/plan"
)

func entries(t testing.TB, p plan.Plan, more ...plan.Entry) []plan.Entry {
	t.Helper()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return append([]plan.Entry{{Seq: 1, Run: p.ID, Event: plan.EventPlanned, Data: data}}, more...)
}

func step(t testing.TB, p plan.Plan, a plan.Act) string {
	t.Helper()
	for _, s := range p.Steps {
		if s.Act == a {
			return s.ID
		}
	}
	t.Fatalf("no step %s", a)
	return ""
}

func example() plan.Plan {
	return plan.Switchover("home", "attic", "cellar", []string{"shed"}, plan.DefaultTiming())
}

// TestOrder is the safety of a switchover as an order of acts.
func TestOrder(t *testing.T) {
	place := map[plan.Act]int{}
	for i, s := range example().Steps {
		place[s.Act] = i
	}
	for _, pair := range [][2]plan.Act{
		{plan.ActWitness, plan.ActStop}, {plan.ActPark, plan.ActStop}, {plan.ActKeepStick, plan.ActLoad},
		{plan.ActStop, plan.ActFence}, {plan.ActFence, plan.ActReadStick}, {plan.ActReadStick, plan.ActLoad},
		{plan.ActReadStick, plan.ActFinalCopy}, {plan.ActFinalCopy, plan.ActPromote},
		{plan.ActLoad, plan.ActStart}, {plan.ActPromote, plan.ActStart}, {plan.ActStart, plan.ActProve}, {plan.ActProve, plan.ActRecord},
	} {
		if place[pair[0]] >= place[pair[1]] {
			t.Errorf("%s does not come before %s", pair[0], pair[1])
		}
	}
}

func TestEveryStandbyIsParked(t *testing.T) {
	var parked []string
	for _, s := range example().Steps {
		if s.Act == plan.ActPark {
			parked = append(parked, s.Node)
		}
	}
	if diff := cmp.Diff([]string{"cellar", "shed"}, parked); diff != "" {
		t.Error(diff)
	}
}

func TestEveryStepSaysHowItIsBelieved(t *testing.T) {
	for _, p := range []plan.Plan{example(), plan.Sync("home", "attic", 1, []plan.SyncStep{{Node: "cellar", Stage: true, Warm: true}}), plan.FastSwitchover("home", "attic", "cellar", nil, plan.DefaultTiming()), plan.Failover("home", "attic", "cellar", nil, 1, "", plan.DefaultTiming()), plan.Seed("home", "attic", []string{"cellar"}, plan.DefaultTiming()), plan.Restore("home", "attic", []string{"cellar"}, 1, plan.DefaultTiming())} {
		for _, s := range p.Steps {
			if s.Check == "" || s.Title == "" || s.Budget <= 0 {
				t.Errorf("%s lacks title, check or budget", s.ID)
			}
		}
	}
}

func TestReplay(t *testing.T) {
	p := example()
	stop, fence, start := step(t, p, plan.ActStop), step(t, p, plan.ActFence), step(t, p, plan.ActStart)
	tests := []struct {
		name string
		log  []plan.Entry
		runs bool // the target, just started
		way  plan.Way
		undo []string
	}{
		{"turns back when nothing began", nil, false, plan.Back, nil},
		{"takes a stop back that had only begun",
			[]plan.Entry{{Event: plan.EventBegin, Step: stop}}, false, plan.Back, []string{stop}},
		{"takes nothing back for a fence",
			[]plan.Entry{{Event: plan.EventBegin, Step: stop}, {Event: plan.EventDone, Step: stop}, {Event: plan.EventBegin, Step: fence}},
			false, plan.Back, []string{stop}},
		{"turns back when the target was to start and does not run",
			[]plan.Entry{{Event: plan.EventBegin, Step: stop}, {Event: plan.EventBegin, Step: start}}, false, plan.Back, []string{start, stop}},
		{"goes on when the target runs",
			[]plan.Entry{{Event: plan.EventBegin, Step: stop}, {Event: plan.EventBegin, Step: start}}, true, plan.Forward, []string{start, stop}},
		{"goes on turning back once it had turned",
			[]plan.Entry{{Event: plan.EventBegin, Step: stop}, {Event: plan.EventBegin, Step: start}, {Event: plan.EventWalkBack},
				{Event: plan.EventUndoBegin, Step: start}, {Event: plan.EventUndone, Step: start}}, true, plan.Back, []string{stop}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := plan.Replay(entries(t, p, tt.log...))
			if err != nil {
				t.Fatal(err)
			}
			if got.AfterCrash(plan.Sight{Known: true, Runs: tt.runs}) != tt.way {
				t.Errorf("goes %s, want %s", got.AfterCrash(plan.Sight{Known: true, Runs: tt.runs}), tt.way)
			}
			var undo []string
			for _, s := range got.ToUndo() {
				undo = append(undo, s.ID)
			}
			if diff := cmp.Diff(tt.undo, undo); diff != "" {
				t.Errorf("undo (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDoubtAboutTheTargetAsks(t *testing.T) {
	p := example()
	started := []plan.Entry{{Event: plan.EventBegin, Step: step(t, p, plan.ActStart)}}
	turned := append(started, plan.Entry{Event: plan.EventWalkBack})
	for _, tt := range []struct {
		name   string
		log    []plan.Entry
		target plan.Sight
		want   plan.Way
	}{
		{"asks when the target cannot be looked at", started, plan.Sight{}, plan.Ask},
		{"goes on when it has served since the way back was given up", turned, plan.Sight{Known: true, Runs: true, Served: true}, plan.Forward},
		{"goes on turning back when that was just now", turned, plan.Sight{Known: true, Runs: true}, plan.Back},
		{"goes on with one that has served", started, plan.Sight{Known: true, Runs: true, Served: true}, plan.Forward},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := plan.Replay(entries(t, p, tt.log...))
			if err != nil || got.AfterCrash(tt.target) != tt.want {
				t.Errorf("got %s, %v; want %s", got.AfterCrash(tt.target), err, tt.want)
			}
		})
	}
}

func TestReplayWithoutPlan(t *testing.T) {
	for _, log := range [][]plan.Entry{nil, {{Event: plan.EventBegin, Step: "01"}}} {
		if _, err := plan.Replay(log); !errors.Is(err, plan.ErrNoPlan) {
			t.Errorf("got %v, want ErrNoPlan", err)
		}
	}
}

// TestProgressFollowsTheOrder: however far a run came, the next step forward is the
// first that is not done, and what is to be undone comes last first.
func TestProgressFollowsTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := example()
		data, _ := json.Marshal(p)
		log := []plan.Entry{{Event: plan.EventPlanned, Data: data}}
		done := rapid.IntRange(0, len(p.Steps)-1).Draw(t, "done")
		for _, s := range p.Steps[:done] {
			log = append(log, plan.Entry{Event: plan.EventBegin, Step: s.ID}, plan.Entry{Event: plan.EventDone, Step: s.ID})
		}
		got, err := plan.Replay(log)
		if err != nil {
			t.Fatal(err)
		}
		if next, ok := got.NextForward(); !ok || next.ID != p.Steps[done].ID {
			t.Fatalf("next is %s, want %s", next.ID, p.Steps[done].ID)
		}
		last := "~"
		for _, s := range got.ToUndo() {
			if s.ID >= last || s.Undo == "" {
				t.Fatalf("undo of %s out of order", s.ID)
			}
			last = s.ID
		}
	})
}
