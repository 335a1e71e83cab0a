package desk_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/world/inmem"
)

// A judge decides from what a desk has gathered, every half second, and carries out nothing
// but to note that it was tried.
type judge struct {
	o     *observed
	in    decide.Input
	began time.Time
	said  []string // each action that differs from the one before
}

func newJudge(o *observed) *judge {
	return &judge{o: o, began: time.Now(), in: decide.Input{Policy: decide.DefaultPolicy,
		Standbys: []decide.Standby{{Node: "cellar", Ready: true, Warm: true, Generation: 3}},
		State:    decide.State{Fences: map[string][]decide.Rung{"attic": {decide.RungPower}}}}}
}

// decide decides for a while, or until an action is decided for.
func (j *judge) decide(until time.Duration, a decide.Action) (took time.Duration, found bool) {
	j.said = nil
	for began := time.Now(); time.Since(began) < until; time.Sleep(500 * time.Millisecond) {
		j.in.Health = j.o.evidence()
		d := decide.Decide(j.in)
		j.in.Memory = d.Memory
		if said := string(d.Action) + ": " + d.Reasons[0]; len(j.said) == 0 || !strings.HasPrefix(j.said[len(j.said)-1], string(d.Action)+":") {
			j.said = append(j.said, said)
		}
		if d.Action == a {
			return time.Since(began), true
		}
	}
	return until, false
}

// acted says that something was decided for that changes a home.
func (j *judge) acted() bool {
	return slices.ContainsFunc(j.said, func(s string) bool {
		a, _, _ := strings.Cut(s, ":")
		return !slices.Contains([]decide.Action{decide.Nothing, decide.Wait, decide.Look, decide.Ask}, decide.Action(a))
	})
}

// lateWill is how long a broker takes Zigbee2MQTT on a dead host for alive, and half a
// minute more. Until then the home may well have Zigbee.
const lateWill = 2 * time.Minute

// startCellar starts a stand-by whose stick holds the network, as a person may.
func startCellar(o *observed) {
	attic, cellar := o.h.Host("attic"), o.h.Host("cellar")
	cellar.SetData(attic)
	cellar.SetNV(attic.Stick())
	cellar.SetRunning(true)
}

// What the desk gathers of a simulated home leads to the right decision, in time, and to none
// when there is nothing to be done.
func TestEvidenceLeadsToDecisions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		harm   func(o *observed)
		state  func(s *decide.State)
		want   decide.Action // "" for none that changes anything
		within time.Duration
	}{
		{"does nothing in a healthy home", func(*observed) {}, nil, "", 2 * time.Hour},
		{"repairs what has crashed", func(o *observed) { o.h.Host("attic").SetRunning(false) }, nil, decide.Repair, 8 * time.Second},
		{"fails over when the repair was in vain", func(o *observed) { o.h.Host("attic").SetRunning(false) },
			func(s *decide.State) { s.Repairs = []time.Time{time.Now()} }, decide.Failover, 26 * time.Second},
		{"fails over from a host without power", func(o *observed) { o.h.Host("attic").PowerOff() }, nil, decide.Failover, lateWill},
		{"asks when nothing can silence it", func(o *observed) { o.h.Host("attic").PowerOff() },
			func(s *decide.State) { s.Fences = nil }, decide.Ask, lateWill},
		{"stays when only our way to the host is gone", func(o *observed) { o.h.Host("attic").SetReachable(false) }, nil, "", time.Hour},
		{"stays when the broker is gone", func(o *observed) { o.h.SetBroker(false) }, nil, "", time.Hour},
		{"repairs a mute stick", func(o *observed) { o.h.Host("attic").SetMute(true) }, nil, decide.Repair, 70 * time.Second},
		{"silences a second speaker", startCellar, nil, decide.Silence, 20 * time.Second},
		{"stays when the broker keeps an old last will", func(o *observed) { o.h.SetKept(false) }, nil, "", time.Hour},
		{"stays while a host hangs and its Zigbee2MQTT answers", func(o *observed) { o.hang("attic", true) }, nil, "", time.Hour},
		{"touches nothing when only devices are silent", func(o *observed) { o.h.Deaf[o.h.Devices[0].IEEE] = true }, nil, "", time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := observe(t, func(h *inmem.Home) {})
				time.Sleep(10 * time.Minute)
				tt.harm(o)
				j := newJudge(o)
				if tt.state != nil {
					tt.state(&j.in.State)
				}
				took, found := j.decide(tt.within, tt.want)
				if tt.want == "" && j.acted() || tt.want != "" && !found {
					t.Errorf("within %s was decided:\n%s", tt.within, strings.Join(j.said, "\n"))
				}
				t.Logf("after %s: %s", took, j.said[len(j.said)-1])
			})
		})
	}
}
