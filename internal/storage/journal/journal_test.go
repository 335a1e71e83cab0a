package journal_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/journal"
)

var _ engine.Journal = (*journal.Journal)(nil)

var start = time.Date(2026, 3, 4, 3, 31, 0, 0, time.UTC)

func TestRecord(t *testing.T) {
	j := journal.New(filepath.Join(t.TempDir(), "runs"), durable.Disk{})
	run, err := j.Create(plan.Entry{Seq: 1, Run: "r1", At: start, Event: "begin", Note: "attic → cellar"}, "home")
	must(t, err)
	must(t, run.Append(plan.Entry{Seq: 2, Run: "r1", At: start.Add(time.Second), Event: "intent", Step: "stop", Node: "attic", Data: json.RawMessage(`{"budget":"60s"}`)}))
	must(t, run.Close())

	got, err := j.Load("home", "r1")
	must(t, err)
	want := []plan.Entry{
		{Seq: 1, Run: "r1", At: start, Event: "begin", Note: "attic → cellar"},
		{Seq: 2, Run: "r1", At: start.Add(time.Second), Event: "intent", Step: "stop", Node: "attic", Data: json.RawMessage(`{"budget":"60s"}`)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("loaded (-want +got):\n%s", d)
	}
}

func TestFileIsReadable(t *testing.T) {
	dir := t.TempDir()
	j := journal.New(dir, durable.Disk{})
	run, err := j.Create(plan.Entry{Seq: 1, Run: "r1", At: start, Event: "begin"}, "home")
	must(t, err)
	must(t, run.Append(plan.Entry{Seq: 2, Run: "r1", At: start, Event: "intent", Step: "stop", Node: "attic"}))
	must(t, run.Close())
	got, err := os.ReadFile(filepath.Join(dir, "home", "r1.jsonl"))
	must(t, err)
	want := `{"seq":1,"at":"2026-03-04T03:31:00Z","run":"r1","event":"begin"}
{"seq":2,"at":"2026-03-04T03:31:00Z","run":"r1","event":"intent","step":"stop","node":"attic"}
`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("file (-want +got):\n%s", d)
	}
}

func TestOpenAfterTornLine(t *testing.T) {
	dir := t.TempDir()
	j := journal.New(dir, durable.Disk{})
	run, err := j.Create(plan.Entry{Seq: 1, Run: "r1", At: start, Event: "begin"}, "home")
	must(t, err)
	must(t, run.Append(plan.Entry{Seq: 2, Run: "r1", At: start, Event: "intent"}))
	must(t, run.Close())
	path := filepath.Join(dir, "home", "r1.jsonl")
	tear(t, path, `{"seq":3,"at":"2026`)

	loaded, err := j.Load("home", "r1")
	must(t, err)
	if len(loaded) != 2 {
		t.Fatalf("%d entries, want the two whole ones", len(loaded))
	}
	run, err = j.Open("home", "r1")
	must(t, err)
	must(t, run.Append(plan.Entry{Seq: 3, Run: "r1", At: start, Event: "resumed"}))
	must(t, run.Close())
	entries, err := j.Load("home", "r1")
	must(t, err)
	if last := entries[len(entries)-1]; last.Seq != 3 || last.Event != "resumed" {
		t.Errorf("last entry %+v", last)
	}
	if _, err := os.Stat(path + durable.TornSuffix); err != nil {
		t.Errorf("torn line was not kept: %v", err)
	}
}

func TestRuns(t *testing.T) {
	j := journal.New(t.TempDir(), durable.Disk{})
	none, err := j.Runs("home")
	must(t, err)
	if len(none) != 0 {
		t.Errorf("runs before the first: %v", none)
	}
	for _, r := range []struct {
		network, id string
		at          time.Duration
	}{
		{"home", "later", time.Hour}, {"home", "first", 0}, {"home", "also-first", 0}, {"barn", "other", 0},
	} {
		run, err := j.Create(plan.Entry{Seq: 1, Run: r.id, At: start.Add(r.at), Event: "begin"}, r.network)
		must(t, err)
		must(t, run.Close())
	}
	got, err := j.Runs("home")
	must(t, err)
	if d := cmp.Diff([]string{"also-first", "first", "later"}, got); d != "" {
		t.Errorf("runs (-want +got):\n%s", d)
	}
}

