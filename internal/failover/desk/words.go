package desk

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

// longest is how much of a text from outside is shown, in characters; longestTold is how
// much an event says, which may quote several: the journal has all of it.
const longest, longestTold = 200, 1000

// oneLine makes a text from outside fit to be shown and journaled: without control
// characters, and not endless.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest]) + "…"
	}
	return s
}

// flat puts what errors say in several lines into one that is not endless.
func flat(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
	if r := []rune(s); len(r) > longestTold {
		s = string(r[:longestTold]) + "…"
	}
	return s
}

// sentence begins with a capital and ends with a full stop. It is not for what begins
// with a name.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	r, size := utf8.DecodeRuneInString(s)
	return stop(string(unicode.ToUpper(r)) + s[size:])
}

// stop adds a full stop where there is none.
func stop(s string) string {
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

func seconds(d time.Duration) string { return d.Round(time.Second).String() }

// title names a run: "the move from attic to cellar".
func title(p plan.Plan) string {
	switch p.Kind {
	case plan.KindSwitchover:
		return fmt.Sprintf("the move from %s to %s", p.From, p.To)
	case plan.KindFailover:
		return fmt.Sprintf("the failover from %s to %s", p.From, p.To)
	case plan.KindSeed:
		return fmt.Sprintf("the restart of %s that makes the stand-bys ready", p.From)
	case plan.KindRestore:
		return fmt.Sprintf("the return of %s to copy %d", p.From, p.Generation)
	case plan.KindSync:
		return "the sync from " + p.From
	case plan.KindStop:
		return "the stop of " + p.From
	case plan.KindStart:
		return "the start of " + p.To
	case plan.KindRepair:
		return "the repair of " + p.From
	case plan.KindReturn:
		return "the return of " + p.From + " as a stand-by"
	case plan.KindSilence:
		return "the silencing of " + p.From
	}
	return "run " + p.ID
}

// begun is the event of a run that has begun; false when its kind has none.
func begun(r *status.Run) (status.Event, bool) {
	if !r.Plan.Kind.Moves() {
		return status.Event{}, false
	}
	ev := about(r)
	ev.Type, ev.Text = status.EventSwitchoverStarted, sentence(title(r.Plan)+" has begun")
	if r.Plan.Kind == plan.KindFailover {
		ev.Type = status.EventFailoverStarted
	}
	return ev, true
}

// about fills in what every event of a run says.
func about(r *status.Run) status.Event {
	ev := status.Event{Run: r.ID, By: r.By, Cause: r.Cause}
	switch kind := r.Plan.Kind; {
	case kind.Moves():
		ev.From, ev.To = r.Plan.From, r.Plan.To
	case kind == plan.KindSync:
		ev.From = r.Plan.From
	default:
		ev.Node = r.Plan.From
	}
	return ev
}

// over is the event of a run that has ended. syncFailing says that the sync before
// did not work.
func over(r *status.Run, unproven, note string, syncFailing bool) status.Event {
	ev := about(r)
	ev.Duration = max(0, r.Ended.Sub(r.Began))
	if r.Outcome == plan.Completed {
		ev.Type, ev.Text = completed(r, ev.Duration, syncFailing)
		if unproven != "" {
			ev.Text += " Not proven: " + stop(unproven)
		}
		if note != "" {
			ev.Text += " " + sentence(note)
		}
		return ev
	}
	ev.Type = failed(r)
	ev.Text = sentence(title(r.Plan) + " " + how(r) + because(r.Err))
	if ev.Type == status.EventNeedsHelp {
		ev.Fix = helpFix
	}
	return ev
}

func completed(r *status.Run, took time.Duration, syncFailing bool) (status.EventType, string) {
	p := r.Plan
	switch p.Kind {
	case plan.KindSwitchover:
		return status.EventSwitchoverCompleted, fmt.Sprintf("The network moved from %s to %s in %s", p.From, p.To, seconds(took)) + rested(r)
	case plan.KindFailover:
		return status.EventFailoverCompleted, fmt.Sprintf("The network runs on %s, which took over from %s in %s.", p.To, p.From, seconds(took))
	case plan.KindSeed:
		return status.EventNodeStarted, fmt.Sprintf("Zigbee2MQTT on %s was restarted and its stick read whole, so that %s can be kept ready",
			p.From, strings.Join(p.Others, " and ")) + rested(r)
	case plan.KindRestore:
		return status.EventNodeStarted, fmt.Sprintf("Copy %d is back on %s, and the network works through it", p.Generation, p.From) + rested(r)
	case plan.KindStop:
		return status.EventNodeStopped, fmt.Sprintf("Zigbee2MQTT on %s is stopped and its stick is silent.", p.From)
	case plan.KindStart:
		return status.EventNodeStarted, fmt.Sprintf("Zigbee2MQTT on %s runs and the network works through it.", p.To)
	}
	switch p.Kind {
	case plan.KindRepair:
		return status.EventRepaired, fmt.Sprintf("%s was repaired where it is: its Zigbee2MQTT was started again, and the network works through it", p.From) + rested(r)
	case plan.KindReturn:
		return status.EventReturned, fmt.Sprintf("%s, which was active once, is a stand-by of %s now.", p.From, p.To)
	case plan.KindSilence:
		return status.EventNodeStopped, fmt.Sprintf("%s spoke beside %s; it is stopped and its stick is silent, and the network works through %s alone.", p.From, p.To, p.To)
	}
	text := fmt.Sprintf("The data of %s was copied to %s.", p.From, strings.Join(p.Others, " and "))
	return syncedType(syncFailing), text
}

// rested ends a sentence with how long Zigbee rested.
func rested(r *status.Run) string {
	if r.Outage == 0 {
		return "."
	}
	return fmt.Sprintf("; Zigbee rested for %s.", seconds(r.Outage))
}

func failed(r *status.Run) status.EventType {
	switch {
	case r.Outcome == plan.NeedsHelp:
		return status.EventNeedsHelp
	case r.Plan.Kind == plan.KindFailover:
		return status.EventFailoverFailed
	case r.Plan.Kind == plan.KindRepair:
		return status.EventRepairFailed
	case r.Plan.Kind.Moves():
		return status.EventSwitchoverFailed
	case r.Plan.Kind == plan.KindSync:
		return status.EventSyncFailed
	}
	return status.EventRunFailed
}

func how(r *status.Run) string {
	switch {
	case r.Outcome == plan.NeedsHelp:
		return "is not finished and a person must look"
	case r.Outcome == plan.GivenUp && comesBack(r.Plan.Kind):
		return "was given up, and " + r.Plan.From + " was not touched"
	case r.Outcome == plan.RolledBack && comesBack(r.Plan.Kind):
		return "was taken back, and " + r.Plan.From + " serves again"
	case r.Plan.Kind == plan.KindFailover || r.Plan.Kind == plan.KindRepair:
		return "did not work, and nobody serves the home"
	case r.Outcome == plan.RolledBack:
		return "was taken back"
	}
	return "did not work"
}

func because(err string) string {
	if err == "" {
		return ""
	}
	return ": " + err
}
