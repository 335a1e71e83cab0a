package shelf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/storage/durable"
)

// freshFor is how long a blob that nothing names is left alone after it was stored or
// asked for: the generation that will name it may be on its way.
const freshFor = time.Hour

// Pruned is what was removed, or would be.
type Pruned struct {
	Network     string `json:"network"`
	Generations []int  `json:"generations"` // their numbers
	Images      int    `json:"images"`      // entries of the lists of stick images
	Blobs       int    `json:"blobs"`       // contents that nothing named any more
	Bytes       int64  `json:"bytes"`
	// Damaged are files that cannot be read. They stay, and while there is one, so does
	// every content: one of them may be all that names it.
	Damaged []string `json:"damaged,omitempty"`
}

// Prune removes what the rule does not keep of a network: generations first, then
// entries of the lists of stick images, then every content that nothing on the shelf
// names. use is asked for each network on the shelf; an error from it removes nothing.
//
// It may be cut off anywhere, and works beside captures, marks and imports. While the
// shelf is being copied or pruned by somebody else it is a *network.RefusedError.
func (s *Shelf) Prune(net string, rule Retention, use func(net string) (Use, error)) (Pruned, error) {
	latch, err := durable.TryLatch(filepath.Join(s.dir, PruneLatch))
	if errors.Is(err, durable.ErrLatched) {
		return Pruned{}, &network.RefusedError{What: "tidy the shelf of " + net, Why: "it is being copied for a backup, or tidied already", Remedy: "try again in a minute"}
	}
	if err != nil {
		return Pruned{}, err
	}
	w := &work{s: s, net: net, rule: rule, out: Pruned{Network: net}}
	err = s.alone(func() error {
		if err := w.plan(use); err != nil {
			return err
		}
		return w.unname()
	})
	if err == nil {
		err = w.removeBlobs()
	}
	return w.out, errors.Join(err, latch.Release())
}

// Surplus says what Prune would remove now, and removes nothing.
func (s *Shelf) Surplus(net string, rule Retention, use func(net string) (Use, error)) (Pruned, error) {
	w := &work{s: s, net: net, rule: rule, out: Pruned{Network: net}}
	if err := s.alone(func() error { return w.plan(use) }); err != nil {
		return Pruned{}, err
	}
	w.out.Generations = w.generations
	for _, n := range w.generations {
		w.out.Bytes += sizeOf(s.generationPath(net, n))
	}
	for _, i := range w.indexes {
		w.out.Images += i.dropped
	}
	for _, hash := range w.blobs {
		w.out.Blobs, w.out.Bytes = w.out.Blobs+1, w.out.Bytes+sizeOf(s.blobPath(hash))
	}
	return w.out, nil
}

// work is one pruning: first the whole list of what goes, then its removal.
type work struct {
	s    *Shelf
	net  string
	rule Retention

	named       map[string]bool // contents that stay
	generations []int           // that go
	indexes     []shortened
	blobs       []string // that go

	out Pruned
}

// shortened is a list of stick images with fewer entries.
type shortened struct {
	path    string
	kept    []Kept
	dropped int
}

func (w *work) plan(use func(string) (Use, error)) error {
	w.named = map[string]bool{}
	nets, err := w.s.networks()
	if err != nil {
		return err
	}
	if !slices.Contains(nets, w.net) {
		return nil
	}
	for _, net := range nets {
		using, err := use(net)
		if err != nil {
			return fmt.Errorf("tidy the shelf: what of %s is in use: %w", net, err)
		}
		for _, hash := range using.Blobs {
			w.named[hash] = true
		}
		if err := errors.Join(w.planGenerations(net, using), w.planImages(net)); err != nil {
			return err
		}
	}
	if len(w.out.Damaged) > 0 {
		return nil
	}
	w.blobs, err = w.s.unnamed(w.named)
	return err
}

func (w *work) planGenerations(net string, using Use) error {
	numbers, err := w.s.numbers(net)
	if err != nil {
		return err
	}
	var all []generation.Generation
	images := map[string]int64{}
	for _, n := range numbers {
		g, err := w.s.Get(net, n)
		if err != nil {
			w.out.Damaged = append(w.out.Damaged, w.s.generationPath(net, n))
			using.Generations = append(using.Generations, n)
			continue
		}
		all = append(all, g)
		if g.StickImage != "" {
			images[g.StickImage] = sizeOf(w.s.blobPath(g.StickImage))
		}
	}
	if net == w.net {
		w.generations = w.rule.Surplus(all, using, images, w.s.now())
	}
	for _, g := range all {
		if net == w.net && slices.Contains(w.generations, g.Number) {
			continue
		}
		for _, f := range g.Files {
			w.named[f.SHA256] = true
		}
		w.named[g.StickImage] = true
	}
	return nil
}

