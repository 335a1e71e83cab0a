// Package durable writes what must survive a crash of the program, of the
// machine or of its power: whole files that are replaced in one act, and logs of
// JSON lines whose every line is on disk before Append returns.
//
// What it does not guarantee: nothing here helps against a disk that lies about
// fsync, and two programs may not write the same file; see Lock.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// An Op is one kind of access to the disk, as Disk.Fault sees it.
type Op string

// The operations in the order in which replacing a file performs them.
const (
	OpMkdir    Op = "mkdir"
	OpCreate   Op = "create"
	OpOpen     Op = "open"
	OpWrite    Op = "write"
	OpTruncate Op = "truncate"
	OpSync     Op = "sync"
	OpRename   Op = "rename"
	OpRemove   Op = "remove"
	OpSyncDir  Op = "syncdir"
)

// A Disk is the file system. The zero value is the real one.
//
// Fault, when set, is asked before every operation that changes something; an
// error from it stands for the disk's. Tests use it to fill the disk, to break
// fsync and to stop the program at any point; see CrashAt and FailOn.
type Disk struct {
	Fault func(op Op, path string) error
}

// MkdirAll creates path and its missing parents, and makes each of them durable
// in the directory above it. Directories that exist keep their mode.
func (d Disk) MkdirAll(path string, perm fs.FileMode) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("create directory %s: a file of that name is in the way", path)
	}
	if err == nil {
		return nil
	}
	parent := filepath.Dir(path)
	if err := d.MkdirAll(parent, perm); err != nil {
		return err
	}
	if err := d.fault(OpMkdir, path); err != nil {
		return fmt.Errorf("create directory %s: %w", path, err)
	}
	if err := os.Mkdir(path, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create directory: %w", err)
	}
	return d.syncDir(parent)
}

// Rename moves a file within one file system and makes the move durable.
func (d Disk) Rename(from, to string) error {
	if err := d.fault(OpRename, to); err != nil {
		return fmt.Errorf("rename %s to %s: %w", from, to, err)
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	if err := d.syncDir(filepath.Dir(to)); err != nil || filepath.Dir(from) == filepath.Dir(to) {
		return err
	}
	return d.syncDir(filepath.Dir(from))
}

func (d Disk) syncDir(path string) error {
	if err := d.fault(OpSyncDir, path); err != nil {
		return fmt.Errorf("sync directory %s: %w", path, err)
	}
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync directory %s: %w", path, err)
	}
	return nil
}

func (d Disk) fault(op Op, path string) error {
	if d.Fault == nil {
		return nil
	}
	return d.Fault(op, path)
}

// write writes all of b to f, or the part that a Torn fault lets through.
func (d Disk) write(f *os.File, path string, b []byte) (int, error) {
	err := d.fault(OpWrite, path)
	if torn, ok := errors.AsType[*TornError](err); ok {
		n, _ := f.Write(b[:min(torn.Bytes, len(b))])
		return n, err
	}
	if err != nil {
		return 0, err
	}
	return f.Write(b)
}

func (d Disk) sync(f *os.File, path string) error {
	if err := d.fault(OpSync, path); err != nil {
		return err
	}
	return f.Sync()
}

// Remove removes a file and makes that durable. A file that is not there is no error.
func (d Disk) Remove(path string) error {
	if err := d.fault(OpRemove, path); err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return d.syncDir(filepath.Dir(path))
}
