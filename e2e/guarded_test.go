package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/internal/storage/decisions"
	"z2mha/internal/world/home"
)

// A guarded home is one in which `z2mha serve` runs and acts by itself: nobody asks it for
// anything. Both hosts are reached through a gate, so that they can be cut off.
type guarded struct {
	*bench
	server *serving
	ear    *ear
	gates  map[string]*gate // by node
	began  time.Time        // when the home was ready to be broken
}

// hasty is a policy with which a test need not wait long.
const hasty = "policy: {settle: 1s, confirm: 5s, respawn: 1s}\n"

// watched is a guarded home of real programs, beside others. With Z2MHA_SIMULATED set in
// the environment Zigbee2MQTT, broker and hosts are simulated, which is quicker for whoever
// writes a scenario.
func watched(t *testing.T, change ...func(*home.Options)) *guarded {
	t.Helper()
	if os.Getenv("Z2MHA_SIMULATED") != "" {
		return guard(t, simulatedParts(), change...)
	}
	o := realParts(t)
	o.NewHost = sshdUnder(t, machinesOfTheirOwn(t))
	return guard(t, o, change...)
}

// guard builds the home.
func guard(t *testing.T, o home.Options, change ...func(*home.Options)) *guarded {
	t.Helper()
	g := &guarded{gates: map[string]*gate{}}
	o.More = anywhere + hasty
	for _, c := range change {
		c(&o)
	}
	o.NewHost = g.behindGates(t, o.NewHost)
	g.bench = assemble(t, o)
	g.reconfigure(func(s string) string { return strings.Replace(s, "start: 40s", "start: 2m", 1) }) // several start at once
	g.edit(g.home.Attic, "configuration.yaml", func(s string) string {                               // so that the broker notices soon that it is frozen
		return strings.Replace(s, "  base_topic: zigbee2mqtt\n", "  base_topic: zigbee2mqtt\n  keepalive: 5\n", 1)
	})
	return g
}

// behindGates has every host reached through a gate.
func (g *guarded) behindGates(t *testing.T, newHost func(home.HostSpec) (home.Host, error)) func(home.HostSpec) (home.Host, error) {
	if newHost == nil {
		newHost = home.InProcess
	}
	return func(s home.HostSpec) (home.Host, error) {
		h, err := newHost(s)
		if err != nil {
			return nil, err
		}
		way := newGateOn(t, s.IP, h.Addr())
		way.Open()
		g.gates[s.Name] = way
		return gated{h, way}, nil
	}
}

// A gated host is one behind a gate.
type gated struct {
	home.Host
	gate *gate
}

func (h gated) Addr() string { return h.gate.Address }

// seeded starts the attic, has the cellar's stick loaded, and starts the controller. It
// returns when the cellar could take over.
func (g *guarded) seeded() *guarded {
	g.Helper()
	g.start()
	g.ends(g.z2mha("seed"), exitOK)
	g.lampAnswersThrough(g.home.Attic)
	return g.serves()
}

// serves starts the controller and waits until the cellar could take over.
func (g *guarded) serves() *guarded {
	g.Helper()
	if g.ear == nil {
		g.ear = hear(g.T, g.home.Broker(), home.Login{})
	}
	from := g.ear.count()
	g.server = served(g.T, g.home.Config)
	g.becomes("the cellar could take over", func() bool {
		return g.ear.last(from, "z2mha/home/attributes", `"ready":["cellar"]`) && len(g.unsettled()) == 0
	})
	g.began = time.Now()
	return g
}

// comesTo waits until a step has begun since the home was broken.
func (g *guarded) comesTo(act plan.Act) {
	g.Helper()
	g.becomes("step "+string(act)+" begins", func() bool {
		return slices.ContainsFunc(g.journal(), func(e plan.Entry) bool {
			return e.Event == plan.EventBegin && e.At.After(g.began) && strings.Contains(e.Step, "-"+string(act)+"-")
		})
	})
}

