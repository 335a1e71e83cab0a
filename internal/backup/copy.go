package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"z2mha/internal/storage/durable"
)

// What is copied when; see the package comment.
var (
	copiedFirst = []string{"runs", "records"}
	copiedLast  = "shelf"
	blobsName   = "blobs"
	pruneLatch  = ".prune" // shelf.PruneLatch
)

// copyState makes the copy under a name of its own, and names it when it is whole.
func (d Dir) copyState() error {
	names, err := d.contents()
	if err != nil {
		return err
	}
	release, err := d.keepNamed(names)
	if err != nil {
		return err
	}
	defer release()
	for _, name := range inOrder(names) {
		if err := copyAny(d.path(name), filepath.Join(d.partDir(), name), false); err != nil {
			return fmt.Errorf("copy the state for a backup: %w", err)
		}
	}
	if err := os.MkdirAll(d.partDir(), 0o700); err != nil {
		return fmt.Errorf("copy the state for a backup: %w", err)
	}
	return d.Disk.Rename(d.partDir(), d.copyDir())
}

// keepNamed keeps the shelf from being tidied while it is copied, so that what a copied
// generation names is not removed before it is copied too. Captures go on.
func (d Dir) keepNamed(names []string) (release func(), err error) {
	if !slices.Contains(names, copiedLast) {
		return func() {}, nil
	}
	l, err := durable.WaitLatch(filepath.Join(d.path(copiedLast), pruneLatch), true)
	if err != nil {
		return nil, fmt.Errorf("copy the state for a backup: %w", err)
	}
	return func() { _ = l.Release() }, nil
}

// contents are the names in the state directory that a backup is about.
func (d Dir) contents() ([]string, error) {
	entries, err := os.ReadDir(d.State)
	if err != nil {
		return nil, fmt.Errorf("copy the state for a backup: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !slices.Contains([]string{markerName, placeName, workName, lockName}, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// inOrder puts first what is written last. The shelf is gone through twice: the second
// time for its blobs.
func inOrder(names []string) []string {
	var middle, last []string
	for _, n := range names {
		switch {
		case n == copiedLast:
			last = []string{n, filepath.Join(n, blobsName)}
		case !slices.Contains(copiedFirst, n):
			middle = append(middle, n)
		}
	}
	return slices.Concat(copiedFirst, middle, last)
}

// copyAny copies a file, or a directory with all below it. What vanishes meanwhile was
// removed on purpose and is left out. Temporary files are nobody's yet, and there is
// nothing but files and directories in a state. link says that the files below from
// never change.
func copyAny(from, to string, link bool) error {
	info, err := os.Lstat(from)
	switch {
	case errors.Is(err, fs.ErrNotExist), durable.IsTemp(filepath.Base(from)), isLatch(from):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return copyDirectory(from, to, link)
	case !info.Mode().IsRegular():
		return nil
	case link && os.Link(from, to) == nil:
		return nil
	}
	return copyFile(from, to, info.Mode().Perm())
}

func copyDirectory(from, to string, link bool) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	blobs := isBlobs(from)
	for _, e := range entries {
		if isBlobs(filepath.Join(from, e.Name())) && !blobs {
			continue // in their turn
		}
		if err := copyAny(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), link || blobs); err != nil {
			return err
		}
	}
	return nil
}

// isBlobs tells the shelf's directory of blobs, <state>/shelf/blobs.
func isBlobs(path string) bool {
	return filepath.Base(path) == blobsName && filepath.Base(filepath.Dir(path)) == copiedLast
}

// isLatch tells the files that programs hold while they work on the shelf.
func isLatch(path string) bool {
	return filepath.Base(filepath.Dir(path)) == copiedLast && strings.HasPrefix(filepath.Base(path), ".")
}

func copyFile(from, to string, perm fs.FileMode) (err error) {
	src, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer src.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	_, err = io.Copy(dst, src)
	return err
}
