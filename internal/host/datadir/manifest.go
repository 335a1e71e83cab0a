package datadir

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"z2mha/internal/host/helperapi"
)

// ScanOptions says what to leave out and how patient to be.
type ScanOptions struct {
	Exclude  Patterns
	Rounds   int           // looks at the whole directory before giving up, 0 for 10
	Pause    time.Duration // between two rounds, 0 for 100 ms
	Progress func(done, total int)
}

// Scan lists and hashes the regular files and links below dir, once; see Scanner.
func Scan(ctx context.Context, dir string, o ScanOptions) (helperapi.ManifestResult, error) {
	s, err := NewScanner(dir, o)
	if err != nil {
		return helperapi.ManifestResult{}, err
	}
	defer s.Close()
	return s.Scan(ctx)
}

// A Scanner lists a directory again and again. It remembers what it hashed: a file that
// has not changed since costs only an lstat. One whose last change was so short before
// the hash that another could bear the same time is always hashed again.
type Scanner struct {
	root    *os.Root
	o       ScanOptions
	hashes  map[string]hashed
	scanned bool
}

// NewScanner opens dir. A root that is a link is resolved, here and only here.
func NewScanner(dir string, o ScanOptions) (*Scanner, error) {
	if err := o.Exclude.Check(); err != nil {
		return nil, err
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	root, err := os.OpenRoot(resolved)
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	return &Scanner{root: root, o: o, hashes: map[string]hashed{}}, nil
}

// Close ends the scanner.
func (s *Scanner) Close() error { return s.root.Close() }

// Scan looks at the directory until two successive looks agree, the last one of an
// earlier Scan among them, and every hash belongs to what was seen. Files that never
// come to rest are named in Changing, and Stable is false. Links are reported, never
// followed. Errors: the directory cannot be read, or ctx ended.
func (s *Scanner) Scan(ctx context.Context) (helperapi.ManifestResult, error) {
	result := helperapi.ManifestResult{Root: s.root.Name()}
	var err error
	for round := range cmp.Or(s.o.Rounds, 10) {
		if round > 0 {
			if err := pause(ctx, cmp.Or(s.o.Pause, 100*time.Millisecond)); err != nil {
				return result, err
			}
		}
		result.Files, result.Skipped, result.Changing, err = s.round(ctx)
		if err != nil {
			return result, err
		}
		if s.scanned && len(result.Changing) == 0 {
			result.Stable, result.Hash = true, helperapi.HashFiles(result.Files)
			return result, nil
		}
		s.scanned = true
	}
	return result, nil
}

// Open opens a regular file below the directory for reading; fs.ErrNotExist for
// anything else.
func (s *Scanner) Open(name string) (*os.File, error) {
	f, err := s.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

type hashed struct {
	sum   string
	at    signature
	fresh bool // the file had changed within freshTime before
}

// freshTime is longer than the steps in which any file system in use counts time.
const freshTime = 3 * time.Second

func (h hashed) same(was hashed) bool { return h.sum == was.sum && h.at == was.at }

// A signature changes whenever the content may have.
type signature struct {
	ino          uint64
	size         int64
	mtime, ctime syscall.Timespec
}

func signatureOf(info fs.FileInfo) signature {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		panic("datadir: file information without syscall.Stat_t; Linux only")
	}
	return signature{ino: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim}
}

// round walks once; changing are the paths that were not as they were last time.
func (s *Scanner) round(ctx context.Context) (files []helperapi.File, skipped, changing []string, err error) {
	found, skipped, err := s.walk()
	if err != nil {
		return nil, nil, nil, err
	}
	gone := s.forget(found)
	for i, f := range found {
		if err := ctx.Err(); err != nil {
			return nil, nil, nil, helperapi.Errorf(helperapi.ExitInterrupted, "interrupted while reading %s", s.root.Name())
		}
		was := s.hashes[f.Path]
		file, now, err := s.read(f, was)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			gone = append(gone, f.Path)
			continue
		case err != nil:
			return nil, nil, nil, fmt.Errorf("read %s: %w", filepath.Join(s.root.Name(), f.Path), err)
		}
		if !now.same(was) {
			changing = append(changing, f.Path)
		}
		s.hashes[f.Path] = now
		files = append(files, file)
		if s.o.Progress != nil {
			s.o.Progress(i+1, len(found))
		}
	}
	changing = append(changing, gone...)
	slices.Sort(changing)
	return files, skipped, changing, nil
}

