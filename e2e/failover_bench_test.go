package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/internal/storage/decisions"
	"z2mha/internal/world/home"
)

// Measured are each scenario so often, so many homes at once: what is measured is mostly
// waiting, and a home that is being set up must not slow one that is being measured much.
const (
	measuredRuns = 20
	measuredOnce = 3
)

// TestBenchFailover prints how long each part of what the controller does by itself takes,
// with the policy that it has when nobody writes one, and simulated Zigbee2MQTT. `make
// bench` runs it.
func TestBenchFailover(t *testing.T) {
	if os.Getenv("Z2MHA_MEASURE") == "" {
		return // it takes many minutes and proves nothing that TestE2EFailover does not; make bench runs it
	}
	for _, s := range []struct {
		name  string
		to    string // through which the lamp answers at the end
		fence bool
		hurts func(*guarded) time.Time
	}{
		{"killed, repaired in place", "attic", false, func(g *guarded) time.Time { g.kills(g.home.Attic); return time.Now() }},
		{"mute under traffic, repaired in place", "attic", false, (*guarded).goesMute},
		{"host without power, fenced, failed over", "cellar", true, func(g *guarded) time.Time { g.powerCut(g.home.Attic); return time.Now() }},
	} {
		var mu sync.Mutex
		var all []shareOfTime
		sideBySide(measuredRuns, measuredOnce, func(i int) {
			t.Run(fmt.Sprintf("%s %d", s.name, i+1), func(t *testing.T) {
				p := measure(t, s.fence, s.hurts, s.to)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, p)
			})
		})
		fmt.Printf("measured: %s, %d times\n%s", s.name, len(all), table(all))
	}
}

// sideBySide calls do for 0 to n-1, so many at once.
func sideBySide(n, atOnce int, do func(i int)) {
	turns := make(chan struct{}, atOnce)
	var work sync.WaitGroup
	for i := range n {
		turns <- struct{}{}
		work.Go(func() {
			defer func() { <-turns }()
			do(i)
		})
	}
	work.Wait()
}

// A shareOfTime is how long each part took, one after the other; lamp is from the break to
// the first answer of the lamp, all of it.
type shareOfTime struct{ detect, confirm, fence, load, start, lamp time.Duration }

// measure breaks one home.
func measure(t *testing.T, fence bool, hurts func(*guarded) time.Time, to string) shareOfTime {
	g := guard(t, simulatedParts(), func(o *home.Options) { o.More = anywhere })
	if fence {
		p := g.webPlug(g.home.Attic, func() { g.powerCut(g.home.Attic) })
		defer func() { g.wasFencedBy(p) }()
	}
	g.seeded()
	broken := hurts(g)
	if fault := (znpsim.Fault{}); g.home.Attic.Dongle.Fault() != fault {
		g.comesTo(plan.ActFence) // asked anew it works again
		g.home.Attic.Dongle.SetFault(fault)
	}
	g.tells(map[string]status.EventType{"attic": status.EventRepaired, "cellar": status.EventFailoverCompleted}[to])
	g.lampAnswersThrough(map[string]*home.Node{"attic": g.home.Attic, "cellar": g.home.Cellar}[to])
	g.mediumIsClean()
	return g.shares(broken, to)
}

// shares reads decisions, journal and lamp.
func (g *guarded) shares(broken time.Time, to string) (out shareOfTime) {
	g.Helper()
	detected := g.detected(broken)
	planned := g.entry(broken, plan.EventPlanned, "")
	fenced := g.entry(planned, plan.EventDone, plan.ActFence)
	starts := g.entry(fenced, plan.EventBegin, plan.ActStart)
	started := g.entry(starts, plan.EventDone, plan.ActStart)
	answers := g.watch.Answers(starts, time.Now())
	i := slices.IndexFunc(answers, func(a home.Answer) bool { return a.Dongle == to })
	if i < 0 {
		g.Fatal("the lamp did not answer")
	}
	return shareOfTime{detected.Sub(broken), planned.Sub(detected), fenced.Sub(planned), starts.Sub(fenced), started.Sub(starts), answers[i].At.Sub(broken)}
}

// detected is when it was first decided about something that is wrong.
func (g *guarded) detected(broken time.Time) time.Time {
	g.Helper()
	all, err := decisions.Last(filepath.Join(g.home.State(), "decisions"), "home", 1000)
	if err != nil {
		g.Fatal(err)
	}
	slices.SortFunc(all, func(a, b decisions.Stored) int { return a.Number - b.Number })
	for _, s := range all {
		if s.At.After(broken) && !is(s.Decision, health.Healthy) && !is(s.Decision, health.Unproven) {
			return s.At
		}
	}
	g.Fatal("nothing was found to be wrong")
	return time.Time{}
}

// entry is when something was journaled first after a time.
func (g *guarded) entry(after time.Time, ev plan.Event, act plan.Act) time.Time {
	g.Helper()
	for _, e := range g.journal() {
		if e.Event == ev && !e.At.Before(after) && strings.Contains(e.Step, string(act)) {
			return e.At
		}
	}
	g.Fatalf("the journal has no %s of %s", ev, act)
	return time.Time{}
}

// table has p50 and p95 of each part.
func table(all []shareOfTime) string {
	var b strings.Builder
	for _, part := range []struct {
		name string
		of   func(shareOfTime) time.Duration
	}{
		{"detect", func(s shareOfTime) time.Duration { return s.detect }},
		{"confirm", func(s shareOfTime) time.Duration { return s.confirm }},
		{"fence", func(s shareOfTime) time.Duration { return s.fence }},
		{"load", func(s shareOfTime) time.Duration { return s.load }},
		{"start", func(s shareOfTime) time.Duration { return s.start }},
		{"lamp, from the break on", func(s shareOfTime) time.Duration { return s.lamp }},
	} {
		var times []time.Duration
		for _, s := range all {
			times = append(times, part.of(s))
		}
		slices.Sort(times)
		if n := len(times); n > 0 {
			fmt.Fprintf(&b, "measured:   %-24s p50 %6.2f s   p95 %6.2f s\n", part.name, times[n/2].Seconds(), times[min(n-1, n*95/100)].Seconds())
		}
	}
	return b.String()
}
