package sim_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/world/sim"
)

var (
	seed  = flag.Uint64("seed", 0, "live the story of this seed, with a log of everything")
	seeds = flag.Uint64("seeds", stories, "how many seeds TestSeeds lives")
	first = flag.Uint64("first", 1, "the first of them")
	soak  = flag.Bool("soak", false, "live stories until somebody stops it")
)

// TestMain lets the stories make rubbish: each is small, and over soon.
func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

// TestSeed replays one story, and leaves out what it does not need to fail. Who is first of
// several that wait in one select is up to chance, so it is lived more than once.
func TestSeed(t *testing.T) {
	if *seed == 0 {
		t.Log("nothing to replay: no -seed was given")
		return
	}
	var r sim.Result
	for range lives {
		if r = sim.Run(t, *seed, sim.Options{Log: true}); len(r.Wrong) > 0 {
			t.Log(r)
			t.Fatalf("shortened:\n%v", sim.Shorten(t, r))
		}
	}
	t.Log(r)
}

// lives are how often a story is lived that may fail, or has.
const lives = 5

// TestSeeds lives many stories: no rule is ever broken, the home is served in the end, and
// every fault has met somebody.
func TestSeeds(t *testing.T) {
	tally, began := newTally(), time.Now()
	next := atomic.Uint64{}
	next.Store(*first)
	t.Run("stories", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for s := next.Add(1) - 1; s < *first+*seeds && tally.failed() < 10; s = next.Add(1) - 1 {
					tally.add(t, sim.Run(t, s, sim.Options{}))
				}
			})
		}
	})
	took := time.Since(began)
	t.Logf("%d stories in %.0f s: %.0f a second, %d at a time", *seeds, took.Seconds(), float64(*seeds)/took.Seconds(), runtime.GOMAXPROCS(0))
	t.Log(tally)
	for _, k := range sim.Kinds() {
		if *seeds >= 500 && tally.coverage[k] == 0 {
			t.Errorf("in %d stories nothing has met “%s”", *seeds, k)
		}
	}
}

// TestSoak goes on until it is stopped, from a seed that nobody has seen yet.
func TestSoak(t *testing.T) {
	if !*soak {
		t.Log("not asked to go on without an end: no -soak was given")
		return
	}
	tally, began := newTally(), time.Now()
	next := atomic.Uint64{}
	next.Store(uint64(began.Unix()) * 1_000_000)
	for i := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for told := time.Now(); ; {
				tally.add(t, sim.Run(t, next.Add(1), sim.Options{}))
				if i == 0 && time.Since(told) > 10*time.Second {
					told = time.Now()
					t.Logf("%d stories, %.0f a second, %d failed\n%v", tally.lived(), float64(tally.lived())/time.Since(began).Seconds(), tally.failed(), tally)
				}
			}
		})
	}
}

// TestRegressions lives the stories that have taught something.
func TestRegressions(t *testing.T) {
	f, err := os.Open("testdata/regressions.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	taught, err := sim.Parse(f)
	if err != nil || len(taught) == 0 {
		t.Fatalf("%d stories, %v", len(taught), err)
	}
	for i, s := range taught {
		for range lives {
			if r := sim.Live(t, s, sim.Options{Log: true}); len(r.Wrong) > 0 {
				t.Fatalf("story %d: %v", i+1, r)
			}
		}
	}
}

func TestStoriesAreWrittenDown(t *testing.T) {
	for seed := range uint64(300) {
		want := sim.Draw(seed)
		got, err := sim.Parse(strings.NewReader("# so\n" + want.String()))
		want.Seed = 0
		if err != nil || len(got) != 1 {
			t.Fatalf("%v\n%v", err, want)
		}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Fatal(diff)
		}
	}
}

// TestSameSeedSameStory: what a seed prints can be replayed, nearly always.
func TestSameSeedSameStory(t *testing.T) {
	const all, most = 20, 12
	same := 0
	for s := range uint64(all) {
		a, b := sim.Run(t, s+1, sim.Options{Log: true}), sim.Run(t, s+1, sim.Options{Log: true})
		if slices.Equal(ordered(a.Log), ordered(b.Log)) {
			same++
		}
	}
	if same < most {
		t.Errorf("only %d of %d stories were the same the second time", same, all)
	}
}

// ordered leaves out who is told when, and what the dead still say: it makes no difference.
func ordered(log []string) []string {
	return slices.DeleteFunc(log, func(s string) bool {
		return strings.Contains(s, " asked ") || strings.Contains(s, " told ") || strings.Contains(s, " log: ")
	})
}

// A tally is what has come of many stories.
type tally struct {
	mu       sync.Mutex
	coverage map[sim.Kind]int
	ends     map[string]int
	wrong    int
}

func newTally() *tally { return &tally{coverage: map[sim.Kind]int{}, ends: map[string]int{}} }

func (c *tally) add(t *testing.T, r sim.Result) {
	c.mu.Lock()
	for k, n := range r.Coverage {
		c.coverage[k] += n
	}
	end, _, _ := strings.Cut(r.Ended, ":")
	c.ends[end]++
	bad := len(r.Wrong) > 0
	if bad {
		c.wrong++
	}
	tell := bad && c.wrong <= 2
	c.mu.Unlock()
	if bad {
		t.Errorf("seed %d: %s\nreplay: %s", r.Story.Seed, strings.Join(r.Wrong, "\n"), r.Replay())
	}
	if tell {
		t.Logf("shortened:\n%v", sim.Shorten(t, r))
	}
}

func (c *tally) failed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong
}

func (c *tally) lived() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.ends {
		n += k
	}
	return n
}

func (c *tally) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(c.coverage)) {
		lines = append(lines, fmt.Sprintf("%7d × %s", c.coverage[k], k))
	}
	for _, e := range slices.Sorted(maps.Keys(c.ends)) {
		lines = append(lines, fmt.Sprintf("%7d ended: %s", c.ends[e], e))
	}
	return strings.Join(lines, "\n")
}
