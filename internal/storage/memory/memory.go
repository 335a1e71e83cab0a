// Package memory keeps what the controller remembers of each network between two
// starts: <dir>/<network>.json, replaced in one act, readable with cat.
package memory

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"z2mha/internal/failover/network"
	"z2mha/internal/storage/durable"
)

// A Memory is the records below one directory.
type Memory struct {
	dir  string
	disk durable.Disk
}

// New returns the memory below dir, which is created with the first record.
func New(dir string, disk durable.Disk) *Memory { return &Memory{dir: dir, disk: disk} }

// Load returns what is remembered of a network, an empty record when nothing is.
// A damaged record is an error: to forget the counters that a network has used
// must be a person's decision.
func (m *Memory) Load(name string) (network.Record, error) {
	path, err := m.path(name)
	if err != nil {
		return network.Record{}, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return network.Record{Network: name}, nil
	}
	if err != nil {
		return network.Record{}, fmt.Errorf("read record of %s: %w", name, err)
	}
	var r network.Record
	if err := json.Unmarshal(data, &r); err != nil {
		return network.Record{}, fmt.Errorf("read record of %s: %s is damaged: %w; restore it from a backup of the state directory", name, path, err)
	}
	if r.Network != name {
		return network.Record{}, fmt.Errorf("read record of %s: %s is the record of %q; put the right file there", name, path, r.Network)
	}
	return r, nil
}

// Save replaces what is remembered of r's network and returns when it is on disk.
func (m *Memory) Save(r network.Record) error {
	path, err := m.path(r.Network)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("store record of %s: %w", r.Network, err)
	}
	if err := m.disk.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	return m.disk.WriteFile(path, append(data, '\n'), 0o600)
}

var safeName = regexp.MustCompile(`^[a-z0-9_-]+$`)

func (m *Memory) path(name string) (string, error) {
	if !safeName.MatchString(name) {
		return "", fmt.Errorf("network %q: only a-z, 0-9, _ and - may be in a name", name)
	}
	return filepath.Join(m.dir, name+".json"), nil
}
