package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/remote"
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
	files *remote.Files
}

func (c *capture) run(ctx context.Context) (network.Capture, error) {
	listing, err := c.n.list(ctx, c.n.cfg.Data, nil)
	if err != nil {
		return network.Capture{}, err
	}
	if c.files, err = c.n.files(ctx, true); err != nil {
		return network.Capture{}, err
	}
	defer c.files.Close()
	listing, err = c.untilStill(ctx, listing)
	if err != nil {
		return network.Capture{}, err
	}
	return c.check(listing)
}

// untilStill fetches and lists again until nothing has changed meanwhile.
func (c *capture) untilStill(ctx context.Context, listing helperapi.ManifestResult) (helperapi.ManifestResult, error) {
	get := below(c.files, c.n.cfg.Data)
	var restless []string
	for range captureTries {
		logs := logDirectory(get, c.n.cfg.Data)
		listing = without(listing, logs)
		changed, err := c.fetch(listing)
		if err != nil {
			return listing, err
		}
		next, err := c.n.list(ctx, c.n.cfg.Data, nil)
		if err != nil {
			return listing, err
		}
		next = without(next, logs)
		restless = append(changed, next.Changing...)
		restless = append(restless, changes(listing.Files, next.Files)...)
		if len(restless) == 0 && next.Stable {
			return next, nil
		}
		listing = next
	}
	slices.Sort(restless)
	return listing, fmt.Errorf("%s changed each of %d times it was read; who writes there?",
		strings.Join(slices.Compact(restless), ", "), captureTries)
}

// fetch puts into the depot what it lacks and names the files that were no longer
// what the listing said.
func (c *capture) fetch(listing helperapi.ManifestResult) ([]string, error) {
	changed := slices.Clone(listing.Changing)
	for _, f := range listing.Files {
		if f.Link != "" || c.depot.Has(f.SHA256) || slices.Contains(changed, f.Path) {
			continue
		}
		same, err := c.fetchOne(f)
		if err != nil {
			return nil, fmt.Errorf("fetch %s: %w", f.Path, err)
		}
		if !same {
			changed = append(changed, f.Path)
		}
	}
	return changed, nil
}

// fetchOne stores one file. It returns false when the file is gone or is not what
// the listing said.
func (c *capture) fetchOne(f helperapi.File) (same bool, err error) {
	r, err := c.files.Open(path.Join(c.n.cfg.Data, f.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer r.Close()
	hash := sha256.New()
	err = c.depot.Put(f.SHA256, io.TeeReader(r, hash))
	if got := hex.EncodeToString(hash.Sum(nil)); err != nil && got != f.SHA256 && ended(r) {
		return false, nil
	}
	return err == nil, err
}

// ended says that a file was read to its end.
func ended(r io.Reader) bool {
	n, err := r.Read(make([]byte, 1))
	return n == 0 && errors.Is(err, io.EOF)
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
