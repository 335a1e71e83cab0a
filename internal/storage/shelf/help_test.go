package shelf_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"z2mha/internal/failover/generation"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/shelf"
)

func open(t testing.TB, dir string, disk durable.Disk) *shelf.Shelf {
	t.Helper()
	s, err := shelf.Open(dir, shelf.Options{Disk: disk, Now: func() time.Time { return noon }})
	must(t, err)
	return s
}

func put(t testing.TB, s *shelf.Shelf, content string) string {
	t.Helper()
	hash := hashOf(content)
	must(t, s.Put(hash, strings.NewReader(content)))
	return hash
}

func read(t testing.TB, s *shelf.Shelf, hash string) string {
	t.Helper()
	r, err := s.Open(hash)
	must(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	must(t, err)
	return string(b)
}

func add(t testing.TB, s *shelf.Shelf, g generation.Generation) generation.Generation {
	t.Helper()
	g, err := s.Add(g)
	must(t, err)
	return g
}

func generationOf(t testing.TB, s *shelf.Shelf, configuration string) generation.Generation {
	t.Helper()
	return generation.Generation{
		Network: "home",
		Source:  "attic",
		Reason:  "test",
		At:      noon,
		Files: []generation.File{
			{Path: "configuration.yaml", Size: int64(len(configuration)), SHA256: put(t, s, configuration), Mode: 0o644},
			{Path: "external_converters/a.js", Size: 4, SHA256: put(t, s, "same"), Mode: 0o600},
		},
		StickImage: put(t, s, "image"),
	}
}

func addTwo(dir string, disk durable.Disk) error {
	s, err := shelf.Open(dir, shelf.Options{Disk: disk})
	if err != nil {
		return err
	}
	for _, content := range []string{"one", "two"} {
		hash := hashOf(content)
		if err := s.Put(hash, strings.NewReader(content)); err != nil {
			return err
		}
		g := generation.Generation{Network: "home", Files: []generation.File{{Path: "database.db", SHA256: hash}}}
		if _, err := s.Add(g); err != nil {
			return err
		}
	}
	return nil
}

// files lists the regular files below dir.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	}))
	return out
}

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// failing is a source that breaks.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, syscall.EIO }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
