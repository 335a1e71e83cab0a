// Package holds keeps who holds a network, and since when: <dir>/<network>.json,
// replaced in one act, readable with cat. It survives a restart, and two programs
// may use it: every Load reads the disk.
package holds

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

// Holds is the holds below one directory.
type Holds struct {
	dir  string
	disk durable.Disk
}

// New returns the holds below dir, which is created with the first one.
func New(dir string, disk durable.Disk) *Holds { return &Holds{dir: dir, disk: disk} }

// Load returns the hold of a network; it is off when nobody ever held it. A damaged
// file is an error, and whoever reads it should stay on the safe side: somebody may
// have wanted that nothing is done. Save mends it.
func (h *Holds) Load(network string) (status.Hold, error) {
	path, err := h.path(network)
	if err != nil {
		return status.Hold{}, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return status.Hold{}, nil
	}
	if err != nil {
		return status.Hold{}, fmt.Errorf("read the hold of %s: %w", network, err)
	}
	var out status.Hold
	if err := json.Unmarshal(data, &out); err != nil {
		return status.Hold{}, fmt.Errorf("read the hold of %s: %s is damaged: %w; set or release the hold again to mend it", network, path, err)
	}
	return out, nil
}

// Save replaces the hold of a network and returns when it is on disk.
func (h *Holds) Save(network string, hold status.Hold) error {
	path, err := h.path(network)
	if err != nil {
		return err
	}
	data, err := json.Marshal(hold)
	if err != nil {
		return fmt.Errorf("store the hold of %s: %w", network, err)
	}
	if err := h.disk.MkdirAll(h.dir, 0o700); err != nil {
		return err
	}
	return h.disk.WriteFile(path, append(data, '\n'), 0o600)
}

// Held says in a sentence who holds a network, "" when nobody does.
func (h *Holds) Held(network string) (string, error) {
	hold, err := h.Load(network)
	if err != nil || !hold.On {
		return "", err
	}
	who := ""
	if hold.By != "" {
		who = " (" + hold.By + ")"
	}
	return fmt.Sprintf("%s is on hold since %s%s", network, hold.Since.Local().Format(time.DateTime), who), nil
}

var safeName = regexp.MustCompile(`^[a-z0-9_-]+$`)

func (h *Holds) path(network string) (string, error) {
	if !safeName.MatchString(network) {
		return "", fmt.Errorf("network %q: only a-z, 0-9, _ and - may be in a name", network)
	}
	return filepath.Join(h.dir, network+".json"), nil
}
