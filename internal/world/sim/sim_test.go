package sim_test

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/world/sim"
)

var (
	seed  = flag.Uint64("seed", 0, "live the story of this seed, with a log of everything")
	seeds = flag.Uint64("seeds", 500, "how many seeds TestSeeds lives")
	first = flag.Uint64("first", 1, "the first of them")
)

// TestMain lets the stories make rubbish: each is small, and over soon.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

// TestSeed replays one story.
func TestSeed(t *testing.T) {
	if *seed == 0 {
		t.Skip("no -seed given")
	}
	r := sim.Run(t, *seed, sim.Options{Log: true})
	if len(r.Wrong) > 0 {
		t.Error(sim.Shorten(t, r))
	}
	t.Log(r)
}

// TestSeeds lives many stories, and no rule is ever broken.
func TestSeeds(t *testing.T) {
	var mu sync.Mutex
	coverage, ends, failed := map[sim.Kind]int{}, map[string]int{}, 0
	t.Run("stories", func(t *testing.T) {
		const shards = 2
		for i := range uint64(shards) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for s := *first + i; s < *first+*seeds; s += shards {
					r := sim.Run(t, s, sim.Options{})
					mu.Lock()
					for k, n := range r.Coverage {
						coverage[k] += n
					}
					ends[r.Ended]++
					if len(r.Wrong) > 0 {
						failed++
						t.Errorf("seed %d: %v", s, r.Wrong)
					}
					enough := failed > 20
					mu.Unlock()
					if enough {
						return
					}
				}
			})
		}
	})
	for k, n := range coverage {
		t.Logf("%6d %s", n, k)
	}
	for e, n := range ends {
		t.Logf("%6d %s", n, e)
	}
}

// TestSameSeedSameStory: what a seed prints can be replayed.
func TestSameSeedSameStory(t *testing.T) {
	for s := range uint64(30) {
		a, b := sim.Run(t, s+1, sim.Options{Log: true}), sim.Run(t, s+1, sim.Options{Log: true})
		if diff := cmp.Diff(ordered(a.Log), ordered(b.Log)); diff != "" {
			t.Errorf("seed %d: %s", s+1, diff)
		}
	}
}

// ordered leaves out who is told when, and what the dead still say: it makes no difference.
func ordered(log []string) []string {
	return slices.DeleteFunc(log, func(s string) bool {
		return strings.Contains(s, " asked ") || strings.Contains(s, " told ") || strings.Contains(s, " log: ")
	})
}
