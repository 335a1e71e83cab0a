package dash

import (
	"fmt"
	"strings"
	"time"

	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/web"
)

// shownFor is how long a run that ended well stays on the page. One that needs a
// person stays until something else happens.
const shownFor = time.Hour

// shownRun is the run that is worth a place at the top: what is under way, or what
// ended not long ago.
func shownRun(n status.Network, now time.Time) *web.Run {
	switch {
	case n.Run != nil:
		return runOf(*n.Run)
	case n.Ended == nil:
		return nil
	case n.Ended.Outcome == plan.NeedsHelp || now.Sub(n.Ended.Ended) < shownFor:
		return runOf(*n.Ended)
	}
	return nil
}

func runOf(r status.Run) *web.Run {
	v := &web.Run{
		ID: r.ID, Title: runTitle(r.Plan), State: runState(r), Result: runResult(r), By: r.By,
		Began: r.Began, Ended: r.Ended, Turning: sentence(r.Turning), DarkSince: r.DarkFrom,
	}
	if !r.Ended.IsZero() {
		v.Took = span(r.Ended.Sub(r.Began))
	} else {
		v.Progress = web.Progress{What: r.What, Done: r.Done, Total: r.Total}
	}
	if r.Outage > 0 && r.DarkFrom.IsZero() {
		v.Outage = span(r.Outage)
	}
	for _, s := range r.Steps {
		v.Steps = append(v.Steps, stepOf(s))
	}
	return v
}

func stepOf(s status.RunStep) web.RunStep {
	v := web.RunStep{Title: capital(s.Title), Node: s.Node, State: stepStates[s.State], Dark: s.Dark, Saw: s.Saw, Note: sentence(s.Note), Began: s.Began}
	if v.State == "" {
		v.State = web.StepWaiting
	}
	if s.Took > 0 {
		v.Took = span(s.Took)
	}
	return v
}

var stepStates = map[status.StepState]web.StepState{
	status.StepWaiting: web.StepWaiting,
	status.StepRunning: web.StepRunning,
	status.StepDone:    web.StepDone,
	status.StepFailed:  web.StepFailed,
	status.StepUndoing: web.StepUndoing,
	status.StepUndone:  web.StepUndone,
}

func runTitle(p plan.Plan) string {
	switch p.Kind {
	case plan.KindSwitchover:
		return "Moving the network from " + p.From + " to " + p.To
	case plan.KindFailover:
		return "Letting " + p.To + " take over from " + p.From
	case plan.KindSeed:
		return "Making " + strings.Join(p.Others, ", ") + " ready: restarting " + p.From + " once"
	case plan.KindRestore:
		return fmt.Sprintf("Bringing copy %d back onto %s", p.Generation, p.From)
	case plan.KindSync:
		return "Copying the data of " + p.From + " to " + strings.Join(p.Standbys(), ", ")
	case plan.KindStop:
		return "Stopping Zigbee2MQTT on " + p.From
	case plan.KindStart:
		return "Starting Zigbee2MQTT on " + p.To + " again"
	}
	return capital(string(p.Kind))
}

func runState(r status.Run) web.RunState {
	switch {
	case r.Outcome == plan.Completed:
		return web.RunCompleted
	case r.Outcome == plan.GivenUp, r.Outcome == plan.RolledBack:
		return web.RunTakenBack
	case r.Outcome == plan.NeedsHelp, !r.Ended.IsZero():
		return web.RunNeedsHelp
	case r.Turning != "":
		return web.RunTurning
	}
	return web.RunGoing
}

// outcomeWords are for a line of history; a completed move needs none.
var outcomeWords = map[plan.Outcome]string{
	plan.GivenUp:    "given up",
	plan.RolledBack: "taken back",
	plan.NeedsHelp:  "a person must look",
}

func runResult(r status.Run) string {
	switch {
	case r.Outcome == plan.Completed:
		return completed(r.Plan)
	case r.Outcome == plan.GivenUp && r.Plan.Kind == plan.KindFailover:
		return joined("Given up: nobody serves your home now.", sentence(r.Err))
	case r.Outcome == plan.GivenUp:
		return joined("Given up before anything was changed that your home notices.", sentence(r.Err))
	case r.Outcome == plan.RolledBack:
		return joined(takenBack(r.Plan), sentence(r.Err))
	case r.Outcome == plan.NeedsHelp, !r.Ended.IsZero():
		return joined("A person must look before anything acts again.", sentence(r.Err))
	}
	return ""
}

func takenBack(p plan.Plan) string {
	switch p.Kind {
	case plan.KindSwitchover, plan.KindSeed, plan.KindRestore:
		return "Taken back: " + p.From + " serves as before."
	case plan.KindFailover:
		return "Taken back: nobody serves your home now."
	}
	return "Taken back: everything is as it was before."
}

func completed(p plan.Plan) string {
	switch p.Kind {
	case plan.KindSwitchover, plan.KindFailover:
		return "The network runs on " + p.To + "."
	case plan.KindSeed:
		return p.From + " serves again, and its stick was read: " + strings.Join(p.Others, " and ") + " can be kept ready from now on."
	case plan.KindRestore:
		return fmt.Sprintf("Copy %d is back on %s, and the network works through it.", p.Generation, p.From)
	case plan.KindSync:
		return "The stand-bys have the latest data."
	case plan.KindStop:
		return "Zigbee2MQTT on " + p.From + " is stopped and its stick is silent."
	case plan.KindStart:
		return "The network runs on " + p.To + " again."
	}
	return "Done."
}

func joined(sentences ...string) string {
	var out []string
	for _, s := range sentences {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}
