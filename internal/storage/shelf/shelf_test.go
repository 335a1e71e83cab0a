package shelf_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/shelf"
)

var _ engine.Shelf = (*shelf.Shelf)(nil)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func TestBlob(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, durable.Disk{})
	hash := put(t, s, "content")
	if !s.Has(hash) || s.Has(hashOf("other")) || s.Has("../../etc/passwd") {
		t.Error("Has is wrong")
	}
	if got := read(t, s, hash); got != "content" {
		t.Errorf("read %q", got)
	}
	if again := put(t, s, "content"); again != hash {
		t.Errorf("stored twice: %s and %s", hash, again)
	}
	info, err := os.Stat(filepath.Join(dir, "blobs", hash[:2], hash))
	must(t, err)
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %o, want 600", got)
	}
	if _, err := s.Open(hashOf("other")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing blob: %v, want fs.ErrNotExist", err)
	}
}

func TestPutRefuses(t *testing.T) {
	full := durable.Disk{Fault: durable.FailOn(durable.OpWrite, syscall.ENOSPC)}
	for _, tt := range []struct {
		name string
		disk durable.Disk
		hash string
		r    io.Reader
	}{
		{"another content", durable.Disk{}, hashOf("this"), strings.NewReader("that")},
		{"a torn content", durable.Disk{}, hashOf("this"), io.MultiReader(strings.NewReader("th"), failing{})},
		{"a hash that leads elsewhere", durable.Disk{}, "../../../x", strings.NewReader("this")},
		{"a full disk", full, hashOf("this"), strings.NewReader("this")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, tt.disk)
			if err := s.Put(tt.hash, tt.r); err == nil {
				t.Error("no error")
			}
			if s.Has(tt.hash) {
				t.Error("stored all the same")
			}
			if left := files(t, dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestDamagedBlob(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, durable.Disk{})
	hash := put(t, s, "content")
	must(t, os.WriteFile(filepath.Join(dir, "blobs", hash[:2], hash), []byte("c0ntent"), 0o600))

	_, err := s.Open(hash)
	damaged, ok := errors.AsType[*shelf.DamagedError](err)
	if !ok || damaged.SHA256 != hash || !strings.Contains(err.Error(), hash) {
		t.Fatalf("error %v, want a damaged blob %s", err, hash)
	}
	kept, err := os.ReadFile(damaged.KeptAs)
	must(t, err)
	if string(kept) != "c0ntent" || s.Has(hash) {
		t.Errorf("kept %q, still there: %v", kept, s.Has(hash))
	}
	put(t, s, "content")
	if got := read(t, s, hash); got != "content" {
		t.Errorf("after the next capture: %q", got)
	}
}

func TestGenerations(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, durable.Disk{})
	if _, err := s.Latest("home"); !errors.Is(err, generation.ErrNone) {
		t.Errorf("empty shelf: %v, want generation.ErrNone", err)
	}
	first := add(t, s, generationOf(t, s, "one"))
	second := add(t, s, generationOf(t, s, "two"))
	if first.Number != 1 || second.Number != 2 || first.Hash == second.Hash || first.Hash != first.ContentHash() {
		t.Errorf("numbers %d, %d; hashes %s, %s", first.Number, second.Number, first.Hash, second.Hash)
	}
	latest, err := s.Latest("home")
	must(t, err)
	if d := cmp.Diff(second, latest); d != "" {
		t.Errorf("latest (-want +got):\n%s", d)
	}
	if _, err := s.Get("home", 7); !errors.Is(err, generation.ErrNone) {
		t.Errorf("number 7: %v, want generation.ErrNone", err)
	}

	must(t, os.Remove(filepath.Join(dir, "home", "000001.json")))
	third := add(t, open(t, dir, durable.Disk{}), generationOf(t, s, "three"))
	if third.Number != 3 {
		t.Errorf("number after a gap: %d, want 3", third.Number)
	}
	all, err := s.List("home")
	must(t, err)
	if len(all) != 2 || all[0].Number != 2 || all[1].Number != 3 {
		t.Errorf("list %v", all)
	}
}

func TestAddRefuses(t *testing.T) {
	s := open(t, t.TempDir(), durable.Disk{})
	good := generationOf(t, s, "one")
	for _, tt := range []struct {
		name   string
		change func(*generation.Generation)
		want   string
	}{
		{"a file without content", func(g *generation.Generation) { g.Files[0].SHA256 = hashOf("gone") }, "configuration.yaml"},
		{"a missing stick image", func(g *generation.Generation) { g.StickImage = hashOf("gone") }, "stick image"},
		{"a file outside the data directory", func(g *generation.Generation) { g.Files[0].Path = "../x" }, "../x"},
		{"a network that leads elsewhere", func(g *generation.Generation) { g.Network = "../x" }, "../x"},
		{"a network named as the blobs", func(g *generation.Generation) { g.Network = "blobs" }, "blobs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := good
			g.Files = append([]generation.File(nil), good.Files...)
			tt.change(&g)
			if _, err := s.Add(g); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestDamagedGeneration(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, durable.Disk{})
	add(t, s, generationOf(t, s, "one"))
	add(t, s, generationOf(t, s, "two"))
	path := filepath.Join(dir, "home", "000002.json")
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, bytes.Replace(data, []byte("configuration.yaml"), []byte("configuration.yml"), 1), 0o600))

	if _, err := s.Latest("home"); err == nil || !strings.Contains(err.Error(), "000002.json") {
		t.Errorf("latest: %v, want an error with 000002.json", err)
	}
	all, err := s.List("home")
	if len(all) != 1 || err == nil {
		t.Errorf("list: %d generations, error %v", len(all), err)
	}
	if next := add(t, s, generationOf(t, s, "three")); next.Number != 3 {
		t.Errorf("next number %d, want 3", next.Number)
	}
}

// Whatever operation a crash comes at, the generations that are there are whole
// and all their contents with them.
func TestCrashes(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		err := addTwo(dir, durable.Disk{Fault: durable.CrashAt(n)})
		s := open(t, dir, durable.Disk{})
		all, listErr := s.List("home")
		must(t, listErr)
		for _, g := range all {
			for _, f := range g.Files {
				read(t, s, f.SHA256)
			}
		}
		for _, f := range files(t, dir) {
			if strings.Contains(f, ".tmp-") {
				t.Errorf("crash at operation %d left %s", n, f)
			}
		}
		if next := add(t, s, generationOf(t, s, "next")); next.Number != len(all)+1 {
			t.Errorf("crash at operation %d: next number %d after %d", n, next.Number, len(all))
		}
		if err == nil {
			return
		}
	}
}

func TestKeepImage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, durable.Disk{})
	for _, image := range []string{"a", "a", "b", "a"} {
		hash, err := s.KeepImage("home", "attic", []byte(image))
		must(t, err)
		if got := read(t, s, hash); got != image {
			t.Errorf("kept %q, want %q", got, image)
		}
	}
	got, err := open(t, dir, durable.Disk{}).Images("home", "attic")
	must(t, err)
	want := []shelf.Kept{
		{At: noon, SHA256: hashOf("a"), Bytes: 1},
		{At: noon, SHA256: hashOf("b"), Bytes: 1},
		{At: noon, SHA256: hashOf("a"), Bytes: 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("images (-want +got):\n%s", d)
	}
	none, err := s.Images("home", "cellar")
	must(t, err)
	if len(none) != 0 {
		t.Errorf("images of another node: %v", none)
	}
}
