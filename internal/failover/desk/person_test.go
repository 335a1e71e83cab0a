package desk_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

// What only a person may ask for.

func TestNoAutomationAsksForWhatIsAPersons(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := opened(t, newFake(t, "home"), t.TempDir())
		for _, v := range []desk.Verb{desk.Seed, desk.Failover, desk.Accept, desk.Restore, desk.Repair, desk.Return, desk.Acknowledge} {
			r := desk.Request{Verb: v, By: "MQTT", Unattended: true, Generation: 1, Confirmed: "unplugged"}
			o.refused(r, "only a person who has looked may ask for that")
			if _, err := o.Preview(t.Context(), r); err == nil && v != desk.Acknowledge {
				t.Errorf("a preview of %s was given", v)
			}
		}
	})
}

func TestSeed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		if n := o.network("home"); !n.Nodes[1].Unloaded || n.Nodes[0].Unloaded {
			t.Errorf("before: %+v", n.Nodes)
		}
		run := o.ask(desk.Request{Verb: desk.Seed, By: "Owner"})
		time.Sleep(5 * time.Second)
		if n := o.network("home"); n.Run == nil || n.Run.ID != run || n.Protection != status.Acting || n.Last != nil {
			t.Errorf("under way: %+v", n.Run)
		}
		time.Sleep(time.Minute)
		n := o.network("home")
		if n.Active != "attic" || n.Moves != 0 || n.Last != nil || n.Nodes[1].Unloaded || n.Ended.Outage == 0 {
			t.Errorf("after: %q is active, %d moves, %+v", n.Active, n.Moves, n.Ended)
		}
		ev := o.last(status.EventNodeStarted)
		if ev.Node != "attic" || ev.By != "Owner" || !strings.Contains(ev.Text, "so that cellar can be kept ready; Zigbee rested for ") {
			t.Errorf("told %+v", ev)
		}
		p, err := o.Preview(t.Context(), desk.Request{Verb: desk.Seed})
		if err != nil || !p.Interruption.Measured || p.Interruption.Expected != n.Ended.Outage {
			t.Errorf("the next one: %+v, %v", p.Interruption, err)
		}
		if p, err := o.Preview(t.Context(), desk.Request{Verb: desk.Switchover}); err != nil || p.Interruption.Measured {
			t.Errorf("a move after it: %+v, %v", p.Interruption, err)
		}
	})
}

func TestSeedThatIsTakenBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.fail = plan.ActReadStick })
		o.ask(desk.Request{Verb: desk.Seed})
		time.Sleep(time.Minute)
		if ev := o.last(status.EventRunFailed); !strings.Contains(ev.Text, "was taken back, and attic serves again") {
			t.Errorf("told %q", ev.Text)
		}
		if n := o.network("home"); n.Active != "attic" || n.Ended.Outcome != plan.RolledBack {
			t.Errorf("%q is active, %s", n.Active, n.Ended.Outcome)
		}
	})
}

func TestRestore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		o.ask(desk.Request{Verb: desk.Restore, Generation: 3, By: "Owner"})
		time.Sleep(time.Minute)
		if ev := o.last(status.EventNodeStarted); ev.Node != "attic" || !strings.HasPrefix(ev.Text, "Copy 3 is back on attic, and the network works through it; ") {
			t.Errorf("told %+v", ev)
		}
		asked := get(e, "home", func(h *fakeHome) []engine.Request { return h.requests })
		if n := o.network("home"); n.Active != "attic" || n.Moves != 0 || len(asked) != 1 || asked[0].Generation != 3 {
			t.Errorf("%q is active, %d moves, asked %+v", n.Active, n.Moves, asked)
		}
	})
}

