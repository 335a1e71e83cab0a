// Package deptest says which way imports may point and names every arrow that
// points the other way. The map is in docs/architecture.md; here it is as rules.
//
//	pure  <-  engine  <-  adapters  <-  world, cmd
//
// Tests are not looked at: they may use whatever they need.
package deptest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Package is what go list says of one package, without its tests.
type Package struct {
	Path    string   // below the module: "internal/dongle/znp"
	Imports []string // as written; those of the module as Path, the others in full
	Clock   []string // calls that read the clock or wait, as in "file.go:12 time.Now"
}

// Rules is a map of packages. A pattern is a path, or a path with /... for
// everything at and below it.
type Rules struct {
	// Pure packages import only pure packages and nothing of Impure, and do not
	// ask for the time.
	Pure   []string
	Impure []string
	// Allowed lists, for packages with a narrower choice than their layer, all
	// that they may import of the module.
	Allowed map[string][]string
	// Reach lists, for programs that are to stay small, everything of the module
	// that they may contain, however it gets in.
	Reach map[string][]string
	// Core is what any adapter may import beside its own family (its parent, its
	// children); BuiltOver are the adapters that stand on another.
	Core      []string
	BuiltOver map[string][]string
	// Top packages put things together and may import everything but commands.
	Top []string
	// MaxImports of the module hint that a package does two jobs; Wide are the
	// exceptions, each with its reason.
	MaxImports int
	Wide       map[string]string
}

// Check returns one sentence for each arrow that points the wrong way.
func (r Rules) Check(packages []Package) []string {
	var wrong []string
	for _, p := range packages {
		wrong = append(wrong, r.checkArrows(p)...)
		wrong = append(wrong, r.checkPure(p)...)
		wrong = append(wrong, r.checkWidth(p)...)
	}
	for _, program := range slices.Sorted(maps.Keys(r.Reach)) {
		wrong = append(wrong, r.checkReach(program, packages)...)
	}
	slices.Sort(wrong)
	return wrong
}

func (r Rules) checkArrows(p Package) []string {
	var wrong []string
	for _, to := range p.project() {
		if why := r.forbids(p.Path, to); why != "" {
			wrong = append(wrong, fmt.Sprintf("%s imports %s: %s", p.Path, to, why))
		}
	}
	return wrong
}

// forbids says why an arrow between two packages of the module is wrong.
func (r Rules) forbids(from, to string) string {
	if strings.HasPrefix(to, "cmd/") {
		return "commands are imported by nobody"
	}
	if rule, allowed, ok := lookup(r.Allowed, from); ok {
		if matchesAny(allowed, to) {
			return ""
		}
		return "of this module, " + rule + " may import only " + orNothing(allowed)
	}
	if matchesAny(r.Pure, from) {
		if matchesAny(r.Pure, to) {
			return ""
		}
		return "a pure package imports only pure ones"
	}
	if matchesAny(r.Top, from) || matchesAny(r.Core, to) || family(from, to) {
		return ""
	}
	if _, over, ok := lookup(r.BuiltOver, from); ok && matchesAny(over, to) {
		return ""
	}
	return "an adapter does not know another one"
}

func (r Rules) checkPure(p Package) []string {
	if !matchesAny(r.Pure, p.Path) {
		return nil
	}
	var wrong []string
	for _, to := range p.Imports {
		if matchesAny(r.Impure, to) {
			wrong = append(wrong, fmt.Sprintf("%s imports %s: a pure package does not reach outside", p.Path, to))
		}
	}
	for _, call := range p.Clock {
		wrong = append(wrong, fmt.Sprintf("%s: %s: in a pure package the time is an argument", p.Path, call))
	}
	return wrong
}

func (r Rules) checkWidth(p Package) []string {
	n := len(p.project())
	if n <= r.MaxImports || matchesAny(r.Top, p.Path) || r.Wide[p.Path] != "" {
		return nil
	}
	return []string{fmt.Sprintf("%s imports %d packages of this module: does it do two jobs? (if not, give the reason in Wide)", p.Path, n)}
}

// checkReach follows the arrows from a program and names the first one that leads
// out of what it may contain.
func (r Rules) checkReach(program string, packages []Package) []string {
	imports := map[string][]string{}
	for _, p := range packages {
		imports[p.Path] = p.project()
	}
	var wrong []string
	seen := map[string]bool{}
	for queue := []string{program}; len(queue) > 0; queue = queue[1:] {
		for _, to := range imports[queue[0]] {
			switch {
			case seen[to]:
			case matchesAny(r.Reach[program], to):
				queue = append(queue, to)
			default:
				wrong = append(wrong, fmt.Sprintf("%s contains %s, by way of %s: it may contain only %s",
					program, to, queue[0], orNothing(r.Reach[program])))
			}
			seen[to] = true
		}
	}
	return wrong
}

// project are the imports that lie in the module.
func (p Package) project() []string {
	var out []string
	for _, to := range p.Imports {
		if top, _, _ := strings.Cut(to, "/"); top == "internal" || top == "cmd" || top == "web" {
			out = append(out, to)
		}
	}
	return out
}

// family says that one path lies below the other: dongle/znp and its znptest.
func family(a, b string) bool {
	return strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// lookup finds the longest rule that covers path.
func lookup(rules map[string][]string, path string) (rule string, value []string, ok bool) {
	for pattern, v := range rules {
		if matches(pattern, path) && (!ok || len(pattern) > len(rule)) {
			rule, value, ok = pattern, v, true
		}
	}
	return rule, value, ok
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

func matches(pattern, path string) bool {
	below, ok := strings.CutSuffix(pattern, "/...")
	if !ok {
		return pattern == path
	}
	return path == below || strings.HasPrefix(path, below+"/")
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}
