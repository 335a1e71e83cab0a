package decide_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/decide/recorded"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
)

var names = []string{"attic", "cellar", "barn", "shed"}

// A world draws inputs in which anything may be so.
type world struct {
	*rapid.T
	now time.Time
}

// ago is a time of any age, none among them, and some that lie ahead.
func (w world) ago(label string) time.Time {
	if rapid.Bool().Draw(w.T, label+" unknown") {
		return time.Time{}
	}
	seconds := rapid.SampledFrom([]int{-600, 0, 1, 2, 4, 9, 11, 20, 31, 59, 61, 100, 200, 900, 3000, 4000, 80000, 90000}).Draw(w.T, label)
	return w.now.Add(-time.Duration(seconds) * time.Second)
}

// often is true in four of five.
func (w world) often(label string) bool  { return rapid.IntRange(0, 4).Draw(w.T, label) > 0 }
func (w world) seldom(label string) bool { return !w.often(label) }

func (w world) word(label string) string {
	return rapid.SampledFrom([]string{"", "", "", "because", "bad \xff byte"}).Draw(w.T, label)
}

func (w world) times(label string) (out []time.Time) {
	for range rapid.IntRange(0, 4).Draw(w.T, label) {
		out = append(out, w.ago(label))
	}
	return out
}

func (w world) node(name string) health.Node {
	n := health.Node{Name: name, Silent: w.ago("silent"), FailingSince: w.ago("failing since"), Looked: w.now.Add(-2 * time.Second)}
	if w.seldom("looked at another time") {
		n.Looked = w.ago("looked")
	}
	if w.seldom("lost") {
		n.Failed = "no route to host"
	}
	if w.often("seen") {
		n.Seen = &network.Observation{Node: name, At: n.Looked, TTY: "/dev/ttyA", TTYPresent: w.often("stick there")}
		held := []network.Process{{PID: 1, Ours: w.seldom("ours")}}
		if rapid.Bool().Draw(w.T, "stick held") {
			n.Seen.TTYHolders = held
		}
		if rapid.Bool().Draw(w.T, "data held") {
			n.Seen.DataHolders = held
		}
	}
	if w.seldom("stick asked") {
		n.Stick = &health.Stick{At: w.ago("stick"), Silent: rapid.Bool().Draw(w.T, "stick silent"), Failed: w.word("stick failed")}
	}
	return n
}

func (w world) health() health.Input {
	in := health.Input{Now: w.now, Network: "home", Since: w.ago("since"), Recorded: "attic"}
	if w.seldom("another record") {
		in.Recorded = rapid.SampledFrom([]string{"", "cellar", "gone"}).Draw(w.T, "recorded")
	}
	for _, name := range names[:rapid.IntRange(1, 4).Draw(w.T, "nodes")] {
		in.Nodes = append(in.Nodes, w.node(name))
	}
	in.Broker = health.Broker{Connected: w.often("broker"), Since: w.ago("broker since"), Why: w.word("broker why")}
	if w.seldom("taken over") {
		in.Broker.TakeOvers = w.times("take-overs")
	}
	in.Bridge = health.Bridge{Online: rapid.Bool().Draw(w.T, "online"), At: w.ago("state"), Kept: w.seldom("kept"), Spoke: w.ago("spoke"),
		Node: rapid.SampledFrom(append(names, "", "stranger")).Draw(w.T, "mark"), Asked: w.ago("asked"), Unanswered: w.ago("unanswered")}
	in.Radio = health.Radio{Heard: w.ago("heard"), Pace: time.Duration(rapid.IntRange(0, 60).Draw(w.T, "pace")) * time.Second, Devices: rapid.IntRange(0, 3).Draw(w.T, "devices"),
		DevicesAsked: w.ago("devices asked"), DevicesSilent: w.ago("devices silent"), StickAsked: w.ago("stick asked"), StickAnswered: w.ago("stick answered"), StickSilent: w.ago("stick silent")}
	in.Controller.Started = w.ago("started")
	if w.seldom("strange controller") {
		in.Controller.Jumped, in.Controller.Alone = w.ago("jumped"), w.word("alone")
	}
	return in
}

