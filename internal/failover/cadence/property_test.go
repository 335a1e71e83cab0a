package cadence_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/cadence"
)

// A history plays a network forward: what happens comes from rapid, captures begin when
// the rule says so, and what must hold is looked at after each thing.
type history struct {
	t      *rapid.T
	rule   cadence.Rule
	s      cadence.State
	now    time.Time
	ends   time.Time // of the capture under way
	works  bool      // captures succeed
	bounds bool      // they always did
	fulls  []time.Time
	any    []time.Time // changes that no capture has yet
	full   []time.Time // that no full one has
	free   time.Time   // since when nothing speaks against captures
}

// until lets time pass, with the captures that fall into it.
func (h *history) until(end time.Time) {
	for {
		if h.s.Under != cadence.None {
			if h.ends.After(end) {
				break
			}
			h.now = h.ends
			h.end()
			continue
		}
		when, kind, _ := h.rule.Next(h.s)
		if when.Before(h.now) {
			when = h.now
		}
		if kind == cadence.None || when.After(end) {
			break
		}
		h.now = when
		h.begin(kind)
	}
	h.now = end
}

func (h *history) begin(kind cadence.Kind) {
	if n := len(h.fulls); kind == cadence.Full && n > 0 && h.now.Sub(h.fulls[n-1]) < time.Minute {
		h.t.Fatalf("full captures begin at %s and %s", h.fulls[n-1].Sub(start), h.now.Sub(start))
	}
	if kind == cadence.Full {
		h.fulls = append(h.fulls, h.now)
	}
	h.s = h.s.Begin(kind, h.now)
	if _, next, _ := h.rule.Next(h.s); next != cadence.None {
		h.t.Fatalf("%q is to begin while %q is made", next, kind)
	}
	h.ends = h.now.Add(time.Duration(rapid.IntRange(100, 20_000).Draw(h.t, "takes")) * time.Millisecond)
}

func (h *history) end() {
	how := cadence.Good
	if !h.works {
		how = rapid.SampledFrom([]cadence.End{cadence.Good, cadence.Failed, cadence.PutOff}).Draw(h.t, "how")
	}
	kind, began := h.s.Under, h.s.Began
	h.s = h.s.End(how, h.now)
	if how != cadence.Good {
		return
	}
	h.any = h.settle("a capture", h.any, began, time.Minute)
	if kind == cadence.Full {
		h.full = h.settle("a full capture", h.full, began, 100*time.Second)
	}
}

// settle takes the changes away that a capture has which began then, and fails when it
// came too late for one.
func (h *history) settle(what string, changes []time.Time, began time.Time, bound time.Duration) (left []time.Time) {
	for _, c := range changes {
		if !c.Before(began) {
			left = append(left, c)
			continue
		}
		from := c
		if h.free.After(from) {
			from = h.free
		}
		if took := h.now.Sub(from); h.bounds && took > bound {
			h.t.Fatalf("%s has a change only %s after it (at %s)", what, took, c.Sub(start))
		}
	}
	return left
}

func (h *history) happen(what string) {
	device := zigbee.IEEE(rapid.Uint64Range(1, 3).Draw(h.t, "device"))
	switch what {
	case "change":
		h.s = h.s.Changed(h.now)
		h.any, h.full = append(h.any, h.now), append(h.full, h.now)
	case "interview":
		h.s = h.s.Interviewing(device)
	case "interviewed":
		h.s = h.s.Interviewed(device)
		h.happen("change")
	case "jump":
		h.s = h.s.Due("the clock was set")
	case "block":
		h.s.Blocked = "it is held"
	case "free":
		if h.s.Blocked != "" {
			h.s.Blocked, h.free = "", h.now
		}
	}
}

func play(works bool, happenings ...string) func(t *rapid.T) {
	return func(t *rapid.T) {
		h := &history{t: t, rule: cadence.Default(), now: start, works: works, bounds: works}
		waits := rapid.OneOf(rapid.IntRange(0, 2_000), rapid.IntRange(0, 70_000), rapid.IntRange(0, 2_000_000))
		if rapid.Bool().Draw(t, "without a quiet time") {
			waits = rapid.IntRange(0, 9_000)
		}
		for range rapid.IntRange(1, 60).Draw(t, "things") {
			wait := waits.Draw(t, "wait")
			h.until(h.now.Add(time.Duration(wait) * time.Millisecond))
			h.happen(rapid.SampledFrom(happenings).Draw(t, "what"))
		}
		h.s.Blocked = ""
		if works {
			h.free = h.now
			h.until(h.now.Add(100 * time.Second))
			if len(h.any)+len(h.full) > 0 {
				t.Fatalf("changes that are in no capture: %d, in no full one: %d", len(h.any), len(h.full))
			}
		}
		before := len(h.fulls)
		h.works = true
		h.until(h.now.Add(time.Hour))
		if n := len(h.fulls) - before; n < 1 || n > 4 {
			t.Fatalf("%d full captures in a quiet hour", n)
		}
	}
}

// Whatever happens in whatever order, a change is in an accepted capture within a
// minute, and the stick is asked once a minute at most.
func TestTheBoundHolds(t *testing.T) {
	rapid.Check(t, play(true, "change", "change", "interview", "interviewed", "jump"))
}

// The same where captures are forbidden at times: the bound runs from the permission.
func TestTheBoundHoldsAfterAHold(t *testing.T) {
	rapid.Check(t, play(true, "change", "interview", "interviewed", "jump", "block", "free"))
}

// Where captures fail, the stick is still not asked more often.
func TestFailuresDoNotHurry(t *testing.T) {
	rapid.Check(t, play(false, "change", "interview", "interviewed", "jump", "block", "free"))
}

func TestPausesGrow(t *testing.T) {
	s := cadence.State{}
	var pauses []string
	now := start
	for range 6 {
		s = s.Begin(cadence.Files, now).End(cadence.Failed, now)
		s.Full, s.FullBegan = now, now // no full one is due
		s.Any = now.Add(-time.Hour)
		when, _, _ := cadence.Default().Next(s)
		pauses = append(pauses, when.Sub(now).String())
		now = when
	}
	if got, want := fmt.Sprint(pauses), "[1m0s 2m0s 5m0s 10m0s 10m0s 10m0s]"; got != want {
		t.Errorf("pauses %s, want %s", got, want)
	}
}
