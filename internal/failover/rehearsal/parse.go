package rehearsal

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// A Cron is a cron expression of five fields that comes at most once a night.
type Cron string

// errors that a person can act upon
var (
	errFields = errors.New("not five fields: minute, hour, day of the month, month, day of the week")
	errCron   = errors.New("not a cron expression")
	errNever  = errors.New("a time that never comes")
	errOften  = errors.New("more than once a night: each rehearsal takes Zigbee away for some seconds")
)

// ParseCron reads an expression such as "31 3 * * 3". Its errors say what is wrong.
func ParseCron(s string) (Cron, error) {
	fields := strings.Fields(s)
	if len(fields) != 5 {
		return "", errFields
	}
	c := Cron(strings.Join(fields, " "))
	if !wellFormed(fields) || !gronx.IsValid(string(c)) {
		return "", errCron
	}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) // a year with a 29th of February
	for i := range 40 {
		next, ok := c.next(at, time.UTC)
		switch {
		case !ok && i == 0:
			return "", errNever
		case !ok:
			return c, nil
		case i > 0 && next.Sub(at) < Apart:
			return "", errOften
		}
		at = next
	}
	return c, nil
}

var field = regexp.MustCompile(`^[0-9A-Za-z*/,\-#]+$`)

// wellFormed refuses what gronx would take for something else, such as a year in the
// place of a weekday.
func wellFormed(fields []string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool { return !field.MatchString(f) || len(f) > 40 })
}

// A Window is a time in which there is no rehearsal.
type Window struct {
	text string
	// from and to are days as month×100 + day, or with the year ×10000 before; both count.
	from, to int
	// days are the weekdays on which the hours begin; nil for a window of days.
	days map[time.Weekday]bool
	// begin and end are minutes of the day; an end before the begin is that of the next day.
	begin, end int
}

func (w Window) String() string { return w.text }

var (
	dates = regexp.MustCompile(`^(?:(\d{4})-)?(\d\d)-(\d\d)(?:\.\.(?:(\d{4})-)?(\d\d)-(\d\d))?$`)
	hours = regexp.MustCompile(`^(?:([a-z,.]+) )?(\d\d):(\d\d)\.\.(\d\d):(\d\d)$`)
)

// ParseWindow reads days ("12-24", "12-24..01-06", "2027-02-01..2027-02-14") or hours
// ("22:00..06:00", "mon..fri 06:00..08:30", "sat,sun 00:00..24:00").
func ParseWindow(s string) (Window, error) {
	s = strings.ToLower(strings.Join(strings.Fields(s), " "))
	if m := dates.FindStringSubmatch(s); m != nil {
		return ofDates(s, m)
	}
	if m := hours.FindStringSubmatch(s); m != nil {
		return ofHours(s, m)
	}
	return Window{}, errors.New("neither days nor hours")
}

func ofDates(s string, m []string) (Window, error) {
	if m[5] == "" {
		m[4], m[5], m[6] = m[1], m[2], m[3]
	}
	if (m[1] == "") != (m[4] == "") {
		return Window{}, errors.New("a year on one side only")
	}
	from, err := day(m[1], m[2], m[3])
	if err != nil {
		return Window{}, err
	}
	to, err := day(m[4], m[5], m[6])
	if err == nil && m[1] != "" && to < from {
		err = errors.New("the end lies before the begin")
	}
	return Window{text: s, from: from, to: to}, err
}

// day is month×100 + day, with the year before if there is one.
func day(year, month, d string) (int, error) {
	if year == "" {
		if _, err := time.Parse(time.DateOnly, "2024-"+month+"-"+d); err != nil {
			return 0, fmt.Errorf("no such day: %s-%s", month, d)
		}
		return number(month)*100 + number(d), nil
	}
	if _, err := time.Parse(time.DateOnly, year+"-"+month+"-"+d); err != nil {
		return 0, fmt.Errorf("no such day: %s-%s-%s", year, month, d)
	}
	return number(year)*10000 + number(month)*100 + number(d), nil
}

func ofHours(s string, m []string) (Window, error) {
	days, err := weekdays(m[1])
	if err != nil {
		return Window{}, err
	}
	w := Window{text: s, days: days, begin: number(m[2])*60 + number(m[3]), end: number(m[4])*60 + number(m[5])}
	if number(m[3]) > 59 || number(m[5]) > 59 || w.begin >= 24*60 || w.end > 24*60 {
		return Window{}, errors.New("no such time of day")
	}
	if w.begin == w.end {
		return Window{}, errors.New("it ends when it begins")
	}
	return w, nil
}

var weekday = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// weekdays reads "mon..fri" or "sat,sun"; "" is every day.
func weekdays(s string) (map[time.Weekday]bool, error) {
	out := map[time.Weekday]bool{}
	if s == "" {
		s = "sun..sat"
	}
	for _, part := range strings.Split(s, ",") {
		first, last, ranged := strings.Cut(part, "..")
		if !ranged {
			last = first
		}
		a, b := slices.Index(weekday, first), slices.Index(weekday, last)
		if a < 0 || b < 0 {
			return nil, fmt.Errorf("%q is no day of the week", part)
		}
		for d := a; ; d = (d + 1) % 7 {
			out[time.Weekday(d)] = true
			if d == b {
				break
			}
		}
	}
	return out, nil
}

// covers says whether at, in its own zone, lies in w.
func (w Window) covers(at time.Time) bool {
	if w.days == nil {
		d := int(at.Month())*100 + at.Day()
		switch {
		case w.from > 9999:
			d += at.Year() * 10000
			return w.from <= d && d <= w.to
		case w.from <= w.to:
			return w.from <= d && d <= w.to
		}
		return d >= w.from || d <= w.to // over the turn of the year
	}
	minute, today := at.Hour()*60+at.Minute(), at.Weekday()
	if w.begin < w.end {
		return w.days[today] && w.begin <= minute && minute < w.end
	}
	return w.days[today] && minute >= w.begin || w.days[(today+6)%7] && minute < w.end
}

func number(s string) int {
	n := 0
	for _, r := range s {
		n = n*10 + int(r-'0')
	}
	return n
}