func (w world) state() decide.State {
	st := decide.State{Failovers: w.times("failovers"), Repairs: w.times("repairs"), Starts: w.times("starts"), Acknowledged: w.ago("acknowledged"),
		Joining: w.seldom("joining"), Restarts: map[string]bool{"attic": w.seldom("restarts")}, Rehearsal: w.word("rehearsal")}
	if w.seldom("in the way") {
		st.Held, st.Busy, st.Open, st.Stopped = w.word("held"), w.word("busy"), w.word("open"), w.word("stopped")
	}
	if rapid.Bool().Draw(w.T, "fence") {
		st.Fences = map[string][]decide.Rung{"attic": {decide.RungPower}}
	}
	if w.seldom("fence failed") {
		st.FenceFailed = map[string]decide.Failed{"attic": {At: w.ago("fence failed"), Why: "no"}}
	}
	for range rapid.IntRange(0, 2).Draw(w.T, "tried") {
		st.Tried = append(st.Tried, decide.Tried{Action: rapid.SampledFrom(decide.Actions).Draw(w.T, "tried what"), Node: rapid.SampledFrom(names).Draw(w.T, "tried node"), At: w.ago("tried")})
	}
	return st
}

// input also draws what the decision before has left, since most acts need some time.
func (w world) input() decide.Input {
	in := decide.Input{Health: w.health(), Policy: decide.DefaultPolicy, State: w.state()}
	in.Policy.Automatic, in.Policy.Return = w.often("automatic"), w.often("return")
	in.Policy.FailBack = rapid.SampledFrom([]string{"", "", "cellar", "attic"}).Draw(w.T, "fail back")
	if w.seldom("risk") {
		in.Policy.AcceptRisk = rapid.SampledFrom([]string{"yes", decide.RiskWords}).Draw(w.T, "risk words")
	}
	for _, n := range in.Health.Nodes[1:] {
		in.Standbys = append(in.Standbys, decide.Standby{Node: n.Name, Ready: w.often("ready"), Warm: rapid.Bool().Draw(w.T, "warm"), Generation: rapid.IntRange(1, 3).Draw(w.T, "generation")})
	}
	if w.often("remembers") {
		in.Memory = decide.Memory{Trouble: rapid.SampledFrom(health.Kinds()).Draw(w.T, "trouble"), Node: "attic", Since: w.ago("trouble since"), Out: w.ago("out"), Looks: 3, Looked: w.now.Add(-5 * time.Second)}
	}
	return in
}

// draw is any input, or one of a recorded case with some of it replaced: acts need much to
// be just so.
func draw(t *rapid.T) decide.Input {
	if rapid.IntRange(0, 3).Draw(t, "anything") == 0 {
		now := time.Date(2026, 3, 4, 3, 0, 0, 123456789, time.FixedZone("", 3600))
		if rapid.Bool().Draw(t, "with a monotonic clock") {
			now = time.Now()
		}
		return world{t, now}.input()
	}
	in := rapid.SampledFrom(recordedInputs()).Draw(t, "recorded")
	w := world{t, in.Health.Now}
	other := w.input()
	for _, replace := range []func(){
		func() { in.Health.Broker = other.Health.Broker },
		func() { in.Health.Bridge = other.Health.Bridge },
		func() { in.Health.Radio = other.Health.Radio },
		func() { in.Health.Nodes = other.Health.Nodes },
		func() { in.Health.Controller = other.Health.Controller },
		func() { in.Health.Recorded = other.Health.Recorded },
		func() { in.Standbys = other.Standbys },
		func() { in.Policy = other.Policy },
		func() { in.State = other.State },
		func() { in.State.Held = other.State.Held },
		func() { in.Memory = other.Memory },
	} {
		if rapid.IntRange(0, 9).Draw(t, "replaced") == 0 {
			replace()
		}
	}
	return in
}

// recordedInputs are those of every moment of every recorded case.
var recordedInputs = sync.OnceValue(func() (out []decide.Input) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		c, err := recorded.Parse(string(text))
		if err != nil {
			panic(err)
		}
		inputs, _ := c.Decide()
		out = append(out, inputs...)
	}
	return out
})

// moves are the actions that start, stop or silence something.
var moves = map[decide.Action]bool{decide.Repair: true, decide.Failover: true, decide.ColdStart: true, decide.Silence: true,
	decide.Return: true, decide.Rehearse: true, decide.FailBack: true}

func TestNeverActs(t *testing.T) {
	reached := map[decide.Action]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range 30 {
			in := draw(t)
			d := decide.Decide(in)
			reached[d.Action]++
			if why := forbidden(in, d); why != "" {
				t.Fatalf("%s %s to %s: %s\n%s", d.Action, d.Node, d.To, why, encode(t, in))
			}
		}
	})
	for _, a := range []decide.Action{decide.Failover, decide.ColdStart, decide.Repair, decide.Silence, decide.Return} {
		if reached[a] == 0 {
			t.Errorf("no input was drawn that leads to %q: %v", a, reached)
		}
	}
}

