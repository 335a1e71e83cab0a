package desk_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/rehearsal"
	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/events"
	"z2mha/internal/storage/holds"
	"z2mha/internal/storage/notes"
	"z2mha/internal/world/inmem"
)

// Whole stories: the real rules, the real engine and a home in memory. What breaks is put
// right by itself, or a person is asked; never do two speak.

// A story is a home that is watched.
type story struct {
	t      *testing.T
	h      *inmem.Home
	s      *inmem.Stores
	dir    string
	policy desk.Policy
	*desk.Desk
	stop   func()
	sins   int                       // rules that somebody else has broken
	fences map[string][]engine.Fence // of the nodes

	mu    sync.Mutex
	heard []status.Event
	kept  []decided
}

// A decided is one stored decision with its input.
type decided struct {
	in  decide.Input
	dec decide.Decision
}

// Keep makes a story a desk.Decisions.
func (o *story) Keep(in decide.Input, dec decide.Decision) (int, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, decided{in, dec})
	return len(o.kept), true, nil
}

// tell begins a story: the stand-bys' sticks are loaded, copies are made, all is well.
func tell(t *testing.T, names []string, change func(o *story), then func(t *testing.T, o *story)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := &story{t: t, h: newHome(names...), s: inmem.NewStores(), dir: t.TempDir(), policy: desk.Policy{Policy: decide.DefaultPolicy}}
		change(o)
		o.open()
		defer func() { o.stop() }()
		time.Sleep(time.Minute)
		if _, err := o.Ask(t.Context(), desk.Request{Verb: desk.Seed, By: "Owner"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if n := o.network(); n.Active != names[0] || len(n.Ready) == 0 || n.Decision == nil || n.Decision.Action != decide.Nothing {
			t.Fatalf("at the begin: %q active, ready %v, %v, decided %+v", n.Active, n.Ready, n.Reasons, n.Decision)
		}
		o.forget()
		then(t, o)
		if v := o.h.Violations()[o.sins:]; len(v) > 0 {
			t.Fatalf("safety rules were broken:\n%s", strings.Join(v, "\n"))
		}
		o.replays()
	})
}

func plain(*story) {}

var pair = []string{"attic", "cellar"}

func (o *story) open() {
	held := holds.New(filepath.Join(o.dir, "holds"), durable.Disk{})
	kept := events.New(filepath.Join(o.dir, "events"), durable.Disk{}, slog.New(slog.DiscardHandler))
	c := engine.New(engine.Parts{
		Networks: []engine.Network{{Name: "home", Nodes: o.h.Nodes(), Bridge: o.h.Bridge(), Timing: plan.DefaultTiming(), Fences: o.fences, Policy: o.policy.Policy}},
		Journal:  o.s.Journal(), Shelf: o.s.Shelf(), Memory: o.s.Memory(), Held: held.Held, Log: slog.New(slog.DiscardHandler),
	})
	o.Desk = desk.New(desk.Parts{Engine: c, History: o.s.Journal(), Events: kept, Holds: held, Log: slog.New(slog.DiscardHandler),
		Capture: cadence.Default(), Membership: c.Membership, Bridge: c.Bridge, Sighted: c.Sighted,
		Decide: decide.Decide, Decisions: o, Rungs: c.Rungs, Policy: map[string]desk.Policy{"home": o.policy},
		Notes: notes.New(filepath.Join(o.dir, "notes"), durable.Disk{})})
	o.Listen(func(ev status.Event) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.heard = append(o.heard, ev)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	<-o.Ready()
	o.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, kept.Close()); err != nil {
			o.t.Error(err)
		}
	})
}

// restart is another controller on the same state.
func (o *story) restart() {
	o.stop()
	o.open()
}

func (o *story) network() status.Network { return o.Networks()[0] }

// forget leaves out what was told and decided so far.
func (o *story) forget() {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heard, o.kept = nil, nil
}

// told are the types of the events that matter, in order.
func (o *story) told() []status.EventType {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []status.EventType
	for _, ev := range o.heard {
		switch ev.Type {
		case status.EventStepBegun, status.EventStepDone, status.EventStepFailed, status.EventStepUndone, status.EventProtection,
			status.EventRedundancyLost, status.EventRedundancyRestored, status.EventSyncFailed, status.EventSyncRecovered, status.EventSyncCompleted:
		default:
			out = append(out, ev.Type)
		}
	}
	return out
}

