// Package datadir knows how to look at Zigbee2MQTT's data directory while somebody
// may be writing it, and how to replace it so that nothing is ever lost: after a
// crash at any point the replacement can be continued or taken back.
//
// It knows nothing of what the files mean, apart from the three without which
// Zigbee2MQTT would form a new network (Needed) and the order in which they must
// appear: configuration.yaml last.
package datadir

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"z2mha/internal/host/helperapi"
)

// Configuration is the file that appears last when files are replaced one by one.
const Configuration = "configuration.yaml"

// Needed are the files without which Zigbee2MQTT may form a new network or wait for
// an onboarding browser.
func Needed() []string {
	return []string{Configuration, "database.db", "coordinator_backup.json"}
}

// workPrefix begins the names of our own temporary entries; they are never part of
// a manifest.
const workPrefix = ".z2mha-"

// Patterns select entries by name. One without a slash matches a name at any depth,
// with everything below it; one with a slash matches a path from the root.
type Patterns []string

// Check reports a pattern that can never be right.
func (ps Patterns) Check() error {
	for _, p := range ps {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return helperapi.Errorf(helperapi.ExitUsage, "pattern %q: %v", p, path.ErrBadPattern)
		}
	}
	return nil
}

// Match says whether the slash-separated path, or a directory above it, is selected.
func (ps Patterns) Match(name string) bool {
	for at := name; at != "."; at = path.Dir(at) {
		if ps.matchEntry(at) {
			return true
		}
	}
	return false
}

// matchPath says that a pattern with a slash selects the very path.
func (ps Patterns) matchPath(name string) bool {
	rooted := slices.DeleteFunc(slices.Clone(ps), func(p string) bool { return !strings.Contains(p, "/") })
	return rooted.matchEntry(name)
}

func (ps Patterns) matchEntry(name string) bool {
	for _, p := range ps {
		subject := path.Base(name)
		if strings.Contains(p, "/") {
			subject = name
		}
		if ok, _ := path.Match(strings.Trim(p, "/"), subject); ok {
			return true
		}
	}
	return false
}

func ownWork(name string) bool { return strings.HasPrefix(path.Base(name), workPrefix) }

// Same says in what two lists of files differ in content: path, size, hash and link
// target. It returns the first few differences in words, none when they are equal.
func Same(want, have []helperapi.File) []string {
	index := map[string]helperapi.File{}
	for _, f := range have {
		index[f.Path] = f
	}
	var diff []string
	for _, w := range want {
		h, ok := index[w.Path]
		delete(index, w.Path)
		switch {
		case !ok:
			diff = append(diff, w.Path+" is missing")
		case h.SHA256 != w.SHA256 || h.Link != w.Link:
			diff = append(diff, w.Path+" has other content")
		}
	}
	for p := range index {
		diff = append(diff, p+" should not be there")
	}
	if len(diff) > 5 {
		diff = append(diff[:5], fmt.Sprintf("and %d more", len(diff)-5))
	}
	return diff
}
