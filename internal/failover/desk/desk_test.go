package desk_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/events"
	"z2mha/internal/storage/holds"
)

var discard = slog.New(slog.DiscardHandler)

var _ desk.Engine = (*engine.Controller)(nil)

// An office is a desk with all that it stands on.
type office struct {
	*desk.Desk
	t      testing.TB
	dir    string
	engine *fakeEngine
	holds  *holds.Holds
	close  func()

	mu    sync.Mutex
	heard []status.Event
}

// opened opens a desk in dir and waits until every network was looked at.
func opened(t testing.TB, e *fakeEngine, dir string) *office {
	t.Helper()
	o := unwatched(t, e, dir)
	time.Sleep(time.Second)
	return o
}

// unwatched only waits until requests are taken.
func unwatched(t testing.TB, e *fakeEngine, dir string) *office {
	t.Helper()
	return staffed(t, e, dir, cadence.Rule{})
}

// staffed captures by that rule.
func staffed(t testing.TB, e *fakeEngine, dir string, rule cadence.Rule) *office {
	t.Helper()
	return equipped(t, e, dir, func(p *desk.Parts) { p.Capture = rule })
}

// equipped has further parts.
func equipped(t testing.TB, e *fakeEngine, dir string, with func(p *desk.Parts)) *office {
	t.Helper()
	kept := events.New(filepath.Join(dir, "events"), durable.Disk{}, discard)
	o := &office{t: t, dir: dir, engine: e, holds: holds.New(filepath.Join(dir, "holds"), durable.Disk{})}
	nodes := map[string][]desk.Node{}
	for _, name := range e.names {
		nodes[name] = []desk.Node{{Name: "attic", Kind: "systemd", Address: "attic:22"}, {Name: "cellar", Kind: "docker", Address: "cellar:22"}}
	}
	parts := desk.Parts{Engine: e, History: e, Events: kept, Holds: o.holds, Nodes: nodes, Log: discard, Membership: e.Membership}
	with(&parts)
	o.Desk = desk.New(parts)
	o.Listen(func(ev status.Event) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.heard = append(o.heard, ev)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	o.close = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the desk ended with %v", err)
		}
		_ = kept.Close()
	})
	t.Cleanup(o.close)
	<-o.Ready()
	return o
}

func (o *office) network(name string) status.Network {
	o.t.Helper()
	for _, n := range o.Networks() {
		if n.Name == name {
			return n
		}
	}
	o.t.Fatalf("no network %s", name)
	return status.Network{}
}

// told are the events heard so far, without those of steps.
func (o *office) told() []status.Event {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(o.heard), func(ev status.Event) bool { return strings.HasPrefix(string(ev.Type), "step_") })
}

