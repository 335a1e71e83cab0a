package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"z2mha/internal/failover/decide/recorded"
	"z2mha/internal/storage/decisions"
	"z2mha/internal/storage/durable"
)

// A night is a configuration beside which a crash was decided upon and mended.
type night struct {
	t   *testing.T
	dir string
}

func newNight(t *testing.T, networks string) night {
	t.Helper()
	n := night{t, t.TempDir()}
	check(t, os.WriteFile(n.path("z2mha.yaml"), []byte(networks), 0o600))
	return n
}

func (n night) path(name string) string { return filepath.Join(n.dir, name) }

// decide keeps what a recorded case leads to.
func (n night) decide(words string) {
	n.t.Helper()
	c, err := recorded.Parse(words)
	check(n.t, err)
	s := decisions.New(n.path("state/decisions"), "1.2.3", durable.Disk{}, slog.New(slog.DiscardHandler))
	defer s.Close()
	inputs, all := c.Decide()
	for i := range all {
		_, _, err := s.Keep(inputs[i], all[i])
		check(n.t, err)
	}
}

// run returns what was printed, and the exit code.
func (n night) run(args ...string) (string, int) {
	n.t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"--config", n.path("z2mha.yaml")}, args...))
	root.SetOut(&out)
	root.SetErr(io.Discard)
	err := root.ExecuteContext(context.Background())
	if err != nil {
		out.WriteString(err.Error() + "\n")
	}
	return out.String(), exitCode(err)
}

const crashAtNight = `# A crash, repaired in place.

node attic: crashed
bridge: offline 1s

after 4s
`

func TestWhy(t *testing.T) {
	n := newNight(t, shelfConfig)
	if out, code := n.run("why"); code != exitFailed || !strings.Contains(out, "nothing was decided for home yet") {
		t.Errorf("before the first: %d, %s", code, out)
	}
	n.decide(crashAtNight)
	second := time.Date(2026, 3, 4, 3, 0, 4, 0, time.UTC)
	for _, tt := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"why"}, exitOK, []string{"home, decision 2, " + second.Local().Format(time.DateTime), "repair in place, attic", "because:", "attic: process gone for 4 s", "what was so:\n  no node active", "the service manager says failed"}},
		{[]string{"why", "--number", "1"}, exitOK, []string{"decision 1,", ": wait, attic", "it must be so for 3 s"}},
		{[]string{"why", "--at", second.Add(-time.Second).Format(time.RFC3339)}, exitOK, []string{"decision 1,"}},
		{[]string{"why", "--at", second.Local().Add(time.Minute).Format("2006-01-02 15:04")}, exitOK, []string{"decision 2,"}},
		{[]string{"why", "--not", "failover"}, exitOK, []string{"it was not decided to fail over, because:\n  attic: process gone for 4 s; its service is restarted before anything else is tried"}},
		{[]string{"why", "--not", "start"}, exitOK, []string{"attic served until just now"}},
		{[]string{"why", "--not", "repair"}, exitOK, []string{"it was decided to repair in place:"}},
		{[]string{"why", "--not", "fail-back", "--number", "1"}, exitOK, []string{"decision 1,", "it was not decided to move back"}},
		{[]string{"why", "--not", "magic"}, exitUsage, []string{`no action "magic"`, "failover, start"}},
		{[]string{"why", "--number", "7"}, exitFailed, []string{"decision 7 of home is not kept"}},
		{[]string{"why", "--at", "2020-01-01 00:00"}, exitFailed, []string{"no decision of home is kept from 2020-01-01 00:00:00 or before"}},
		{[]string{"why", "--at", "yesterday"}, exitUsage, []string{"is no time"}},
		{[]string{"why", "--at", "03:00", "--number", "1"}, exitUsage, []string{"not both"}},
		{[]string{"why", "-n", "barn"}, exitUsage, []string{"no network"}},
	} {
		out, code := n.run(tt.args...)
		for _, want := range tt.want {
			if !strings.Contains(out, want) {
				t.Errorf("%q does not say %q:\n%s", tt.args, want, out)
			}
		}
		if code != tt.code {
			t.Errorf("%q: exit code %d\n%s", tt.args, code, out)
		}
	}
}

func TestReplay(t *testing.T) {
	n := newNight(t, shelfConfig)
	n.decide(crashAtNight)
	exported, code := n.run("why", "--json")
	if code != exitOK {
		t.Fatal(exported)
	}
	for name, text := range map[string]string{
		"same.json":  exported,
		"other.json": strings.Replace(exported, `"settle": 3000000000`, `"settle": 60000000000`, 1),
		"torn.json":  exported[:200],
		"case.txt":   crashAtNight,
		"bad.txt":    "# A case.\nnode attic: explodes\n",
	} {
		check(t, os.WriteFile(n.path(name), []byte(text), 0o600))
	}
	recordedCase, err := filepath.Abs("../../internal/failover/decide/testdata/crash-repaired-in-place.txt")
	check(t, err)
	for _, tt := range []struct {
		file, want string
		code       int
	}{
		{n.path("same.json"), "decided the same, bit for bit", exitOK},
		{n.path("other.json"), "is:    \"action\": \"wait\"", exitFailed},
		{n.path("torn.json"), "no stored decision", exitUsage},
		{n.path("case.txt"), "is:  => repair attic", exitFailed},
		{n.path("bad.txt"), `line 2: node: "explodes" is not known; known are: new, runs`, exitUsage},
		{recordedCase, "decided the same, 2 times", exitOK},
		{n.path("none"), "no such file", exitUsage},
	} {
		if out, code := n.run("replay", tt.file); code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit code %d\n%s", filepath.Base(tt.file), code, out)
		}
	}
	if out, code := n.run("replay"); code != exitUsage {
		t.Errorf("without a file: %d, %s", code, out)
	}
}

func TestMomentsAreRead(t *testing.T) {
	now := time.Date(2026, 3, 4, 3, 31, 0, 0, time.UTC)
	for s, want := range map[string]string{
		"03:31": "2026-03-04 03:31:00", "03:30:59": "2026-03-04 03:30:59", "23:00": "2026-03-03 23:00:00",
		"2026-03-01 12:00": "2026-03-01 12:00:00", "2026-03-01T12:00:00Z": "2026-03-01 12:00:00",
	} {
		if got, err := moment(s, now); err != nil || got.Format(time.DateTime) != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
}
