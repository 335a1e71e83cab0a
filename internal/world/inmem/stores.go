package inmem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// Stores is a disk in memory: journal, shelf and records of one controller. They
// outlive the controller, as a disk does.
type Stores struct {
	mu      sync.Mutex
	runs    map[string][]string
	lines   map[string][][]byte
	blobs   map[string][]byte
	gens    map[string][]generation.Generation
	records map[string][]byte

	// OnAppend, if set, is asked before and after each journal line; an error means
	// that the controller dies there.
	OnAppend func(when string, e plan.Entry) error
}

// NewStores returns an empty disk.
func NewStores() *Stores {
	return &Stores{runs: map[string][]string{}, lines: map[string][][]byte{}, blobs: map[string][]byte{},
		gens: map[string][]generation.Generation{}, records: map[string][]byte{}}
}

// Journal is the part of the disk that holds runs.
func (s *Stores) Journal() engine.Journal { return journal{s} }

// Shelf is the part that holds contents and generations.
func (s *Stores) Shelf() engine.Shelf { return shelf{s} }

// Memory is the part that holds records.
func (s *Stores) Memory() engine.Memory { return memory{s} }

type journal struct{ s *Stores }

type run struct {
	s   *Stores
	key string
}

func (j journal) Create(first plan.Entry, net string) (engine.Run, error) {
	j.s.mu.Lock()
	j.s.runs[net] = append(j.s.runs[net], first.Run)
	j.s.mu.Unlock()
	r := run{j.s, net + "/" + first.Run}
	return r, r.Append(first)
}

func (j journal) Open(net, id string) (engine.Run, error) { return run{j.s, net + "/" + id}, nil }

func (j journal) Runs(net string) ([]string, error) {
	j.s.mu.Lock()
	defer j.s.mu.Unlock()
	return slices.Clone(j.s.runs[net]), nil
}

func (j journal) Load(net, id string) ([]plan.Entry, error) {
	j.s.mu.Lock()
	defer j.s.mu.Unlock()
	var out []plan.Entry
	for _, line := range j.s.lines[net+"/"+id] {
		var e plan.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (r run) Append(e plan.Entry) error {
	if err := r.asked("before", e); err != nil {
		return err
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	r.s.mu.Lock()
	r.s.lines[r.key] = append(r.s.lines[r.key], line)
	r.s.mu.Unlock()
	return r.asked("after", e)
}

func (r run) asked(when string, e plan.Entry) error {
	if r.s.OnAppend == nil {
		return nil
	}
	return r.s.OnAppend(when, e)
}

func (run) Close() error { return nil }

type shelf struct{ s *Stores }

func (f shelf) Has(hash string) bool {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	_, ok := f.s.blobs[hash]
	return ok
}

func (f shelf) Put(hash string, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if sum(string(b)) != hash {
		return fmt.Errorf("content is not %s", hash)
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.blobs[hash] = b
	return nil
}

func (f shelf) Open(hash string) (io.ReadCloser, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	b, ok := f.s.blobs[hash]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", hash, fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (f shelf) Add(g generation.Generation) (generation.Generation, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	g.Number = len(f.s.gens[g.Network]) + 1
	g.Hash = g.ContentHash()
	f.s.gens[g.Network] = append(f.s.gens[g.Network], g)
	return g, nil
}

func (f shelf) Latest(net string) (generation.Generation, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	all := f.s.gens[net]
	if len(all) == 0 {
		return generation.Generation{}, generation.ErrNone
	}
	return all[len(all)-1], nil
}

func (f shelf) KeepImage(_, _ string, image []byte) (string, error) {
	hash := sum(string(image))
	return hash, f.Put(hash, bytes.NewReader(image))
}

type memory struct{ s *Stores }

func (m memory) Load(net string) (r network.Record, err error) {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	if b, ok := m.s.records[net]; ok {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}

func (m memory) Save(r network.Record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.s.records[r.Network] = b
	return nil
}
