package inmem

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

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
	lines   map[string][]plan.Entry
	blobs   map[string][]byte
	gens    map[string][]generation.Generation
	records map[string]network.Record

	// OnAppend, if set, is asked before and after each journal line; an error means
	// that the controller dies there.
	OnAppend func(when string, e plan.Entry) error
}

// NewStores returns an empty disk.
func NewStores() *Stores {
	return &Stores{runs: map[string][]string{}, lines: map[string][]plan.Entry{}, blobs: map[string][]byte{},
		gens: map[string][]generation.Generation{}, records: map[string]network.Record{}}
}

// Snapshot is a copy of what is on the disk now, as a backup of it would be.
func (s *Stores) Snapshot() *Stores {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := NewStores()
	out.takeLocked(s)
	return out
}

// Restore puts the disk back to what it was at a snapshot.
func (s *Stores) Restore(from *Stores) {
	old := from.Snapshot()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeLocked(old)
}

// takeLocked copies everything that can change; entries, records and blobs never do.
func (s *Stores) takeLocked(from *Stores) {
	s.runs, s.lines, s.gens = cloneEach(from.runs), cloneEach(from.lines), cloneEach(from.gens)
	s.blobs, s.records = maps.Clone(from.blobs), maps.Clone(from.records)
}

func cloneEach[T any](m map[string][]T) map[string][]T {
	out := make(map[string][]T, len(m))
	for k, v := range m {
		out[k] = slices.Clone(v)
	}
	return out
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
	return slices.Clone(j.s.lines[net+"/"+id]), nil
}

func (r run) Append(e plan.Entry) error {
	if err := r.asked("before", e); err != nil {
		return err
	}
	e.At = e.At.Round(0) // a line on disk has no monotonic clock
	r.s.mu.Lock()
	r.s.lines[r.key] = append(r.s.lines[r.key], e)
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
	for _, g := range slices.Backward(f.s.gens[net]) {
		if g.Usable() {
			return g, nil
		}
	}
	return generation.Generation{}, generation.ErrNone
}

func (f shelf) Newest(net string) (generation.Generation, error) {
	return f.Get(net, f.count(net))
}

func (f shelf) count(net string) int {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	return len(f.s.gens[net])
}

func (f shelf) Get(net string, number int) (generation.Generation, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if number < 1 || number > len(f.s.gens[net]) {
		return generation.Generation{}, generation.ErrNone
	}
	return f.s.gens[net][number-1], nil
}

func (f shelf) Accept(net string, number int, by string) (generation.Generation, error) {
	g, err := f.Get(net, number)
	if err != nil {
		return g, err
	}
	if g.Usable() {
		return g, errors.New("it was not refused")
	}
	g.Accepted = &generation.Accepted{By: by, At: time.Now()}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.gens[net][number-1] = g
	return g, nil
}

func (f shelf) KeepImage(_, _ string, image []byte) (string, error) {
	hash := sum(string(image))
	return hash, f.Put(hash, bytes.NewReader(image))
}

type memory struct{ s *Stores }

func (m memory) Load(net string) (network.Record, error) {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	return cloneRecord(m.s.records[net]), nil
}

func (m memory) Save(r network.Record) error {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.s.records[r.Network] = cloneRecord(r)
	return nil
}

// cloneRecord shares nothing that anybody changes.
func cloneRecord(r network.Record) network.Record {
	r.Silent, r.Sticks, r.Ledgers, r.Staged = maps.Clone(r.Silent), maps.Clone(r.Sticks), maps.Clone(r.Ledgers), maps.Clone(r.Staged)
	r.Left, r.Odometer.Samples = slices.Clone(r.Left), slices.Clone(r.Odometer.Samples)
	return r
}

// Shift makes everything on the disk that much older: the same as a machine whose clock
// is that much ahead when it starts again.
func (s *Stores) Shift(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines, s.gens, s.records = shifted(s.lines, by), shifted(s.gens, by), shifted(s.records, by)
}

var stamp = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"`)

// shifted moves every time in a value back.
func shifted[T any](v T, by time.Duration) T {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	raw = stamp.ReplaceAllFunc(raw, func(b []byte) []byte {
		t, err := time.Parse(time.RFC3339Nano, string(b[1:len(b)-1]))
		if err != nil || t.IsZero() {
			return b
		}
		return []byte(`"` + t.Add(-by).Format(time.RFC3339Nano) + `"`)
	})
	var out T
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}
