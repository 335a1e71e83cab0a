// Package notes keeps what must not be forgotten of a network's watch, such as what a
// person has acknowledged: <dir>/<network>.json, replaced in one act, readable with cat.
// Two programs may use it: every Load reads the disk, and Change changes what is there.
package notes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
)

// Notes are those below one directory.
type Notes struct {
	dir  string
	disk durable.Disk
}

// New returns the notes below dir, which is created with the first ones.
func New(dir string, disk durable.Disk) *Notes { return &Notes{dir: dir, disk: disk} }

// Load returns the notes of a network, empty ones when nothing was ever noted. A damaged
// file is an error, and whoever reads it should stay on the safe side: it may have said
// what limits us.
func (n *Notes) Load(network string) (status.Notes, error) {
	path, err := n.path(network)
	if err != nil {
		return status.Notes{}, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return status.Notes{}, nil
	}
	if err != nil {
		return status.Notes{}, fmt.Errorf("read the notes of %s: %w", network, err)
	}
	var out status.Notes
	if err := json.Unmarshal(data, &out); err != nil {
		return status.Notes{}, fmt.Errorf("read the notes of %s: %s is damaged: %w; look at it, then remove it", network, path, err)
	}
	return out, nil
}

// patience is how long Change waits for another program, which needs a moment only.
const patience = 2 * time.Second

// Change changes the notes of a network as they are on disk, and returns when that is on disk:
// what two programs note at the same time is noted by both. A change that fails has noted nothing.
func (n *Notes) Change(network string, change func(*status.Notes)) error {
	path, err := n.path(network)
	if err != nil {
		return err
	}
	if err := n.disk.MkdirAll(n.dir, 0o700); err != nil {
		return err
	}
	latch, err := alone(path + ".lock")
	if err != nil {
		return fmt.Errorf("change the notes of %s: %w", network, err)
	}
	notes, err := n.Load(network)
	if err == nil {
		change(&notes)
		err = n.Save(network, notes)
	}
	return errors.Join(err, latch.Release())
}

func alone(path string) (*durable.Latch, error) {
	for until := time.Now().Add(patience); ; time.Sleep(patience / 100) {
		latch, err := durable.TryLatch(path)
		if !errors.Is(err, durable.ErrLatched) || time.Now().After(until) {
			return latch, err
		}
	}
}

// Save replaces the notes of a network and returns when they are on disk.
func (n *Notes) Save(network string, notes status.Notes) error {
	path, err := n.path(network)
	if err != nil {
		return err
	}
	data, err := json.Marshal(notes)
	if err != nil {
		return fmt.Errorf("store the notes of %s: %w", network, err)
	}
	if err := n.disk.MkdirAll(n.dir, 0o700); err != nil {
		return err
	}
	return n.disk.WriteFile(path, append(data, '\n'), 0o600)
}

var safeName = regexp.MustCompile(`^[a-z0-9_-]+$`)

func (n *Notes) path(network string) (string, error) {
	if !safeName.MatchString(network) {
		return "", fmt.Errorf("network %q: only a-z, 0-9, _ and - may be in a name", network)
	}
	return filepath.Join(n.dir, network+".json"), nil
}
