package health

import (
	"fmt"
	"strings"
	"time"
)

// Age is how old a time is. Only the wall clock counts, since that is what is stored.
func Age(now, then time.Time) time.Duration { return now.Round(0).Sub(then.Round(0)) }

// Within says that a time is known and at most d old. One that lies ahead by more than
// the clocks of two programs may differ is not: somebody has set a clock.
func Within(now, then time.Time, d time.Duration) bool {
	age := Age(now, then)
	return !then.IsZero() && age <= d && age > -5*time.Second
}

// after says that a is later than b, and known.
func after(a, b time.Time) bool { return !a.IsZero() && Age(a, b) > 0 }

// later is the later one of two times.
func later(a, b time.Time) time.Time {
	if after(b, a) {
		return b
	}
	return a
}

// Ago is how long ago something was: "4 s ago", "never".
func Ago(now, then time.Time) string {
	switch {
	case then.IsZero():
		return "never"
	case Age(now, then) < 0:
		return Span(-Age(now, then)) + " ahead of our clock"
	}
	return Span(Age(now, then)) + " ago"
}

// For is how long something has been so: "for 12 s".
func For(now, since time.Time) string {
	if since.IsZero() {
		return "since before we looked"
	}
	return "for " + Span(max(0, Age(now, since)))
}

// Span is a duration in whole units: "4 s", "2 min 5 s", "3 h 10 min", "12 d".
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return units(d, time.Minute, "min", time.Second, "s")
	case d.Round(time.Minute) < 24*time.Hour:
		return units(d.Round(time.Minute), time.Hour, "h", time.Minute, "min")
	}
	return units(d.Round(time.Hour), 24*time.Hour, "d", time.Hour, "h")
}

func units(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	s := fmt.Sprintf("%d %s", d/big, bigName)
	if rest := d % big / small; rest > 0 {
		s += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return s
}

// List names things: "a", "a and b", "a, b and c".
func List(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
