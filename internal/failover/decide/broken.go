//go:build brokenrules

package decide

import "slices"

// Without takes a rule out of the table, by its name, until the returned function is
// called. It is not for two goroutines at a time. It is there only with the build tag
// brokenrules, for the tests that show that a simulation notices a missing rule; no
// program that is shipped is built with it.
func Without(name string) (restore func()) {
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.Name == name })
	if i < 0 {
		panic("there is no rule " + name)
	}
	whole := rules
	rules = slices.Delete(slices.Clone(rules), i, i+1)
	return func() { rules = whole }
}
