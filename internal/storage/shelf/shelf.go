// Package shelf keeps what was captured: file contents and stick images under
// their SHA-256, and numbered generations that name them.
//
//	<dir>/blobs/ab/abcd…            one content, 0600
//	<dir>/damaged/abcd…             a content that no longer has its hash
//	<dir>/<network>/000012.json     one generation
//	<dir>/<network>/sticks/NODE.jsonl  what was on a node's stick, oldest first
//	<dir>/.latch, <dir>/.prune      held for the length of one act
//
// A blob is on disk before a generation or an index line names it, and is removed
// after the last of them, so a crash can leave a blob that nothing names, never a
// name without its blob.
//
// A capture that is refused is kept like any other; Latest passes it over.
package shelf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"z2mha/internal/storage/durable"
)

const (
	blobsDir   = "blobs"
	damagedDir = "damaged"
	sticksDir  = "sticks"

	latchName = ".latch" // see alone
	// PruneLatch is the file that Prune holds alone. Whoever copies the shelf shares it,
	// so that nothing that is named vanishes meanwhile.
	PruneLatch = ".prune"
)

// A Shelf is the store below one directory. It may be used by several goroutines and
// by several programs at a time.
type Shelf struct {
	dir  string
	disk durable.Disk
	now  func() time.Time
}

// Options are what a Shelf takes from outside; the zero value is for production.
type Options struct {
	Disk durable.Disk
	Now  func() time.Time // time.Now when nil
	// Beside says that another program may be writing on the shelf just now, so that
	// half-written files are none of ours.
	Beside bool
}

// Open returns the shelf below dir, which is created when missing. It removes
// what a crash left half written, unless another program may be writing it.
func Open(dir string, o Options) (*Shelf, error) {
	s := &Shelf{dir: dir, disk: o.Disk, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.disk.MkdirAll(filepath.Join(dir, blobsDir), 0o700); err != nil {
		return nil, err
	}
	if o.Beside {
		return s, nil
	}
	return s, s.sweep()
}

// alone runs one short act on names or blobs while nobody else does, in this program or
// in another.
func (s *Shelf) alone(act func() error) error {
	l, err := durable.WaitLatch(filepath.Join(s.dir, latchName), false)
	if err != nil {
		return err
	}
	return errors.Join(act(), l.Release())
}

// sweep removes temporary files of every directory two levels down, which is
// where blobs, generations and indexes lie.
func (s *Shelf) sweep() error {
	dirs, err := filepath.Glob(filepath.Join(s.dir, "*", "*"))
	if err != nil {
		return fmt.Errorf("sweep shelf: %w", err)
	}
	tops, err := filepath.Glob(filepath.Join(s.dir, "*"))
	if err != nil {
		return fmt.Errorf("sweep shelf: %w", err)
	}
	for _, dir := range append(tops, dirs...) {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		if err := s.disk.Sweep(dir); err != nil {
			return err
		}
	}
	return nil
}

var safeName = regexp.MustCompile(`^[a-z0-9_-]+$`)

// checkName refuses names that would lead elsewhere or collide with blobs.
func checkName(what, name string) error {
	if !safeName.MatchString(name) || name == blobsDir || name == damagedDir {
		return fmt.Errorf("%s %q: not a name for the shelf; use a-z, 0-9, _ and -, and neither %q nor %q",
			what, name, blobsDir, damagedDir)
	}
	return nil
}