func (o *story) count(kind status.EventType) (n int) {
	for _, x := range o.told() {
		if x == kind {
			n++
		}
	}
	return n
}

func (o *story) event(kind status.EventType) status.Event {
	o.t.Helper()
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ev := range slices.Backward(o.heard) {
		if ev.Type == kind {
			return ev
		}
	}
	o.t.Fatalf("%s was not told", kind)
	return status.Event{}
}

// serves waits until a node alone serves the home, and returns how long that took.
func (o *story) serves(node string, limit time.Duration) time.Duration {
	o.t.Helper()
	began := time.Now()
	for {
		if n := o.network(); n.Active == node && o.h.Works() && slices.Equal(o.h.OnAir(), []string{node}) && n.Run == nil {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			n := o.network()
			o.t.Fatalf("after %s %s does not serve: on air %v, works %v, active %q, run %v, decided %+v, told %v\n%+v",
				limit, node, o.h.OnAir(), o.h.Works(), n.Active, n.Run, n.Decision, o.told(), n.Conditions)
		}
		time.Sleep(time.Second)
	}
}

// stays sees that for some time nobody but who is named is on air, and nothing is begun.
func (o *story) stays(long time.Duration, onAir ...string) {
	o.t.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(5 * time.Second) {
		if got := o.h.OnAir(); !slices.Equal(got, onAir) {
			o.t.Fatalf("on air %v, want %v; decided %+v", got, onAir, o.network().Decision)
		}
	}
}

// replays decides everything anew that was decided.
func (o *story) replays() {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.kept) == 0 {
		o.t.Error("no decision was kept")
	}
	for _, x := range o.kept {
		if again := decide.Decide(x.in); again.Action != x.dec.Action || again.Node != x.dec.Node || again.To != x.dec.To || !slices.Equal(again.Reasons, x.dec.Reasons) {
			o.t.Errorf("decided %s (%v), and %s (%v) when it was replayed", x.dec.Action, x.dec.Reasons, again.Action, again.Reasons)
		}
	}
}

func TestAKilledProcessIsRepaired(t *testing.T) {
	tell(t, pair, plain, func(t *testing.T, o *story) {
		o.h.Host("attic").SetRunning(false)
		took := o.serves("attic", 2*time.Minute)
		if ev := o.event(status.EventRepaired); ev.Node != "attic" || ev.Cause != status.CauseAutomatic || took > time.Minute {
			t.Errorf("after %s told %+v", took, ev)
		}
	})
}

func TestARestartingServiceManagerIsWaitedFor(t *testing.T) {
	tell(t, pair, func(o *story) { o.h.Host("attic").RestartAlways() }, func(t *testing.T, o *story) {
		o.h.Host("attic").SetRunning(false)
		o.serves("attic", time.Minute)
		time.Sleep(time.Minute)
		if got := o.told(); len(got) != 0 {
			t.Errorf("told %v", got)
		}
	})
}

func TestAMuteStickIsReset(t *testing.T) {
	tell(t, pair, plain, func(t *testing.T, o *story) {
		attic := o.h.Host("attic")
		attic.SetMute(true)
		time.Sleep(10 * time.Minute)
		o.event(status.EventRepairFailed)
		if n := o.network(); n.Decision.Question == nil || n.Decision.Question.ID != "fence attic" || o.count(status.EventNeedsConfirmation) != 1 {
			t.Fatalf("decided %+v, told %v", n.Decision, o.told())
		}
		attic.SetMute(false) // a person pulls it and plugs it in again
		attic.PullStick()
		attic.PlugStick()
		for range 20 {
			if time.Sleep(time.Minute); o.h.Works() {
				break
			}
		}
		if on := o.h.OnAir(); len(on) != 1 || !o.h.Works() {
			t.Errorf("on air %v, decided %+v, told %v", on, o.network().Decision, o.told())
		}
	})
}

