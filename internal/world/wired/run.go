package wired

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/desk"
)

// usualDelay is that of a line on which nothing is wrong, each way.
const usualDelay = 10 * time.Millisecond

// A Result is what became of a story.
type Result struct {
	Story    Story
	Wrong    []string // rules that were broken; empty when all is well
	Coverage map[Kind]int
	Ended    string // how the home was at the end: "served", or after what
	Virtual  time.Duration
	Log      []string
}

// Options say how a story is lived.
type Options struct {
	Log bool // keep a line for everything
}

// patience is how long, by the clock on the wall, a story may take.
const patience = 2 * time.Minute

// Run lives the story of a seed.
func Run(t *testing.T, seed uint64, o Options) Result { return Live(t, Draw(seed), o) }

// Live lives a story.
func Live(t *testing.T, s Story, o Options) (out Result) {
	dir := directory(t)
	defer os.RemoveAll(dir)
	out.Story = s
	defer time.AfterFunc(patience, func() { standsStill(out) }).Stop()
	synctest.Test(t, func(t *testing.T) {
		w, err := New(dir, o.Log, names[:s.Nodes]...)
		if err != nil {
			t.Fatal(err)
		}
		w.plugs, w.seed = s.Plugs, s.Seed
		for _, h := range w.hosts {
			h.unit.restarts = s.Restarts
		}
		out.Ended = "never served"
		if w.prepare() {
			w.live(s)
			out.Ended = w.finish()
		}
		out.Wrong, out.Coverage, out.Virtual = w.Wrong(), w.coverage, time.Since(w.began)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		out.Log = w.Log()
	})
	return out
}

// standsStill ends the program with all that waits: for a mutex, for which no time passes
// in a bubble, or for what never comes.
func standsStill(r Result) {
	debug.SetTraceback("all")
	panic("a story stands still; " + r.Replay())
}

// directory is one in memory, where there is such a file system.
func directory(t *testing.T) string {
	if dir, err := os.MkdirTemp("/dev/shm", "z2mha-wired-"); err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// prepare has a home that is looked after for a while, with every stand-by ready.
func (w *World) prepare() bool {
	w.Begin()
	if !w.Served(3*time.Minute) || w.Ask(desk.Request{Verb: desk.Seed}) != nil {
		w.breaks("simulation", "the home does not come up")
		return false
	}
	w.pass(time.Minute)
	if n, _ := w.shown(); len(n.Ready) != len(w.hosts)-1 {
		w.breaks("simulation", "stand-bys that are ready: %v; %s", n.Ready, reasons(n))
	}
	return len(w.Wrong()) == 0
}

// pass lets time pass, and looks at the rules meanwhile.
func (w *World) pass(d time.Duration) {
	const every = time.Second
	for ; d > 0; d -= every {
		time.Sleep(min(d, every))
		w.look()
	}
}

// What a fault that goes on is given at most, and what comes of the last deed at least.
const (
	mostOfAFault = 3 * time.Minute
	aftermath    = 30 * time.Second
)

// live lets a story happen, up to its last deed and what that needs.
func (w *World) live(s Story) {
	begun, long := time.Now(), time.Duration(0)
	for _, d := range s.Deeds {
		w.pass(time.Until(begun.Add(d.At)))
		if len(w.Wrong()) > 0 {
			return
		}
		w.do(d)
		long = max(long, d.At+aftermath, d.At+min(d.Lasts, mostOfAFault))
	}
	w.pass(time.Until(begun.Add(long)))
}

func (w *World) do(d Deed) {
	switch d.Node {
	case "active":
		d.Node = w.voice()
	case "stand-by":
		d.Node = w.standby(d.N).name
	}
	w.log("-- %s", d)
	w.coverage[d.Kind]++
	kindOf(d.Kind).do(w, w.host(d.Node), d)
	w.look()
}

// voice is who serves the home, or did last.
func (w *World) voice() string {
	spans := w.medium.Record().OnAir
	for i := len(spans) - 1; i >= 0; i-- {
		if spans[i].To.IsZero() {
			return spans[i].Dongle
		}
	}
	if len(spans) > 0 {
		return spans[len(spans)-1].Dongle
	}
	return w.hosts[0].name
}

// standby is one of those that do not.
func (w *World) standby(n int) *Host {
	var others []*Host
	for _, h := range w.hosts {
		if h.name != w.voice() {
			others = append(others, h)
		}
	}
	return others[n%len(others)]
}

// Shorten drops what a story does not need to end badly.
func Shorten(t *testing.T, r Result) Result {
	for again := true; again; {
		again = false
		for i := range r.Story.Deeds {
			s := r.Story
			s.Deeds = append(append([]Deed(nil), s.Deeds[:i]...), s.Deeds[i+1:]...)
			if shorter := Live(t, s, Options{Log: true}); len(shorter.Wrong) > 0 {
				r, again = shorter, true
				break
			}
		}
	}
	return r
}

func (r Result) String() string {
	return fmt.Sprintf("%s\n%s\n%v\n%s", r.Replay(), strings.Join(r.Wrong, "\n"), r.Story, strings.Join(r.Log, "\n"))
}

// Replay is the command that lives the story of the same seed again.
func (r Result) Replay() string {
	return fmt.Sprintf("go test ./internal/world/wired -run 'TestSeed$' -v -seed %d", r.Story.Seed)
}
