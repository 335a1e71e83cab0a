package clues_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/clues"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func after(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func stopped(at time.Time, host string) *network.Observation {
	return &network.Observation{Node: "cellar", At: at, TTYPresent: true, HostID: host}
}

func running(at time.Time) *network.Observation {
	p := []network.Process{{PID: 1, Command: "node"}}
	o := stopped(at, "boot")
	o.TTYHolders, o.DataHolders = p, p
	return o
}

var hold = &network.StickState{State: "HOLD", Silent: true}

// What a node is said to be after some looks, a second apart.
func TestNode(t *testing.T) {
	gone := errors.New("no answer")
	proven := map[string]time.Time{"cellar": after(-100)}
	for _, tt := range []struct {
		name   string
		silent map[string]time.Time // on record
		looks  []readiness.View
		want   health.Node
	}{
		{"says nothing of one that nobody looked at", nil, nil, health.Node{}},
		{"keeps a proof of silence that is on record", proven, nil, health.Node{Silent: after(-100)}},
		{"keeps it while the host cannot be reached, and counts from the first failure", proven,
			[]readiness.View{{Observed: stopped(after(1), "boot")}, {Err: gone}, {Err: gone}},
			health.Node{Looked: after(3), Failed: "no answer", FailingSince: after(2), Seen: stopped(after(1), "boot"), Silent: after(-100)}},
		{"forgets failures with the first look that works", proven,
			[]readiness.View{{Err: gone}, {Observed: stopped(after(2), "boot")}},
			health.Node{Looked: after(2), Seen: stopped(after(2), "boot"), Silent: after(-100)}},
		{"takes a stick's own word as a newer proof", proven,
			[]readiness.View{{Observed: stopped(after(1), "boot"), Stick: hold}},
			health.Node{Looked: after(1), Seen: stopped(after(1), "boot"), Stick: &health.Stick{At: after(1), State: "HOLD", Silent: true}, Silent: after(1)}},
		{"ends the proof when somebody was seen to run, also when it has stopped since", proven,
			[]readiness.View{{Observed: stopped(after(1), "boot"), Stick: hold}, {Observed: running(after(2))}, {Observed: stopped(after(3), "boot")}},
			health.Node{Looked: after(3), Seen: stopped(after(3), "boot")}},
		{"ends a proof that lies ahead of our clock when somebody was seen to run", map[string]time.Time{"cellar": after(9999)},
			[]readiness.View{{Observed: running(after(1))}, {Observed: stopped(after(2), "boot")}},
			health.Node{Looked: after(2), Seen: stopped(after(2), "boot")}},
		{"proves it anew after that", proven,
			[]readiness.View{{Observed: running(after(1))}, {Observed: stopped(after(2), "boot"), Stick: hold}},
			health.Node{Looked: after(2), Seen: stopped(after(2), "boot"), Stick: &health.Stick{At: after(2), State: "HOLD", Silent: true}, Silent: after(2)}},
		{"forgets what a stick said before its host was started anew", nil,
			[]readiness.View{{Observed: stopped(after(1), "boot"), Stick: hold}, {Observed: stopped(after(2), "other")}},
			health.Node{Looked: after(2), Seen: stopped(after(2), "other")}},
		{"tells why a stick does not answer", nil,
			[]readiness.View{{Observed: stopped(after(1), "boot"), StickErr: errors.New("mute")}},
			health.Node{Looked: after(1), Seen: stopped(after(1), "boot"), Stick: &health.Stick{At: after(1), Failed: "mute"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n clues.Notes
			for i, v := range tt.looks {
				v.Name = "cellar"
				n.Saw(v, after(i+1))
			}
			in := n.Input(clues.Now{At: after(100), Nodes: []string{"cellar"}, Record: network.Record{Silent: tt.silent}})
			tt.want.Name = "cellar"
			if d := cmp.Diff([]health.Node{tt.want}, in.Nodes); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// What comes of times that this process has measured can be stored: nothing of its own clock is in it.
func TestTimesCanBeStored(t *testing.T) {
	began := time.Now()
	var n clues.Notes
	n.Saw(readiness.View{Name: "attic", Err: errors.New("gone")}, began)
	now := began.Add(time.Minute)
	in := n.Input(clues.Now{At: now, Nodes: []string{"attic"}, Signs: engine.Signs{Heard: began.Add(20 * time.Second)}})
	if got := in.Now.Sub(in.Radio.Heard); got != 40*time.Second {
		t.Errorf("heard %s ago", got)
	}
	if in.Now != in.Now.Round(0) || in.Nodes[0].Looked != in.Nodes[0].Looked.Round(0) {
		t.Error("a time holds more than can be stored")
	}
}

var theLamp = engine.BridgeDevice{IEEE: 1, FriendlyName: "lamp", Askable: true}

// heeded is a network whose active node runs and answers, and whose radio is that.
func heeded(now time.Time, r health.Radio) health.Input {
	return health.Input{Now: now, Recorded: "cellar", Broker: health.Broker{Connected: true}, Bridge: health.Bridge{Online: true, At: after(-3600), Spoke: now},
		Radio: r, Controller: health.Controller{Started: after(-3600)},
		Nodes: []health.Node{{Name: "cellar", Looked: now, Seen: running(now)}}}
}

// Whatever package health wants asked, the same is not asked twice at once, nor the dear
// thing often.
func TestDue(t *testing.T) {
	mute := health.Radio{Heard: after(-100), StickAsked: after(-40), StickSilent: after(-50)}
	due := func(n *clues.Notes, in health.Input) string {
		what, at := n.Due(in)
		if what == clues.None {
			return "none"
		}
		return fmt.Sprintf("%s at %.0f", what, max(0, at.Sub(noon)).Seconds())
	}
	for _, tt := range []struct {
		name string
		made clues.Probe // at noon; "" none was
		in   health.Input
		want string
	}{
		{"what is due", "", heeded(noon, health.Radio{Heard: after(-100)}), "stick at 0"},
		{"not the same again at once, when nothing came of it", clues.Stick, heeded(noon, health.Radio{Heard: after(-100)}), "stick at 10"},
		{"all of a mute stick", "", heeded(noon, mute), "coordinator check at 0"},
		{"that not again for half an hour", clues.All, heeded(noon, mute), "coordinator check at 1800"},
		{"nobody whom every look asks", "", func() health.Input {
			in := heeded(noon, health.Radio{})
			in.Bridge.Unanswered = after(-20)
			in.Bridge.Spoke = time.Time{}
			return in
		}(), "none"},
		{"nobody without a broker", "", func() health.Input {
			in := heeded(noon, health.Radio{Heard: after(-100)})
			in.Broker.Connected = false
			return in
		}(), "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n clues.Notes
			if tt.made != "" {
				n.Begin(tt.made, noon)
				n.End(tt.made, after(1), 0, errors.New("it could not be made"))
			}
			if got := due(&n, tt.in); got != tt.want {
				t.Errorf("asks %s, want %s", got, tt.want)
			}
		})
	}
}

// What came of the probes.
func TestEnd(t *testing.T) {
	silent := fmt.Errorf("asked: %w", engine.ErrStickSilent)
	for _, tt := range []struct {
		name    string
		what    clues.Probe
		answers int
		err     error
		want    health.Radio
	}{
		{"devices that answer", clues.Devices, 1, nil, health.Radio{DevicesAsked: after(12)}},
		{"devices that do not", clues.Devices, 0, nil, health.Radio{DevicesAsked: after(12), DevicesSilent: after(0)}},
		{"devices that could not be asked", clues.Devices, 0, errors.New("no broker"), health.Radio{}},
		{"a stick that answers", clues.Stick, 0, nil, health.Radio{StickAsked: after(6), StickAnswered: after(12)}},
		{"a stick that does not", clues.Stick, 0, silent, health.Radio{StickAsked: after(6), StickSilent: after(0)}},
		{"a stick that could not be asked", clues.Stick, 0, engine.ErrBridgeSilent, health.Radio{}},
		{"a stick that must not be asked", clues.Stick, 0, engine.ErrJoiningOpen, health.Radio{}},
		{"one that owes all its tables", clues.All, 0, silent, health.Radio{StickAsked: after(6), StickSilent: after(0)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n clues.Notes
			n.Begin(tt.what, after(0))
			if what, _ := n.Due(heeded(after(5), health.Radio{Heard: after(-100)})); what != clues.None {
				t.Errorf("%s is asked meanwhile", what)
			}
			n.End(tt.what, after(12), tt.answers, tt.err)
			if d := cmp.Diff(tt.want, n.Input(clues.Now{At: after(20)}).Radio); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// Silence counts from the first question, until an answer, or a backup of the stick.
func TestSilenceLasts(t *testing.T) {
	var n clues.Notes
	for _, at := range []int{0, 60} {
		n.Begin(clues.Stick, after(at))
		n.End(clues.Stick, after(at+12), 0, engine.ErrStickSilent)
	}
	radio := func(backedUp time.Time) health.Radio {
		return n.Input(clues.Now{At: after(100), Record: network.Record{Since: after(-1000), BackedUp: backedUp}}).Radio
	}
	if r := radio(after(-10)); !r.StickSilent.Equal(after(0)) || !r.StickAsked.Equal(after(66)) {
		t.Errorf("after two silences: %+v", r)
	}
	if r := radio(after(90)); !r.StickSilent.IsZero() || !r.StickAnswered.Equal(after(90)) {
		t.Errorf("after a backup: %+v", r)
	}
	if r := radio(after(200)); r.StickSilent.IsZero() {
		t.Errorf("after a backup from the future: %+v", r)
	}
	n.Begin(clues.Stick, after(80))
	n.End(clues.Stick, after(81), 0, nil)
	if r := radio(time.Time{}); !r.StickSilent.IsZero() {
		t.Errorf("after an answer: %+v", r)
	}
}

func TestWorth(t *testing.T) {
	battery := engine.BridgeDevice{IEEE: 2, FriendlyName: "sensor"}
	second := engine.BridgeDevice{IEEE: 3, FriendlyName: "plug", Askable: true}
	never := engine.BridgeDevice{IEEE: 4, FriendlyName: "spare", Askable: true}
	long := engine.BridgeDevice{IEEE: 5, FriendlyName: "old", Askable: true}
	got := clues.Worth(engine.Signs{Devices: []engine.BridgeDevice{theLamp, battery, second, never, long},
		HeardFrom: map[zigbee.IEEE]time.Time{1: after(-50), 2: after(-1), 3: after(-20), 5: after(-25 * 3600)}}, noon)
	if d := cmp.Diff([]engine.BridgeDevice{second, theLamp}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestHurried(t *testing.T) {
	fine := func() health.Input {
		return health.Input{Now: noon, Broker: health.Broker{Connected: true, Since: after(-1000)},
			Bridge: health.Bridge{Online: true, At: after(-1000)}, Nodes: []health.Node{{Name: "attic"}}}
	}
	for _, tt := range []struct {
		name   string
		change func(in *health.Input)
		want   bool
	}{
		{"not when all is well", func(*health.Input) {}, false},
		{"not when it has just come online", func(in *health.Input) { in.Bridge.At = after(-1) }, false},
		{"when it has gone offline", func(in *health.Input) { in.Bridge = health.Bridge{At: after(-1)} }, true},
		{"not when it went long ago", func(in *health.Input) { in.Bridge = health.Bridge{At: after(-200)} }, false},
		{"not for what the broker had kept", func(in *health.Input) { in.Bridge = health.Bridge{At: after(-1), Kept: true} }, false},
		{"when the broker is lost", func(in *health.Input) { in.Broker = health.Broker{Since: after(-1)} }, true},
		{"when a host begins to fail", func(in *health.Input) { in.Nodes[0].FailingSince = after(-5) }, true},
		{"not for a host that is off for long", func(in *health.Input) { in.Nodes[0].FailingSince = after(-500) }, false},
		{"when an answer is owed", func(in *health.Input) { in.Bridge.Unanswered = after(-5) }, true},
		{"when the stick owes one", func(in *health.Input) { in.Radio.StickSilent = after(-5) }, true},
		{"when somebody takes over the connection", func(in *health.Input) { in.Broker.TakeOvers = []time.Time{after(-900), after(-2)} }, true},
		{"when the clock was set", func(in *health.Input) { in.Controller.Jumped = after(-2) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := fine()
			if tt.change(&in); clues.Hurried(in) != tt.want {
				t.Errorf("hurried: %v", !tt.want)
			}
		})
	}
}

func TestJumped(t *testing.T) {
	for _, tt := range []struct {
		name        string
		wall, truth time.Duration
		want        bool
	}{
		{"a tick", 5 * time.Second, 5 * time.Second, false},
		{"a late one, on a busy machine", 15 * time.Second, 15 * time.Second, false},
		{"the clock put forward", time.Hour, 5 * time.Second, true},
		{"the clock put back", -time.Hour, 5 * time.Second, true},
		{"stopped and let go on", time.Minute, time.Minute, true},
		{"asleep with the machine", 8 * time.Hour, 5 * time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := clues.Jumped(tt.wall, tt.truth, 5*time.Second); got != tt.want {
				t.Errorf("jumped: %v", got)
			}
		})
	}
}
