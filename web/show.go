package web

import (
	"fmt"
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
func failed(list []Check) []Check { return those(list, false) }

// held are the checks that hold. They are folded, so that what is red is seen.
func held(list []Check) []Check { return those(list, true) }

func those(list []Check, good bool) []Check {
	var out []Check
	for _, c := range list {
		if (c.State == LightGood) == good {
			out = append(out, c)
		}
	}
	return out
}

func goodChecks(good, all int) string {
	if good == all {
		return fmt.Sprintf("%s (%d)", words.AllReady, all)
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