func TestAHostWhosePowerCanBeCutIsLeft(t *testing.T) {
	var plug *inmem.Plug
	with := func(o *story) {
		plug = o.h.Host("attic").Plug()
		o.fences = map[string][]engine.Fence{"attic": {plug}}
	}
	tell(t, pair, with, func(t *testing.T, o *story) {
		o.h.Host("attic").SetReachable(false) // it goes on speaking until its power is cut
		o.h.Host("attic").SetRunning(false)
		took := o.serves("cellar", 5*time.Minute)
		if ev := o.event(status.EventFailoverCompleted); ev.Cause != status.CauseAutomatic || plug.Cuts == 0 {
			t.Errorf("after %s told %+v, cut %d times", took, ev, plug.Cuts)
		}
		if got := o.told(); !slices.Equal(got, []status.EventType{status.EventFailoverStarted, status.EventFailoverCompleted}) {
			t.Errorf("told %v", got)
		}
		t.Logf("another node served after %s", took)
	})
}

func TestAFenceThatLiesLeadsToAQuestion(t *testing.T) {
	with := func(o *story) {
		plug := o.h.Host("attic").Plug()
		plug.Lies = true
		o.fences = map[string][]engine.Fence{"attic": {plug}}
	}
	tell(t, pair, with, func(t *testing.T, o *story) {
		o.h.Host("attic").SetReachable(false)
		o.h.Host("attic").SetRunning(false) // its stick stays on air
		o.stays(30*time.Minute, "attic")
		if o.count(status.EventNeedsConfirmation) != 1 || o.network().Decision.Question.ID != "fence attic" {
			t.Errorf("told %v, decided %+v", o.told(), o.network().Decision)
		}
	})
}

func TestAStickThatIsPulled(t *testing.T) {
	tell(t, pair, plain, func(t *testing.T, o *story) {
		o.h.Host("attic").PullStick()
		time.Sleep(3 * time.Minute)
		if q := o.network().Decision.Question; q == nil || q.ID != "fence attic" {
			t.Fatalf("decided %+v, told %v", o.network().Decision, o.told())
		}
		o.h.Host("attic").PlugStick() // the person puts it back
		o.serves("attic", 12*time.Minute)
	})
}

func TestADeadHostIsAskedAboutAndAPersonConfirms(t *testing.T) {
	tell(t, pair, plain, func(t *testing.T, o *story) {
		o.h.Host("attic").SetAtBoot(false) // nobody could take that from it any more
		o.h.Host("attic").PowerOff()
		time.Sleep(5 * time.Minute)
		o.stays(10 * time.Minute)
		ev := o.event(status.EventNeedsConfirmation)
		if o.count(status.EventNeedsConfirmation) != 1 || !strings.Contains(ev.Fix, "Pull the stick out of attic") {
			t.Errorf("asked %d times: %+v", o.count(status.EventNeedsConfirmation), ev)
		}
		n := o.network()
		if n.Decision.Action != decide.Ask || n.Decision.Question.ID != "fence attic" {
			t.Fatalf("decided %+v", n.Decision)
		}
		if _, err := o.Ask(t.Context(), desk.Request{Verb: desk.Failover, To: n.Decision.To, By: "Owner", Confirmed: "Owner says that it is unplugged"}); err != nil {
			t.Fatal(err)
		}
		o.serves("cellar", 5*time.Minute)
		if ev := o.event(status.EventFailoverCompleted); ev.Cause != status.CauseManual || ev.By != "Owner" {
			t.Errorf("told %+v", ev)
		}
		time.Sleep(5 * time.Minute)
		o.h.Host("attic").PowerOn()
		time.Sleep(10 * time.Minute)
		if ev := o.event(status.EventReturned); ev.Node != "attic" {
			t.Errorf("told %+v", ev)
		}
		if n := o.network(); n.Active != "cellar" || !slices.Contains(n.Ready, "attic") {
			t.Errorf("%q active, ready %v: %v", n.Active, n.Ready, n.Reasons)
		}
	})
}