func TestFailover(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e, dir := newFake(t, "home"), t.TempDir()
		o := opened(t, e, dir)
		e.set("home", func(h *fakeHome) { h.active, h.down["attic"], h.lost = nil, errors.New("no route to attic"), true })
		time.Sleep(20 * time.Second)
		p, err := o.Preview(t.Context(), desk.Request{Verb: desk.Failover, To: "cellar"})
		if err != nil || !p.NeedsWord || p.Plan.To != "cellar" || p.Plan.Confirmed != "" || len(p.Plan.Steps) == 0 {
			t.Fatalf("preview %+v, %v", p, err)
		}
		o.refused(desk.Request{Verb: desk.Failover}, "attic cannot be looked at, so its stick may be on air")

		word := desk.Request{Verb: desk.Failover, To: "cellar", By: "Owner", Confirmed: "Owner says:\n it is unplugged"}
		if p, err = o.Preview(t.Context(), word); err != nil || p.NeedsWord {
			t.Errorf("with a person's word: %+v, %v", p, err)
		}
		run := o.ask(word)
		time.Sleep(2 * time.Second)
		if n := o.network("home"); n.Last == nil || n.Last.Run != run || n.Last.To != "cellar" {
			t.Errorf("under way: %+v", n.Last)
		}
		time.Sleep(time.Minute)
		asked := get(e, "home", func(h *fakeHome) []engine.Request { return h.requests })
		if len(asked) != 1 || asked[0].Confirmed != "Owner says: it is unplugged" {
			t.Errorf("asked %+v", asked)
		}
		n := o.network("home")
		if n.Active != "cellar" || n.Recorded != "cellar" || n.Moves != 1 || n.Last.Cause != status.CauseManual || n.Last.By != "Owner" || !n.LastSync.IsZero() && n.LastSync.After(n.Ended.Ended) {
			t.Errorf("after: %q is active, %d moves, last %+v", n.Active, n.Moves, n.Last)
		}
		started, ended := o.last(status.EventFailoverStarted), o.last(status.EventFailoverCompleted)
		if started.From != "attic" || started.To != "cellar" || started.Cause != status.CauseManual || !strings.Contains(ended.Text, "cellar, which took over from attic in ") {
			t.Errorf("told %+v, %+v", started, ended)
		}
		before := *n.Last
		o.close()
		o = opened(t, e, dir)
		if n := o.network("home"); n.Moves != 1 || *n.Last != before {
			t.Errorf("after a restart: %d moves, %+v", n.Moves, n.Last)
		}
	})
}

func TestFailoverThatDoesNotWork(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := opened(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.active, h.fail, h.lookTakes = nil, plan.ActActivate, time.Minute })
		time.Sleep(20 * time.Second)
		o.ask(desk.Request{Verb: desk.Failover})
		time.Sleep(15 * time.Second)
		if ev := o.last(status.EventFailoverFailed); !strings.Contains(ev.Text, "the failover from attic to cellar did not work, and nobody serves the home") &&
			!strings.Contains(ev.Text, "The failover from attic to cellar did not work, and nobody serves the home") {
			t.Errorf("told %q", ev.Text)
		}
		if n := o.network("home"); n.Active != "" || n.Moves != 0 || n.Last.Outcome == plan.Completed {
			t.Errorf("%q is active, %d moves, %+v", n.Active, n.Moves, n.Last)
		}
	})
}

func TestAccept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		o.refused(desk.Request{Verb: desk.Accept, Generation: 1}, "that generation was not refused")
		e.set("home", func(h *fakeHome) { h.refused = []string{"devices are gone"} })
		time.Sleep(6 * time.Minute)
		number := o.network("home").Refused
		p, err := o.Preview(t.Context(), desk.Request{Verb: desk.Accept, Generation: number})
		if err != nil || !slices.Equal(p.Why, []string{"devices are gone"}) || !p.Interruption.None || len(p.Plan.Steps) != 0 {
			t.Fatalf("preview %+v, %v", p, err)
		}
		e.set("home", func(h *fakeHome) { h.backupTakes = 20 * time.Second })
		since := time.Now()
		if run := o.ask(desk.Request{Verb: desk.Accept, Generation: number, By: "Owner"}); run != "" || time.Since(since) > time.Second {
			t.Errorf("run %q after %s", run, time.Since(since))
		}
		if n := o.network("home"); n.Refused != 0 {
			t.Errorf("it stands still: %d", n.Refused)
		}
		time.Sleep(time.Minute)
		taken := get(e, "home", func(h *fakeHome) []string {
			return []string{h.accepted[0].Accepted.By}
		})
		if n := o.network("home"); n.Protection != status.Protected || !slices.Equal(taken, []string{"Owner"}) {
			t.Errorf("%s %v, accepted by %v", n.Protection, n.Reasons, taken)
		}
		if got := o.took(since); len(got) == 0 || got[0] != "full 0s" {
			t.Errorf("captured %v", got)
		}
		if ev := o.last(status.EventSyncRecovered); ev.By != "Owner" || !strings.Contains(ev.Text, "was accepted") || strings.Count(o.toldTypes(), "sync_recovered") != 1 {
			t.Errorf("told %s: %+v", o.toldTypes(), ev)
		}
	})
}

