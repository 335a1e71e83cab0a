package shelf_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"z2mha/internal/failover/generation"
	"z2mha/internal/storage/shelf"
)

const day = 24 * time.Hour

// aged makes generations 1, 2, … of these ages, each of one content of its own.
func aged(ages ...time.Duration) []generation.Generation {
	var out []generation.Generation
	for i, age := range ages {
		out = append(out, generation.Generation{Number: i + 1, At: noon.Add(-age), Files: []generation.File{{Path: "database.db", SHA256: fmt.Sprint(i), Size: 100}}})
	}
	return out
}

// every makes n ages, so far apart, ending now.
func every(d time.Duration, n int) []time.Duration {
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = time.Duration(n-1-i) * d
	}
	return out
}

func TestSurplus(t *testing.T) {
	mark := func(all []generation.Generation, change func(*generation.Generation), numbers ...int) []generation.Generation {
		for _, n := range numbers {
			change(&all[n-1])
		}
		return all
	}
	pin := func(g *generation.Generation) { g.Pinned = true }
	refuse := func(g *generation.Generation) { g.Refused = []string{"no"} }
	image := func(g *generation.Generation) { g.StickImage = "image" }
	for _, tt := range []struct {
		name string
		rule shelf.Retention
		all  []generation.Generation
		use  shelf.Use
		want []int
	}{
		{name: "keeps all of an empty shelf", rule: shelf.DefaultRetention},
		{name: "keeps all without a limit", all: aged(every(100*day, 60)...)},
		{name: "keeps what the rule allows", rule: shelf.DefaultRetention, all: aged(every(day, 50)...)},
		{name: "keeps ten however old, after a quiet year", rule: shelf.DefaultRetention, all: aged(slices.Repeat([]time.Duration{400 * day}, 12)...), want: []int{1, 2}},
		{name: "drops what lies closest together for its age", rule: shelf.Retention{Count: 3}, all: aged(100*day, 50*day, 49*day, day, 0), want: []int{2, 3}},
		{name: "never drops the newest usable", rule: shelf.Retention{Count: 1}, all: aged(3*day, 2*day, day), want: []int{1, 2}},
		{name: "never drops a pinned one", rule: shelf.Retention{Count: 1}, all: mark(aged(3*day, 2*day, day), pin, 1), want: []int{2}},
		{name: "never drops one in use", rule: shelf.Retention{Count: 1}, all: aged(3*day, 2*day, day), use: shelf.Use{Generations: []int{2}}, want: []int{1}},
		{name: "never drops the newest with a stick image", rule: shelf.Retention{Count: 1}, all: mark(aged(4*day, 3*day, 2*day, day), image, 1, 2), want: []int{1, 3}},
		{name: "keeps the newest refused for a person", rule: shelf.DefaultRetention, all: mark(aged(every(time.Minute, 9)...), refuse, 2, 3, 4, 5, 6, 7, 8, 9), want: []int{2, 3, 4}},
		{name: "does not count refused ones", rule: shelf.Retention{Count: 2}, all: mark(aged(every(day, 4)...), refuse, 3, 4)},
		{name: "fits into the size, refused ones first", rule: shelf.Retention{Size: 250}, all: mark(aged(every(day, 4)...), refuse, 2), want: []int{2, 3}},
		{name: "counts a shared content once", rule: shelf.Retention{Size: 250}, all: mark(aged(every(day, 4)...), func(g *generation.Generation) { g.Files[0].SHA256 = "same" }, 1, 2, 3, 4)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.rule.Surplus(tt.all, tt.use, nil, noon)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A year and a half with a capture every hour, tidied after each: what is left reaches back as
// far as the rule says, is dense in the last days and thin before.
func TestSurplusOverTheYears(t *testing.T) {
	rule := shelf.Retention{Count: 50, Age: 365 * day}
	var kept []generation.Generation
	now := noon
	for n := range 550 * 24 {
		now = now.Add(time.Hour)
		kept = append(kept, generation.Generation{Number: n + 1, At: now})
		gone := rule.Surplus(kept, shelf.Use{}, nil, now)
		kept = slices.DeleteFunc(kept, func(g generation.Generation) bool { return slices.Contains(gone, g.Number) })
	}
	within := func(d time.Duration) (n int) {
		for _, g := range kept {
			if now.Sub(g.At) <= d {
				n++
			}
		}
		return n
	}
	if len(kept) != 50 || within(12*time.Hour) < 6 || within(7*day) < 15 || within(7*day) > 40 || within(90*day) == len(kept) || within(365*day) != len(kept) {
		t.Errorf("%d kept: %d of the last 12 hours, %d of the week, %d of the quarter, %d of the year", len(kept), within(12*time.Hour), within(7*day), within(90*day), within(365*day))
	}
}

// Whatever lies on a shelf: what must stay stays, what is left fits the rule or is all
// that must stay, and tidying a second time removes nothing.
func TestSurplusKeepsWhatItMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []generation.Generation
		at := noon.Add(-400 * day)
		for i := range rapid.IntRange(0, 80).Draw(t, "generations") {
			at = at.Add(time.Duration(rapid.IntRange(0, 7*24*60).Draw(t, "minutes")) * time.Minute)
			g := generation.Generation{Number: i + 1, At: at, Pinned: rapid.IntRange(0, 9).Draw(t, "pinned") == 0}
			g.Files = []generation.File{{Path: "a", SHA256: fmt.Sprint(rapid.IntRange(0, 50).Draw(t, "content")), Size: 100}}
			if rapid.IntRange(0, 3).Draw(t, "refused") == 0 {
				g.Refused = []string{"no"}
			}
			if rapid.Bool().Draw(t, "image") {
				g.StickImage = "image"
			}
			all = append(all, g)
		}
		rule := shelf.Retention{Count: rapid.IntRange(0, 60).Draw(t, "count"), Age: time.Duration(rapid.IntRange(0, 400).Draw(t, "days")) * day, Size: int64(rapid.IntRange(0, 4000).Draw(t, "size"))}
		use := shelf.Use{Generations: rapid.SliceOfN(rapid.IntRange(1, 80), 0, 3).Draw(t, "in use")}
		gone := rule.Surplus(all, use, map[string]int64{"image": 60}, noon)
		var kept []generation.Generation
		usable, free := 0, 0
		newest, newestUsable, newestImage := 0, 0, 0
		for _, g := range all {
			newest = g.Number
			if g.Usable() {
				newestUsable = g.Number
			}
			if g.Usable() && g.StickImage != "" {
				newestImage = g.Number
			}
		}
		for _, g := range all {
			must := g.Pinned || slices.Contains(use.Generations, g.Number) || g.Number == newest || g.Number == newestUsable || g.Number == newestImage
			if slices.Contains(gone, g.Number) {
				if must {
					t.Fatalf("generation %d was to stay", g.Number)
				}
				continue
			}
			kept = append(kept, g)
			if g.Usable() {
				usable++
				if !must {
					free++
				}
			}
		}
		if rule.Count > 0 && usable > rule.Count && free > 0 {
			t.Fatalf("%d usable are left although %d of them may go", usable, free)
		}
		if again := rule.Surplus(kept, use, map[string]int64{"image": 60}, noon); len(again) > 0 {
			t.Fatalf("a second time it removes %v", again)
		}
	})
}
