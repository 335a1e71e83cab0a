package dash

import (
	"fmt"
	"strings"

	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/status"
	"z2mha/web"
)

func coverOf(l coverage.Line) web.Cover {
	return web.Cover{State: answers[l.Survives], What: l.Failure.What(), Answer: capital(string(l.Survives)),
		Why: strings.TrimSpace(sentence(l.Why) + " " + sentence(l.Fix))}
}

var answers = map[coverage.Answer]web.LightState{
	coverage.Yes:    web.LightGood,
	coverage.ByHand: web.LightWarn,
	coverage.No:     web.LightBad,
}

// holdings are what is on record of a node's stick and data; none when nothing is.
func holdings(x status.Node) []web.Fact {
	var facts []web.Fact
	if s := x.Stick; s.Image != "" && (s.Generation > 0 || s.Trouble == "") { // else what it holds may be another network, or none
		f := web.Fact{Label: "On its stick", Text: "this network", At: s.Verified}
		if s.Generation > 0 {
			f.Text = fmt.Sprintf("copy number %d", s.Generation)
		}
		facts = append(facts, f)
		if s.Reserved > 0 {
			facts = append(facts, web.Fact{Label: "Frame counter on it", Text: fmt.Sprint(uint32(s.Reserved))})
		}
	}
	if x.Stick.Trouble != "" {
		facts = append(facts, web.Fact{Label: "Not kept current", Text: x.Stick.Trouble})
	}
	if x.Staged.Generation > 0 {
		facts = append(facts, web.Fact{Label: "Data beside it", Text: fmt.Sprintf("copy number %d", x.Staged.Generation), At: x.Staged.At})
	}
	if l := x.Ledger; l != (status.Node{}.Ledger) {
		facts = append(facts, web.Fact{Label: "Written to the stick", Text: fmt.Sprintf("%s in %s", count(l.Items, "item"), count(l.Loads, "load"))},
			web.Fact{Label: "Bytes written", Text: sizeOf(l.Bytes)}, web.Fact{Label: "Times it was booted", Text: fmt.Sprint(l.Boots)},
			web.Fact{Label: "Counted since", At: l.Since})
	}
	return facts
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sizeOf is a size as people say it.
func sizeOf(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d B", n)
	case n < 10_000_000:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}
