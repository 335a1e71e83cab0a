package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockName is the file in a directory that carries its lock and the owner's pid.
const lockName = "lock"

// A LockedError says that another program works in a directory.
type LockedError struct {
	Dir string
	PID int // 0 when it is not known
}

func (e *LockedError) Error() string {
	who := "another program"
	if e.PID > 0 {
		who = fmt.Sprintf("another z2mha (pid %d)", e.PID)
	}
	return fmt.Sprintf("%s already works in %s; let that one do it, for example on its page, or stop it first", who, e.Dir)
}

// A DirLock is a directory held by this program. The kernel takes it back when
// the program ends, however that happens.
type DirLock struct{ file *os.File }

// Lock takes dir, which must exist, for this program. It does not wait: while
// another program has it, the answer is a *LockedError that names its pid.
func Lock(dir string) (*DirLock, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		return nil, &LockedError{Dir: dir, PID: readPID(path)}
	}
	if err == nil {
		err = writePID(f)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return &DirLock{file: f}, nil
}

// Unlock gives the directory back. The lock file stays: removing it would let
// two programs hold locks on two files of one name.
func (l *DirLock) Unlock() error { return l.file.Close() }

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func readPID(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}
