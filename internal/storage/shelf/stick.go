package shelf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"z2mha/internal/storage/durable"
)

// A Kept is one image that was found on a node's stick.
type Kept struct {
	At     time.Time `json:"at"`
	SHA256 string    `json:"sha256"`
	Bytes  int       `json:"bytes"`
}

// KeepImage stores what was on the stick of a node before it is written over and
// returns its hash. When it returns, the image is on disk. An image equal to the
// last one kept of this stick is not listed again.
func (s *Shelf) KeepImage(network, node string, image []byte) (string, error) {
	if err := errors.Join(checkName("network", network), checkName("node", node)); err != nil {
		return "", err
	}
	hash := hashOf(image)
	if err := s.Put(hash, bytes.NewReader(image)); err != nil {
		return "", fmt.Errorf("keep the stick image of %s: %w", node, err)
	}
	return hash, s.alone(func() error {
		kept, err := s.Images(network, node)
		if err != nil {
			return err
		}
		if len(kept) > 0 && kept[len(kept)-1].SHA256 == hash {
			return nil
		}
		return s.index(network, node, Kept{At: s.now().UTC(), SHA256: hash, Bytes: len(image)})
	})
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Images lists what was on a node's stick, oldest first.
func (s *Shelf) Images(network, node string) ([]Kept, error) {
	if err := errors.Join(checkName("network", network), checkName("node", node)); err != nil {
		return nil, err
	}
	lines, err := durable.ReadLines(s.indexPath(network, node))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list stick images of %s: %w", node, err)
	}
	out := make([]Kept, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal(line, &out[i]); err != nil {
			return nil, fmt.Errorf("list stick images of %s: %s line %d: %w", node, s.indexPath(network, node), i+1, err)
		}
	}
	return out, nil
}

func (s *Shelf) index(network, node string, k Kept) error {
	line, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("keep the stick image of %s: %w", node, err)
	}
	path := s.indexPath(network, node)
	if err := s.disk.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	log, err := s.disk.OpenLog(path, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	return log.Append(line)
}

func (s *Shelf) indexPath(network, node string) string {
	return filepath.Join(s.dir, network, sticksDir, node+".jsonl")
}
