// Package cadence says when the running network is captured: on schedule, and soon
// after a device has joined, left or been renamed. It is pure: what happened goes in,
// the next time comes out.
//
// A full capture asks the stick as well, some 950 times while it serves the home, so it
// is made once a minute at most, whatever happens. A capture of the files alone costs
// the home nothing. Two rules meet where a change comes just after a full capture has
// begun: then the files are captured in time, in which the database has the change, and
// the stick's own tables follow when the minute is over.
//
// All times are of one clock that is never set, such as time.Now within one process; a
// clock that was set is told with Jumped.
package cadence

import (
	"slices"
	"time"

	"z2mha/internal/dongle/zigbee"
)

// A Kind is what is captured.
type Kind string

const (
	None  Kind = ""
	Full  Kind = "full"  // a live backup of the stick, then the files
	Files Kind = "files" // what differs among the files
)

// A Rule is how often captures are made.
type Rule struct {
	Backup time.Duration // between full captures
	Files  time.Duration // between captures of any kind
	Change time.Duration // from a change until a capture that has it is accepted
	Quiet  time.Duration // after the last of several changes, as far as Change allows
	Takes  time.Duration // what a capture is expected to take at most
	Least  time.Duration // between the begins of two full captures
	// Again are the pauses after one capture of a kind that did not work, after two, …;
	// the last one stays.
	Again []time.Duration
}

// Default is the Rule where nothing else is configured.
func Default() Rule {
	return Rule{Backup: 30 * time.Minute, Files: 5 * time.Minute, Change: time.Minute, Quiet: 10 * time.Second, Takes: 20 * time.Second,
		Least: time.Minute, Again: []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}}
}

// On says that r asks for captures at all; the zero Rule does not.
func (r Rule) On() bool { return r.Backup > 0 && r.Files > 0 }

// Next returns when the next capture is to begin, of which kind and why. The time may
// have passed already. The kind is None when nothing may be captured now.
func (r Rule) Next(s State) (when time.Time, kind Kind, reason string) {
	switch {
	case !r.On():
		return time.Time{}, None, "captures are made when they are asked for"
	case s.Under != None:
		return time.Time{}, None, "one is being made"
	case s.Blocked != "":
		return time.Time{}, None, s.Blocked
	}
	when, reason = r.nextFull(s)
	kind = Full
	if at, why := r.nextFiles(s); at.Before(when) {
		when, kind, reason = at, Files, why
	}
	return when, kind, reason
}

func (r Rule) nextFull(s State) (time.Time, string) {
	at, why := s.Full.Add(r.Backup), "on schedule"
	switch {
	case s.Soon != "":
		at, why = time.Time{}, s.Soon
	case s.Full.IsZero():
		at, why = time.Time{}, "there is none yet"
	}
	if first := s.FullOwed; !first.IsZero() {
		if due := r.afterChange(s, first); due.Before(at) {
			at, why = due, "the network has changed"
		}
	}
	return later(at, r.fullAllowed(s)), why
}

// nextFiles is on schedule, or in place of a full capture that cannot be made in time
// for a change.
func (r Rule) nextFiles(s State) (time.Time, string) {
	at, why := s.Any.Add(r.Files), "on schedule"
	if s.Any.IsZero() {
		at, why = time.Time{}, "there is none yet"
	}
	if first := s.Owed; !first.IsZero() {
		due := r.afterChange(s, first)
		if r.fullAllowed(s).After(r.latest(first)) && due.Before(at) {
			at, why = due, "the network has changed"
		}
	}
	return later(at, r.again(s.FilesFailed)), why
}

// afterChange waits until it is quiet, but not longer than the bound allows that runs
// from the first change.
func (r Rule) afterChange(s State, first time.Time) time.Time {
	latest := r.latest(first)
	if quiet := s.Latest.Add(r.Quiet); len(s.Interviews) == 0 && quiet.Before(latest) {
		return quiet
	}
	return latest
}

// latest is when a capture must begin at the latest to be there in time.
func (r Rule) latest(first time.Time) time.Time { return first.Add(r.Change - r.Takes) }

func (r Rule) fullAllowed(s State) time.Time {
	at := r.again(s.FullFailed)
	if !s.FullBegan.IsZero() {
		at = later(at, s.FullBegan.Add(r.Least))
	}
	return at
}

