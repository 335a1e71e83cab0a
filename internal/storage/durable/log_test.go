package durable_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"z2mha/internal/storage/durable"
)

func TestLogAtOpen(t *testing.T) {
	for _, tt := range []struct {
		name     string
		content  string
		want     string // file after one more {"n":9}
		torn     string // content of the file kept aside
		tornLine int    // > 0: refused, naming this line
	}{
		{name: "starts an empty file", want: `{"n":9}` + "\n"},
		{name: "goes on after whole lines", content: "{\"n\":1}\n{\"n\":2}\n", want: "{\"n\":1}\n{\"n\":2}\n{\"n\":9}\n"},
		{name: "keeps a torn last line aside", content: "{\"n\":1}\n{\"n\"", want: "{\"n\":1}\n{\"n\":9}\n", torn: "{\"n\"\n"},
		{name: "keeps a torn only line aside", content: "{\"n", want: "{\"n\":9}\n", torn: "{\"n\n"},
		{name: "keeps a last line of zero bytes aside", content: "{\"n\":1}\n\x00\x00\x00", want: "{\"n\":1}\n{\"n\":9}\n", torn: "\x00\x00\x00\n"},
		{name: "ends a whole last line without line feed", content: "{\"n\":1}", want: "{\"n\":1}\n{\"n\":9}\n"},
		{name: "refuses a torn middle line", content: "{\"n\":1}\n{\"n\"\n{\"n\":3}\n", tornLine: 2},
		{name: "refuses a line that is no object", content: "7\n{\"n\":3}\n", tornLine: 1},
		{name: "refuses an empty middle line", content: "{\"n\":1}\n\n{\"n\":3}\n", tornLine: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			must(t, os.WriteFile(path, []byte(tt.content), 0o600))
			log, err := durable.Disk{}.OpenLog(path, 0o600)
			if tt.tornLine > 0 {
				wantTornLine(t, err, tt.tornLine)
				wantFile(t, path, tt.content)
				return
			}
			must(t, err)
			defer log.Close()
			must(t, log.Append([]byte(`{"n":9}`)))
			wantFile(t, path, tt.want)
			if tt.torn != "" {
				wantFile(t, path+durable.TornSuffix, tt.torn)
			} else if _, err := os.Stat(path + durable.TornSuffix); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was kept aside: %v", err)
			}
		})
	}
}

func TestReadLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if _, err := durable.ReadLines(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v, want fs.ErrNotExist", err)
	}
	must(t, os.WriteFile(path, []byte("{\"n\":1}\n{\"n\":2}\n{\"n"), 0o600))
	lines, err := durable.ReadLines(path)
	must(t, err)
	if got := fmt.Sprintf("%s", lines); got != `[{"n":1} {"n":2}]` {
		t.Errorf("lines %s", got)
	}
	wantNames(t, filepath.Dir(path), "log")

	must(t, os.WriteFile(path, []byte("{\"n\":1}\n{\"n\n{\"n\":2}\n"), 0o600))
	_, err = durable.ReadLines(path)
	wantTornLine(t, err, 2)
}

func TestAppendRefuses(t *testing.T) {
	log, err := durable.Disk{}.OpenLog(filepath.Join(t.TempDir(), "log"), 0o600)
	must(t, err)
	defer log.Close()
	for _, line := range []string{"", "7", "{", "{\"a\":\n1}", "{} {}"} {
		if err := log.Append([]byte(line)); err == nil {
			t.Errorf("%q was accepted", line)
		}
	}
}

func TestAppendOnFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	full := false
	disk := durable.Disk{Fault: func(op durable.Op, _ string) error {
		if full && op == durable.OpWrite {
			return &durable.TornError{Bytes: 3, Err: syscall.ENOSPC}
		}
		return nil
	}}
	log, err := disk.OpenLog(path, 0o600)
	must(t, err)
	defer log.Close()
	must(t, log.Append([]byte(`{"n":1}`)))
	full = true
	if err := log.Append([]byte(`{"n":2}`)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("full disk: %v", err)
	}
	wantFile(t, path, "{\"n\":1}\n")
	full = false
	must(t, log.Append([]byte(`{"n":3}`)))
	wantFile(t, path, "{\"n\":1}\n{\"n\":3}\n")
}

func TestAppendAfterFailedSync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	broken := false
	disk := durable.Disk{Fault: func(op durable.Op, _ string) error {
		if broken && op == durable.OpSync {
			return syscall.EIO
		}
		return nil
	}}
	log, err := disk.OpenLog(path, 0o600)
	must(t, err)
	defer log.Close()
	broken = true
	if err := log.Append([]byte(`{"n":1}`)); !errors.Is(err, syscall.EIO) {
		t.Errorf("failed sync: %v", err)
	}
	broken = false
	if err := log.Append([]byte(`{"n":2}`)); !errors.Is(err, syscall.EIO) {
		t.Errorf("a log in doubt accepted a line: %v", err)
	}
}

// Whatever operation a crash comes at, every acknowledged line is there when the
// log is opened again, and appending goes on.
func TestLogCrashes(t *testing.T) {
	for n := 1; ; n++ {
		path := filepath.Join(t.TempDir(), "log")
		must(t, os.WriteFile(path, []byte("{\"n\":0}\n{\"to"), 0o600))
		acknowledged, err := appendThree(path, durable.Disk{Fault: durable.CrashAt(n)})

		log, openErr := durable.Disk{}.OpenLog(path, 0o600)
		must(t, openErr)
		must(t, log.Append([]byte(`{"after":true}`)))
		must(t, log.Close())
		lines, readErr := durable.ReadLines(path)
		must(t, readErr)
		if len(lines) < acknowledged+2 || len(lines) > acknowledged+3 {
			t.Errorf("crash at operation %d: %d lines for %d acknowledged", n, len(lines), acknowledged)
		}
		wantTornOnce(t, path)
		if err == nil {
			return
		}
	}
}

// wantTornOnce checks that the torn line of the start was kept aside, and not
// twice; the crash may have torn another one.
func wantTornOnce(t testing.TB, path string) {
	t.Helper()
	b, err := os.ReadFile(path + durable.TornSuffix)
	must(t, err)
	if strings.Count(string(b), "{\"to\n") != 1 {
		t.Errorf("kept aside: %q, want the first torn line once", b)
	}
}

func appendThree(path string, disk durable.Disk) (acknowledged int, err error) {
	log, err := disk.OpenLog(path, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	for i := range 3 {
		if err := log.Append(fmt.Appendf(nil, `{"n":%d}`, i+1)); err != nil {
			return acknowledged, err
		}
		acknowledged++
	}
	return acknowledged, nil
}

func wantTornLine(t testing.TB, err error, line int) {
	t.Helper()
	torn, ok := errors.AsType[*durable.TornLineError](err)
	if !ok || torn.Line != line {
		t.Errorf("error %v, want a torn line %d", err, line)
	}
}
