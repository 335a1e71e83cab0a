package datadir_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"z2mha/internal/host/helperapi"
)

var errNoSpace error = syscall.ENOSPC

// exitOf is the exit code an error carries, ExitOK for nil.
func exitOf(err error) helperapi.Exit {
	if err == nil {
		return helperapi.ExitOK
	}
	if e, ok := errors.AsType[*helperapi.Error](err); ok {
		return e.Exit
	}
	return helperapi.ExitInternal
}

func chown(t *testing.T, path string, uid, gid int, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.Chown(path, uid, gid), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

func ownerAndMode(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d %v", st.Uid, st.Gid, info.Mode())
}

// tempDir is in memory where it can be: a real disk's flushes take a minute.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "datadir")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
