package decisions_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/decide/recorded"
	"z2mha/internal/storage/decisions"
	"z2mha/internal/storage/durable"
)

var quiet = slog.New(slog.DiscardHandler)

// moment is one moment of a home in the words of recorded cases, decided.
func moment(t testing.TB, words string) (decide.Input, decide.Decision) {
	t.Helper()
	c, err := recorded.Parse("# a test\n" + words)
	if err != nil {
		t.Fatal(err)
	}
	inputs, all := c.Decide()
	return inputs[len(inputs)-1], all[len(all)-1]
}

func keep(t testing.TB, s *decisions.Store, words string) (int, bool) {
	t.Helper()
	n, kept, err := s.Keep(moment(t, words))
	if err != nil {
		t.Fatal(err)
	}
	return n, kept
}

func open(t testing.TB, dir string, disk durable.Disk) *decisions.Store {
	s := decisions.New(dir, "1.2.3", disk, quiet)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

const crash = "node attic: crashed\nbridge: offline 1s\n"

func TestKeepsWhatIsNew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "decisions")
	s := open(t, dir, durable.Disk{})
	for _, tt := range []struct {
		does, words string
		number      int
		kept        bool
	}{
		{"keeps the first one", "", 1, true},
		{"does not keep one that differs by ages only", "after 25s\n", 1, false},
		{"does not keep a look while nothing else has changed", "radio: heard 95s\n", 1, false},
		{"keeps a trouble", crash, 2, true},
		{"does not keep that it waits for longer", crash + "after 1s\n", 2, false},
		{"keeps what is carried out", crash + "after 4s\n", 3, true},
		{"keeps it again when it is carried out again", crash + "after 4s\n", 4, true},
		{"keeps that all is well again", "", 5, true},
	} {
		if n, kept := keep(t, s, tt.words); n != tt.number || kept != tt.kept {
			t.Errorf("it %s: number %d, kept %v", tt.does, n, kept)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "home.jsonl"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestFindsAndReplays(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, durable.Disk{})
	keep(t, s, "")
	keep(t, s, crash)
	keep(t, s, crash+"after 4s\n")
	_, want := moment(t, crash+"after 4s\n")
	got, err := decisions.Number(dir, "home", 3)
	if err != nil || got.Program != "1.2.3" {
		t.Fatalf("%+v, %v", got, err)
	}
	if diff := cmp.Diff(want, got.Decision); diff != "" {
		t.Error(diff)
	}
	last, err := decisions.Last(dir, "home", 2)
	if err != nil || len(last) != 2 || last[0].Number != 2 || last[1].Number != 3 {
		t.Errorf("last two: %+v, %v", last, err)
	}
	at, err := decisions.At(dir, "home", got.At.Add(-time.Second))
	if err != nil || at.Number != 2 {
		t.Errorf("just before: number %d, %v", at.Number, err)
	}
	if _, err := decisions.At(dir, "home", got.At.Add(-time.Hour)); !errors.Is(err, decisions.ErrNone) {
		t.Errorf("before all: %v", err)
	}
	if _, err := decisions.Number(dir, "other", 1); !errors.Is(err, decisions.ErrNone) {
		t.Errorf("of another network: %v", err)
	}
	stored, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	was, is, err := decisions.Replay(stored)
	if err != nil || !bytes.Equal(was, is) {
		t.Errorf("replayed otherwise: %v\n%s\n%s", err, was, is)
	}
	other := bytes.Replace(stored, []byte(`"settle": 3000000000`), []byte(`"settle": 60000000000`), 1)
	if was, is, err = decisions.Replay(other); err != nil || bytes.Equal(was, is) {
		t.Errorf("another policy makes no difference: %v", err)
	}
	for _, bad := range []string{"", "[]", "{}", `{"input": {}}`} {
		if _, _, err := decisions.Replay([]byte(bad)); err == nil {
			t.Errorf("%q was replayed", bad)
		}
	}
}

func TestGoesOn(t *testing.T) {
	for _, tt := range []struct {
		name string
		harm func([]byte) []byte
		want []int // numbers that are read after one more was kept
	}{
		{"after a restart", func(b []byte) []byte { return b }, []int{1, 2, 3}},
		{"after a crash in mid-write", func(b []byte) []byte { return append(b, `{"number":3,"at":"20`...) }, []int{1, 2, 3}},
		{"after the last line was cut", func(b []byte) []byte { return b[:len(b)-9] }, []int{1, 2}},
		{"with a new file when one is damaged", func(b []byte) []byte { return append([]byte("{\n"), b...) }, []int{3}},
		{"when somebody has removed the file", func([]byte) []byte { return nil }, []int{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, durable.Disk{})
			keep(t, s, "")
			keep(t, s, crash)
			_ = s.Close()
			path := filepath.Join(dir, "home.jsonl")
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, tt.harm(data), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			keep(t, open(t, dir, durable.Disk{}), crash+"after 4s\n")
			all, err := decisions.Last(dir, "home", 10)
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, s := range all {
				got = append(got, s.Number)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStaysSmall(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, durable.Disk{Fault: func(durable.Op, string) error { return nil }})
	in, d := moment(t, crash+"after 4s\n")
	in.State.Open = strings.Repeat("x", 200_000) // so that it takes few of them
	for n := 1; n <= 60; n++ {
		if got, kept, err := s.Keep(in, d); err != nil || !kept || got != n {
			t.Fatalf("%d: number %d, kept %v, %v", n, got, kept, err)
		}
	}
	var size int64
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		info, _ := e.Info()
		size += info.Size()
	}
	if size > decisions.Max || size < decisions.Max/2-300_000 {
		t.Errorf("%d bytes", size)
	}
	all, err := decisions.Last(dir, "home", 1000)
	if err != nil || all[len(all)-1].Number != 60 || all[0].Number != 61-len(all) || len(all) < 20 {
		t.Errorf("%d kept, the last %d, %v", len(all), all[len(all)-1].Number, err)
	}
}

func TestDiskFaults(t *testing.T) {
	full := true
	s := open(t, t.TempDir(), durable.Disk{Fault: func(op durable.Op, path string) error {
		if full && op == durable.OpWrite {
			return syscall.ENOSPC
		}
		return nil
	}})
	in, d := moment(t, crash)
	if _, _, err := s.Keep(in, d); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
	full = false
	if n, kept, err := s.Keep(in, d); n != 1 || !kept || err != nil {
		t.Errorf("with room again: %d, %v, %v", n, kept, err)
	}
	in.Health.Network = "../home"
	if _, _, err := s.Keep(in, d); err == nil || !strings.Contains(err.Error(), "a-z") {
		t.Errorf("a name that leads elsewhere: %v", err)
	}
}
