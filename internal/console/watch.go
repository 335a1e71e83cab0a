// Package console tells a run to a person who reads a terminal or a log file.
package console

import (
	"fmt"
	"io"
	"strings"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
)

// A Teller prints reports of a run, a few lines for each step.
type Teller struct {
	w     io.Writer // Plain
	raw   io.Writer // for what takes back a line of progress
	live  bool      // a terminal: progress may be written over itself
	open  bool      // a progress line is on the screen
	shown string
}

// NewTeller writes to w. live says that w is a terminal on which progress may
// overwrite itself; otherwise progress is left out.
func NewTeller(w io.Writer, live bool) *Teller { return &Teller{w: Plain(w), raw: w, live: live} }

// Watch is an engine.Watch.
func (t *Teller) Watch(r engine.Report) {
	if r.What != "" {
		t.progress(r)
		return
	}
	t.clear()
	switch r.Event {
	case plan.EventPlanned:
	case plan.EventBegin:
		fmt.Fprintf(t.w, "  ▸ %s\n", r.Step.Title)
	case plan.EventDone, plan.EventUndone:
		for i, s := range r.Saw {
			fmt.Fprintf(t.w, "    ✓ %s%s\n", s, took(r.Took, i == len(r.Saw)-1))
		}
	case plan.EventFailed:
		fmt.Fprintf(t.w, "    ✗ %s%s\n", r.Note, took(r.Took, true))
	case plan.EventRung:
		fmt.Fprintf(t.w, "    · %s%s\n", r.Note, took(r.Took, true))
	case plan.EventWalkBack:
		fmt.Fprintf(t.w, "  ◂ going back: %s\n", r.Note)
	case plan.EventUndoBegin:
		fmt.Fprintf(t.w, "  ◂ %s\n", r.Note)
	case plan.EventUndoFailed:
		fmt.Fprintf(t.w, "    ✗ %s%s\n", r.Note, took(r.Took, true))
	case plan.EventEnded:
		fmt.Fprintf(t.w, "  ■ %s\n", outcome(plan.Outcome(r.Note)))
	}
}

func took(d time.Duration, last bool) string {
	if !last {
		return ""
	}
	return fmt.Sprintf("  (%.1f s)", d.Seconds())
}

func outcome(o plan.Outcome) string {
	switch o {
	case plan.Completed:
		return "done"
	case plan.GivenUp:
		return "given up; nothing was moved"
	case plan.RolledBack:
		return "taken back; who serves the home is as it was before"
	case plan.NeedsHelp:
		return "stopped; a person must look"
	}
	return string(o)
}

func (t *Teller) progress(r engine.Report) {
	if !t.live || r.Total == 0 {
		return
	}
	const width = 24
	full := width * r.Done / r.Total
	line := fmt.Sprintf("    %s%s %3d %%  %s", strings.Repeat("█", full), strings.Repeat("░", width-full), 100*r.Done/r.Total, r.What)
	if line == t.shown {
		return
	}
	t.clear()
	fmt.Fprint(t.w, line)
	t.open, t.shown = true, line
}

func (t *Teller) clear() {
	if t.open {
		fmt.Fprint(t.raw, "\r\x1b[K")
		t.open, t.shown = false, ""
	}
}
