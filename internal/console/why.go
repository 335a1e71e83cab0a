package console

import (
	"fmt"
	"io"
	"slices"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/health"
)

// done says of each action that it was decided for.
var done = map[decide.Action]string{
	decide.Nothing: "do nothing", decide.Wait: "wait", decide.Look: "ask for more evidence", decide.Repair: "repair in place",
	decide.Failover: "fail over", decide.ColdStart: "cold start", decide.Silence: "silence", decide.Return: "make a stand-by of",
	decide.Correct: "put right what the broker keeps of", decide.Rehearse: "rehearse", decide.FailBack: "move back", decide.Ask: "ask a person",
}

// Decided is a decision as it was kept.
type Decided struct {
	Network  string
	Number   int
	At       time.Time
	Decision decide.Decision
}

// Why prints a decision with its reasons and what was so.
func Why(w io.Writer, s Decided, now time.Time) {
	w = Plain(w)
	title(w, s, now)
	fmt.Fprintln(w, "\nbecause:")
	for _, r := range s.Decision.Reasons {
		fmt.Fprintf(w, "  %s\n", r)
	}
	if q := s.Decision.Question; q != nil {
		fmt.Fprintf(w, "\nasked (%s):\n  %s\n  %s\n", q.ID, q.Text, q.Fix)
	}
	fmt.Fprintln(w, "\nwhat was so:")
	for _, c := range s.Decision.Conditions {
		fmt.Fprintf(w, "  %s\n", condition(c))
		for _, e := range c.Evidence {
			fmt.Fprintf(w, "    %s\n", e)
		}
	}
}

func title(w io.Writer, s Decided, now time.Time) {
	fmt.Fprintf(w, "%s, decision %d, %s (%s): %s\n", s.Network, s.Number, s.At.Local().Format(time.DateTime), health.Ago(now, s.At), decided(s.Decision))
}

// decided is a decision in a few words: "fail over, attic to cellar".
func decided(d decide.Decision) string {
	switch {
	case d.Node != "" && d.To != "" && slices.Contains([]decide.Action{decide.Failover, decide.Rehearse, decide.FailBack}, d.Action):
		return fmt.Sprintf("%s, %s to %s", done[d.Action], d.Node, d.To)
	case d.Node != "" && d.Action != decide.Nothing:
		return fmt.Sprintf("%s, %s", done[d.Action], d.Node)
	}
	return done[d.Action]
}

func condition(c health.Condition) string {
	if c.Node == "" {
		return string(c.Kind)
	}
	return c.Node + ": " + string(c.Kind)
}

// WhyNot prints what spoke against an action.
func WhyNot(w io.Writer, s Decided, a decide.Action, now time.Time) {
	w = Plain(w)
	title(w, s, now)
	if s.Decision.Action == a {
		fmt.Fprintf(w, "\nit was decided to %s:\n  %s\n", done[a], s.Decision.Reasons[0])
		return
	}
	for _, n := range s.Decision.Not {
		if n.Action == a {
			fmt.Fprintf(w, "\nit was not decided to %s, because:\n  %s\n", done[a], n.Why)
		}
	}
}
