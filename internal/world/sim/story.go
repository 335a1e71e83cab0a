package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/decide"
)

// A Deed is one thing that happens in a home.
type Deed struct {
	At    time.Duration // after the story begins
	Kind  Kind
	Node  string        // a name, or "active" or "stand-by" for who is that then
	Lasts time.Duration // 0 for what happens at once
	N     int           // which of several, as its kind has it
}

func (d Deed) String() string {
	s := fmt.Sprintf("%s %s, %s", d.At, d.Kind, d.Node)
	if d.Lasts > 0 {
		s += " for " + d.Lasts.String()
	}
	return fmt.Sprintf("%s #%d", s, d.N)
}

// A Story is a home and everything that happens in it, drawn before it is lived: so one
// that ends badly can be lived again with less in it.
type Story struct {
	Seed   uint64
	Nodes  int     // two or three
	Frames float64 // a second, on air
	Plugs  bool    // every host has its power from a plug that can be switched
	Deeds  []Deed  // in order
	// Cool is the cool-down after an automatic failover; ByHand: nothing is done unasked.
	Cool   time.Duration
	ByHand bool
	Risk   bool // a failover without proof is accepted
}

// homeWords is how a home is written down.
const homeWords = "%d nodes, %g frames a second, plugs %t, cool-down %s, by hand %t, risk %t"

func (s Story) String() string {
	lines := []string{fmt.Sprintf(homeWords, s.Nodes, s.Frames, s.Plugs, s.Cool, s.ByHand, s.Risk)}
	for _, d := range s.Deeds {
		lines = append(lines, "  "+d.String())
	}
	return strings.Join(lines, "\n")
}

var nodeNames = []string{"attic", "cellar", "shed"}

// policy is how the home of the story is looked after.
func (s Story) policy() decide.Policy {
	p := decide.DefaultPolicy
	p.CoolDown, p.Automatic = s.Cool, !s.ByHand
	if s.Risk {
		p.AcceptRisk = decide.RiskWords
	}
	return p
}

// Draw makes the story of a seed.
func Draw(seed uint64) Story {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	s := Story{Seed: seed, Nodes: 2 + r.IntN(3)/2, Plugs: r.IntN(3) > 0, Frames: []float64{2, 2, 5, 15}[r.IntN(4)]}
	s.Cool, s.ByHand = []time.Duration{time.Hour, 5 * time.Minute, time.Minute}[r.IntN(3)], r.IntN(8) == 0
	s.Risk = r.IntN(20) == 0
	long := time.Duration(3+r.IntN(11)) * time.Minute
	for range 2 + r.IntN(7) {
		s.Deeds = append(s.Deeds, draw(r, s, long))
	}
	gather(r, s.Deeds)
	if r.IntN(6) == 0 {
		s.Deeds = append(s.Deeds, oneAfterTheOther(r, long)...)
	}
	slices.SortStableFunc(s.Deeds, func(a, b Deed) int { return int(a.At - b.At) })
	return s
}

// oneAfterTheOther lets whoever is active fail, and then whoever has taken over.
func oneAfterTheOther(r *rand.Rand, long time.Duration) (out []Deed) {
	at := time.Duration(r.Int64N(int64(long))).Round(time.Millisecond)
	for range 2 {
		fails := []Kind{HostPowerLoss, StickPulled, SerialLost, StickDead}[r.IntN(4)]
		out = append(out, Deed{At: at, Kind: fails, Node: "active", Lasts: time.Duration(240+r.IntN(240)) * time.Second})
		at += time.Duration(150+r.IntN(200)) * time.Second
	}
	return out
}

// gather moves faults to where something is being done: most would meet a quiet home
// otherwise.
func gather(r *rand.Rand, deeds []Deed) {
	var asked []Deed
	for _, d := range deeds {
		if kindOf(d.Kind).asks {
			asked = append(asked, d)
		}
	}
	for i, d := range deeds {
		if kindOf(d.Kind).asks || len(asked) == 0 || r.IntN(3) == 0 {
			continue
		}
		deeds[i].At = asked[r.IntN(len(asked))].At + time.Duration(r.Int64N(int64(50*time.Second))).Round(time.Millisecond)
	}
}

func draw(r *rand.Rand, s Story, long time.Duration) Deed {
	d := Deed{At: time.Duration(r.Int64N(int64(long))).Round(time.Millisecond), N: r.IntN(60)}
	n := r.IntN(totalWeight)
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			d.Kind = k.Kind
			if k.lasts > 0 {
				d.Lasts = (time.Second + time.Duration(r.Int64N(int64(k.lasts)))).Round(time.Millisecond)
			}
			break
		}
	}
	switch r.IntN(4) {
	case 0, 1:
		d.Node = "active"
	case 2:
		d.Node = "stand-by"
	default:
		d.Node = nodeNames[r.IntN(s.Nodes)]
	}
	return d
}
