// Package testsum turns the event stream of go test -json into what a person
// wants to read: one line a package, failures in full, each skipped test by name
// with its reason, and as the last line the counts.
package testsum

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Result is what a run of go test came to.
type Result struct {
	Passed, Failed, Skipped int
	// Broken are packages that did not build, panicked or failed outside a test.
	Broken []string
}

// OK says whether the run may count as green. With strict, a skipped test is a
// failure: on a machine that was prepared nothing may be left out.
func (r Result) OK(strict bool) bool {
	return r.Failed == 0 && len(r.Broken) == 0 && r.Passed > 0 && (!strict || r.Skipped == 0)
}

// event is one line of go test -json; see go doc test2json.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build events
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// A summary collects the output of what still runs.
type summary struct {
	w       io.Writer
	result  Result
	output  map[string][]string // by package and test
	failed  map[string]int      // failed tests by package
	skipped []string
}

// Summarize reads the events from r until it ends and writes the report to w. What
// is no event, such as a message of the go command itself, is passed on as it is.
func Summarize(w io.Writer, r io.Reader) (Result, error) {
	s := &summary{w: w, output: map[string][]string{}, failed: map[string]int{}}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			s.line(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return s.result, err
		}
	}
	s.close()
	return s.result, nil
}

func (s *summary) line(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action == "" {
		fmt.Fprint(s.w, line)
		return
	}
	switch {
	case e.Action == "build-output":
		s.output[e.ImportPath] = append(s.output[e.ImportPath], e.Output)
	case e.Action == "output":
		s.output[key(e)] = append(s.output[key(e)], e.Output)
	case e.Test != "":
		s.test(e)
	default:
		s.pack(e)
	}
}

// test handles the end of one test.
func (s *summary) test(e event) {
	switch e.Action {
	case "pass":
		s.result.Passed++
	case "skip":
		s.result.Skipped++
		s.skipped = append(s.skipped, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(s.output[key(e)])))
	case "fail":
		s.result.Failed++
		s.failed[e.Package]++
		fmt.Fprintf(s.w, "FAIL %s %s\n%s", e.Package, e.Test, strings.Join(s.output[key(e)], ""))
	default:
		return // run, pause, cont, start
	}
	delete(s.output, key(e))
}

// pack handles the end of one package.
func (s *summary) pack(e event) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(s.w, "ok   %s (%.1f s)\n", e.Package, e.Elapsed)
	case "fail":
		fmt.Fprintf(s.w, "FAIL %s (%.1f s)\n", e.Package, e.Elapsed)
		if s.failed[e.Package] == 0 || s.unfinished(e.Package) {
			s.broken(e)
		}
	}
	delete(s.output, key(e))
}

// broken prints everything that is left of a package that failed by itself: the
// compiler's messages, a panic, an exit in TestMain.
func (s *summary) broken(e event) {
	s.result.Broken = append(s.result.Broken, e.Package)
	for _, k := range s.leftOf(e) {
		fmt.Fprint(s.w, strings.Join(s.output[k], ""))
		delete(s.output, k)
	}
}

// unfinished says that a test of the package began and has no end, as after a
// panic in another goroutine.
func (s *summary) unfinished(pkg string) bool {
	for k := range s.output {
		if strings.HasPrefix(k, pkg+" ") {
			return true
		}
	}
	return false
}

func (s *summary) leftOf(e event) []string {
	var keys []string
	for k := range s.output {
		if k == e.Package || k == e.FailedBuild || strings.HasPrefix(k, e.Package+" ") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func (s *summary) close() {
	slices.Sort(s.skipped)
	for _, line := range s.skipped {
		fmt.Fprintln(s.w, "SKIP", line)
	}
	for _, pkg := range s.result.Broken {
		fmt.Fprintln(s.w, "BROKEN", pkg)
	}
	if s.result.Passed+s.result.Failed == 0 {
		fmt.Fprintln(s.w, "no test ran")
	}
	// A package that broke counts, or a build error would close with "0 failed".
	fmt.Fprintf(s.w, "%d passed, %d failed, %d skipped\n",
		s.result.Passed, s.result.Failed+len(s.result.Broken), s.result.Skipped)
}

// reason is the last thing a skipped test said.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "===") {
			continue
		}
		if _, text, ok := strings.Cut(line, ".go:"); ok {
			_, line, _ = strings.Cut(text, ": ")
		}
		return line
	}
	return "no reason given"
}

func key(e event) string {
	if e.Test == "" {
		return e.Package
	}
	return e.Package + " " + e.Test
}
