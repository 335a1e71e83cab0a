package backup_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/backup"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/shelf"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newState is a state directory as a controller leaves it that has been started once.
func newState(t testing.TB) backup.Dir {
	t.Helper()
	d := backup.Dir{State: filepath.Join(t.TempDir(), "state")}
	write(t, d, "id_ed25519", "the key")
	write(t, d, "runs/home/r1.jsonl", `{"seq":1,"run":"r1"}`+"\n")
	write(t, d, "records/home.json", `{"network":"home"}`)
	write(t, d, "shelf/home/000001.json", `{"number":1}`)
	write(t, d, "shelf/blobs/ab/abcd", "a blob")
	write(t, d, "lock", "7\n")
	must(t, d.Clear())
	return d
}

func TestPrepareThenDone(t *testing.T) {
	d := newState(t)
	before := tree(t, d.State)
	must(t, d.Prepare(noon, "0.2.0", "attic"))

	_, m, err := d.Restored()
	must(t, err)
	if !m.At.Equal(noon) || m.Version != "0.2.0" || m.Host != "attic" || m.Place.Inode == 0 {
		t.Errorf("marker %+v", m)
	}
	want := map[string]string{
		"id_ed25519": "the key", "runs/home/r1.jsonl": `{"seq":1,"run":"r1"}` + "\n", "records/home.json": `{"network":"home"}`,
		"shelf/home/000001.json": `{"number":1}`, "shelf/blobs/ab/abcd": "a blob",
	}
	if diff := cmp.Diff(want, tree(t, filepath.Join(d.State, "backup", "copy"))); diff != "" {
		t.Errorf("copy (-want +got):\n%s", diff)
	}

	must(t, d.Done())
	if diff := cmp.Diff(before, tree(t, d.State)); diff != "" {
		t.Errorf("after done (-want +got):\n%s", diff)
	}
	must(t, d.Done()) // nothing to do is fine
}

func TestCopyHoldsStill(t *testing.T) {
	d := newState(t)
	must(t, d.Prepare(noon, "0.2.0", "attic"))
	must(t, durable.WriteFile(filepath.Join(d.State, "records/home.json"), []byte(`{"network":"home","active":"cellar"}`), 0o600))
	log, err := durable.Disk{}.OpenLog(filepath.Join(d.State, "runs/home/r1.jsonl"), 0o600)
	must(t, err)
	must(t, log.Append([]byte(`{"seq":2}`)))
	must(t, log.Close())
	must(t, os.Remove(filepath.Join(d.State, "shelf/blobs/ab/abcd")))

	got := tree(t, filepath.Join(d.State, "backup", "copy"))
	for path, want := range map[string]string{
		"records/home.json": `{"network":"home"}`, "runs/home/r1.jsonl": `{"seq":1,"run":"r1"}` + "\n", "shelf/blobs/ab/abcd": "a blob",
	} {
		if got[path] != want {
			t.Errorf("%s became %q", path, got[path])
		}
	}
}

func TestCopyIsPrivate(t *testing.T) {
	d := newState(t)
	must(t, d.Prepare(noon, "0.2.0", "attic"))
	must(t, filepath.WalkDir(filepath.Join(d.State, "backup"), func(path string, e fs.DirEntry, err error) error {
		must(t, err)
		info, err := e.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return nil
	}))
}

func TestPrepareTwice(t *testing.T) {
	d := newState(t)
	must(t, d.Prepare(noon, "0.2.0", "attic"))
	write(t, d, "records/home.json", "newer")
	must(t, os.Remove(filepath.Join(d.State, "id_ed25519")))
	must(t, d.Prepare(noon.Add(time.Hour), "0.3.0", "attic"))

	_, m, err := d.Restored()
	must(t, err)
	if !m.At.Equal(noon.Add(time.Hour)) || m.Version != "0.3.0" {
		t.Errorf("marker of the first time: %+v", m)
	}
	got := tree(t, filepath.Join(d.State, "backup", "copy"))
	if got["records/home.json"] != "newer" || got["id_ed25519"] != "" {
		t.Errorf("copy of the first time: %v", got)
	}
	must(t, d.Done())
}

func TestPrepareWhileAnotherPrepares(t *testing.T) {
	d := newState(t)
	must(t, os.MkdirAll(filepath.Join(d.State, "backup"), 0o700))
	other, err := durable.Lock(filepath.Join(d.State, "backup"))
	must(t, err)
	for what, err := range map[string]error{"prepare": d.Prepare(noon, "0.2.0", "attic"), "done": d.Done()} {
		if _, ok := errors.AsType[*durable.LockedError](err); !ok {
			t.Errorf("%s: %v, want a locked directory", what, err)
		}
	}
	must(t, other.Unlock())
	must(t, d.Prepare(noon, "0.2.0", "attic"))
}

func TestMissingStateIsNoMistake(t *testing.T) {
	d := backup.Dir{State: filepath.Join(t.TempDir(), "none")}
	must(t, errors.Join(d.Prepare(noon, "0.2.0", "attic"), d.Done(), d.Adopt()))
	restored, _, err := d.Restored()
	if restored || err != nil {
		t.Errorf("restored %v, %v", restored, err)
	}
	if _, err := os.Stat(d.State); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the directory was made")
	}
}

func TestDiskFull(t *testing.T) {
	d := newState(t)
	before := tree(t, d.State)
	for _, op := range []durable.Op{durable.OpMkdir, durable.OpRename, durable.OpWrite} {
		full := backup.Dir{State: d.State, Disk: durable.Disk{Fault: durable.FailOn(op, fs.ErrPermission)}}
		if err := full.Prepare(noon, "0.2.0", "attic"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s fails: %v", op, err)
		}
		if restored, m, err := d.Restored(); restored || err != nil || !m.At.IsZero() {
			t.Errorf("%s fails: a marker stands: %+v, %v", op, m, err)
		}
		must(t, d.Done())
	}
	if diff := cmp.Diff(before, tree(t, d.State)); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
}

// While a backup is copied, the shelf is not tidied, and the other way round.
func TestNotWhileTheShelfIsTidied(t *testing.T) {
	d := newState(t)
	tidying, err := durable.TryLatch(filepath.Join(d.State, "shelf", shelf.PruneLatch))
	must(t, err)
	prepared := make(chan error)
	go func() { prepared <- d.Prepare(noon, "0.2.0", "attic") }()
	must(t, os.Remove(filepath.Join(d.State, "shelf/home/000001.json")))
	must(t, os.Remove(filepath.Join(d.State, "shelf/blobs/ab/abcd")))
	must(t, tidying.Release())
	must(t, <-prepared)
	if got := tree(t, filepath.Join(d.State, "backup", "copy", "shelf")); len(got) > 0 {
		t.Errorf("copied before the shelf was tidy: %v", got)
	}
}

// tree is every file below dir with its content, without the lock of backups and
// without the place, which differs each time.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(dir, path)
		if err = errors.Join(err, relErr); err != nil || e.IsDir() || rel == filepath.Join("backup", "lock") || rel == "place.json" || rel == filepath.Join("shelf", shelf.PruneLatch) {
			return err
		}
		b, err := os.ReadFile(path)
		out[rel] = string(b)
		return err
	}))
	return out
}

func write(t testing.TB, d backup.Dir, name, content string) {
	t.Helper()
	path := filepath.Join(d.State, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