func TestCreateTwice(t *testing.T) {
	j := journal.New(t.TempDir(), durable.Disk{})
	run, err := j.Create(plan.Entry{Seq: 1, Run: "r1", At: start, Event: "begin", Note: "the first"}, "home")
	must(t, err)
	must(t, run.Close())
	if _, err := j.Create(plan.Entry{Seq: 1, Run: "r1", At: start, Event: "begin"}, "home"); !errors.Is(err, journal.ErrRunExists) {
		t.Errorf("second create: %v, want ErrRunExists", err)
	}
	entries, err := j.Load("home", "r1")
	must(t, err)
	if entries[0].Note != "the first" {
		t.Errorf("the first record was overwritten: %+v", entries)
	}
}

func TestBadRecords(t *testing.T) {
	const first = `{"seq":1,"at":"2026-03-04T03:31:00Z","run":"r1","event":"begin"}` + "\n"
	const second = `{"seq":2,"at":"2026-03-04T03:31:00Z","run":"r1","event":"intent"}` + "\n"
	for _, tt := range []struct{ name, content, want string }{
		{"names a torn middle line", first + "{\"seq\n" + second, "line 2"},
		{"names a lost entry", first + strings.Replace(second, `"seq":2`, `"seq":3`, 1), "line 2: entry 3"},
		{"names a foreign entry", strings.Replace(first, "r1", "r7", 1), `"r7"`},
		{"names an entry of another shape", `{"seq":"one"}` + "\n" + first, "line 1: not an entry"},
		{"names an empty record", "", "no whole entry"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, "home"), 0o700))
			must(t, os.WriteFile(filepath.Join(dir, "home", "r1.jsonl"), []byte(tt.content), 0o600))
			j := journal.New(dir, durable.Disk{})
			_, loadErr := j.Load("home", "r1")
			_, openErr := j.Open("home", "r1")
			_, runsErr := j.Runs("home")
			for _, err := range []error{loadErr, openErr, runsErr} {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want one with %q", err, tt.want)
				}
			}
		})
	}
}

func TestBadNames(t *testing.T) {
	j := journal.New(t.TempDir(), durable.Disk{})
	for _, name := range []string{"", ".", "..", "../home", "a/b", ".hidden", "a\nb"} {
		if _, err := j.Create(plan.Entry{Seq: 1, Run: "r1"}, name); err == nil {
			t.Errorf("network %q was accepted", name)
		}
		if _, err := j.Load("home", name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("run %q: %v", name, err)
		}
	}
	if _, err := j.Load("home", "unknown"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown run: %v, want fs.ErrNotExist", err)
	}
}

func TestAppendOutOfOrder(t *testing.T) {
	j := journal.New(t.TempDir(), durable.Disk{})
	run, err := j.Create(plan.Entry{Seq: 1, Run: "r1", At: start, Event: "begin"}, "home")
	must(t, err)
	defer run.Close()
	for _, e := range []plan.Entry{{Seq: 1, Run: "r1"}, {Seq: 3, Run: "r1"}, {Seq: 2, Run: "r2"}} {
		if err := run.Append(e); err == nil {
			t.Errorf("%+v was accepted", e)
		}
	}
	must(t, run.Append(plan.Entry{Seq: 2, Run: "r1"}))
}

// Whatever operation a crash comes at, the record is either absent or whole, and
// an acknowledged entry is in it.
func TestCrashes(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		acknowledged, err := recordTwo(journal.New(dir, durable.Disk{Fault: durable.CrashAt(n)}))
		j := journal.New(dir, durable.Disk{})
		runs, runsErr := j.Runs("home")
		must(t, runsErr)
		if acknowledged > 0 && len(runs) != 1 {
			t.Fatalf("crash at operation %d: runs %v", n, runs)
		}
		for range runs {
			run, openErr := j.Open("home", "r1")
			must(t, openErr)
			must(t, run.Close())
			entries, loadErr := j.Load("home", "r1")
			must(t, loadErr)
			if len(entries) < acknowledged {
				t.Errorf("crash at operation %d: %d entries, %d were acknowledged", n, len(entries), acknowledged)
			}
		}
		if err == nil {
			return
		}
	}
}

func recordTwo(j *journal.Journal) (acknowledged int, err error) {
	run, err := j.Create(plan.Entry{Seq: 1, Run: "r1", At: start, Event: "begin"}, "home")
	if err != nil {
		return 0, err
	}
	defer run.Close()
	if err := run.Append(plan.Entry{Seq: 2, Run: "r1", At: start, Event: "intent"}); err != nil {
		return 1, err
	}
	return 2, nil
}

func tear(t testing.TB, path, stump string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.WriteString(stump)
	must(t, err)
	must(t, f.Close())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