// decided is what was decided last, and what it was made from.
func (g *guarded) decided() (decide.Input, decide.Decision) {
	g.Helper()
	last, err := decisions.Last(filepath.Join(g.home.State(), "decisions"), "home", 1)
	if err != nil || len(last) == 0 {
		return decide.Input{}, decide.Decision{}
	}
	return last[0].Input, last[0].Decision
}

// events are all that were told so far, oldest first.
func (g *guarded) events() []status.Event {
	g.Helper()
	raw, err := os.ReadFile(filepath.Join(g.home.State(), "events", "home.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		g.Fatal(err)
	}
	var out []status.Event
	for line := range strings.Lines(string(raw)) {
		var ev status.Event
		if json.Unmarshal([]byte(line), &ev) == nil { // the last line may be under way
			out = append(out, ev)
		}
	}
	return out
}

// tells waits for an event of that type whose text has all words, and returns it.
func (g *guarded) tells(kind status.EventType, words ...string) status.Event {
	g.Helper()
	var found status.Event
	if !g.waits(func() bool {
		i := slices.IndexFunc(g.events(), func(ev status.Event) bool {
			return ev.Type == kind && hasAll(ev.Text+" "+ev.Fix, words)
		})
		if i >= 0 {
			found = g.events()[i]
		}
		return i >= 0
	}) {
		g.Fatalf("%s with %q was never told; told was: %s\nz2mha why: %s", kind, words, g.story(), g.z2mha("why").out)
	}
	return found
}

// guardPatience is for what the controller does by itself, with all that it waits for, on a
// machine on which several homes break at once.
const guardPatience = 4 * time.Minute

func (g *guarded) waits(holds func() bool) bool {
	end := time.After(guardPatience)
	for !holds() {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-end:
			return false
		}
	}
	return true
}

// becomes waits for something that no message announces.
func (g *guarded) becomes(what string, holds func() bool) {
	g.Helper()
	if !g.waits(holds) {
		g.Fatalf("never came true: %s; told was: %s\nz2mha why: %s", what, g.story(), g.z2mha("why").out)
	}
}

// story is what was told, to be read by people.
func (g *guarded) story() string {
	var b strings.Builder
	for _, ev := range g.events() {
		fmt.Fprintf(&b, "\n%s %s: %s %s", ev.At.Local().Format("15:04:05.0"), ev.Type, ev.Text, ev.Fix)
	}
	return b.String()
}

// never fails the test when something of that type was told.
func (g *guarded) never(kinds ...status.EventType) {
	g.Helper()
	for _, ev := range g.events() {
		if slices.Contains(kinds, ev.Type) {
			g.Errorf("told was %s: %s", ev.Type, ev.Text)
		}
	}
}

// acts are the events that tell of something done by itself.
var acts = []status.EventType{status.EventFailoverStarted, status.EventRepaired, status.EventReturned, status.EventSwitchoverStarted,
	status.EventNodeStopped, status.EventNodeStarted, status.EventRunFailed, status.EventRepairFailed}

// endsWell is how every scenario ends that leaves a serving home.
func (g *guarded) endsWell(on *home.Node) {
	g.Helper()
	g.lampAnswersThrough(on)
	if got := g.home.OnAir(); got != on.Name {
		g.Errorf("on air: %q, want %s only", got, on.Name)
	}
	g.mediumIsClean()
	g.recordsKeepSecrets()
	g.keepsSecrets(g.server.out.String())
	g.Logf("told was:%s", g.story())
}

// newGateOn is a closed gate on an address of its own.
func newGateOn(t *testing.T, ip, to string) *gate {
	t.Helper()
	address, _ := freeAddress(t, ip)
	g := &gate{t: t, Address: address, to: to}
	t.Cleanup(g.Close)
	return g
}

// cutOff takes the way to a host: connections break, new ones are refused.
func (g *guarded) cutOff(n *home.Node) { g.gates[n.Name].Close() }

// reachable gives it back.
func (g *guarded) reachable(n *home.Node) { g.gates[n.Name].Open() }
