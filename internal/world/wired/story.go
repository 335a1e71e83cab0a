package wired

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
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
	Seed     uint64
	Nodes    int  // two or three
	Plugs    bool // every host has its power from a plug that can be switched
	Restarts bool // the service managers start again what has failed
	Deeds    []Deed
}

const homeWords = "%d nodes, plugs %t, restarts %t"

func (s Story) String() string {
	lines := []string{fmt.Sprintf(homeWords, s.Nodes, s.Plugs, s.Restarts)}
	for _, d := range s.Deeds {
		lines = append(lines, "  "+d.String())
	}
	return strings.Join(lines, "\n")
}

var names = []string{"attic", "cellar", "shed"}

// Draw makes the story of a seed.
func Draw(seed uint64) Story {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	s := Story{Seed: seed, Nodes: 2 + r.IntN(4)/3, Plugs: r.IntN(3) > 0, Restarts: r.IntN(3) == 0}
	long := time.Duration(2+r.IntN(7)) * time.Minute
	for range 2 + r.IntN(6) {
		s.Deeds = append(s.Deeds, draw(r, s, long))
	}
	gather(r, s.Deeds)
	slices.SortStableFunc(s.Deeds, func(a, b Deed) int { return int(a.At - b.At) })
	return s
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
		if kindOf(d.Kind).asks || len(asked) == 0 || r.IntN(4) == 0 {
			continue
		}
		deeds[i].At = asked[r.IntN(len(asked))].At + time.Duration(r.Int64N(int64(14*time.Second))).Round(time.Millisecond)
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
	d.Node = []string{"active", "active", "stand-by", names[r.IntN(s.Nodes)]}[r.IntN(4)]
	return d
}
