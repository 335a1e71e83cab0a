package decide_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/decide/recorded"
	"z2mha/internal/failover/health"
)

var update = flag.Bool("update", false, "write what is decided into the recorded cases and the page of rules")

// Every file in testdata is one case; see the README there.
func TestRecordedCases(t *testing.T) {
	files := caseFiles(t)
	if len(files) < 100 {
		t.Errorf("there are %d cases, and there shall be 100 at least", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text := read(t, file)
			c, err := recorded.Parse(text)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			_, decisions := c.Decide()
			if got := c.Text(decisions); got != text {
				write(t, file, got, cmp.Diff(text, got))
			}
		})
	}
}

// The cases reach every rule, every action and every condition.
func TestCasesReachEverything(t *testing.T) {
	missing := map[string]bool{}
	for _, a := range decide.Actions {
		missing["=> "+string(a)] = true
	}
	for _, k := range health.Kinds() {
		missing[string(k)] = true
	}
	all := ""
	for _, file := range caseFiles(t) {
		all += read(t, file)
	}
	for what := range missing {
		if !strings.Contains(all, what) {
			t.Errorf("no case shows %q", what)
		}
	}
}

func TestREADMENamesEveryWord(t *testing.T) {
	readme := read(t, "testdata/README.md")
	for subject, patterns := range recorded.Patterns() {
		for _, p := range patterns {
			if !strings.Contains(readme, "`"+p+"`") {
				t.Errorf("testdata/README.md does not mention %s: `%s`", subject, p)
			}
		}
	}
}

func caseFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// write writes what is expected from now on, when that was asked for.
func write(t testing.TB, file, text, diff string) {
	t.Helper()
	if !*update {
		t.Errorf("%s differs; `go test ./internal/failover/decide -update` writes it anew:\n%s", file, diff)
		return
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
