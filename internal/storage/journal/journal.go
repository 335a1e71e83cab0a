// Package journal is the durable record of plan runs: what a run is about to do
// is on disk before it is done, and how it went afterwards. One file per run,
// <dir>/<network>/<run>.jsonl, one JSON object a line, readable with cat.
//
// A crash may tear the last line; that entry was never acknowledged, so nothing
// was done on the strength of it. It is left out by Load and kept aside by Open.
// The journal is for one program at a time; the lock on the state directory sees
// to that.
package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/storage/durable"
)

const suffix = ".jsonl"

// ErrRunExists says that a run of that id was recorded before.
var ErrRunExists = errors.New("a run of this id is in the journal already")

// A Journal keeps the records of all runs below one directory.
type Journal struct {
	dir  string
	disk durable.Disk
}

// New returns the journal below dir, which is created with the first run.
func New(dir string, disk durable.Disk) *Journal { return &Journal{dir: dir, disk: disk} }

// Create begins the record of the run that first names and returns when first is
// on disk. A run id that was used before is ErrRunExists.
func (j *Journal) Create(first plan.Entry, network string) (engine.Run, error) {
	path, err := j.path(network, first.Run)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("begin run %s of %s: %w", first.Run, network, ErrRunExists)
	}
	line, err := encode(first, first.Run, 1)
	if err != nil {
		return nil, err
	}
	if err := j.disk.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// Put in place in one act, so that a record without a first entry never exists.
	if err := j.disk.WriteFile(path, append(line, '\n'), 0o600); err != nil {
		return nil, err
	}
	return j.Open(network, first.Run)
}

// Open returns a recorded run to be gone on with. A torn last line is kept aside
// and cut off. An unknown run is fs.ErrNotExist.
func (j *Journal) Open(network, run string) (engine.Run, error) {
	entries, err := j.Load(network, run)
	if err != nil {
		return nil, err
	}
	path, err := j.path(network, run)
	if err != nil {
		return nil, err
	}
	log, err := j.disk.OpenLog(path, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open run %s of %s: %w", run, network, err)
	}
	return &Run{log: log, id: run, last: len(entries)}, nil
}

// Load returns what a run has recorded and changes nothing. An unknown run is
// fs.ErrNotExist.
func (j *Journal) Load(network, run string) ([]plan.Entry, error) {
	path, err := j.path(network, run)
	if err != nil {
		return nil, err
	}
	lines, err := durable.ReadLines(path)
	if err != nil {
		return nil, fmt.Errorf("load run %s of %s: %w", run, network, err)
	}
	entries := make([]plan.Entry, 0, len(lines))
	for i, line := range lines {
		e, err := decode(line, run, i+1)
		if err != nil {
			return nil, fmt.Errorf("load run %s of %s: %s line %d: %w", run, network, path, i+1, err)
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("load run %s of %s: %s holds no whole entry; move it aside to go on without it", run, network, path)
	}
	return entries, nil
}

// Runs returns the ids of a network's runs, oldest first by their first entries.
// A record that cannot be read is an error rather than left out: it may be the
// one that tells what is going on.
func (j *Journal) Runs(network string) ([]string, error) {
	ids, err := j.ids(network)
	if err != nil {
		return nil, err
	}
	var firsts []plan.Entry
	for _, run := range ids {
		entries, err := j.Load(network, run)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was old, and is tidied away just now
		}
		if err != nil {
			return nil, err
		}
		firsts = append(firsts, entries[0])
	}
	slices.SortFunc(firsts, func(a, b plan.Entry) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Run, b.Run))
	})
	runs := make([]string, len(firsts))
	for i, e := range firsts {
		runs[i] = e.Run
	}
	return runs, nil
}

// ids are the runs that have a record, in no order.
func (j *Journal) ids(network string) ([]string, error) {
	if err := checkName("network", network); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(filepath.Join(j.dir, network))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs of %s: %w", network, err)
	}
	var out []string
	for _, f := range files {
		if run, ok := strings.CutSuffix(f.Name(), suffix); ok && !durable.IsTemp(f.Name()) {
			out = append(out, run)
		}
	}
	return out, nil
}

func (j *Journal) path(network, run string) (string, error) {
	if err := errors.Join(checkName("network", network), checkName("run", run)); err != nil {
		return "", err
	}
	return filepath.Join(j.dir, network, run+suffix), nil
}

var safeName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._:+-]*$`)

// checkName refuses what would lead out of the journal's directory.
func checkName(what, name string) error {
	if !safeName.MatchString(name) {
		return fmt.Errorf("%s %q: only letters, digits and ._:+- may be in a name of the journal", what, name)
	}
	return nil
}