func (o *office) toldTypes() string {
	var out []string
	for _, ev := range o.told() {
		name := string(ev.Type)
		if ev.Type == status.EventProtection {
			name = string(ev.Was) + "→" + string(ev.Is)
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func (o *office) last(kind status.EventType) status.Event {
	o.t.Helper()
	all := o.told()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Type == kind {
			return all[i]
		}
	}
	o.t.Fatalf("no %s among %s", kind, o.toldTypes())
	return status.Event{}
}

func (o *office) ask(r desk.Request) string {
	o.t.Helper()
	run, err := o.Ask(context.Background(), r)
	if err != nil {
		o.t.Fatalf("%s: %v", r.Verb, err)
	}
	return run
}

func (o *office) refused(r desk.Request, want string) {
	o.t.Helper()
	run, err := o.Ask(context.Background(), r)
	refused, ok := errors.AsType[*network.RefusedError](err)
	if !ok || run != "" || !strings.Contains(err.Error(), want) {
		o.t.Fatalf("%s: %q, %v; want a refusal with %q", r.Verb, run, err, want)
	}
	ev := o.last(status.EventRefused)
	if !strings.EqualFold(ev.Text, refused.What+": "+refused.Why+".") || ev.Fix != refused.Remedy {
		o.t.Errorf("told of it: %+v", ev)
	}
}

func (o *office) write(name, content string) {
	o.t.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), []byte(content), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

func inBubble(t *testing.T, do func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, do)
}

func TestSwitchover(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := opened(t, newFake(t, "home"), t.TempDir())
		if n := o.network("home"); n.Protection != status.Degraded || n.Active != "attic" || n.Reasons[0].Fix != "sync now" {
			t.Fatalf("before the first sync: %s %v", n.Protection, n.Reasons)
		}
		o.ask(desk.Request{Verb: desk.Sync, By: "Owner on the page"})
		time.Sleep(time.Minute)
		if n := o.network("home"); n.Protection != status.Protected || len(n.Reasons) != 0 || !slices.Equal(n.Ready, []string{"cellar"}) {
			t.Fatalf("after a sync: %s %v", n.Protection, n.Reasons)
		}
		run := o.ask(desk.Request{Verb: desk.Switchover, By: "Owner on the page"})
		n := o.network("home")
		if run == "" || n.Run == nil || n.Run.ID != run || n.Run.By != "Owner on the page" || n.Protection != status.Acting || n.Run.Steps[0].State != status.StepRunning {
			t.Fatalf("run %q, shown %+v", run, n.Run)
		}
		time.Sleep(time.Minute)
		n = o.network("home")
		if n.Run != nil || n.Ended == nil || n.Ended.ID != run || n.Active != "cellar" || n.Moves != 1 || n.Last.By != "Owner on the page" {
			t.Fatalf("after it: %+v", n)
		}
		if n.Last.Outage != 5*time.Second || n.Last.Duration != 8*time.Second {
			t.Errorf("outage %s of %s", n.Last.Outage, n.Last.Duration)
		}
		const want = "→degraded degraded→acting sync_completed acting→protected protected→acting switchover_started switchover_completed acting→protected"
		if got := o.toldTypes(); got != want {
			t.Errorf("told\n%s, want\n%s", got, want)
		}
		if ev := o.last(status.EventSwitchoverCompleted); ev.From != "attic" || ev.To != "cellar" || ev.By != "Owner on the page" || ev.Run != run {
			t.Errorf("told %+v", ev)
		}
		if r := get(o.engine, "home", func(h *fakeHome) string { return h.requests[1].Reason }); r != "asked for by Owner on the page" {
			t.Errorf("journaled reason %q", r)
		}
	})
}

func TestStepsAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := opened(t, newFake(t, "home"), t.TempDir())
		o.engine.set("home", func(h *fakeHome) { h.fail = "load" })
		o.ask(desk.Request{Verb: desk.Switchover})
		time.Sleep(4500 * time.Millisecond)
		n := o.network("home")
		if n.Run == nil || n.Run.Turning == "" || n.Run.DarkFrom.IsZero() {
			t.Fatalf("not on the way back: %v", n.Run)
		}
		time.Sleep(time.Minute)
		n = o.network("home")
		if n.Active != "attic" || n.Ended.Outcome != "rolled-back" || n.Ended.Outage != 3*time.Second || n.Moves != 0 || n.Last.Outcome != "rolled-back" {
			t.Fatalf("after it: %+v, last %+v", n.Ended, n.Last)
		}
		if ev := o.last(status.EventSwitchoverFailed); !strings.Contains(ev.Text, "it does not work") || !strings.Contains(ev.Text, "attic serves again") {
			t.Errorf("told %+v", ev)
		}
		var steps []string
		for _, ev := range o.heard {
			if strings.HasPrefix(string(ev.Type), "step_") {
				steps = append(steps, strings.TrimPrefix(string(ev.Type), "step_"))
			}
		}
		if got := strings.Join(steps[len(steps)-4:], " "); got != "begun failed begun undone" {
			t.Errorf("steps %s", got)
		}
		for _, ev := range n.Events {
			if strings.HasPrefix(string(ev.Type), "step_") {
				t.Errorf("kept %v", ev)
			}
		}
	})
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name  string
		given func(o *office)
		ask   desk.Request
		want  string
	}{
		{"what the engine refuses", func(o *office) {
			o.engine.set("home", func(h *fakeHome) {
				h.refuse = &network.RefusedError{What: "switchover", Why: "the stick does not answer", Remedy: "plug it in"}
			})
		}, desk.Request{Verb: desk.Switchover}, "the stick does not answer; plug it in"},
		{"the node that is active", func(o *office) {
			o.engine.set("home", func(h *fakeHome) { h.refuse = engine.ErrAlreadyActive })
		}, desk.Request{Verb: desk.Switchover, To: "attic"}, "is active already"},
		{"what cannot be begun", func(o *office) {
			o.engine.set("home", func(h *fakeHome) { h.refuse = errors.New("open the journal: no space left") })
		}, desk.Request{Verb: desk.Sync}, "no space left"},
		{"an unknown network", nil, desk.Request{Network: "ba\nrn", Verb: desk.Sync}, `network "ba rn": the configuration has home`},
		{"an unknown node", nil, desk.Request{Verb: desk.Switchover, To: "<b>shed"}, `node "<b>shed": network home has the nodes attic, cellar`},
		{"an unknown verb", nil, desk.Request{Verb: "explode"}, `"explode": nobody knows how`},
		{"anything on hold", func(o *office) { o.ask(desk.Request{Verb: desk.Hold}) }, desk.Request{Verb: desk.Stop, To: "attic"}, "release the hold first"},
		{"anything when the hold cannot be read", func(o *office) {
			o.ask(desk.Request{Verb: desk.Hold})
			o.write("holds/home.json", "{")
		}, desk.Request{Verb: desk.Sync}, "release the hold first"},
		{"a second request", func(o *office) { o.ask(desk.Request{Verb: desk.Sync}) },
			desk.Request{Verb: desk.Switchover, To: "cellar"}, "a sync is being carried out on this network; wait until it has ended"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := opened(t, newFake(t, "home"), t.TempDir())
				if tt.given != nil {
					tt.given(o)
				}
				o.refused(tt.ask, tt.want)
			})
		})
	}
}

// TestEndlessTexts: what a host says at great length is told in short.
func TestEndlessTexts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := opened(t, newFake(t, "home"), t.TempDir())
		o.engine.set("home", func(h *fakeHome) {
			h.refuse = &network.RefusedError{What: "switchover", Why: strings.Repeat("no ", 1<<20), Remedy: strings.Repeat("y", 1<<20)}
		})
		if _, err := o.Ask(context.Background(), desk.Request{Verb: desk.Switchover}); err == nil {
			t.Fatal("not refused")
		}
		if ev := o.last(status.EventRefused); len(ev.Text) > 2000 || len(ev.Fix) > 2000 {
			t.Errorf("told in %d and %d bytes", len(ev.Text), len(ev.Fix))
		}
	})
}

// TestManyRefusals: somebody who asks again and again does not push out what happened.
func TestManyRefusals(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := opened(t, newFake(t, "home"), t.TempDir())
		o.ask(desk.Request{Verb: desk.Hold, By: "Owner"})
		flood := func() {
			for range 2 * status.MaxEvents {
				if _, err := o.Ask(context.Background(), desk.Request{Verb: desk.Sync, By: "MQTT"}); err == nil {
					t.Fatal("not refused")
				}
			}
		}
		flood()
		time.Sleep(time.Hour)
		flood()
		kept := map[status.EventType]int{}
		for _, ev := range o.network("home").Events {
			kept[ev.Type]++
		}
		if kept[status.EventHoldSet] != 1 || kept[status.EventRefused] != 10 {
			t.Errorf("kept %v", kept)
		}
		if told := strings.Count(o.toldTypes(), "refused"); told != 4*status.MaxEvents {
			t.Errorf("told %d refusals", told)
		}
	})
}
