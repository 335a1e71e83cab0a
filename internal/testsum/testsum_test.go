package testsum_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"z2mha/internal/testsum"
)

// Each case is a real package that go test runs in a module of its own.
func TestSummarize(t *testing.T) {
	const pass = "func TestGood(t *testing.T) { t.Run(`sub`, func(t *testing.T) {}) }\n"
	for _, tt := range []struct {
		name   string
		code   string
		want   []string // parts of the report, in this order
		last   string
		ok     bool
		strict bool // what OK says when a skip is a failure
	}{
		{"counts what passed", pass, []string{"ok   made/up"}, "2 passed, 0 failed, 0 skipped", true, true},
		{"names what was skipped and why", pass + "func TestLate(t *testing.T) { t.Skip(`no sshd: run make test-deps`) }\n",
			[]string{"SKIP made/up TestLate: no sshd: run make test-deps"}, "2 passed, 0 failed, 1 skipped", true, false},
		{"prints failures in full", pass + "func TestBad(t *testing.T) { t.Log(`first`); t.Error(`second`) }\n",
			[]string{"FAIL made/up TestBad", "first", "second", "FAIL made/up ("}, "2 passed, 1 failed, 0 skipped", false, false},
		{"survives a panic", "func TestBad(t *testing.T) { panic(`ouch`) }\n",
			[]string{"ouch"}, "0 passed, 1 failed, 0 skipped", false, false},
		{"survives a panic beside the test", "func TestBad(t *testing.T) { go panic(`ouch`); select {} }\n",
			[]string{"ouch"}, "0 passed, 1 failed, 0 skipped", false, false},
		{"survives an exit", "func TestBad(t *testing.T) { os.Exit(7) }\nvar _ = os.Exit\n",
			[]string{"BROKEN made/up"}, "0 passed, 1 failed, 0 skipped", false, false},
		{"counts a build that breaks", "func TestBad(t *testing.T) { undefined() }\n",
			[]string{"undefined: undefined", "BROKEN made/up"}, "0 passed, 1 failed, 0 skipped", false, false},
		{"is not content without a test", "", []string{"no test ran"}, "0 passed, 0 failed, 0 skipped", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var report strings.Builder
			result, err := testsum.Summarize(&report, strings.NewReader(goTest(t, tt.code)))
			if err != nil {
				t.Fatal(err)
			}
			wantInOrder(t, report.String(), append(tt.want, tt.last+"\n"))
			if !strings.HasSuffix(report.String(), "\n"+tt.last+"\n") {
				t.Errorf("last line is not %q:\n%s", tt.last, report.String())
			}
			if result.OK(false) != tt.ok || result.OK(true) != tt.strict {
				t.Errorf("OK %v and %v, want %v and %v", result.OK(false), result.OK(true), tt.ok, tt.strict)
			}
		})
	}
}

// goTest returns the events of go test -json on a package with code in its test.
func goTest(t testing.TB, code string) string {
	t.Helper()
	dir := t.TempDir()
	imports := "import \"testing\"\nvar _ *testing.T\n"
	if strings.Contains(code, "os.Exit") {
		imports = "import (\n\"os\"\n\"testing\"\n)\nvar _ *testing.T\n"
	}
	for name, content := range map[string]string{"go.mod": "module made/up\n\ngo 1.26\n", "a.go": "package up\n", "a_test.go": "package up\n" + imports + code} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "-vet=off", "./...")
	cmd.Dir = dir
	out, _ := cmd.Output() // its exit code is part of the cases
	return string(out)
}

func wantInOrder(t testing.TB, text string, parts []string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Errorf("%q is missing, or out of order, in:\n%s", part, text)
			return
		}
		rest = after
	}
}
