// Package events keeps what happened of late: <dir>/<network>.jsonl, one JSON object
// a line, readable with cat, the newest last. It is for people to look back; nothing
// is decided by it. So a damaged file is no reason not to start: it is kept aside
// under another name, and whatever can be read of it goes on.
package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
)

// Max is how many events of a network are kept at most. When they are more, the
// oldest go, some at a time, so that not every event writes the whole file anew.
const (
	Max       = 500
	shortened = 400
)

// Events is the events below one directory. It is for one program at a time.
type Events struct {
	dir  string
	disk durable.Disk
	log  *slog.Logger

	mu   sync.Mutex
	open map[string]*file // by network; guarded by mu
}

// A file is the events of one network, open for appending.
type file struct {
	path  string
	log   *durable.Log
	lines [][]byte
}

// New returns the events below dir, which is created with the first one.
func New(dir string, disk durable.Disk, log *slog.Logger) *Events {
	return &Events{dir: dir, disk: disk, log: log, open: map[string]*file{}}
}

// Load returns the events of a network, the oldest first.
func (e *Events) Load(network string) ([]status.Event, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f, err := e.file(network)
	if err != nil {
		return nil, err
	}
	out := make([]status.Event, 0, len(f.lines))
	for _, line := range f.lines {
		if ev, ok := decode(line); ok {
			out = append(out, ev)
		}
	}
	return out, nil
}

// Append keeps ev and returns when it is on disk.
func (e *Events) Append(ev status.Event) error {
	line, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("keep event %s: %w", ev.Type, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	f, err := e.file(ev.Network)
	if err != nil {
		return err
	}
	if len(f.lines) >= Max {
		if f, err = e.shorten(ev.Network, f); err != nil {
			return err
		}
	}
	if err := f.log.Append(line); err != nil {
		e.shut(ev.Network) // the next one looks at the disk again
		return err
	}
	f.lines = append(f.lines, line)
	return nil
}

// Close releases the files. What was appended is on disk already.
func (e *Events) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	for name, f := range e.open {
		err = errors.Join(err, f.log.Close())
		delete(e.open, name)
	}
	return err
}

// file returns the events of a network as they are on disk.
func (e *Events) file(network string) (*file, error) {
	if f, ok := e.open[network]; ok {
		return f, nil
	}
	if !safeName.MatchString(network) {
		return nil, fmt.Errorf("network %q: only a-z, 0-9, _ and - may be in a name", network)
	}
	if err := e.disk.MkdirAll(e.dir, 0o700); err != nil {
		return nil, err
	}
	f := &file{path: filepath.Join(e.dir, network+".jsonl")}
	if err := e.mend(f.path); err != nil {
		return nil, err
	}
	if err := e.reopen(f); err != nil {
		return nil, err
	}
	e.open[network] = f
	return f, nil
}

func (e *Events) reopen(f *file) (err error) {
	if f.log, err = e.disk.OpenLog(f.path, 0o600); err != nil {
		return err
	}
	if f.lines, err = durable.ReadLines(f.path); err != nil {
		return errors.Join(err, f.log.Close())
	}
	return nil
}

// mend keeps a file aside in whose middle something is no event, and goes on with
// the lines that are. A torn last line is left to the log, which keeps it aside too.
func (e *Events) mend(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	good, bad := sift(data)
	if bad == 0 {
		return nil
	}
	aside := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000")
	if err := e.disk.Rename(path, aside); err != nil {
		return err
	}
	e.log.Warn("events were damaged; the file was kept aside", "file", path, "aside", aside, "lines lost", bad, "lines kept", len(good))
	return e.write(path, good)
}

// sift tells whole events from other lines. What stands last and has no end is
// neither.
func sift(data []byte) (good [][]byte, bad int) {
	for len(data) > 0 {
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		_, ok := decode(line)
		switch {
		case ok:
			good = append(good, line)
		case ended:
			bad++
		}
		data = rest
	}
	return good, bad
}

// decode reads one line; false when it is no event.
func decode(line []byte) (status.Event, bool) {
	var ev status.Event
	err := json.Unmarshal(line, &ev)
	return ev, err == nil && ev.Type != ""
}

// shorten drops the oldest events, in one act.
func (e *Events) shorten(network string, f *file) (*file, error) {
	keep := f.lines[len(f.lines)-shortened:]
	e.shut(network)
	if err := e.write(f.path, keep); err != nil {
		return nil, err
	}
	return e.file(network)
}

func (e *Events) write(path string, lines [][]byte) error {
	var b bytes.Buffer
	for _, line := range lines {
		b.Write(line)
		b.WriteByte('\n')
	}
	return e.disk.WriteFile(path, b.Bytes(), 0o600)
}

func (e *Events) shut(network string) {
	if f, ok := e.open[network]; ok {
		_ = f.log.Close()
		delete(e.open, network)
	}
}

var safeName = regexp.MustCompile(`^[a-z0-9_-]+$`)