func (r Rule) again(f Failures) time.Time {
	if f.Count == 0 || len(r.Again) == 0 {
		return time.Time{}
	}
	return f.Last.Add(r.Again[min(f.Count, len(r.Again))-1])
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Failures are captures in a row that did not work.
type Failures struct {
	Count int
	Last  time.Time // when the last one ended
}

func (f Failures) one(now time.Time) Failures { return Failures{f.Count + 1, now} }

// A State is what has happened so far. The zero State is a network that was never
// captured. Methods return the next State and leave the one before as it is.
type State struct {
	Blocked string // why nothing may be captured: it is held, a plan runs, nobody is active
	Soon    string // why a full capture is due at once, "" when it is not

	Full, Any time.Time // when the last good capture began: a full one, one of any kind
	FullBegan time.Time // when the last full one began, good or not

	Under Kind      // capture under way
	Began time.Time // when it began

	// Owed is the first change that no good capture has, FullOwed the first one that no
	// good full capture has, Latest the last one; zero when there is none.
	Owed, FullOwed, Latest time.Time
	Interviews             []zigbee.IEEE // under way

	FullFailed, FilesFailed Failures
}

// Seed takes up when an earlier process captured last. A time that has not come yet
// tells of a clock that was set back, and counts for nothing.
func (s State) Seed(full, any, now time.Time) State {
	if full.After(s.Full) && !full.After(now) {
		s.Full = full
	}
	if any.After(s.Any) && !any.After(now) {
		s.Any = any
	}
	s.Any = later(s.Any, s.Full)
	return s
}

// Changed notes a change of the network. One that is told late may be in a good capture
// already.
func (s State) Changed(at time.Time) State {
	if s.Owed.IsZero() && !at.Before(s.Any) {
		s.Owed = at
	}
	if s.FullOwed.IsZero() && !at.Before(s.Full) {
		s.FullOwed = at
	}
	s.Latest = later(s.Latest, at)
	return s
}

// Interviewing and Interviewed tell of a device whose interview has begun, or ended.
func (s State) Interviewing(device zigbee.IEEE) State {
	s.Interviews = append(s.without(device), device)
	return s
}

func (s State) Interviewed(device zigbee.IEEE) State {
	s.Interviews = s.without(device)
	return s
}

func (s State) without(device zigbee.IEEE) []zigbee.IEEE {
	return slices.DeleteFunc(slices.Clone(s.Interviews), func(x zigbee.IEEE) bool { return x == device })
}

// Due asks for a full capture at once: the clock was set, or another node serves.
func (s State) Due(why string) State {
	s.Soon = why
	return s
}

// Begin notes that a capture begins. What happens from now on may not be in it.
func (s State) Begin(kind Kind, now time.Time) State {
	s.Under, s.Began = kind, now
	if kind == Full {
		s.FullBegan = now
	}
	return s
}

// An End is how a capture ended.
type End int

const (
	Good   End = iota // it was made, whether or not it was accepted
	Failed            // it could not be made
	PutOff            // it gave way to something else
)

// End notes how the capture under way has ended.
func (s State) End(how End, now time.Time) State {
	kind := s.Under
	s.Under = None
	switch {
	case how == PutOff:
	case how == Failed && kind == Full:
		s.FullFailed = s.FullFailed.one(now)
	case how == Failed:
		s.FilesFailed = s.FilesFailed.one(now)
	default:
		s.Any, s.FilesFailed, s.Interviews = s.Began, Failures{}, nil
		s.Owed = s.left(s.Owed)
		if kind == Full {
			s.Full, s.FullFailed, s.Soon = s.Began, Failures{}, ""
			s.FullOwed = s.left(s.FullOwed)
		}
	}
	return s
}

// left is what is still owed of first: a change that came after the capture had begun.
// Of several, only the last is known, so the bound runs from the begin.
func (s State) left(first time.Time) time.Time {
	switch {
	case first.IsZero() || s.Latest.Before(s.Began):
		return time.Time{}
	case first.Before(s.Began):
		return s.Began
	}
	return first
}

// stepped is how far the clock on the wall may run apart from the one that only counts
// before it was set.
const stepped = 30 * time.Second

// Jumped says that the clock was set: as much time passed on the wall, and so much in
// truth.
func Jumped(wall, truth time.Duration) bool { return (wall - truth).Abs() > stepped }
