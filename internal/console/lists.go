package console

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// Networks prints what List returned.
func Networks(w io.Writer, all []engine.Status) {
	w = Plain(w)
	for _, s := range all {
		fmt.Fprintf(w, "%s: %s\n", s.Network, headline(s))
		if s.Held != "" {
			fmt.Fprintf(w, "  %s\n", s.Held)
		}
		tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
		for _, n := range s.Nodes {
			fmt.Fprintf(tw, "  %s\t%s\t%s\n", n.Name, n.Role, nodeLine(n))
		}
		_ = tw.Flush()
		for _, c := range s.Checks {
			if !c.OK && !c.Note && c.ID != "reachable" {
				printCheck(w, c, "")
			}
		}
		survives(w, s.Coverage)
	}
}

func headline(s engine.Status) string {
	switch {
	case s.Active == "":
		return "no single active node"
	case s.Record.Active == s.Active:
		return fmt.Sprintf("%s is active since %s", s.Active, s.Record.Since.Local().Format(time.DateTime))
	}
	return s.Active + " is active"
}

func nodeLine(n engine.NodeStatus) string {
	if n.Err != nil {
		return n.Err.Error()
	}
	o := n.Observed
	who := "nobody holds " + o.TTY
	if o.Runs() {
		who = holder(*o) + " holds " + o.TTY
	}
	return fmt.Sprintf("service %s, %s, %s", o.Service, who, cmp.Or(o.Stick, "stick unnamed"))
}

func holder(o network.Observation) string {
	if len(o.TTYHolders) > 0 {
		return o.TTYHolders[0].String()
	}
	return o.DataHolders[0].String() + " uses the data directory but nobody"
}

// Checks prints a readiness list, each line with the age of its evidence, and its
// conclusion.
func Checks(w io.Writer, a readiness.Assessment) {
	w = Plain(w)
	for _, c := range a.Checks {
		printCheck(w, c, age(c, a.At))
	}
	if n := len(a.Blocking()); n > 0 {
		fmt.Fprintf(w, "\nnot ready: %d of %d checks forbid a switchover\n", n, len(a.Checks))
		return
	}
	fmt.Fprintf(w, "\nready: the network can move away from %s\n", a.Active)
}

func printCheck(w io.Writer, c readiness.Check, age string) {
	mark := "✓"
	switch {
	case c.Note:
		mark = "·"
	case c.Blocks():
		mark = "✗"
	case !c.OK:
		mark = "!"
	}
	where := cmp.Or(c.Node, "network")
	fmt.Fprintf(w, "  %s %s: %s (%s%s)\n", mark, where, c.What, c.Evidence, age)
	if !c.OK && c.Fix != "" {
		fmt.Fprintf(w, "      → %s\n", c.Fix)
	}
}

// Plan prints a dry run.
func Plan(w io.Writer, p plan.Plan, steps []engine.Explained) {
	w = Plain(w)
	fmt.Fprintf(w, "%s of %s from %s to %s, %d steps. Nothing has been changed.\n", p.Kind, p.Network, p.From, p.To, len(steps))
	for i, s := range steps {
		dark := ""
		if s.Step.Dark {
			dark = "  [no Zigbee meanwhile]"
		}
		fmt.Fprintf(w, "\n%2d. %s (at most %s)%s\n", i+1, s.Step.Title, s.Step.Budget, dark)
		for _, c := range s.Commands {
			fmt.Fprintf(w, "      %s\n", c)
		}
		fmt.Fprintf(w, "    believed when: %s\n", s.Step.Check)
		if s.Step.Undo != "" {
			fmt.Fprintf(w, "    taken back by: %s\n", s.Step.Undo)
		}
	}
}
