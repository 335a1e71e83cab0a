package desk_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/events"
	"z2mha/internal/storage/holds"
	"z2mha/internal/world/inmem"
)

// An observed home is one with a desk before it that listens, and a count of what is done
// to hosts and broker.
type observed struct {
	t *testing.T
	h *inmem.Home
	d *desk.Desk

	mu   sync.Mutex
	done map[string]int // by operation
	hung map[string]bool
}

// A hanging node is one whose host takes a connection and says nothing more.
type hanging struct {
	engine.Node
	o *observed
}

func (x hanging) Observe(ctx context.Context) (network.Observation, error) {
	x.o.mu.Lock()
	hung := x.o.hung[x.Name()]
	x.o.mu.Unlock()
	if hung {
		<-ctx.Done()
		return network.Observation{}, errors.New("the host takes the connection and says nothing")
	}
	return x.Node.Observe(ctx)
}

func observe(t *testing.T, change func(h *inmem.Home)) *observed {
	t.Helper()
	o := &observed{t: t, h: newHome("attic", "cellar"), done: map[string]int{}, hung: map[string]bool{}}
	s, dir := inmem.NewStores(), t.TempDir()
	if err := s.Memory().Save(network.Record{Network: "home", Active: "attic", Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	change(o.h)
	o.h.SetFault(func(op string) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.done[op]++
		return nil
	})
	var nodes []engine.Node
	for _, x := range o.h.Nodes() {
		nodes = append(nodes, hanging{x, o})
	}
	held := holds.New(filepath.Join(dir, "holds"), durable.Disk{})
	kept := events.New(filepath.Join(dir, "events"), durable.Disk{}, slog.New(slog.DiscardHandler))
	c := engine.New(engine.Parts{
		Networks: []engine.Network{{Name: "home", Nodes: nodes, Bridge: o.h.Bridge(), Timing: plan.DefaultTiming()}},
		Journal:  s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Held: held.Held, Log: slog.New(slog.DiscardHandler),
	})
	o.d = desk.New(desk.Parts{Engine: c, History: s.Journal(), Events: kept, Holds: held, Log: slog.New(slog.DiscardHandler),
		Membership: c.Membership, Bridge: c.Bridge, Sighted: c.Sighted})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, kept.Close()); err != nil {
			t.Error(err)
		}
	})
	<-o.d.Ready()
	return o
}

// counted is how often each operation was made meanwhile.
func (o *observed) counted(meanwhile time.Duration) map[string]int {
	o.mu.Lock()
	before := maps.Clone(o.done)
	o.mu.Unlock()
	time.Sleep(meanwhile)
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[string]int{}
	for op, n := range o.done {
		out[op] = n - before[op]
	}
	return out
}

func (o *observed) hang(node string, yes bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hung[node] = yes
}

func (o *observed) evidence() health.Input {
	o.t.Helper()
	in, ok := o.d.Evidence("home")
	if !ok {
		o.t.Fatal("no such network")
	}
	return in
}

// until waits until the evidence is so and returns how long that took.
func (o *observed) until(limit time.Duration, what string, so func(health.Input) bool) time.Duration {
	o.t.Helper()
	began := time.Now()
	for !so(o.evidence()) {
		if time.Since(began) > limit {
			o.t.Fatalf("after %s still not so: %s\n%+v", limit, what, o.evidence())
		}
		time.Sleep(100 * time.Millisecond)
	}
	return time.Since(began)
}

func nothing(*inmem.Home) {}

func noDevices(h *inmem.Home) { h.Devices = nil }

// While devices are heard nobody is asked, and a look is one command to each host.
func TestIdleCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, nothing)
		time.Sleep(5 * time.Minute)
		got := o.counted(10 * time.Minute)
		t.Logf("10 min of a healthy network: %v", got)
		if n := got["attic.observe"]; n < 39 || n > 41 || got["cellar.observe"] > 41 || got["bridge.refresh"] > 41 { // the edges of the ten minutes may cut one
			t.Errorf("looks in 10 min: %v", got)
		}
		if got["bridge.ask"]+got["bridge.ask-stick"]+got["bridge.check-coordinator"] != 0 {
			t.Errorf("the radio was asked although devices are heard: %v", got)
		}
		if in := o.evidence(); in.Now.Sub(in.Radio.Heard) > time.Minute || in.Radio.Devices != 1 || !in.Bridge.Online || !in.Broker.Connected {
			t.Errorf("evidence %+v", in)
		}
	})
}

// A dead radio behind a live process is found within 60 s under traffic, and 3 min when
// idle, with ten to spare: devices here say at once that they are silent. The stick is
// blamed when it does not answer, not when only devices do not.
func TestRadioProof(t *testing.T) {
	for _, tt := range []struct {
		name  string
		make  func(h *inmem.Home)
		limit time.Duration
		ops   []string // that are made
	}{
		{"finds a mute stick under traffic", nothing, 50 * time.Second, []string{"bridge.ask", "bridge.ask-stick"}},
		{"finds a mute stick when nobody speaks", noDevices, 170 * time.Second, []string{"bridge.ask-stick"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := observe(t, tt.make)
				time.Sleep(10 * time.Minute)
				o.h.Host("attic").SetMute(true)
				took := o.until(tt.limit, "the stick is silent", func(in health.Input) bool {
					return !in.Radio.StickSilent.IsZero() && in.Radio.StickAsked.After(in.Radio.StickSilent)
				})
				t.Logf("found after %s", took)
				o.mu.Lock()
				for _, op := range tt.ops {
					if o.done[op] == 0 {
						t.Errorf("%s was not made: %v", op, o.done)
					}
				}
				o.mu.Unlock()
				got := o.counted(time.Hour)
				if n := got["bridge.check-coordinator"]; n < 1 || n > 3 {
					t.Errorf("the dear probe was made %d times in an hour", n)
				}
				o.h.Host("attic").SetMute(false)
				o.until(31*time.Minute, "it answers again", func(in health.Input) bool {
					return in.Radio.StickSilent.IsZero() || in.Radio.Heard.After(in.Radio.StickSilent)
				})
			})
		})
	}
}

