package rehearsal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"z2mha/internal/failover/rehearsal"
)

func plan(t testing.TB, zone string, blackout []string, cron ...string) rehearsal.Plan {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	p := rehearsal.Plan{Zone: loc}
	for _, s := range cron {
		c, err := rehearsal.ParseCron(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		p.Cron = append(p.Cron, c)
	}
	for _, s := range blackout {
		w, err := rehearsal.ParseWindow(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		p.Blackout = append(p.Blackout, w)
	}
	return p
}

// nights are those after a time, each taken as dealt with when it came.
func nights(t testing.TB, p rehearsal.Plan, after string, n int) []string {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", after, p.Zone)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	last := time.Time{}
	for range n {
		next, ok := p.Next(at, last)
		if !ok {
			return append(out, "never")
		}
		at, last = next.At, next.At
		text := next.At.Format("Mon 01-02 15:04 -07:00")
		if next.Blackout != "" {
			text += " not: " + next.Blackout
		}
		out = append(out, text)
	}
	return out
}

func TestNext(t *testing.T) {
	for _, tt := range []struct {
		name, zone string
		cron       []string
		blackout   []string
		after      string
		want       []string
	}{
		{name: "comes on Wednesdays and Sundays", zone: "Europe/Berlin", cron: []string{"31 3 * * 3", "31 3 * * 0"}, after: "2026-11-28 12:00",
			want: []string{"Sun 11-29 03:31 +01:00", "Wed 12-02 03:31 +01:00", "Sun 12-06 03:31 +01:00"}},
		{name: "takes the first minute after a time that the clock skips", zone: "Europe/Berlin", cron: []string{"31 2 * * *"}, after: "2026-03-28 12:00",
			want: []string{"Sun 03-29 03:00 +02:00", "Mon 03-30 02:31 +02:00"}},
		{name: "comes once when the clock shows the time twice", zone: "Europe/Berlin", cron: []string{"31 2 * * *"}, after: "2026-10-24 12:00",
			want: []string{"Sun 10-25 02:31 +02:00", "Mon 10-26 02:31 +01:00"}},
		{name: "comes after the repeated hour when it is set for later", zone: "Europe/Berlin", cron: []string{"31 3 * * *"}, after: "2026-10-25 02:45",
			want: []string{"Sun 10-25 03:31 +01:00", "Mon 10-26 03:31 +01:00"}},
		{name: "does the same on the other side of the Atlantic", zone: "America/New_York", cron: []string{"30 2 * * *"}, after: "2026-03-07 12:00",
			want: []string{"Sun 03-08 03:00 -04:00", "Mon 03-09 02:30 -04:00"}},
		{name: "comes once in the American autumn", zone: "America/New_York", cron: []string{"30 1 * * *"}, after: "2026-10-31 12:00",
			want: []string{"Sun 11-01 01:30 -04:00", "Mon 11-02 01:30 -05:00"}},
		{name: "knows a clock that is set by half an hour", zone: "Australia/Lord_Howe", cron: []string{"10 2 * * *"}, after: "2026-10-03 12:00",
			want: []string{"Sun 10-04 02:30 +11:00", "Mon 10-05 02:10 +11:00"}},
		{name: "comes once when half an hour comes twice", zone: "Australia/Lord_Howe", cron: []string{"45 1 * * *"}, after: "2026-04-04 12:00",
			want: []string{"Sun 04-05 01:45 +11:00", "Mon 04-06 01:45 +10:30"}},
		{name: "knows a zone whose clock is set at midnight", zone: "America/Santiago", cron: []string{"30 0 * * *"}, after: "2026-09-05 12:00",
			want: []string{"Sun 09-06 01:00 -03:00", "Mon 09-07 00:30 -03:00"}},
		{name: "survives a day that a country left out", zone: "Pacific/Apia", cron: []string{"31 3 * * *"}, after: "2011-12-29 01:00",
			want: []string{"Thu 12-29 03:31 -10:00", "Sat 12-31 00:00 +14:00"}},
		{name: "knows zones without summer time", zone: "Asia/Tokyo", cron: []string{"31 2 * * 0"}, after: "2026-03-28 12:00",
			want: []string{"Sun 03-29 02:31 +09:00", "Sun 04-05 02:31 +09:00"}},
		{name: "leaves out what is too close to the one before", zone: "UTC", cron: []string{"31 3 * * *", "40 4 * * *"}, after: "2026-05-01 00:00",
			want: []string{"Fri 05-01 03:31 +00:00", "Sat 05-02 03:31 +00:00"}},
		{name: "says when a night lies in a blackout", zone: "Europe/Berlin", cron: []string{"31 3 * * *"}, blackout: []string{"12-24..12-25"}, after: "2026-12-23 12:00",
			want: []string{"Thu 12-24 03:31 +01:00 not: 12-24..12-25", "Fri 12-25 03:31 +01:00 not: 12-24..12-25", "Sat 12-26 03:31 +01:00"}},
		{name: "goes over the turn of the year", zone: "UTC", cron: []string{"0 3 * * 5"}, blackout: []string{"12-24..01-06"}, after: "2026-12-31 12:00",
			want: []string{"Fri 01-01 03:00 +00:00 not: 12-24..01-06", "Fri 01-08 03:00 +00:00"}},
		{name: "knows hours of weekdays, past midnight", zone: "UTC", cron: []string{"31 3 * * *"}, blackout: []string{"fri,sat 22:00..06:00"}, after: "2026-11-27 12:00",
			want: []string{"Sat 11-28 03:31 +00:00 not: fri,sat 22:00..06:00", "Sun 11-29 03:31 +00:00 not: fri,sat 22:00..06:00", "Mon 11-30 03:31 +00:00"}},
		{name: "wants nothing when nothing is written", zone: "UTC", after: "2026-11-27 12:00", want: []string{"never"}},
	} {
		got := nights(t, plan(t, tt.zone, tt.blackout, tt.cron...), tt.after, len(tt.want))
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestWanted(t *testing.T) {
	p := plan(t, "UTC", []string{"12-01..12-31"}, "31 3 * * 0")
	got, ok := p.Wanted(time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC), time.Time{})
	if want := time.Date(2027, 1, 3, 3, 31, 0, 0, time.UTC); !ok || !got.At.Equal(want) {
		t.Errorf("got %v %v", got, ok)
	}
	if got, ok := plan(t, "UTC", []string{"00:00..24:00"}, "31 3 * * 0").Wanted(time.Now(), time.Time{}); ok {
		t.Errorf("a plan that is always blacked out wants %v", got)
	}
}

func TestLate(t *testing.T) {
	at := time.Date(2026, 11, 29, 3, 31, 0, 0, time.UTC)
	if rehearsal.Late(at, at.Add(rehearsal.Grace)) || !rehearsal.Late(at, at.Add(rehearsal.Grace+time.Second)) {
		t.Error("late is more than the grace")
	}
}

func TestParse(t *testing.T) {
	for s, want := range map[string]string{
		"31 3 * * 3": "", "31 3 * * sun": "", "0 4 1 */2 *": "", "0 3 29 2 *": "", "31  3 * * 1,4": "",
		"31 3 * *": "five fields", "0 31 3 * * 3": "five fields", "@daily": "five fields", "": "five fields",
		"61 3 * * *": "not a cron", "31 25 * * *": "not a cron", "31 x * * *": "not a cron", "31 3 * * 9": "not a cron", "31 3 * * ;": "not a cron",
		"31 3 30 2 *": "never comes", "* * * * *": "once a night", "31 3,4 * * *": "once a night", "0 */12 * * *": "once a night",
	} {
		_, err := rehearsal.ParseCron(s)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", s, err)
		}
	}
	for s, ok := range map[string]bool{
		"12-24": true, "12-24..12-26": true, "02-29": true, "2027-02-01..2027-02-14": true, "22:00..06:00": true, "Mon..Fri 06:00..08:30": true,
		"sat..mon 00:00..24:00": true,
		"13-01":                 false, "02-30": false, "2027-02-29": false, "2027-02-01..02-14": false, "2027-02-14..2027-02-01": false, "24:00..25:00": false,
		"06:60..07:00": false, "06:00..06:00": false, "moon 06:00..07:00": false, "christmas": false, "": false,
	} {
		if w, err := rehearsal.ParseWindow(s); (err == nil) != ok {
			t.Errorf("%q: %v %v", s, w, err)
		}
	}
}

var zones = []string{"Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Tokyo", "Africa/Casablanca",
	"Europe/Dublin", "America/St_Johns", "Asia/Kathmandu", "Antarctica/Troll", "UTC"}

// Whatever is written and wherever the home stands, no night has two rehearsals, none
// lies in the past, and an expression for every night misses none.
func TestNeverTwiceANight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cron []rehearsal.Cron
		for range rapid.IntRange(1, 3).Draw(t, "expressions") {
			cron = append(cron, rehearsal.Cron(time.Date(0, 1, 1, rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute"), 0, 0, time.UTC).
				Format("4 15")+rapid.SampledFrom([]string{" * * *", " * * 3", " * * 0", " * * 1-5"}).Draw(t, "days")))
		}
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		p := rehearsal.Plan{Cron: cron, Zone: loc}
		at := time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "after"), 0)
		var last time.Time
		days := map[string]bool{}
		for range 60 {
			next, ok := p.Next(at, last)
			if !ok || !next.At.After(at) || !last.IsZero() && next.At.Sub(last) < rehearsal.Apart {
				t.Fatalf("after %v, last %v: %v %v", at, last, next, ok)
			}
			if len(cron) == 1 && strings.HasSuffix(string(cron[0]), " * * *") && !last.IsZero() && next.At.Sub(last) > 26*time.Hour {
				t.Fatalf("no night between %v and %v", last, next.At)
			}
			day := next.At.Format(time.DateOnly)
			if len(cron) == 1 && days[day] {
				t.Fatalf("twice on %s", day)
			}
			days[day] = true
			at, last = next.At, next.At
			// asked again and again before it comes, the answer stays
			between := at.Add(time.Duration(rapid.Int64Range(0, int64(rehearsal.Apart)-1).Draw(t, "between")))
			a, _ := p.Next(at, last)
			if b, _ := p.Next(between, last); !a.At.Equal(b.At) {
				t.Fatalf("%v when asked at %v, %v at %v", a, at, b, between)
			}
		}
	})
}
