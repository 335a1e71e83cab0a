package wired_test

import (
	"flag"
	"testing"

	"z2mha/internal/world/wired"
)

var (
	seed  = flag.Uint64("seed", 0, "live the story of this seed, with a log of everything")
	seeds = flag.Uint64("seeds", 100, "how many seeds TestSeeds lives")
	first = flag.Uint64("first", 1, "the first of them")
)

// TestSeed replays one story.
func TestSeed(t *testing.T) {
	if *seed == 0 {
		t.Skip("no -seed given")
	}
	r := wired.Run(t, *seed, wired.Options{Log: true})
	if len(r.Wrong) > 0 {
		t.Error("a rule was broken")
	}
	t.Log(r)
}

// TestSeeds lives many stories, and no rule is ever broken.
func TestSeeds(t *testing.T) {
	coverage, ends := map[wired.Kind]int{}, map[string]int{}
	for s := *first; s < *first+*seeds; s++ {
		r := wired.Run(t, s, wired.Options{})
		for k, n := range r.Coverage {
			coverage[k] += n
		}
		ends[r.Ended]++
		if len(r.Wrong) > 0 {
			t.Errorf("seed %d: %v\n%s", s, r.Wrong, r.Replay())
		}
	}
	for k, n := range coverage {
		t.Logf("%6d %s", n, k)
	}
	for e, n := range ends {
		t.Logf("%6d %s", n, e)
	}
}