// What cannot be captured then is told, and takes nothing back.
func TestAcceptWithoutACapture(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.refused = []string{"devices are gone"} })
		time.Sleep(6 * time.Minute)
		e.set("home", func(h *fakeHome) { h.captureErr = errors.New("attic: connection refused") })
		o.ask(desk.Request{Verb: desk.Accept, Generation: o.network("home").Refused})
		time.Sleep(10 * time.Second)
		if ev := o.last(status.EventSyncFailed); !strings.Contains(ev.Text, "connection refused") || strings.Contains(o.toldTypes(), "refused capture") {
			t.Errorf("told %+v", ev)
		}
		if n := o.network("home"); n.Refused != 0 || strings.HasSuffix(o.toldTypes(), "refused") {
			t.Errorf("refused %d, told %s", n.Refused, o.toldTypes())
		}
	})
}

// A leave is on record at once, also while a run holds the network.
func TestLeaveDuringARun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := staffed(t, e, t.TempDir(), cadence.Default())
		time.Sleep(2 * time.Minute)
		e.set("home", func(h *fakeHome) { h.stepTakes = time.Minute })
		o.ask(desk.Request{Verb: desk.Switchover})
		e.changed("home", engine.MemberLeft, 0xa01)
		left := get(e, "home", func(h *fakeHome) []network.Leaving { return h.record.Left })
		if len(left) != 1 || left[0].IEEE != 0xa01 || o.network("home").Run == nil {
			t.Errorf("on record: %v", left)
		}
		e.set("home", func(h *fakeHome) { h.record.Left = nil }) // as a capture does that had begun before
		time.Sleep(8*time.Minute + time.Second)
		if left := get(e, "home", func(h *fakeHome) []network.Leaving { return h.record.Left }); len(left) != 1 {
			t.Errorf("on record after the run: %v", left)
		}
	})
}

func TestTidiesNowAndThen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home", "barn")
		var at []time.Duration
		began := time.Now()
		tidying := make(chan string)
		d := desk.New(desk.Parts{Engine: e, History: e, Events: noEvents{}, Holds: noHolds{}, Log: discard, Capture: cadence.Default(),
			Tidy: func(name string) {
				time.Sleep(time.Minute) // which keeps nobody waiting
				tidying <- name
			}})
		e.set("barn", func(h *fakeHome) { h.active = nil }) // nothing is captured there
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = d.Run(ctx) }()
		for range 3 {
			if name := <-tidying; name != "home" {
				t.Errorf("%s was tidied", name)
			}
			at = append(at, time.Since(began).Round(time.Minute))
		}
		for i := 1; i < len(at); i++ {
			if pause := at[i] - at[i-1]; pause < time.Hour || pause > time.Hour+10*time.Minute {
				t.Errorf("tidied after %v", at)
			}
		}
		synctest.Wait()
		cancel()
		<-done
	})
}

type noEvents struct{}

func (noEvents) Load(string) ([]status.Event, error) { return nil, nil }
func (noEvents) Append(status.Event) error           { return nil }

type noHolds struct{}

func (noHolds) Load(string) (status.Hold, error) { return status.Hold{}, nil }
func (noHolds) Save(string, status.Hold) error   { return nil }