// An old active that starts at its boot speaks beside the new one: it is silenced, and is
// a stand-by from then on.
func TestADeadHostThatComesBackSpeaking(t *testing.T) {
	tell(t, pair, plain, func(t *testing.T, o *story) {
		o.h.Host("attic").PowerOff()
		time.Sleep(5 * time.Minute)
		if _, err := o.Ask(t.Context(), desk.Request{Verb: desk.Failover, To: "cellar", By: "Owner", Confirmed: "Owner says that it has no power"}); err != nil {
			t.Fatal(err)
		}
		o.serves("cellar", 5*time.Minute)
		if len(o.h.Violations()) > 0 {
			t.Fatal(o.h.Violations())
		}
		o.h.Host("attic").PowerOn() // a person has given it power again
		o.sins = len(o.h.Violations())
		o.serves("cellar", 3*time.Minute)
		time.Sleep(time.Hour)
		if n := o.network(); o.count(status.EventSplitBrain) != 1 || n.Active != "cellar" || !slices.Contains(n.Ready, "attic") {
			t.Errorf("told %v, ready %v, %v", o.told(), n.Ready, n.Reasons)
		}
	})
}

// A failover by itself is followed by a cool-down, over a restart too, until a person
// acknowledges it.
func TestCoolDown(t *testing.T) {
	tell(t, []string{"attic", "cellar", "shed"}, func(o *story) { o.policy.Repairs = 0 }, func(t *testing.T, o *story) {
		die := func(name string) {
			o.h.Host(name).SetRunning(false)
		}
		die("attic")
		o.serves("cellar", 5*time.Minute)
		if ev := o.event(status.EventFailoverCompleted); ev.Cause != status.CauseAutomatic || ev.From != "attic" {
			t.Errorf("told %+v", ev)
		}
		time.Sleep(10 * time.Minute)
		o.restart()
		time.Sleep(time.Minute)
		if n := o.network(); n.Unacknowledged.IsZero() || time.Until(n.CoolDown) < 40*time.Minute {
			t.Errorf("after a restart: unacknowledged %s, cool-down until %s", n.Unacknowledged, n.CoolDown)
		}
		o.forget()
		die("cellar")
		o.serves("cellar", 5*time.Minute) // it is started again where it is: nobody may take over
		if ev := o.event(status.EventNodeStarted); ev.Node != "cellar" {
			t.Errorf("told %+v", ev)
		}
		time.Sleep(time.Minute)
		if _, err := o.Ask(t.Context(), desk.Request{Verb: desk.Acknowledge, By: "Owner"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		o.forget()
		die("cellar")
		time.Sleep(3 * time.Minute)
		if o.count(status.EventFailoverCompleted) != 1 || !o.h.Works() {
			t.Errorf("acknowledged, told %v, on air %v, decided %+v", o.told(), o.h.OnAir(), o.network().Decision)
		}
	})
}

func TestDailyCap(t *testing.T) {
	tell(t, pair, func(o *story) { o.policy.Repairs, o.policy.PerDay, o.policy.CoolDown = 0, 2, time.Minute }, func(t *testing.T, o *story) {
		for _, at := range []string{"attic", "cellar"} {
			o.h.Host(at).SetRunning(false)
			time.Sleep(20 * time.Minute)
		}
		if n := o.count(status.EventFailoverCompleted); n != 2 {
			t.Fatalf("%d failovers, told %v", n, o.told())
		}
		o.h.Host("attic").SetRunning(false)
		o.serves("attic", 5*time.Minute)
		if o.count(status.EventFailoverCompleted) != 2 || o.count(status.EventNodeStarted) != 1 {
			t.Errorf("told %v", o.told())
		}
	})
}

func TestAPowerCutEndsInAColdStart(t *testing.T) {
	tell(t, pair, func(o *story) { o.h.Host("attic").SetAtBoot(false) }, func(t *testing.T, o *story) {
		o.h.PowerCut()
		o.restart()
		took := o.serves("attic", 5*time.Minute)
		if ev := o.event(status.EventNodeStarted); ev.Cause != status.CauseAutomatic {
			t.Errorf("after %s told %+v", took, ev)
		}
	})
}

func TestOnHoldNothingIsDone(t *testing.T) {
	tell(t, pair, plain, func(t *testing.T, o *story) {
		if _, err := o.Ask(t.Context(), desk.Request{Verb: desk.Hold, By: "Owner"}); err != nil {
			t.Fatal(err)
		}
		o.h.Host("attic").SetRunning(false)
		o.h.Host("attic").PowerCycleStick()
		time.Sleep(10 * time.Minute)
		o.stays(time.Hour)
		n := o.network()
		if n.Decision.Question == nil || n.Decision.Question.ID != "start attic" {
			t.Fatalf("decided %+v", n.Decision)
		}
		if _, err := o.Ask(t.Context(), desk.Request{Verb: desk.Start, By: "MQTT", DespiteHold: true, Unattended: true}); err == nil {
			t.Error("an automation started it on hold")
		}
		// In one step, on the command line beside this server.
		n2 := notes.New(filepath.Join(o.dir, "notes"), durable.Disk{})
		if err := n2.Save("home", status.Notes{Errand: &status.Errand{At: time.Now(), By: "Owner on the command line", Verb: "start", To: "attic", DespiteHold: true}}); err != nil {
			t.Fatal(err)
		}
		o.serves("attic", 5*time.Minute)
		if ev := o.event(status.EventNodeStarted); ev.By != "Owner on the command line" || ev.Cause != status.CauseManual {
			t.Errorf("told %+v", ev)
		}
		if !o.network().Hold.On {
			t.Error("the hold went with the start")
		}
	})
}

func TestABrokerThatIsGoneMovesNobody(t *testing.T) {
	tell(t, pair, plain, func(t *testing.T, o *story) {
		o.h.SetBroker(false)
		o.h.Host("attic").SetReachable(false)
		o.stays(time.Hour, "attic")
		o.h.SetBroker(true)
		o.h.Host("attic").SetReachable(true)
		o.serves("attic", 2*time.Minute)
		for _, kind := range o.told() {
			if strings.HasPrefix(string(kind), "failover") || kind == status.EventRepaired {
				t.Errorf("told %v", o.told())
			}
		}
	})
}

func TestASecondSpeakerIsSilenced(t *testing.T) {
	tell(t, pair, plain, func(t *testing.T, o *story) {
		o.h.Host("cellar").SetRunning(true) // by hand
		o.sins = len(o.h.Violations())
		o.serves("attic", 3*time.Minute)
		if o.sins == 0 || o.count(status.EventSplitBrain) != 1 {
			t.Errorf("told %v", o.told())
		}
		if ev := o.event(status.EventNodeStopped); ev.Node != "cellar" || ev.Cause != status.CauseAutomatic {
			t.Errorf("told %+v", ev)
		}
	})
}

func TestARehearsalAtNight(t *testing.T) {
	nights := rehearsal.Plan{Cron: []rehearsal.Cron{"31 3 * * *"}}
	tell(t, pair, func(o *story) { o.policy.Rehearsal = nights }, func(t *testing.T, o *story) {
		time.Sleep(time.Until(time.Date(2000, 1, 1, 3, 31, 0, 0, time.UTC)) - time.Second)
		if n := o.network(); n.Moves != 0 || n.Rehearsal.Hour() != 3 {
			t.Fatalf("before: %d moves, next at %s", n.Moves, n.Rehearsal)
		}
		o.serves("cellar", 3*time.Minute)
		n := o.network()
		if n.Last.Cause != status.CauseScheduled || n.Last.By != status.ByController || n.Moves != 1 {
			t.Errorf("%d moves, last %+v", n.Moves, n.Last)
		}
		o.restart()
		time.Sleep(time.Hour)
		if n := o.network(); n.Moves != 1 {
			t.Errorf("%d moves in one night", n.Moves)
		}
	})
}

// What a person has stopped stays stopped, over a restart too, until somebody starts it.
func TestWhatIsStoppedOnPurposeStaysStopped(t *testing.T) {
	tell(t, pair, plain, func(t *testing.T, o *story) {
		if _, err := o.Ask(t.Context(), desk.Request{Verb: desk.Stop, To: "attic", By: "Owner"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		o.stays(30 * time.Minute)
		o.restart()
		o.stays(30 * time.Minute)
		if d := o.network().Decision; d.Action != decide.Nothing || !strings.Contains(d.Reasons[0], "stopped on purpose: by Owner on ") {
			t.Errorf("decided %+v", d)
		}
		o.h.Host("attic").SetRunning(true) // by hand
		o.sins = len(o.h.Violations())     // its counters were nobody's care
		time.Sleep(2 * time.Minute)
		o.h.Host("attic").SetRunning(false)
		o.serves("attic", 3*time.Minute)
	})
}
