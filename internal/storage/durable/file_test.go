package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"z2mha/internal/storage/durable"
)

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	for _, content := range []string{"first", "second, and longer", ""} {
		if err := durable.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, content)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %o, want 600", got)
	}
	wantNames(t, filepath.Dir(path), "state.json")
}

func TestWriteFileFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault func(durable.Op, string) error
		want  error
	}{
		{"keeps the old content when the disk is full", durable.FailOn(durable.OpWrite, syscall.ENOSPC), syscall.ENOSPC},
		{"keeps the old content when half was written", durable.FailOn(durable.OpWrite, &durable.TornError{Bytes: 2, Err: syscall.ENOSPC}), syscall.ENOSPC},
		{"keeps the old content when sync fails", durable.FailOn(durable.OpSync, syscall.EIO), syscall.EIO},
		{"keeps the old content when the rename fails", durable.FailOn(durable.OpRename, syscall.EIO), syscall.EIO},
		{"keeps the old content when nothing can be created", durable.FailOn(durable.OpCreate, syscall.EROFS), syscall.EROFS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			must(t, durable.WriteFile(path, []byte("old"), 0o600))
			err := durable.Disk{Fault: tt.fault}.WriteFile(path, []byte("new content"), 0o600)
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			wantFile(t, path, "old")
			wantNames(t, filepath.Dir(path), "f")
		})
	}
}

func TestWriteFileCrashes(t *testing.T) {
	const old, fresh = "old", "new content"
	for n := 1; ; n++ {
		path := filepath.Join(t.TempDir(), "f")
		must(t, durable.WriteFile(path, []byte(old), 0o600))
		err := durable.Disk{Fault: durable.CrashAt(n)}.WriteFile(path, []byte(fresh), 0o600)
		got, readErr := os.ReadFile(path)
		must(t, readErr)
		if err == nil {
			if string(got) != fresh || n < 5 {
				t.Fatalf("done after %d operations with content %q", n-1, got)
			}
			return
		}
		if string(got) != old && string(got) != fresh {
			t.Errorf("crash at operation %d left %q", n, got)
		}
		must(t, durable.Disk{}.Sweep(filepath.Dir(path)))
		wantNames(t, filepath.Dir(path), "f")
	}
}

func TestMkdirAll(t *testing.T) {
	root := t.TempDir()
	must(t, durable.Disk{}.MkdirAll(filepath.Join(root, "a", "b"), 0o700))
	must(t, durable.Disk{}.MkdirAll(filepath.Join(root, "a", "b"), 0o700))
	info, err := os.Stat(filepath.Join(root, "a", "b"))
	must(t, err)
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("mode %o, want 700", got)
	}
	must(t, durable.WriteFile(filepath.Join(root, "file"), nil, 0o600))
	if err := (durable.Disk{}).MkdirAll(filepath.Join(root, "file"), 0o700); err == nil {
		t.Error("a file in the way: no error")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantFile(t testing.TB, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	must(t, err)
	if string(got) != want {
		t.Errorf("%s holds %q, want %q", filepath.Base(path), got, want)
	}
}

func wantNames(t testing.TB, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != len(want) {
		t.Errorf("directory holds %v, want %v", entries, want)
		return
	}
	for i, e := range entries {
		if e.Name() != want[i] {
			t.Errorf("directory holds %v, want %v", entries, want)
		}
	}
}
