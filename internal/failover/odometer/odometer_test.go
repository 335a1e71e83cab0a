package odometer_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/odometer"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return noon.Add(d) }

func TestFloor(t *testing.T) {
	captured := odometer.Odometer{}.Captured(50_000, noon)
	const highest = 50_000 + odometer.Lag
	busy := captured
	busy.Rate = 1.5
	tests := []struct {
		name string
		o    odometer.Odometer
		now  time.Time
		want zigbee.FrameCounter
	}{
		{"knows nothing", odometer.Odometer{}, noon, 1_000_000},
		{"keeps a least distance", captured, after(time.Minute), highest + 10_000},
		{"grows by two a second", captured, after(24 * time.Hour), highest + 2*86_400},
		{"grows by ten times the measured rate", busy, after(24 * time.Hour), highest + 15*86_400},
		{"takes a clock set back for doubt", captured, after(-time.Second), highest + 1_000_000},
		{"adds a million in doubt", captured.Doubted(), after(time.Hour), highest + 1_000_000},
		{"is not lowered by doubt", captured.Doubted(), after(30 * 24 * time.Hour), highest + 2*30*86_400},
		{"believes the next capture", captured.Doubted().Captured(50_000, after(-time.Hour)), after(-time.Hour), highest + 10_000},
		{"is not made young by a stick that was silent", captured.Held(60_000), after(24 * time.Hour), 60_000 + odometer.Lag + 2*86_400},
		{"follows an activation", captured.Activated(70_000, after(time.Minute)), after(2 * time.Minute), 71_250 + 10_000},
		{"is not made young by an activation below it", captured.Activated(20, after(24*time.Hour)), after(24 * time.Hour), highest + 2*86_400},
		{"follows a boot", captured.Booted(), noon, highest + odometer.BootSkip + 10_000},
		{"ends at the end of the range", odometer.Odometer{}.Captured(math.MaxUint32-500, noon), noon, math.MaxUint32},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.o.Floor(test.now); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestRateIsMeasuredOverADay(t *testing.T) {
	o := odometer.Odometer{}
	for hour := range 48 {
		saved := zigbee.FrameCounter(100 * hour)
		if hour >= 24 {
			saved = zigbee.FrameCounter(2400 + 3600*(hour-24))
		}
		o = o.Captured(saved, after(time.Duration(hour)*time.Hour))
	}
	if o.Rate < 0.95 || o.Rate > 1.05 {
		t.Errorf("rate %.3f, want about 1", o.Rate)
	}
	if n := len(o.Samples); n > 25 {
		t.Errorf("%d samples kept", n)
	}
	jumped := o.Activated(o.Floor(after(48*time.Hour)), after(48*time.Hour)).Captured(9_000_000, after(49*time.Hour))
	if jumped.Rate != o.Rate {
		t.Errorf("the jump of an activation was taken for traffic: rate %.1f", jumped.Rate)
	}
}

func TestManyCapturesKeepFewSamples(t *testing.T) {
	o := odometer.Odometer{}
	for minute := range 3 * 24 * 60 {
		o = o.Captured(zigbee.FrameCounter(minute), after(time.Duration(minute)*time.Minute))
	}
	if n := len(o.Samples); n > 100 {
		t.Errorf("%d samples kept", n)
	}
}

func TestTakingNoteLeavesTheOldValueAlone(t *testing.T) {
	o := odometer.Odometer{}.Captured(1, noon)
	before, _ := json.Marshal(o)
	o.Captured(5000, after(time.Hour))
	o.Captured(9000, after(25*time.Hour))
	if now, _ := json.Marshal(o); string(now) != string(before) {
		t.Errorf("%s became %s", before, now)
	}
}

func TestStoredForm(t *testing.T) {
	o := odometer.Odometer{}.Captured(50_000, noon).Captured(51_000, after(time.Hour)).Doubted().Captured(51_000, after(2*time.Hour))
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var got odometer.Odometer
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(o, got); diff != "" {
		t.Error(diff)
	}
}

func TestReservation(t *testing.T) {
	o := odometer.Odometer{}.Captured(50_000, noon)
	reserved := o.Reservation(noon)
	if !o.Covers(reserved, noon) || !o.Covers(reserved, after(24*time.Hour)) {
		t.Error("a new reservation does not cover a day")
	}
	if o.Covers(reserved, after(25*time.Hour)) {
		t.Error("a reservation that ends within the day counts as good")
	}
	if next := o.Captured(60_000, after(20*time.Hour)); !next.Covers(reserved, after(20*time.Hour)) {
		t.Error("a little traffic makes the reservation be written again")
	}
}

func TestSaturation(t *testing.T) {
	tests := []struct {
		counter zigbee.FrameCounter
		want    odometer.Warning
	}{
		{0, odometer.NoWarning}, {1<<31 - 1, odometer.NoWarning}, {1 << 31, odometer.HalfUsed},
		{3 << 30, odometer.MostlyUsed}, {3<<30 - 1, odometer.HalfUsed},
		{0xE6666667, odometer.NearlyUsed}, {math.MaxUint32, odometer.NearlyUsed},
	}
	for _, test := range tests {
		if got := (odometer.Odometer{Highest: test.counter}).Saturation(); got != test.want {
			t.Errorf("%d: got %d, want %d", test.counter, got, test.want)
		}
	}
}

// A home is the truth that an odometer has to stay above: one network that sends at
// most two frames a second, the stick it is on, and a clock that people set.
type home struct {
	real  time.Duration // since the beginning
	clock time.Duration // what the owner's clock is off by
	used  uint64        // highest counter sent
	saved uint64        // what the active stick has in flash

	o      odometer.Odometer
	onNode odometer.Odometer // the last copy
	unseen time.Duration     // since the last look
}

func (h *home) now() time.Time { return noon.Add(h.real + h.clock) }

func (h *home) note(o odometer.Odometer) { h.o, h.onNode = o, o }

// longestUnseen is what the flat million covers.
const longestUnseen = 5 * 24 * time.Hour

func (h *home) pass(t *rapid.T) {
	d := time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "time passes"))
	d = min(d, longestUnseen-h.unseen)
	h.real += d
	h.unseen += d
	h.used += uint64(d.Seconds() * rapid.Float64Range(0, 1.9).Draw(t, "frames a second"))
	h.saved = max(h.saved, h.used-min(h.used, uint64(rapid.IntRange(0, odometer.Lag).Draw(t, "lag"))))
}

