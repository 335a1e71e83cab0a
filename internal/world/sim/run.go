package sim

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/status"
	"z2mha/internal/world/inmem"
)

// A Result is what became of a story.
type Result struct {
	Story    Story
	Wrong    []string // rules that were broken; empty when all is well
	Coverage map[Kind]int
	Ended    string // how the home was at the end: "served", or what the controller waits for
	Log      []string
}

// Options say how a story is lived.
type Options struct {
	Log bool // keep a line for everything
}

// Run lives the story of a seed.
func Run(t *testing.T, seed uint64, o Options) Result { return Live(t, Draw(seed), o) }

// Live lives a story.
func Live(t *testing.T, s Story, o Options) (out Result) {
	Prepare(t)
	synctest.Test(t, func(*testing.T) {
		time.Sleep(preparedFor)
		w := newWorld(s, o.Log)
		w.boot()
		w.live()
		out.Ended = w.finish()
		w.end()
		out.Story, out.Wrong, out.Coverage, out.Log = s, w.rules.wrong, w.coverage, w.lines
	})
	return out
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

// Replay is the command that lives the story again.
func (r Result) Replay() string {
	return fmt.Sprintf("go test ./internal/world/sim -run 'TestSeed$' -v -seed %d", r.Story.Seed)
}

const lamp zigbee.IEEE = 0x00158d0000000100

// Homes that are looked after for a while already, so that no story has to begin with
// that. They are made once, and copied for each story at the same time of day.
var (
	prepareOnce sync.Once
	ready       = map[int]preparedHome{}
)

const preparedFor = 45 * time.Minute

type preparedHome struct {
	home *inmem.Home
	disk *inmem.Stores
}

// Prepare makes the homes in which stories begin; Live does it when nobody else has.
func Prepare(t *testing.T) {
	prepareOnce.Do(func() {
		for _, n := range []int{2, 3} {
			synctest.Test(t, func(t *testing.T) { ready[n] = makeHome(t, n) })
		}
	})
}

func prepared(nodes int) (*inmem.Home, *inmem.Stores) {
	p := ready[nodes]
	return p.home.Clone(), p.disk.Snapshot()
}

func makeHome(t *testing.T, nodes int) preparedHome {
	h := inmem.New(small(nvimagetest.Formed()), nvimagetest.Stick, func(i int) *nvimage.Image {
		return small(nvimagetest.Reset(zigbee.IEEE(0x00124b00bb000000 + uint64(i))))
	}, nodeNames[:nodes]...)
	h.Devices = []engine.BridgeDevice{
		{IEEE: lamp, FriendlyName: "lamp", Type: "Router", Askable: true, AskProperty: "state"},
		{IEEE: lamp + 1, FriendlyName: "plug", Type: "Router", Askable: true, AskProperty: "state"},
		{IEEE: lamp + 2, FriendlyName: "sensor", Type: "EndDevice"},
	}
	w := &World{home: h, disk: inmem.NewStores(), names: nodeNames[:nodes], story: Story{Seed: 1, Nodes: nodes, Frames: 2}}
	w.restart()
	w.boot()
	time.Sleep(time.Minute)
	c := w.now
	if _, err := c.desk.Ask(t.Context(), desk.Request{Verb: desk.Seed, By: "Owner"}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(40 * time.Minute) // long enough for a rate to be measured
	n := c.desk.Networks()[0]
	w.end()
	if n.Protection != status.Protected || w.rules.broken() {
		t.Fatalf("the home is %s: %v, %v", n.Protection, n.Reasons, w.rules.wrong)
	}
	time.Sleep(time.Until(w.began.Add(preparedFor)))
	h.OnAir() // up to now
	return preparedHome{h, w.disk}
}
