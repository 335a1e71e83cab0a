package runrecord_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/runrecord"
)

var args = map[string]string{"port": "/dev/ttyUSB0", "image": "abc"}

// TestMain lets the test program own a run in another process, until it is told to
// finish or is killed.
func TestMain(m *testing.M) {
	dir := os.Getenv("OWN_A_RUN")
	if dir == "" {
		os.Exit(m.Run())
	}
	run, _, err := runrecord.Join(context.Background(), request(dir))
	if err != nil || run == nil {
		os.Exit(3)
	}
	run.Progress(helperapi.Progress{Step: "write", Done: 1, Total: 2})
	if err := run.SetNote("kept", "over there"); err != nil {
		os.Exit(4)
	}
	os.Stdout.WriteString("mine\n")
	word, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if word == "fail\n" {
		_ = run.Finish(nil, helperapi.Errorf(helperapi.ExitIO, "unplugged"))
	} else {
		_ = run.Finish(json.RawMessage(`{"written":7}`), nil)
	}
}

func request(dir string) runrecord.Request {
	return runrecord.Request{Dir: dir, Run: "run-1", Verb: "write", Args: args}
}

// An owner is another process that owns run-1.
type owner struct {
	cmd *exec.Cmd
	say func(word string)
}

func startOwner(t *testing.T, dir string) owner {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "OWN_A_RUN="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "mine\n" {
		t.Fatalf("the owner said %q", line)
	}
	return owner{cmd, func(word string) { _, _ = in.Write([]byte(word + "\n")) }}
}

func join(t *testing.T, q runrecord.Request) (*runrecord.Run, *runrecord.Record) {
	t.Helper()
	run, over, err := runrecord.Join(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return run, over
}

func TestJoinReturnsTheRecordedResult(t *testing.T) {
	dir := t.TempDir()
	run, _ := join(t, request(dir))
	if run.Resumed() {
		t.Error("a first attempt is no resumption")
	}
	if err := run.Finish(json.RawMessage(`{"written":7}`), nil); err != nil {
		t.Fatal(err)
	}
	_, over := join(t, request(dir))
	var result struct{ Written int }
	if over == nil || over.State != runrecord.Done || json.Unmarshal(over.Result, &result) != nil || result.Written != 7 {
		t.Errorf("got %+v", over)
	}
}

func TestJoinFollowsARunThatGoesOn(t *testing.T) {
	for word, want := range map[string]runrecord.State{"finish": runrecord.Done, "fail": runrecord.Failed} {
		t.Run(string(want), func(t *testing.T) {
			dir := t.TempDir()
			other := startOwner(t, dir)
			q := request(dir)
			var seen helperapi.Progress
			q.Follow = func(p helperapi.Progress) {
				if seen.Step == "" {
					other.say(word)
				}
				seen = p
			}
			run, over := join(t, q)
			if run != nil || over.State != want || seen != (helperapi.Progress{Step: "write", Done: 1, Total: 2}) {
				t.Errorf("run %v, record %+v, progress %+v", run, over, seen)
			}
			if want == runrecord.Failed && (over.Error == nil || over.Error.Exit != helperapi.ExitIO) {
				t.Errorf("error is %+v", over.Error)
			}
		})
	}
}

func TestJoinTakesOverWhenTheProcessDied(t *testing.T) {
	dir := t.TempDir()
	other := startOwner(t, dir)
	if err := other.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.cmd.Wait()
	run, over := join(t, request(dir))
	if over != nil || !run.Resumed() || run.Note("kept") != "over there" {
		t.Errorf("record %+v, resumed %v, note %q", over, run != nil && run.Resumed(), run.Note("kept"))
	}
}

func TestJoinTriesAFailedRunAgain(t *testing.T) {
	dir := t.TempDir()
	run, _ := join(t, request(dir))
	if err := run.Finish(nil, helperapi.Errorf(helperapi.ExitBusy, "in use")); err != nil {
		t.Fatal(err)
	}
	if run, over := join(t, request(dir)); over != nil || !run.Resumed() {
		t.Errorf("got record %+v", over)
	}
}

func TestJoinStopsFollowingWhenAsked(t *testing.T) {
	dir := t.TempDir()
	startOwner(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	q := request(dir)
	q.Follow = func(helperapi.Progress) { cancel() }
	_, _, err := runrecord.Join(ctx, q)
	if exitOf(err) != helperapi.ExitInterrupted {
		t.Errorf("got %v", err)
	}
}

func TestJoinRefuses(t *testing.T) {
	other := maps.Clone(args)
	other["image"] = "def"
	tests := []struct {
		name string
		edit func(*runrecord.Request)
		exit helperapi.Exit
		says string
	}{
		{"another image", func(q *runrecord.Request) { q.Args = other }, helperapi.ExitRefused, `image was "abc", now "def"`},
		{"another verb", func(q *runrecord.Request) { q.Verb = "reset" }, helperapi.ExitRefused, "it was write, now reset"},
		{"a path as run id", func(q *runrecord.Request) { q.Run = "../../etc/x" }, helperapi.ExitUsage, "letters"},
		{"no run id", func(q *runrecord.Request) { q.Run = "" }, helperapi.ExitUsage, "letters"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			run, _ := join(t, request(dir))
			if err := run.Finish(json.RawMessage(`{}`), nil); err != nil {
				t.Fatal(err)
			}
			q := request(dir)
			test.edit(&q)
			_, _, err := runrecord.Join(t.Context(), q)
			if exitOf(err) != test.exit || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v (%v)", err, exitOf(err))
			}
		})
	}
}

func TestJoinForgetsOldRunsAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old.json", `{"run":"old","state":"done","ended":"2020-01-01T00:00:00Z"}`)
	write("old.promotion", "{}")
	write("settings.json", `{"run":"fast","ended":"2020-01-01T00:00:00Z"}`)
	write("notes.json", "not ours")
	join(t, request(dir))
	entries, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, filepath.Base(e))
	}
	if want := []string{"notes.json", "run-1.json", "run-1.lock", "settings.json"}; !slices.Equal(names, want) {
		t.Errorf("left are %v, want %v", names, want)
	}
}

func TestRecordIsForTheOwnersEyes(t *testing.T) {
	dir := t.TempDir()
	run, _ := join(t, request(dir))
	if err := run.SetNote("a", "b"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Name())
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	if !slices.Equal(names, []string{"run-1.json", "run-1.lock"}) {
		t.Errorf("files are %v", names)
	}
	if _, err := runrecord.Load(dir, "run-2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a run nobody started gave %v", err)
	}
}

func exitOf(err error) helperapi.Exit {
	if e, ok := errors.AsType[*helperapi.Error](err); ok {
		return e.Exit
	}
	return helperapi.ExitInternal
}
