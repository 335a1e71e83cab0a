// Package recorded reads decision cases that are written by hand: a home in a few words, as
// it changes, and what is decided at each moment. The language is described, with every
// word, in testdata/README.md beside package decide.
package recorded

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/decide"
)

// A Case is a sentence on what it shows, and moments of one home.
type Case struct {
	Shows   string
	Moments []Moment
}

// A Moment is what was changed in the home since the moment before, what is expected to
// be decided, and the input that comes of both, but for what the decision before has left.
type Moment struct {
	Lines    []string
	Expected string
	Input    decide.Input
}

// Parse reads a case.
func Parse(text string) (Case, error) {
	c, h := Case{}, newHome()
	var shows []string
	m := Moment{}
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "#") && len(c.Moments) == 0 && len(m.Lines) == 0:
			shows = append(shows, strings.TrimSpace(strings.TrimPrefix(line, "#")))
			continue
		case strings.HasPrefix(line, "=>") || strings.HasPrefix(line, "   "):
			m.Expected += line + "\n"
			continue
		case strings.HasPrefix(line, "after "):
			m.Input = h.snapshot()
			c.Moments, m = append(c.Moments, m), Moment{}
		}
		m.Lines = append(m.Lines, line)
		if err := h.read(line); err != nil {
			return Case{}, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	m.Input = h.snapshot()
	c.Shows, c.Moments = strings.Join(shows, " "), append(c.Moments, m)
	if c.Shows == "" {
		return Case{}, fmt.Errorf("line 1: say what the case shows, in a sentence after \"# \"")
	}
	return c, nil
}

// Decide decides each moment anew, each with what the one before has left.
func (c Case) Decide() (inputs []decide.Input, decisions []decide.Decision) {
	var memory decide.Memory
	for _, m := range c.Moments {
		in := m.Input
		in.Memory = memory
		d := decide.Decide(in)
		inputs, decisions, memory = append(inputs, in), append(decisions, d), d.Memory
	}
	return inputs, decisions
}

// Text writes the case with these decisions as what is expected.
func (c Case) Text(decisions []decide.Decision) string {
	var out strings.Builder
	for _, line := range wrap(c.Shows, 100) {
		out.WriteString("# " + line + "\n")
	}
	for i, m := range c.Moments {
		lines := slices.DeleteFunc(slices.Clone(m.Lines), func(l string) bool { return strings.TrimSpace(l) == "" })
		out.WriteString("\n" + strings.Join(append(lines, ""), "\n"))
		out.WriteString(Describe(decisions[i], m.Input.Health.Now))
	}
	return out.String()
}

// Describe is a decision as it stands in a case. Actions that were not taken for the very
// reason that decided are left out.
func Describe(d decide.Decision, now time.Time) string {
	var out strings.Builder
	fmt.Fprintf(&out, "=> %s%s%s\n", d.Action, before(" ", d.Node), before(" to ", d.To))
	for _, r := range d.Reasons {
		fmt.Fprintf(&out, "   + %s\n", r)
	}
	if q := d.Question; q != nil {
		fmt.Fprintf(&out, "   ? [%s] %s\n     %s\n", q.ID, q.Text, q.Fix)
	}
	for _, n := range d.Not {
		if len(d.Reasons) == 0 || n.Why != d.Reasons[0] {
			fmt.Fprintf(&out, "   - %s%s%s: %s\n", n.Action, before(" ", n.Node), before(" to ", n.To), n.Why)
		}
	}
	var names []string
	for _, c := range d.Conditions {
		names = append(names, string(c.Kind)+before(" of ", c.Node))
	}
	fmt.Fprintf(&out, "   = %s\n", strings.Join(names, ", "))
	if !d.Again.IsZero() {
		fmt.Fprintf(&out, "   again in %s\n", d.Again.Sub(now).Round(time.Second))
	}
	return out.String()
}

// before puts a word in front of a name that is there.
func before(word, name string) string {
	if name == "" {
		return ""
	}
	return word + name
}

func wrap(s string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}
