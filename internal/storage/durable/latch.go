package durable

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrLatched is what TryLatch returns when somebody else has the file.
var ErrLatched = errors.New("another program, or another part of this one, is at it")

// A Latch is a file that programs hold for the length of one act, so that two of them
// may work on one directory. The kernel opens it when its holder ends. Other than a
// DirLock it says nothing of who holds it.
type Latch struct{ file *os.File }

// WaitLatch takes the file at path, which is made when missing, and waits for it.
// Several may share it; one that does not share it is alone.
func WaitLatch(path string, share bool) (*Latch, error) {
	how := syscall.LOCK_EX
	if share {
		how = syscall.LOCK_SH
	}
	return latch(path, how)
}

// TryLatch takes the file at path alone, or fails with ErrLatched.
func TryLatch(path string) (*Latch, error) { return latch(path, syscall.LOCK_EX|syscall.LOCK_NB) }

func latch(path string, how int) (*Latch, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), how)
	for errors.Is(err, syscall.EINTR) {
		err = syscall.Flock(int(f.Fd()), how)
	}
	if err == nil {
		return &Latch{f}, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrLatched
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// Release lets the next one in. The file stays.
func (l *Latch) Release() error { return l.file.Close() }
