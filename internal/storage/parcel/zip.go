package parcel

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"z2mha/internal/failover/generation"
	"z2mha/internal/z2m"
)

// Limits of what a zip unpacks to. A data directory of 200 devices has 2 MB. They are
// counted while unpacking: what a zip says of its sizes may be a lie.
const (
	maxFiles     = 5000
	maxFileBytes = 32 << 20
	maxUnpacked  = 128 << 20
)

// unzip takes a whole data directory, from which Zigbee2MQTT must be able to start.
func unzip(s Shelf, g *generation.Generation, data []byte) error {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return errors.New("the zip file is not whole; it was cut off or damaged")
	}
	entries, err := choose(r.File)
	if err != nil {
		return err
	}
	if err := weigh(entries); err != nil {
		return err
	}
	if err := check(g, entries); err != nil {
		return err
	}
	for _, e := range entries { // only now is anything stored
		content, err := unpack(e)
		if err != nil {
			return err
		}
		f, err := put(s, e.Name, content)
		if err != nil {
			return err
		}
		if m := e.Mode().Perm(); m&0o400 != 0 {
			f.Mode = uint32(m) &^ 0o022
		}
		g.Files = append(g.Files, f)
	}
	return nil
}

// weigh unpacks everything once, for its size.
func weigh(entries []*zip.File) error {
	total := 0
	for _, e := range entries {
		content, err := unpack(e)
		if err != nil {
			return err
		}
		if total += len(content); total > maxUnpacked {
			return fmt.Errorf("the zip file unpacks to more than %d bytes; this is no data directory of Zigbee2MQTT", maxUnpacked)
		}
	}
	return nil
}

// choose takes the files of a zip that belong to a data directory and refuses one that
// wants to be something else.
func choose(all []*zip.File) ([]*zip.File, error) {
	if len(all) > maxFiles {
		return nil, fmt.Errorf("the zip file has %d entries, more than %d", len(all), maxFiles)
	}
	var out []*zip.File
	seen := map[string]bool{}
	for _, e := range all {
		name := strings.TrimSuffix(e.Name, "/")
		switch {
		case !filepath.IsLocal(name) || strings.ContainsAny(name, "\\\x00\n") || name != filepath.ToSlash(filepath.Clean(name)):
			return nil, fmt.Errorf("the zip file holds %.80q, which would lead out of the data directory", e.Name)
		case seen[name]:
			return nil, fmt.Errorf("the zip file holds %.80q twice", e.Name)
		}
		seen[name] = true
		switch kind := e.Mode().Type(); {
		case ignored(name) || kind == fs.ModeDir:
		case kind != 0:
			return nil, fmt.Errorf("the zip file holds %.80q, which is no ordinary file", e.Name)
		default:
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// unpack reads one file, its checksum included, up to the limit.
func unpack(e *zip.File) ([]byte, error) {
	r, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("unpack %.80q: %w", e.Name, err)
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("unpack %.80q: %w", e.Name, err)
	}
	if len(content) > maxFileBytes {
		return nil, fmt.Errorf("%.80q unpacks to more than %d bytes; this is no data directory of Zigbee2MQTT", e.Name, maxFileBytes)
	}
	return content, nil
}

func check(g *generation.Generation, entries []*zip.File) error {
	files := map[string]*zip.File{}
	var names []string
	for _, e := range entries {
		files[e.Name], names = e, append(names, e.Name)
	}
	get := func(path string) ([]byte, error) {
		e, ok := files[path]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return unpack(e)
	}
	var err error
	if g.Summary, err = z2m.Check(get, names); err != nil {
		return fmt.Errorf("Zigbee2MQTT could not start from it: %w", err)
	}
	return nil
}
