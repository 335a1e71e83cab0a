//go:build brokenrules

package decide_test

import (
	"testing"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/decide/recorded"
)

// Every rule matters: without it some recorded case ends otherwise.
func TestEveryRuleMatters(t *testing.T) {
	var cases []recorded.Case
	for _, file := range caseFiles(t) {
		c, err := recorded.Parse(read(t, file))
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	all := decide.Rules()
	for _, r := range all[:len(all)-1] {
		if !changes(r.Name, cases) {
			t.Errorf("without the rule %q every recorded case ends as with it", r.Name)
		}
	}
}

func changes(rule string, cases []recorded.Case) bool {
	defer decide.Without(rule)()
	for _, c := range cases {
		_, decisions := c.Decide()
		for i, d := range decisions {
			if recorded.Describe(d, c.Moments[i].Input.Health.Now) != c.Moments[i].Expected {
				return true
			}
		}
	}
	return false
}