// forget drops hashes of files that are gone and names those.
func (s *Scanner) forget(found []helperapi.File) []string {
	var gone []string
	for p := range s.hashes {
		if !slices.ContainsFunc(found, func(f helperapi.File) bool { return f.Path == p }) {
			gone = append(gone, p)
			delete(s.hashes, p)
		}
	}
	return gone
}

func (s *Scanner) walk() (files []helperapi.File, skipped []string, err error) {
	err = fs.WalkDir(s.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return ignoreGone(err)
		}
		if p == "." {
			return nil
		}
		if ownWork(p) || s.o.Exclude.Match(p) {
			return skipDir(d)
		}
		switch t := d.Type(); {
		case t.IsDir():
		case t.IsRegular() || t == fs.ModeSymlink:
			files = append(files, helperapi.File{Path: p})
		default:
			skipped = append(skipped, p+": "+kind(t))
		}
		return nil
	})
	slices.SortFunc(files, func(a, b helperapi.File) int { return strings.Compare(a.Path, b.Path) })
	return files, skipped, err
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func skipDir(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func kind(t fs.FileMode) string {
	switch {
	case t&fs.ModeNamedPipe != 0:
		return "named pipe"
	case t&fs.ModeSocket != 0:
		return "socket"
	case t&fs.ModeDevice != 0:
		return "device"
	}
	return "not a regular file"
}

// read fills in one entry, hashing it unless it is still as it was.
func (s *Scanner) read(f helperapi.File, was hashed) (helperapi.File, hashed, error) {
	info, err := s.root.Lstat(f.Path)
	if err != nil {
		return f, hashed{}, err
	}
	now := hashed{at: signatureOf(info), sum: was.sum, fresh: was.fresh}
	describe(&f, info)
	if info.Mode()&fs.ModeSymlink != 0 {
		f.Link, err = s.root.Readlink(f.Path)
		return f, now, err
	}
	if now.at != was.at || was.sum == "" || was.fresh {
		if now, err = s.hash(f.Path); err != nil {
			return f, hashed{}, err
		}
	}
	f.SHA256, f.Size = now.sum, now.at.size
	return f, now, nil
}

func describe(f *helperapi.File, info fs.FileInfo) {
	st := info.Sys().(*syscall.Stat_t)
	f.Size, f.MTime = info.Size(), info.ModTime().UTC()
	f.Mode = uint32(info.Mode().Perm())
	f.UID, f.GID = int(st.Uid), int(st.Gid)
}

// hash reads one file. The signature it returns was taken before the first byte; a
// file that changed meanwhile gets one that matches nothing.
func (s *Scanner) hash(name string) (hashed, error) {
	f, err := s.Open(name)
	if err != nil {
		return hashed{}, err
	}
	defer f.Close()
	begun := time.Now()
	before, err := f.Stat()
	if err != nil {
		return hashed{}, err
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return hashed{}, err
	}
	after, err := f.Stat()
	if err != nil {
		return hashed{}, err
	}
	at := signatureOf(before)
	if signatureOf(after) != at || n != at.size {
		at.ino = 0
	}
	fresh := begun.Sub(time.Unix(at.ctime.Unix())) < freshTime
	return hashed{sum: hex.EncodeToString(h.Sum(nil)), at: at, fresh: fresh}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return helperapi.Errorf(helperapi.ExitInterrupted, "interrupted")
	}
}
