package wired_test

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

	"z2mha/internal/world/wired"
)

var (
	seed  = flag.Uint64("seed", 0, "live the story of this seed, with a log of everything")
	seeds = flag.Uint64("seeds", stories, "how many seeds TestSeeds lives")
	first = flag.Uint64("first", 1, "the first of them")
)

// TestMain lets the stories make rubbish: each is over soon.
func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// TestSeed replays one story, and leaves out what it does not need to fail. What happens at
// the same moment happens in any order, so it is lived more than once.
func TestSeed(t *testing.T) {
	if *seed == 0 {
		t.Log("nothing to replay: no -seed was given")
		return
	}
	var r wired.Result
	for range lives {
		if r = wired.Run(t, *seed, wired.Options{Log: true}); len(r.Wrong) > 0 {
			t.Log(r)
			t.Fatalf("shortened:\n%v", wired.Shorten(t, r))
		}
	}
	t.Log(r)
}

// lives are how often a story is lived that may fail, or has.
const lives = 3

// TestSeeds lives many stories: no rule is ever broken, the home is served in the end, and
// every kind of fault is among them.
func TestSeeds(t *testing.T) {
	c, began := &tally{coverage: map[wired.Kind]int{}, ends: map[string]int{}}, time.Now()
	var next atomic.Uint64
	next.Store(*first)
	t.Run("stories", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for s := next.Add(1) - 1; s < *first+*seeds && c.failed() < 5; s = next.Add(1) - 1 {
					c.add(t, wired.Run(t, s, wired.Options{}))
				}
			})
		}
	})
	took := time.Since(began)
	t.Logf("%d stories of %s in %.0f s: %.1f a second, %d at a time", *seeds, (c.virtual / time.Duration(max(1, *seeds))).Round(time.Second), took.Seconds(),
		float64(*seeds)/took.Seconds(), runtime.GOMAXPROCS(0))
	t.Log(c)
	for _, k := range wired.Kinds() {
		if *seeds >= 100 && c.coverage[k] == 0 {
			t.Errorf("in %d stories nothing was done that is “%s”", *seeds, k)
		}
	}
}

// TestRegressions lives the stories that have taught something.
func TestRegressions(t *testing.T) {
	f, err := os.Open("testdata/regressions.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	taught, err := wired.Parse(f)
	if err != nil || len(taught) == 0 {
		t.Fatalf("%d stories, %v", len(taught), err)
	}
	for i, s := range taught {
		for range lives {
			if r := wired.Live(t, s, wired.Options{Log: true}); len(r.Wrong) > 0 {
				t.Fatalf("story %d: %v", i+1, r)
			}
		}
	}
}

func TestStoriesAreWrittenDown(t *testing.T) {
	for seed := range uint64(300) {
		want := wired.Draw(seed)
		got, err := wired.Parse(strings.NewReader("# so\n" + want.String()))
		want.Seed = 0
		if err != nil || len(got) != 1 {
			t.Fatalf("%v\n%v", err, want)
		}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Fatal(diff)
		}
	}
}

// A tally is what has come of many stories.
type tally struct {
	mu       sync.Mutex
	coverage map[wired.Kind]int
	ends     map[string]int
	virtual  time.Duration
	wrong    int
}

func (c *tally) add(t *testing.T, r wired.Result) {
	c.mu.Lock()
	for k, n := range r.Coverage {
		c.coverage[k] += n
	}
	end, _, _ := strings.Cut(r.Ended, ":")
	c.ends[end]++
	c.virtual += r.Virtual
	bad := len(r.Wrong) > 0
	if bad {
		c.wrong++
	}
	c.mu.Unlock()
	if bad {
		t.Errorf("seed %d: %s\nreplay: %s", r.Story.Seed, strings.Join(r.Wrong, "\n"), r.Replay())
	}
}

func (c *tally) failed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong
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
