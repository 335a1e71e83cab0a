package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// The folder is embedded, not its files by name: htmx.min.js is fetched and may be
// missing.
//
//go:embed assets
var assetFiles embed.FS

// Assets are the style sheet, the scripts and the pictures of the page.
var Assets = hashAssets(assetFiles)

// HasHTMX says that the program was built with HTMX. Without it the page shows and
// cannot act: leave Overview.CanAct false and show NoticeNoHTMX.
func HasHTMX() bool { return Assets.Path("htmx.min.js") != "" }

// An Asset is one file. Its Path holds a part of the hash of its content, so it may
// be kept for ever by whoever fetched it.
type Asset struct {
	Path    string // relative: "assets/app.0123abcd.css"
	Type    string // for Content-Type
	Content []byte // not to be changed
}

// AssetSet finds assets by name and by path.
type AssetSet struct {
	byName, byPath map[string]Asset
	print          string
}

// Path returns the path of the asset name ("app.css"), or "" when there is none.
func (s *AssetSet) Path(name string) string { return s.byName[name].Path }

// Open returns the asset at p ("assets/app.0123abcd.css").
func (s *AssetSet) Open(p string) (Asset, bool) {
	a, ok := s.byPath[p]
	return a, ok
}

// Names are the names of all assets with their paths.
func (s *AssetSet) Names() map[string]string {
	all := make(map[string]string, len(s.byName))
	for name, a := range s.byName {
		all[name] = a.Path
	}
	return all
}

// Print is a fingerprint of all of them. A page that carries another one was drawn by
// another version of this program.
func (s *AssetSet) Print() string { return s.print }

// hashAssets panics when an embedded file cannot be read, which cannot happen.
func hashAssets(files fs.FS) *AssetSet {
	s := &AssetSet{byName: map[string]Asset{}, byPath: map[string]Asset{}}
	all := sha256.New()
	err := fs.WalkDir(files, "assets", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		a := newAsset(file, content)
		s.byName[path.Base(file)], s.byPath[a.Path] = a, a
		fmt.Fprintln(all, a.Path)
		return nil
	})
	if err != nil {
		panic(err)
	}
	s.print = short(all.Sum(nil))
	return s
}

func newAsset(file string, content []byte) Asset {
	sum := sha256.Sum256(content)
	ext := path.Ext(file)
	return Asset{
		Path:    strings.TrimSuffix(file, ext) + "." + short(sum[:]) + ext,
		Type:    contentType(ext),
		Content: content,
	}
}

func short(sum []byte) string { return hex.EncodeToString(sum[:4]) }

// contentType does not ask the system's table, which differs from host to host.
func contentType(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}
