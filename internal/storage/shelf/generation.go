package shelf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"z2mha/internal/failover/generation"
)

// Add stores g as the network's next generation and returns it with its Number
// and Hash. It refuses a generation whose contents are not all on the shelf.
// Numbers grow by one and are not given twice, whatever was removed before them.
func (s *Shelf) Add(g generation.Generation) (generation.Generation, error) {
	err := s.alone(func() error {
		if err := s.complete(g); err != nil {
			return fmt.Errorf("store generation of %s: %w", g.Network, err)
		}
		numbers, err := s.numbers(g.Network)
		if err != nil {
			return err
		}
		g.Number = 1
		if len(numbers) > 0 {
			g.Number = numbers[len(numbers)-1] + 1
		}
		g.Hash = g.ContentHash()
		return s.write(g)
	})
	if err != nil {
		return generation.Generation{}, err
	}
	return g, nil
}

// complete checks that g can be restored from this shelf.
func (s *Shelf) complete(g generation.Generation) error {
	if err := checkName("network", g.Network); err != nil {
		return err
	}
	for _, f := range g.Files {
		if !filepath.IsLocal(f.Path) {
			return fmt.Errorf("file %q is not inside the data directory", f.Path)
		}
		if !s.Has(f.SHA256) {
			return fmt.Errorf("the content of %s (blob %s) is not on the shelf", f.Path, f.SHA256)
		}
	}
	if g.StickImage != "" && !s.Has(g.StickImage) {
		return fmt.Errorf("the stick image (blob %s) is not on the shelf", g.StickImage)
	}
	return nil
}

func (s *Shelf) write(g generation.Generation) error {
	data, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return fmt.Errorf("store generation of %s: %w", g.Network, err)
	}
	path := s.generationPath(g.Network, g.Number)
	if err := s.disk.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return s.disk.WriteFile(path, append(data, '\n'), 0o600)
}

// Latest returns the network's newest usable generation, or generation.ErrNone. A
// damaged one that is newer is an error, not a reason to fall back in silence to an
// older state of the network.
func (s *Shelf) Latest(network string) (generation.Generation, error) {
	return s.newest(network, generation.Generation.Usable)
}

// Newest returns the network's generation of the highest number, which may be one that
// was refused, or generation.ErrNone.
func (s *Shelf) Newest(network string) (generation.Generation, error) {
	return s.newest(network, func(generation.Generation) bool { return true })
}

func (s *Shelf) newest(network string, want func(generation.Generation) bool) (generation.Generation, error) {
	numbers, err := s.numbers(network)
	if err != nil {
		return generation.Generation{}, err
	}
	for _, n := range slices.Backward(numbers) {
		if g, err := s.Get(network, n); err != nil || want(g) {
			return g, err
		}
	}
	return generation.Generation{}, fmt.Errorf("network %s: %w", network, generation.ErrNone)
}

// Get returns generation n of network, or generation.ErrNone.
func (s *Shelf) Get(network string, n int) (generation.Generation, error) {
	if err := checkName("network", network); err != nil {
		return generation.Generation{}, err
	}
	path := s.generationPath(network, n)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return generation.Generation{}, fmt.Errorf("network %s, number %d: %w", network, n, generation.ErrNone)
	}
	if err != nil {
		return generation.Generation{}, fmt.Errorf("read generation: %w", err)
	}
	g, err := decode(data, network, n)
	if err != nil {
		return generation.Generation{}, fmt.Errorf("%s: %w; move it aside to go on without it", path, err)
	}
	return g, nil
}

// List returns the network's generations by number. With damaged ones among
// them, it returns the others and an error that names each damaged one.
func (s *Shelf) List(network string) ([]generation.Generation, error) {
	numbers, err := s.numbers(network)
	if err != nil {
		return nil, err
	}
	var out []generation.Generation
	var errs []error
	for _, n := range numbers {
		g, err := s.Get(network, n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, g)
	}
	return out, errors.Join(errs...)
}

// numbers are the numbers given so far, ascending.
func (s *Shelf) numbers(network string) ([]int, error) {
	if err := checkName("network", network); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, network))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list generations of %s: %w", network, err)
	}
	var out []int
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.Atoi(digits); ok && err == nil {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (s *Shelf) generationPath(network string, n int) string {
	return filepath.Join(s.dir, network, fmt.Sprintf("%06d.json", n))
}

func decode(data []byte, network string, n int) (generation.Generation, error) {
	var g generation.Generation
	if err := json.Unmarshal(data, &g); err != nil {
		return g, fmt.Errorf("not a generation: %w", err)
	}
	if g.Network != network || g.Number != n {
		return g, fmt.Errorf("holds generation %d of %q", g.Number, g.Network)
	}
	if g.Hash != g.ContentHash() {
		return g, errors.New("its list of files does not have the hash that it was stored with")
	}
	return g, nil
}
