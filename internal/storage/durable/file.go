package durable

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempMark separates the final name from the random part of a temporary one.
const tempMark = ".tmp-"

// WriteFile replaces path by data on the real disk; see Disk.WriteFile.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return Disk{}.WriteFile(path, data, perm)
}

// WriteFile replaces path by data: after a crash the file has either its old
// content or all of data, never a part. When it returns nil, data is on disk. A
// symbolic link at path is replaced, not followed.
func (d Disk) WriteFile(path string, data []byte, perm fs.FileMode) error {
	p, err := d.Create(path, perm)
	if err != nil {
		return err
	}
	defer p.Abort()
	if _, err := p.Write(data); err != nil {
		return err
	}
	return p.Commit()
}

// A Pending is a file on its way: written under a temporary name beside its
// final one, and seen by nobody before Commit.
type Pending struct {
	disk Disk
	file *os.File
	path string
	done bool
}

// Create begins a new content for path. The caller ends it with Commit or Abort;
// Abort after Commit does nothing, so it can be deferred.
func (d Disk) Create(path string, perm fs.FileMode) (*Pending, error) {
	if err := d.fault(OpCreate, path); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+tempMark)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Chmod(perm); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return &Pending{disk: d, file: f, path: path}, nil
}

// Write appends to the new content.
func (p *Pending) Write(b []byte) (int, error) {
	n, err := p.disk.write(p.file, p.path, b)
	if err != nil {
		return n, fmt.Errorf("write %s: %w", p.path, err)
	}
	return n, nil
}

// Commit puts the new content in place and returns when it is on disk.
func (p *Pending) Commit() error {
	if err := p.disk.sync(p.file, p.path); err != nil {
		return fmt.Errorf("sync %s: %w", p.path, err)
	}
	if err := p.file.Close(); err != nil {
		return fmt.Errorf("write %s: %w", p.path, err)
	}
	if err := p.disk.Rename(p.file.Name(), p.path); err != nil {
		return err
	}
	p.done = true
	return nil
}

// Abort forgets the new content; the file at the final name stays as it was.
func (p *Pending) Abort() {
	if p.done {
		return
	}
	p.done = true
	p.file.Close()
	if p.disk.fault(OpRemove, p.file.Name()) == nil {
		os.Remove(p.file.Name())
	}
}

// Sweep removes from dir what a crash between Create and Commit left behind.
// Call it only while no file of dir is being written.
func (d Disk) Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("sweep %s: %w", dir, err)
	}
	for _, e := range entries {
		if !IsTemp(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}

// IsTemp says that a name in a directory is one of a file not yet committed.
func IsTemp(name string) bool {
	return strings.HasPrefix(name, ".") && strings.Contains(name, tempMark)
}