// forbidden says which promise a decision breaks, in terms of what was put in.
func forbidden(in decide.Input, d decide.Decision) string {
	seen := map[health.Kind]bool{}
	for _, c := range d.Conditions {
		seen[c.Kind] = true
	}
	doubt := seen[health.BrokerUnreachable] || seen[health.ControllerIsolated] || seen[health.ClockJumped] || seen[health.NotKnown]
	day := 0
	for _, at := range in.State.Failovers {
		dealtWith := in.State.Acknowledged.After(at) && !in.State.Acknowledged.After(in.Health.Now.Add(5*time.Second))
		if in.Health.Now.Sub(at) < 24*time.Hour && !dealtWith {
			day++
		}
	}
	switch acts := moves[d.Action]; {
	case (acts || d.Action == decide.Correct || d.Action == decide.Look) && in.State.Held != "":
		return "it is on hold"
	case acts && (in.State.Busy != "" || in.State.Open != ""):
		return "a run is under way, or open"
	case acts && doubt:
		return "there is doubt"
	case acts && seen[health.HostLostBridgeOnline] && d.Action != decide.Silence:
		return "Zigbee works, and it is our way to the host that does not"
	case acts && !in.Policy.Automatic && d.Action != decide.Rehearse:
		return "it must not act by itself"
	case d.Action == decide.Failover && day >= in.Policy.PerDay:
		return "the daily cap is reached"
	case d.Action == decide.Failover:
		return badFailover(in, d)
	case d.Action == decide.ColdStart:
		return badStart(in, d)
	}
	return ""
}

// badStart is about one voice, too.
func badStart(in decide.Input, d decide.Decision) string {
	if d.Node != in.Health.Recorded {
		return "it is not the node on record"
	}
	for _, n := range in.Health.Nodes {
		lost := n.Failed != "" || n.Seen == nil
		switch {
		case n.Seen != nil && n.Seen.Active() && !n.Seen.OnlyOurs() && !n.Silent.After(n.Seen.At):
			return n.Name + " runs, or did when it was seen last"
		case n.Name == d.Node && lost:
			return "it cannot be asked"
		case n.Name != d.Node && lost && n.Silent.IsZero():
			return n.Name + " may be on air"
		}
	}
	return ""
}

// badFailover is about one voice.
func badFailover(in decide.Input, d decide.Decision) string {
	if d.To == d.Node || d.Node != in.Health.Recorded {
		return "it is not from the node on record to another one"
	}
	for _, b := range in.Standbys {
		if b.Node == d.To && !b.Ready {
			return "the target is not ready"
		}
	}
	for _, n := range in.Health.Nodes {
		lost := n.Failed != "" || n.Seen == nil
		switch {
		case n.Name == d.To && lost:
			return "the target cannot be asked"
		case n.Name != d.Node && n.Seen != nil && n.Seen.Active() && !n.Seen.OnlyOurs() && !n.Silent.After(n.Seen.At):
			return n.Name + " runs, or did when it was seen last"
		case n.Name != d.Node && lost && n.Silent.IsZero():
			return n.Name + " may be on air"
		case n.Name == d.Node && lost && n.Silent.IsZero() && in.State.Fences == nil && in.Policy.AcceptRisk != decide.RiskWords:
			return "nothing can silence the old node"
		}
	}
	return ""
}

// What is stored and read again gives the same decision, bit for bit, and deciding
// changes nothing of what it was given.
func TestReplaysBitForBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		stored := encode(t, in)
		first := encode(t, decide.Decide(in))
		if after := encode(t, in); after != stored {
			t.Fatalf("deciding has changed its input from\n%s\nto\n%s", stored, after)
		}
		var again decide.Input
		if err := json.Unmarshal([]byte(stored), &again); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if second := encode(t, decide.Decide(again)); second != first {
				t.Fatalf("decided\n%s\nand, from what was stored,\n%s", first, second)
			}
		}
	})
}

// Whatever is decided says why, and why nothing else.
func TestEverythingIsExplained(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := decide.Decide(draw(t))
		if len(d.Reasons) == 0 || d.Reasons[0] == "" || len(d.Conditions) == 0 {
			t.Fatalf("no reason, or no condition: %+v", d)
		}
		if len(d.Not) != len(decide.Actions)-1 {
			t.Fatalf("%d alternatives, not %d", len(d.Not), len(decide.Actions)-1)
		}
		for _, n := range d.Not {
			if n.Why == "" || n.Action == d.Action {
				t.Fatalf("%q is not explained: %+v", n.Action, d)
			}
		}
		if (d.Action == decide.Ask) != (d.Question != nil) {
			t.Fatalf("%s with question %v", d.Action, d.Question)
		}
	})
}

func encode(t *rapid.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func BenchmarkDecide(b *testing.B) {
	inputs := recordedInputs()
	for i := 0; b.Loop(); i++ {
		decide.Decide(inputs[i%len(inputs)])
	}
}
