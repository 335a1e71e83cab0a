package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// light is the mark beside a reason.
func (t Tone) light() LightState {
	switch t {
	case ToneUnprotected:
		return LightBad
	case ToneHeld, ToneActing, ToneUnknown:
		return LightUnknown
	case ToneProtected, ToneDegraded:
	}
	return LightWarn
}

// light is the colour of a run.
func (s RunState) light() LightState {
	switch s {
	case RunCompleted:
		return LightGood
	case RunTurning, RunTakenBack:
		return LightWarn
	case RunNeedsHelp:
		return LightBad
	case RunGoing:
	}
	return LightUnknown
}

// moving says that the step is under way, in either direction.
func (s StepState) moving() bool { return s == StepRunning || s == StepUndoing }

// about is the node that the title does not name.
func (s RunStep) about() string {
	if strings.Contains(s.Title, s.Node) {
		return ""
	}
	return s.Node
}

// mark is the shape for a step.
func (s StepState) mark() string {
	switch s {
	case StepDone:
		return string(LightGood)
	case StepFailed:
		return string(LightBad)
	case StepRunning, StepUndoing:
		return "running"
	case StepUndone:
		return "undone"
	case StepWaiting:
	}
	return "waiting"
}

// saying is what a screen reader is told whenever it changes: nothing that ticks.
func (r Run) saying() string {
	for i, s := range r.Steps {
		if s.State.moving() {
			return fmt.Sprintf("%s %d/%d, %s: %s", words.Step, i+1, len(r.Steps), words.StepState[s.State], s.Title)
		}
	}
	return words.RunState[r.State]
}

// failed are the checks that do not hold, as they were given.
func failed(list []Check) []Check {
	return slices.DeleteFunc(slices.Clone(list), func(c Check) bool { return c.State == LightGood })
}

// A group are the checks of one node that hold, and how many there are in all. They are
// folded, so that what is red is seen.
type group struct {
	node string
	good []Check
	all  int
}

// byNode groups what holds, in the order in which nodes are named first.
func byNode(list []Check) []group {
	var out []group
	for _, c := range list {
		i := slices.IndexFunc(out, func(g group) bool { return g.node == c.Node })
		if i < 0 {
			i, out = len(out), append(out, group{node: c.Node})
		}
		out[i].all++
		if c.State == LightGood {
			out[i].good = append(out[i].good, c)
		}
	}
	slices.SortStableFunc(out, func(a, b group) int { return cmp.Compare(min(len(a.node), 1), min(len(b.node), 1)) })
	return slices.DeleteFunc(out, func(g group) bool { return len(g.good) == 0 })
}

func goodChecks(good, all int) string {
	if good == all {
		return fmt.Sprintf(words.AllReady, all)
	}
	return fmt.Sprintf(words.SomeReady, good, all)
}

// inputMode brings up the right keyboard on a phone.
func inputMode(name string) string {
	if name == "port" {
		return "numeric"
	}
	return "text"
}

// stepID is the element of the set-up page that an answer takes the place of.
func stepID(atNodes bool) string {
	if atNodes {
		return "node-step"
	}
	return "setup-step"
}

// whys says of buttons that cannot be pressed why, each reason once.
func whys(list []Action) []string {
	var out, reasons []string
	labels := map[string][]string{}
	for _, a := range list {
		if !a.Disabled || a.Why == "" {
			continue
		}
		if labels[a.Why] == nil {
			reasons = append(reasons, a.Why)
		}
		labels[a.Why] = append(labels[a.Why], a.Label)
	}
	for _, why := range reasons {
		out = append(out, strings.Join(labels[why], ", ")+": "+why)
	}
	return out
}
