package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"z2mha/internal/storage/durable"
)

func TestLatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".latch")
	one, err := durable.WaitLatch(path, true)
	must(t, err)
	two, err := durable.WaitLatch(path, true)
	must(t, err)
	if _, err := durable.TryLatch(path); !errors.Is(err, durable.ErrLatched) {
		t.Errorf("alone beside two who share: %v", err)
	}
	must(t, one.Release())
	if _, err := durable.TryLatch(path); !errors.Is(err, durable.ErrLatched) {
		t.Errorf("alone beside one who shares: %v", err)
	}
	must(t, two.Release())
	alone, err := durable.TryLatch(path)
	must(t, err)
	waited := make(chan error)
	go func() {
		l, err := durable.WaitLatch(path, false)
		if err == nil {
			err = l.Release()
		}
		waited <- err
	}()
	must(t, alone.Release())
	must(t, <-waited)
	if _, err := durable.WaitLatch(filepath.Join(t.TempDir(), "none", ".latch"), false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, nil, 0o600))
	broken := durable.Disk{Fault: durable.FailOn(durable.OpRemove, os.ErrPermission)}
	if err := broken.Remove(path); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a disk that refuses: %v", err)
	}
	must(t, durable.Disk{}.Remove(path))
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	must(t, durable.Disk{}.Remove(path)) // removed twice after a crash
}
