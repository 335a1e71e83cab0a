package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/z2m"
)

// captureTries is how often a directory is read until two listings, one before and
// one after its files were fetched, agree.
const captureTries = 5

// Capture reads the data directory until it stood still from one listing to the
// next, fetches what depot lacks, and checks that Zigbee2MQTT could start from it.
func (n *Node) Capture(ctx context.Context, depot engine.Depot) (network.Capture, error) {
	c := &capture{n: n, depot: depot}
	got, err := c.run(ctx)
	return got, n.wrap("capture "+n.cfg.Data, err)
}

type capture struct {
	n     *Node
	depot engine.Depot
}

func (c *capture) run(ctx context.Context) (network.Capture, error) {
	var listing helperapi.ManifestResult
	err := c.n.talk(ctx, c.n.captureCall(), func(d *dialogue) (err error) {
		listing, err = c.untilStill(d)
		return err
	})
	if err != nil {
		return network.Capture{}, err
	}
	return c.check(listing)
}

// untilStill fetches and lists again until nothing has changed meanwhile.
func (c *capture) untilStill(d *dialogue) (helperapi.ManifestResult, error) {
	listing, err := d.listing()
	if err != nil {
		return listing, err
	}
	var restless []string
	for range captureTries {
		listing, restless, err = c.settle(d, listing)
		if err != nil || len(restless) == 0 {
			return listing, err
		}
	}
	return listing, fmt.Errorf("%s changed each of %d times it was read; who writes there?",
		strings.Join(restless, ", "), captureTries)
}

// settle fetches what the depot lacks and names what was not the same before and after.
// The configuration comes first: it says where the logs are, which are left out.
func (c *capture) settle(d *dialogue, before helperapi.ManifestResult) (after helperapi.ManifestResult, restless []string, err error) {
	isConfiguration := func(f helperapi.File) bool { return f.Path == z2m.ConfigurationFile }
	if c.lacks(before, isConfiguration) != nil {
		changed, next, err := c.fetch(d, before, isConfiguration)
		if err != nil || len(changed) > 0 {
			return next, changed, err
		}
		before = next
	}
	logs := logDirectory(inDepot(c.depot, hashesOf(before.Files)), c.n.cfg.Data)
	before = without(before, logs)
	restless, after, err = c.fetch(d, before, func(helperapi.File) bool { return true })
	if err != nil {
		return after, nil, err
	}
	after = without(after, logs)
	restless = append(restless, before.Changing...)
	restless = append(restless, after.Changing...)
	restless = append(restless, changes(before.Files, after.Files)...)
	if len(restless) == 0 && !after.Stable {
		restless = []string{c.n.cfg.Data}
	}
	slices.Sort(restless)
	return after, slices.Compact(restless), nil
}

// lacks are the files that the depot has not got, each content once. One that keeps
// changing is no use yet.
func (c *capture) lacks(listing helperapi.ManifestResult, wanted func(helperapi.File) bool) []helperapi.File {
	var files []helperapi.File
	seen := map[string]bool{}
	for _, f := range listing.Files {
		if f.Link != "" || !wanted(f) || seen[f.SHA256] || slices.Contains(listing.Changing, f.Path) || c.depot.Has(f.SHA256) {
			continue
		}
		seen[f.SHA256] = true
		files = append(files, f)
	}
	return files
}

// fetch puts what is wanted and lacking into the depot, names the files that were no
// longer what the listing said, and returns the listing that was made afterwards.
func (c *capture) fetch(d *dialogue, listing helperapi.ManifestResult, wanted func(helperapi.File) bool) (changed []string, next helperapi.ManifestResult, err error) {
	files := c.lacks(listing, wanted)
	if err := d.request(files); err != nil {
		return nil, next, err
	}
	for _, f := range files {
		same, err := c.fetchOne(d.file(), f)
		if err != nil {
			return nil, next, fmt.Errorf("fetch %s: %w", f.Path, err)
		}
		if !same {
			changed = append(changed, f.Path)
		}
	}
	next, err = d.listing()
	return changed, next, err
}

// fetchOne stores one file. It returns false when the file is gone or is not what
// the listing said.
func (c *capture) fetchOne(r io.Reader, f helperapi.File) (same bool, err error) {
	hash := sha256.New()
	whole := io.TeeReader(r, hash)
	err = c.depot.Put(f.SHA256, whole)
	if _, lost := io.Copy(io.Discard, whole); lost != nil && !errors.Is(lost, fs.ErrNotExist) {
		return false, lost
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != f.SHA256 {
		return false, nil
	}
	return err == nil, err
}

func hashesOf(files []helperapi.File) map[string]string {
	hashes := map[string]string{}
	for _, f := range files {
		if f.Link == "" {
			hashes[f.Path] = f.SHA256
		}
	}
	return hashes
}

// check turns the listing into a capture that Zigbee2MQTT could start from.
func (c *capture) check(listing helperapi.ManifestResult) (network.Capture, error) {
	var got network.Capture
	var names, links []string
	hashes := map[string]string{}
	for _, f := range listing.Files {
		if f.Link != "" {
			links = append(links, f.Path+" is a link and is not copied")
			continue
		}
		got.Files = append(got.Files, generation.File{Path: f.Path, Size: f.Size, SHA256: f.SHA256, Mode: f.Mode})
		names = append(names, f.Path)
		hashes[f.Path] = f.SHA256
	}
	c.n.learnBroker(inDepot(c.depot, hashes))
	summary, err := z2m.Check(inDepot(c.depot, hashes), names)
	summary.Warnings = append(summary.Warnings, links...)
	got.Summary = summary
	return got, err
}

// changes names the paths whose size, content, mode or link differ between two
// listings.
func changes(before, after []helperapi.File) []string {
	type content struct {
		size         int64
		mode         uint32
		sha256, link string
	}
	was := map[string]content{}
	for _, f := range before {
		was[f.Path] = content{f.Size, f.Mode, f.SHA256, f.Link}
	}
	var names []string
	for _, f := range after {
		if old, ok := was[f.Path]; !ok || old != (content{f.Size, f.Mode, f.SHA256, f.Link}) {
			names = append(names, f.Path)
		}
		delete(was, f.Path)
	}
	for name := range was {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
