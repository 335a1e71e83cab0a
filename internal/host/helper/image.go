package helper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/storage/durable"
)

// A note lies beside an image and says which firmware it was read from, which the
// image's format has no place for. Hash tells whether the image is still as it was.
type note struct {
	Stick nvimage.Stick `json:"stick"`
	Hash  string        `json:"hash"` // nvimage.Image.Hash
	Read  time.Time     `json:"read"`
}

func notePath(image string) string { return image + ".stick.json" }

// saveImage writes an image and its note, both for the owner's eyes only. The note
// goes first: an image alone could be mistaken for one of the old note.
func saveImage(path string, image *nvimage.Image, stick nvimage.Stick) error {
	data, err := json.MarshalIndent(note{Stick: stick, Hash: image.Hash(), Read: now()}, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(notePath(path), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("save the image: %w", err)
	}
	if err := durable.WriteFile(path, image.Encode(), 0o600); err != nil {
		return fmt.Errorf("save the image: %w", err)
	}
	return nil
}

// checkTarget refuses, before the stick is read, a file that cannot be written or must
// not be replaced: it may be the only copy of a network.
func checkTarget(path string, force bool) error {
	if path == "" || path == helperapi.Stdin {
		return nil
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return helperapi.Errorf(helperapi.ExitUsage, "there is no directory %s", dir)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return helperapi.Errorf(helperapi.ExitUsage, "%s is a directory; name a file in it", path)
	case !info.Mode().IsRegular():
		return helperapi.Errorf(helperapi.ExitUsage, "%s is no plain file; name another, or - for standard output", path)
	case !force:
		return helperapi.Errorf(helperapi.ExitUsage, "%s exists; name another file, or add -force", path)
	}
	return nil
}

// loadImage reads an image from a file or, for "-", from standard input.
func (c *call) loadImage(path string) (*nvimage.Image, error) {
	data, err := c.readAll(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the image: %w; \"znp-helper read PORT -o FILE\" makes such a file", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the image: %w", err)
	}
	image, err := nvimage.Parse(data)
	if err != nil {
		return nil, helperapi.Errorf(helperapi.ExitMisfit, "%s: %v", nameOf(path), err)
	}
	return image, nil
}

func (c *call) readAll(path string) ([]byte, error) {
	if path == helperapi.Stdin {
		return io.ReadAll(c.env.Stdin)
	}
	return os.ReadFile(path)
}

func nameOf(path string) string {
	if path == helperapi.Stdin {
		return "the image on standard input"
	}
	return path
}

// firmwareOf says which firmware an image was read from: as told, or as noted beside
// it. Nobody knowing is an error that says what to type.
func firmwareOf(path string, image *nvimage.Image, told uint, any bool) (nvimage.Stick, error) {
	if told != 0 || any {
		return nvimage.Stick{Revision: uint32(told)}, nil
	}
	const type1 = "--from-revision N (\"znp-helper info\" says N for the stick it came from), or --any-revision"
	if path == helperapi.Stdin {
		return nvimage.Stick{}, helperapi.Errorf(helperapi.ExitUsage,
			"the image on standard input does not say which firmware it is from: add %s", type1)
	}
	data, err := os.ReadFile(notePath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nvimage.Stick{}, helperapi.Errorf(helperapi.ExitUsage,
			"%s does not say which firmware it is from, and %s is not there: add %s", path, filepath.Base(notePath(path)), type1)
	}
	if err != nil {
		return nvimage.Stick{}, err
	}
	var n note
	if err := json.Unmarshal(data, &n); err != nil {
		return nvimage.Stick{}, helperapi.Errorf(helperapi.ExitMisfit, "%s: %v: add %s", notePath(path), err, type1)
	}
	if n.Hash != image.Hash() {
		return nvimage.Stick{}, helperapi.Errorf(helperapi.ExitMisfit,
			"%s was changed since it was read: if that is meant, add %s", path, type1)
	}
	return n.Stick, nil
}
