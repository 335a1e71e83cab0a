package datadir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"z2mha/internal/storage/durable"
)

// Operations beside those of package durable.
const (
	opExchange durable.Op = "exchange"
	opOwner    durable.Op = "owner"
	opCopy     durable.Op = "copy"
	opSyncAll  durable.Op = "syncall"
)

// A disk changes files. Every change asks fault first, which tests use to end the
// program, as far as the disk can tell, at any point.
type disk struct {
	durable.Disk
}

func (d disk) ask(op durable.Op, path string) error {
	if d.Fault == nil {
		return nil
	}
	return d.Fault(op, path)
}

// exchange lets two directories change places in one step.
func (d disk) exchange(a, b string) error {
	if err := d.ask(opExchange, b); err != nil {
		return err
	}
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	if slices.Contains(noExchange, err) {
		return fmt.Errorf("%w: %w", errNoExchange, err)
	}
	if err != nil {
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
	}
	return errors.Join(syncDir(filepath.Dir(a)), syncDir(filepath.Dir(b)))
}

// errNoExchange says that the file system, not the state of things, forbids it:
// two file systems, a mount point, a kernel or file system without the call.
var errNoExchange = errors.New("the directories cannot change places")

var noExchange = []error{unix.EXDEV, unix.EINVAL, unix.EBUSY, unix.ENOSYS, unix.EOPNOTSUPP}

// owner gives path its owner and mode, touching only what differs.
func (d disk) owner(path string, want owner) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	isLink := st.Mode&unix.S_IFMT == unix.S_IFLNK
	sameOwner := int(st.Uid) == want.UID && int(st.Gid) == want.GID
	if sameOwner && (isLink || st.Mode&0o777 == want.Mode) {
		return nil
	}
	if err := d.ask(opOwner, path); err != nil {
		return err
	}
	if !sameOwner {
		if err := os.Lchown(path, want.UID, want.GID); err != nil {
			return fmt.Errorf("give %s its owner (this takes root; set become: sudo): %w", path, err)
		}
	}
	if isLink {
		return nil
	}
	return os.Chmod(path, os.FileMode(want.Mode))
}

// copyFile makes to a copy of the regular file or link from, replacing what a crash
// left there. Owner and mode are the caller's to set.
func (d disk) copyFile(from, to string) error {
	if err := d.ask(opCopy, to); err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if target, err := os.Readlink(from); err == nil {
		return os.Symlink(target, to)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

func (d disk) remove(path string) error {
	if err := d.ask(durable.OpRemove, path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// removeAll removes a tree of copies.
func (d disk) removeAll(path string) error {
	if err := d.ask(durable.OpRemove, path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}

// syncAll flushes the whole file system that dir is on: file contents, owners and
// directory entries in one go.
func (d disk) syncAll(dir string) error {
	if err := d.ask(opSyncAll, dir); err != nil {
		return err
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("flush %s to disk: %w", dir, err)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}