func (h *home) capture(*rapid.T) {
	h.note(h.o.Captured(zigbee.FrameCounter(h.saved), h.now()))
	h.unseen = 0
}

func (h *home) activate(*rapid.T) {
	written := h.o.Floor(h.now())
	h.note(h.o.Activated(written, h.now()))
	h.saved = uint64(written) + odometer.BootSkip
	h.used = max(h.used, h.saved)
	h.unseen = 0
}

func (h *home) boot(*rapid.T) {
	h.note(h.o.Booted())
	h.saved += odometer.BootSkip
	h.used = max(h.used, h.saved)
}

func (h *home) setClock(t *rapid.T) {
	h.clock += time.Duration(rapid.Int64Range(-int64(1000*time.Hour), int64(1000*time.Hour)).Draw(t, "clock step"))
	h.note(h.o.Doubted())
}

// restore gives the controller an old backup; the copy on a node sets it right.
func (h *home) restore(t *rapid.T) {
	stale := odometer.Odometer{}
	if rapid.Bool().Draw(t, "backup exists") {
		stale = h.o
		stale.Highest -= min(stale.Highest, 5_000)
		stale.At = stale.At.Add(-time.Hour)
	}
	h.note(stale.Merged(h.onNode).Doubted())
}

func (h *home) restart(t *rapid.T) {
	b, err := json.Marshal(h.o)
	if err != nil {
		t.Fatal(err)
	}
	h.o = odometer.Odometer{}
	if err := json.Unmarshal(b, &h.o); err != nil {
		t.Fatal(err)
	}
	h.note(h.o.Doubted())
}

func (h *home) check(t *rapid.T) {
	floor := h.o.Floor(h.now())
	if uint64(floor) <= h.used && floor != zigbee.MaxFrameCounter {
		t.Fatalf("floor %d, but %d was used; %+v", floor, h.used, h.o)
	}
}

func TestTheFloorStaysAboveAllThatWasUsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &home{used: 500, saved: 100}
		h.capture(t)
		t.Repeat(map[string]func(*rapid.T){
			"time passes":          h.pass,
			"capture":              h.capture,
			"activation":           h.activate,
			"boot of the stick":    h.boot,
			"clock is set":         h.setClock,
			"controller restored":  h.restore,
			"controller restarted": h.restart,
			"":                     h.check,
		})
	})
}

func TestDoubtNeverLowersAFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := odometer.Odometer{
			Highest: zigbee.FrameCounter(rapid.Uint32().Draw(t, "highest")),
			At:      noon,
			Rate:    rapid.Float64Range(0, 50).Draw(t, "rate"),
		}
		other := odometer.Odometer{
			Highest: zigbee.FrameCounter(rapid.Uint32().Draw(t, "other")),
			At:      after(time.Duration(rapid.IntRange(-100, 100).Draw(t, "hours")) * time.Hour),
		}
		now := after(time.Duration(rapid.IntRange(100, 5000).Draw(t, "later")) * time.Hour)
		if o.Doubted().Floor(now) < o.Floor(now) {
			t.Fatal("doubt lowers the floor")
		}
		if m := o.Merged(other); m.Floor(now) < max(o.Floor(now), other.Floor(now)) {
			t.Fatal("a merged copy has a lower floor than one of the two")
		}
	})
}
