package shelf

import (
	"slices"
	"time"

	"z2mha/internal/failover/generation"
)

// A Retention says how much of a network's past is kept. A zero limit is none.
type Retention struct {
	Count int           // generations, not counting refused ones
	Age   time.Duration // older ones go, but the newest few stay however old they are
	Size  int64         // bytes of all that they name
}

// DefaultRetention is some years of a home in which little changes.
var DefaultRetention = Retention{Count: 50, Age: 90 * 24 * time.Hour, Size: 500 << 20}

const (
	// keptHowever is how many usable generations Age never removes: after a year in
	// which nothing changed, the last steps back are still there.
	keptHowever = 10
	// keptRefused is how many refused captures stay for a person to look at.
	keptRefused = 5
)

// A Use is what must stay although the rule would remove it.
type Use struct {
	Generations []int    // staged somewhere, or on a stick
	Blobs       []string // images that are on sticks, whether or not a generation names them
}

// Surplus says which generations of one network may go, ascending. images are the sizes
// of the stick images by hash. These never go: the newest, whose number must not be
// given twice; the newest usable one, and the newest of those with a stick image;
// pinned ones and those in use.
//
// When there are too many, those go first that lie closest to their neighbours in
// proportion to their age. What is left is an hour apart among yesterday's and a week
// apart among last quarter's.
func (r Retention) Surplus(all []generation.Generation, use Use, images map[string]int64, now time.Time) []int {
	t := &thinning{rule: r, now: now, images: images, safe: safe(all, use), kept: sorted(all)}
	t.refused()
	t.aged()
	for r.Count > 0 && t.usable() > r.Count && t.thin() {
	}
	for r.Size > 0 && t.size() > r.Size && (t.dropRefused() || t.thin()) {
	}
	slices.Sort(t.gone)
	return t.gone
}

func sorted(all []generation.Generation) []generation.Generation {
	out := slices.Clone(all)
	slices.SortFunc(out, func(a, b generation.Generation) int { return a.Number - b.Number })
	return out
}

// safe are the numbers that never go.
func safe(all []generation.Generation, use Use) map[int]bool {
	out := map[int]bool{}
	for _, n := range use.Generations {
		out[n] = true
	}
	var newest, usable, image int
	for _, g := range all {
		newest = max(newest, g.Number)
		if g.Usable() {
			usable = max(usable, g.Number)
		}
		if g.Usable() && g.StickImage != "" {
			image = max(image, g.Number)
		}
		if g.Pinned {
			out[g.Number] = true
		}
	}
	out[newest], out[usable], out[image] = true, true, true
	return out
}

// A thinning is a list of generations on its way to a shorter one.
type thinning struct {
	rule   Retention
	now    time.Time
	images map[string]int64
	safe   map[int]bool
	kept   []generation.Generation // ascending
	gone   []int
}

func (t *thinning) drop(i int) {
	t.gone = append(t.gone, t.kept[i].Number)
	t.kept = slices.Delete(t.kept, i, i+1)
}

// refused drops all but the newest captures that nobody accepted.
func (t *thinning) refused() {
	seen := 0
	for i := len(t.kept) - 1; i >= 0; i-- {
		if t.kept[i].Usable() {
			continue
		}
		if seen++; seen > keptRefused && !t.safe[t.kept[i].Number] {
			t.drop(i)
		}
	}
}

// aged drops what is too old, newest last.
func (t *thinning) aged() {
	seen := 0
	for i := len(t.kept) - 1; i >= 0 && t.rule.Age > 0; i-- {
		g := t.kept[i]
		if g.Usable() {
			seen++
		}
		if t.now.Sub(g.At) > t.rule.Age && (seen > keptHowever || !g.Usable()) && !t.safe[g.Number] {
			t.drop(i)
		}
	}
}

func (t *thinning) usable() int {
	n := 0
	for _, g := range t.kept {
		if g.Usable() {
			n++
		}
	}
	return n
}

// size is what the kept generations name, each content once.
func (t *thinning) size() int64 {
	seen, total := map[string]bool{}, int64(0)
	add := func(hash string, size int64) {
		if !seen[hash] {
			seen[hash], total = true, total+size
		}
	}
	for _, g := range t.kept {
		for _, f := range g.Files {
			add(f.SHA256, f.Size)
		}
		add(g.StickImage, t.images[g.StickImage])
	}
	return total
}

// dropRefused drops the oldest refused capture; false when there is none that may go.
func (t *thinning) dropRefused() bool {
	i := slices.IndexFunc(t.kept, func(g generation.Generation) bool { return !g.Usable() && !t.safe[g.Number] })
	if i >= 0 {
		t.drop(i)
	}
	return i >= 0
}

// thin drops the usable generation that is missed least; false when none may go. The
// oldest goes last: nothing else tells of its time.
func (t *thinning) thin() bool {
	best, least := -1, 0.0
	for i, g := range t.kept {
		if !g.Usable() || t.safe[g.Number] {
			continue
		}
		if loss := t.loss(i); best < 0 || loss < least {
			best, least = i, loss
		}
	}
	if best >= 0 {
		t.drop(best)
	}
	return best >= 0
}

// loss is how long a time nothing would tell of without the i-th, in proportion to how
// long ago that is.
func (t *thinning) loss(i int) float64 {
	const everything = 1e18
	if i == 0 || i == len(t.kept)-1 {
		return everything
	}
	gap := max(t.kept[i+1].At.Sub(t.kept[i-1].At), 0)
	return float64(gap) / float64(max(t.now.Sub(t.kept[i].At), time.Second))
}