// Silent devices do not make a stick silent.
func TestDeafDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, nothing)
		time.Sleep(10 * time.Minute)
		o.h.Deaf[o.h.Devices[0].IEEE] = true
		o.until(2*time.Minute, "the devices are silent and the stick has answered since", func(in health.Input) bool {
			return !in.Radio.DevicesSilent.IsZero() && in.Radio.StickAnswered.After(in.Radio.DevicesSilent) && in.Radio.StickSilent.IsZero()
		})
		got := o.counted(10 * time.Minute)
		t.Logf("10 min with silent devices: %v", got)
		if got["bridge.check-coordinator"] != 0 || got["bridge.ask"]+got["bridge.ask-stick"] > 15 {
			t.Errorf("asked too often: %v", got)
		}
	})
}

// What stirs at the broker is looked at within two seconds, again and again while it is
// new, and no oftener than ever when it is old.
func TestLooksHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, nothing)
		time.Sleep(10*time.Minute + 3*time.Second)
		o.h.Host("attic").SetRunning(false)
		took := o.until(3*time.Second, "attic was seen stopped", func(in health.Input) bool { return in.Nodes[0].Seen.Stopped() })
		t.Logf("seen after %s", took)
		if got := o.counted(time.Minute); got["attic.observe"] < 12 {
			t.Errorf("looks in a minute of trouble: %v", got)
		}
		time.Sleep(5 * time.Minute)
		if got := o.counted(time.Minute); got["attic.observe"] > 5 {
			t.Errorf("looks in a minute of old trouble: %v", got)
		}
	})
}

// A host that hangs costs ten seconds, and does not keep back what is seen of others.
func TestFrozenHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, nothing)
		time.Sleep(10 * time.Minute)
		o.hang("cellar", true)
		o.until(30*time.Second, "cellar cannot be looked at", func(in health.Input) bool { return in.Nodes[1].Failed != "" })
		oldest := time.Duration(0)
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			in := o.evidence()
			if in.Nodes[0].Failed != "" {
				t.Fatalf("attic fails too: %s", in.Nodes[0].Failed)
			}
			oldest = max(oldest, in.Now.Sub(in.Nodes[0].Seen.At))
		}
		t.Logf("the oldest look at attic was %s old", oldest)
		if oldest > 16*time.Second {
			t.Errorf("the oldest look at attic was %s old", oldest)
		}
		since := o.evidence().Nodes[1].FailingSince
		if d := time.Since(since); d < time.Minute || d > 90*time.Second {
			t.Errorf("failing for %s", d)
		}
		o.h.Host("attic").SetRunning(false)
		o.until(3*time.Second, "attic was seen stopped", func(in health.Input) bool { return in.Nodes[0].Seen.Stopped() })
	})
}

func TestIsolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, nothing)
		time.Sleep(10 * time.Minute)
		o.h.SetBroker(false)
		o.until(3*time.Second, "the broker is lost", func(in health.Input) bool { return !in.Broker.Connected && in.Broker.Why != "" })
		time.Sleep(time.Minute)
		if in := o.evidence(); in.Controller.Alone != "" || in.Nodes[0].Failed != "" || in.Now.Sub(in.Nodes[0].Seen.At) > 20*time.Second {
			t.Errorf("only the broker is lost: %+v", in)
		}
		o.h.Host("attic").SetReachable(false)
		o.h.Host("cellar").SetReachable(false)
		o.until(20*time.Second, "it is us", func(in health.Input) bool { return in.Controller.Alone != "" })
		o.h.Host("cellar").SetReachable(true)
		o.until(20*time.Second, "it is not us", func(in health.Input) bool { return in.Controller.Alone == "" })
	})
}

// A proof of silence ends when somebody is seen to run; a host that cannot be reached
// keeps it.
func TestProofOfSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, nothing)
		time.Sleep(time.Minute)
		if in := o.evidence(); in.Nodes[1].Silent.IsZero() || !in.Nodes[0].Silent.IsZero() {
			t.Fatalf("cellar silent %v, attic silent %v", in.Nodes[1].Silent, in.Nodes[0].Silent)
		}
		o.h.Host("cellar").SetReachable(false)
		time.Sleep(time.Minute)
		if in := o.evidence(); in.Nodes[1].Silent.IsZero() || in.Nodes[1].Failed == "" {
			t.Errorf("a host that cannot be reached: %+v", in.Nodes[1])
		}
	})
}

// A late last will is put right once the node has spoken since, and not for another.
func TestCorrectState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, nothing)
		time.Sleep(time.Minute)
		o.h.SetKept(false)
		time.Sleep(time.Second)
		if got, err := o.d.CorrectState(t.Context(), "home"); err == nil {
			t.Errorf("a node without its mark was believed: %s", got)
		}
		run, err := o.d.Ask(t.Context(), desk.Request{Verb: desk.Switchover, By: "Owner"})
		if err != nil || run == "" {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		o.h.SetKept(false)
		time.Sleep(time.Second)
		if o.evidence().Bridge.Online {
			t.Fatal("the late last will is not seen")
		}
		got, err := o.d.CorrectState(t.Context(), "home")
		t.Log(got)
		if err != nil || !o.evidence().Bridge.Online {
			t.Errorf("%v, %+v", err, o.evidence().Bridge)
		}
	})
}
