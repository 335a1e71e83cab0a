package events_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/events"
)

var quiet = slog.New(slog.DiscardHandler)

func event(network string, n int) status.Event {
	return status.Event{At: time.Date(2026, 3, 4, 3, 0, n, 0, time.UTC), Network: network, Type: status.EventRefused,
		Text: fmt.Sprintf("number %d of <b>\"many\"\nlines</b>", n)}
}

func appendAll(t testing.TB, e *events.Events, network string, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := e.Append(event(network, n)); err != nil {
			t.Fatal(err)
		}
	}
}

func load(t testing.TB, e *events.Events, network string) []status.Event {
	t.Helper()
	got, err := e.Load(network)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "events")
	e := events.New(dir, durable.Disk{}, quiet)
	if got := load(t, e, "home"); len(got) != 0 {
		t.Fatalf("nothing happened yet: %v", got)
	}
	appendAll(t, e, "home", 0, 3)
	appendAll(t, e, "barn", 7, 8)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	again := events.New(dir, durable.Disk{}, quiet)
	defer again.Close()
	if d := cmp.Diff([]status.Event{event("home", 0), event("home", 1), event("home", 2)}, load(t, again, "home")); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if got := load(t, again, "barn"); len(got) != 1 || got[0].At.Second() != 7 {
		t.Errorf("the other network has %v", got)
	}
}

func TestBounded(t *testing.T) {
	const many = 2*events.Max + 3
	dir := t.TempDir()
	e := events.New(dir, durable.Disk{}, quiet)
	defer e.Close()
	appendAll(t, e, "home", 0, many)
	got := load(t, e, "home")
	if len(got) > events.Max || len(got) < events.Max/2 {
		t.Errorf("%d are kept", len(got))
	}
	if d := cmp.Diff(event("home", many-1), got[len(got)-1]); d != "" {
		t.Errorf("newest (-want +got):\n%s", d)
	}
	data, err := os.ReadFile(filepath.Join(dir, "home.jsonl"))
	if err != nil || bytes.Count(data, []byte("\n")) != len(got) {
		t.Errorf("%d lines on disk, %v", bytes.Count(data, []byte("\n")), err)
	}
}

func TestDamage(t *testing.T) {
	const a, b = `{"type":"refused","text":"a"}`, `{"type":"refused","text":"b"}`
	for _, tt := range []struct {
		name    string
		content string
		want    int
		aside   string // ending of the name under which it is kept
	}{
		{"skips a torn last line", a + "\n" + b + "\n" + `{"type":"ref`, 2, durable.TornSuffix},
		{"ends a last line that only lacks its line feed", a + "\n" + b, 2, ""},
		{"keeps a file aside with rubbish in the middle", a + "\n\x00\xff{\n" + b + "\n", 2, ".damaged-*"},
		{"keeps a file aside that is rubbish", "\x7fELF\x00\n\n\x00\n", 0, ".damaged-*"},
		{"keeps aside what is JSON and no event", a + "\n" + `{"n":1}` + "\n", 1, ".damaged-*"},
		{"keeps aside a field of another type", a + "\n" + `{"type":7}` + "\n", 1, ".damaged-*"},
		{"takes an empty file", "", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "home.jsonl")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			e := events.New(filepath.Dir(path), durable.Disk{}, slog.New(slog.NewTextHandler(&said, nil)))
			defer e.Close()
			appendAll(t, e, "home", 9, 10)
			if got := load(t, e, "home"); len(got) != tt.want+1 || got[len(got)-1].At.Second() != 9 {
				t.Errorf("%d events, want %d and the new one: %v", len(got), tt.want, got)
			}
			wantAside(t, path, tt.aside, tt.content)
			if damaged := strings.HasPrefix(tt.aside, ".damaged"); damaged != strings.Contains(said.String(), "damaged") {
				t.Errorf("said %q", said.String())
			}
		})
	}
}

func wantAside(t testing.TB, path, ending, content string) {
	t.Helper()
	found, err := filepath.Glob(path + ".*")
	if err != nil {
		t.Fatal(err)
	}
	if ending == "" {
		if len(found) != 0 {
			t.Errorf("kept aside: %v", found)
		}
		return
	}
	matched, err := filepath.Glob(path + ending)
	if err != nil || len(matched) != 1 {
		t.Fatalf("kept aside: %v, want one of %s", found, ending)
	}
	if got, err := os.ReadFile(matched[0]); err != nil || (ending != durable.TornSuffix && string(got) != content) {
		t.Errorf("kept aside %q, %v", got, err)
	}
}

func TestFullDisk(t *testing.T) {
	full := false
	disk := durable.Disk{Fault: func(op durable.Op, _ string) error {
		if full && op == durable.OpWrite {
			return &durable.TornError{Bytes: 3, Err: syscall.ENOSPC}
		}
		return nil
	}}
	e := events.New(t.TempDir(), disk, quiet)
	defer e.Close()
	appendAll(t, e, "home", 0, 1)
	full = true
	if err := e.Append(event("home", 1)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("full disk: %v", err)
	}
	full = false
	appendAll(t, e, "home", 2, 3)
	if got := load(t, e, "home"); len(got) != 2 || got[1].At.Second() != 2 {
		t.Errorf("after a full disk: %v", got)
	}
}

// Wherever a crash comes while the oldest are dropped, the newest are there after it.
func TestCrashWhileShortened(t *testing.T) {
	for n := 1; n < 20; n++ {
		dir := t.TempDir()
		var lines bytes.Buffer
		for i := range events.Max {
			fmt.Fprintf(&lines, "{\"type\":\"refused\",\"text\":\"%d\"}\n", i)
		}
		if err := os.WriteFile(filepath.Join(dir, "home.jsonl"), lines.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		e := events.New(dir, durable.Disk{Fault: durable.CrashAt(n)}, quiet)
		err := e.Append(event("home", 1))
		_ = e.Close()
		after := events.New(dir, durable.Disk{}, quiet)
		got := load(t, after, "home")
		_ = after.Close()
		if len(got) < events.Max/2 || (err != nil && got[len(got)-1].Text != fmt.Sprint(events.Max-1) && got[len(got)-1].At.IsZero()) {
			t.Errorf("crash at operation %d left %d events, the last is %v", n, len(got), got[len(got)-1])
		}
		if err == nil {
			return
		}
	}
	t.Error("it never came through")
}

func TestNameThatLeadsElsewhere(t *testing.T) {
	e := events.New(t.TempDir(), durable.Disk{}, quiet)
	if err := e.Append(event("../x", 1)); err == nil {
		t.Error("a name that leads elsewhere was accepted")
	}
}
