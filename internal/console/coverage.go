package console

import (
	"fmt"
	"io"
	"time"

	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/readiness"
)

// survives prints which failures a home survives, and what a person does then.
func survives(w io.Writer, lines []coverage.Line) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(w, "  would Zigbee survive it?")
	for _, l := range lines {
		fmt.Fprintf(w, "    %-26s %-8s %s\n", l.Failure.What(), l.Survives, l.Why)
		if l.Survives != coverage.Yes && l.Fix != "" {
			fmt.Fprintf(w, "    %-26s          → %s\n", "", l.Fix)
		}
	}
}

// age is how old the evidence of c was at the time of the look, "" for no age.
func age(c readiness.Check, now time.Time) string {
	d, known := c.Age(now)
	switch {
	case !known:
		return ""
	case d < 2*time.Second:
		return ", just now"
	case d < 2*time.Minute:
		return fmt.Sprintf(", %.0f s ago", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf(", %.0f min ago", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf(", %.0f h ago", d.Hours())
	}
	return fmt.Sprintf(", %.0f days ago", d.Hours()/24)
}
