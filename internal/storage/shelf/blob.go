package shelf

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// A DamagedError is a blob whose content no longer has its hash. It was moved to
// KeptAs, so that the next capture stores the content again.
type DamagedError struct {
	SHA256 string
	KeptAs string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("blob %s is damaged (a bad disk, or changed by hand); it was moved to %s, "+
		"and the next capture of a file with this content stores it again", e.SHA256, e.KeptAs)
}

// Has says that a blob of this hash is on the shelf. It does not read it. Who asks is
// about to name it, so it counts as fresh from now on; see Prune.
func (s *Shelf) Has(sha256 string) bool {
	path := s.blobPath(sha256)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if s.now().Sub(info.ModTime()) < freshFor/2 {
		return true
	}
	return !errors.Is(s.touch(path), fs.ErrNotExist)
}

// Put stores what r yields under its hash. It fails, and stores nothing, when
// the content has another one. Storing a content that is there replaces it.
func (s *Shelf) Put(sha256 string, r io.Reader) error {
	if err := checkHash(sha256); err != nil {
		return err
	}
	path := s.blobPath(sha256)
	if err := s.disk.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	p, err := s.disk.Create(path, 0o600)
	if err != nil {
		return err
	}
	defer p.Abort()
	got, err := copyHashed(p, r)
	if err != nil {
		return fmt.Errorf("store blob %s: %w", sha256, err)
	}
	if got != sha256 {
		return fmt.Errorf("store blob %s: the content has the hash %s; it changed while it was read", sha256, got)
	}
	return s.alone(func() error {
		if err := p.Commit(); err != nil {
			return err
		}
		return s.touch(path)
	})
}

// touch makes a blob fresh by our own clock.
func (s *Shelf) touch(path string) error {
	now := s.now()
	return os.Chtimes(path, now, now)
}

// Open returns the content of a blob after checking that it still has its hash,
// so that a reader never sees damaged bytes. A missing blob is fs.ErrNotExist; a
// changed one is a *DamagedError.
func (s *Shelf) Open(sha256 string) (io.ReadCloser, error) {
	if err := checkHash(sha256); err != nil {
		return nil, err
	}
	f, err := os.Open(s.blobPath(sha256))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s is not on the shelf: %w", sha256, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	if err := s.verify(f, sha256); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// verify reads the open blob once through and rewinds it.
func (s *Shelf) verify(f *os.File, sha256 string) error {
	got, err := copyHashed(io.Discard, f)
	if err != nil {
		return fmt.Errorf("read blob %s: %w", sha256, err)
	}
	if got != sha256 {
		return s.setAside(sha256)
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

func (s *Shelf) setAside(sha256 string) error {
	kept := filepath.Join(s.dir, damagedDir, sha256)
	if err := s.disk.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return fmt.Errorf("blob %s is damaged: %w", sha256, err)
	}
	if err := s.disk.Rename(s.blobPath(sha256), kept); err != nil {
		return fmt.Errorf("blob %s is damaged: %w", sha256, err)
	}
	return &DamagedError{SHA256: sha256, KeptAs: kept}
}

func (s *Shelf) blobPath(sha256 string) string {
	if checkHash(sha256) != nil {
		return filepath.Join(s.dir, blobsDir, "none")
	}
	return filepath.Join(s.dir, blobsDir, sha256[:2], sha256)
}

var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func checkHash(s string) error {
	if !hashForm.MatchString(s) {
		return fmt.Errorf("%q is no SHA-256: want 64 lower-case hex digits", s)
	}
	return nil
}

func copyHashed(w io.Writer, r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(io.MultiWriter(w, h), r)
	return hex.EncodeToString(h.Sum(nil)), err
}