// planImages keeps of each stick's list the newest entries.
func (w *work) planImages(net string) error {
	paths, err := filepath.Glob(filepath.Join(w.s.dir, net, sticksDir, "*.jsonl"))
	if err != nil {
		return fmt.Errorf("tidy the shelf: %w", err)
	}
	for _, path := range paths {
		all, err := w.s.Images(net, strings.TrimSuffix(filepath.Base(path), ".jsonl"))
		if err != nil {
			w.out.Damaged = append(w.out.Damaged, path)
			continue
		}
		kept := all
		if net == w.net {
			kept = w.rule.images(all, w.s.now())
		}
		if n := len(all) - len(kept); n > 0 {
			w.indexes = append(w.indexes, shortened{path, kept, n})
		}
		for _, k := range kept {
			w.named[k.SHA256] = true
		}
	}
	return nil
}

// images are the entries that the rule keeps of a list, oldest first: the newest Count
// of those that are not too old, and the newest few.
func (r Retention) images(all []Kept, now time.Time) []Kept {
	for i := range all {
		rest := len(all) - i
		tooOld := r.Age > 0 && now.Sub(all[i].At) > r.Age && rest > keptHowever
		tooMany := r.Count > 0 && rest > r.Count
		if !tooOld && !tooMany {
			return all[i:]
		}
	}
	return nil
}

// unname removes what names contents.
func (w *work) unname() error {
	for _, n := range w.generations {
		path := w.s.generationPath(w.net, n)
		size := sizeOf(path)
		if err := w.s.disk.Remove(path); err != nil {
			return fmt.Errorf("tidy the shelf: %w", err)
		}
		w.out.Generations, w.out.Bytes = append(w.out.Generations, n), w.out.Bytes+size
	}
	for _, i := range w.indexes {
		if err := w.s.rewrite(i.path, i.kept); err != nil {
			return fmt.Errorf("tidy the list of stick images: %w", err)
		}
		w.out.Images += i.dropped
	}
	return nil
}

// removeBlobs lets others in between any two: one that was stored or asked for again
// since the plan is fresh, and stays.
func (w *work) removeBlobs() error {
	for _, hash := range w.blobs {
		err := w.s.alone(func() error {
			path := w.s.blobPath(hash)
			size, fresh := sizeOf(path), w.s.fresh(path)
			if fresh {
				return nil
			}
			if err := w.s.disk.Remove(path); err != nil {
				return err
			}
			w.out.Blobs, w.out.Bytes = w.out.Blobs+1, w.out.Bytes+size
			return nil
		})
		if err != nil {
			return fmt.Errorf("tidy the shelf: %w", err)
		}
	}
	return nil
}

// networks are those that have something on the shelf.
func (s *Shelf) networks() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list the networks on the shelf: %w", err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && checkName("network", e.Name()) == nil {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// unnamed are the blobs that may go.
func (s *Shelf) unnamed(named map[string]bool) ([]string, error) {
	var out []string
	err := filepath.WalkDir(filepath.Join(s.dir, blobsDir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if hash := d.Name(); d.Type().IsRegular() && checkHash(hash) == nil && !named[hash] && !s.fresh(path) {
			out = append(out, hash)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the contents on the shelf: %w", err)
	}
	return out, nil
}

// fresh says that a blob may be named soon; one that is gone is nobody's business.
func (s *Shelf) fresh(path string) bool {
	info, err := os.Stat(path)
	return err != nil || s.now().Sub(info.ModTime()) < freshFor
}

func (s *Shelf) rewrite(path string, kept []Kept) error {
	var all []byte
	for _, k := range kept {
		line, err := json.Marshal(k)
		if err != nil {
			return err
		}
		all = append(append(all, line...), '\n')
	}
	return s.disk.WriteFile(path, all, 0o600)
}

// sizeOf is 0 for what is not there.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
