package durable_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"z2mha/internal/storage/durable"
)

// A second process is needed to see the pid of the first: the test starts itself.
func TestMain(m *testing.M) {
	if dir := os.Getenv("DURABLE_LOCK_DIR"); dir != "" {
		_, err := durable.Lock(dir)
		os.Stdout.WriteString(errorText(err))
		return
	}
	os.Exit(m.Run())
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	lock, err := durable.Lock(dir)
	must(t, err)
	_, err = durable.Lock(dir)
	locked, ok := errors.AsType[*durable.LockedError](err)
	if !ok || locked.PID != os.Getpid() || locked.Dir != dir {
		t.Errorf("second lock: %v", err)
	}

	if got, want := lockElsewhere(t, dir), errorText(err); got != want {
		t.Errorf("another process: %q, want %q", got, want)
	}
	must(t, lock.Unlock())
	if got := lockElsewhere(t, dir); got != "" {
		t.Errorf("after unlock: %q", got)
	}
	lock, err = durable.Lock(dir)
	must(t, err)
	must(t, lock.Unlock())
}

func TestLockMissingDirectory(t *testing.T) {
	_, err := durable.Lock(t.TempDir() + "/missing")
	if err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error %v", err)
	}
}

func lockElsewhere(t testing.TB, dir string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DURABLE_LOCK_DIR="+dir)
	out, err := cmd.Output()
	must(t, err)
	return string(out)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
