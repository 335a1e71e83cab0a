package readiness

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

const (
	// lag is how long a stand-by may be behind a new copy before that is more than a note.
	lag = 15 * time.Minute
	// oldAge is how old the last look at the active's data may be.
	oldAge = 24 * time.Hour
)

// Warm says whether the stick of a stand-by could start the network as it is, so that
// nothing has to be read or loaded while Zigbee rests; and if not, why not. Whether the
// node is ready at all is for Assess to say.
func Warm(in Input, node string) (ok bool, why []string) {
	rec := in.Record.Sticks[node]
	if rec.Trouble != "" {
		why = append(why, rec.Trouble)
	}
	if !in.knows(node) {
		return false, append(why, unknownStick)
	}
	if in.coordinator() == 0 {
		why = append(why, "it is not known which network is on air")
	}
	held := in.Holds[node]
	if diff := in.unlike(held); len(diff) > 0 {
		why = append(why, "its stick was loaded with another network: "+strings.Join(diff, ", "))
	}
	for _, v := range in.Views {
		if v.Name == node && v.Stick != nil && v.Stick.Address != 0 && v.Stick.Address != held.IEEE {
			why = append(why, fmt.Sprintf("its stick says it is %s and was loaded as %s", v.Stick.Address, held.IEEE))
		}
	}
	if floor := in.Record.Odometer.Floor(in.Now); rec.Reserved < floor {
		why = append(why, fmt.Sprintf("its counter %d is not above %d, which the network may have reached", rec.Reserved, floor))
	}
	return len(why) == 0, why
}

// knows says that it is on record what the stick of a node holds. One that was about to be
// written may hold half of it.
func (in Input) knows(node string) bool {
	_, known := in.Holds[node]
	on := in.Record.Sticks[node]
	return known && on.Image != "" && !on.Writing
}

const unknownStick = "what its stick holds is not known: a move reads the active's stick first, while Zigbee rests"

func current(s subject) (finding, bool) {
	rec := s.in.Record.Sticks[s.v.Name]
	newest := s.in.Newest.Number
	switch {
	case rec.Trouble != "":
		return finding{evidence: rec.Trouble, fix: cmp.Or(rec.TroubleFix, syncNow), from: fromRecord}, true
	case !s.in.knows(s.v.Name):
		return finding{note: true, evidence: unknownStick, fix: reload}, true
	case rec.Generation < newest:
		return finding{note: s.fresh(), evidence: fmt.Sprintf("it holds copy %d, the latest is %d", rec.Generation, newest), fix: syncNow, from: fromRecord}, true
	}
	return finding{ok: true, evidence: fmt.Sprintf("it holds copy %d", rec.Generation), from: fromRecord}, true
}

const syncNow = "sync now"

// fresh says that the newest copy was made just now, so that nobody need be up to date.
func (s subject) fresh() bool { return s.in.Now.Sub(s.in.Newest.At) < lag }

func reserved(s subject) (finding, bool) {
	rec, odo := s.in.Record.Sticks[s.v.Name], s.in.Record.Odometer
	if !s.in.knows(s.v.Name) {
		return finding{}, false
	}
	out := finding{from: fromRecord, fix: syncNow + ", so that it is raised"}
	switch floor := odo.Floor(s.in.Now); {
	case odo.Covers(rec.Reserved, s.in.Now):
		out.ok, out.evidence = true, fmt.Sprintf("%d is written on it, %d would do now", rec.Reserved, floor)
	case rec.Reserved >= floor:
		out.note = true
		out.evidence = fmt.Sprintf("%d is written on it, which would do now (%d) and not for another day", rec.Reserved, floor)
	default:
		out.evidence = fmt.Sprintf("%d is written on it, and the network may have reached %d", rec.Reserved, floor)
	}
	return out, true
}

func staged(s subject) (finding, bool) {
	newest := s.in.Newest.Number
	rec, known := s.in.Record.Staged[s.v.Name]
	switch {
	case newest == 0:
		return finding{}, false
	case !known:
		return finding{note: true, evidence: "which copy lies there is not on record", fix: syncNow}, true
	case rec.Generation != newest:
		return finding{note: s.fresh(), evidence: fmt.Sprintf("copy %d lies there, the latest is %d", rec.Generation, newest), fix: syncNow, from: fromStaging}, true
	}
	return finding{ok: true, evidence: fmt.Sprintf("copy %d", newest), from: fromStaging}, true
}

// ages are about what is known of the active node. They are notes: what an old copy
// means for the network is judged where it is known when the last sync was.
func (a *assessor) ages() {
	a.age("captured", "the data was looked at lately", a.in.Record.Captured)
	a.age("backed-up", "the stick on air was backed up lately", a.in.Record.BackedUp)
}

func (a *assessor) age(id, what string, at time.Time) {
	if at.IsZero() {
		return
	}
	c := Check{ID: id, What: what, OK: a.in.Now.Sub(at) <= oldAge, Evidence: "and found good", At: at}
	if !c.OK {
		c.Warning, c.Note = true, true
		c.Evidence = fmt.Sprintf("not for %.0f hours", a.in.Now.Sub(at).Hours())
		c.Fix = syncNow
	}
	a.add(c)
}
