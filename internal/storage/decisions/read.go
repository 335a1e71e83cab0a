package decisions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"z2mha/internal/failover/decide"
)

// ErrNone is returned when there is no such decision.
var ErrNone = errors.New("no such decision is kept")

// A head is the beginning of a decision, and its whole line.
type head struct {
	Number int       `json:"number"`
	At     time.Time `json:"at"`
	line   []byte
}

// read reads the heads of all decisions, the oldest first. A line that is none, such as a
// torn last one, is passed over. A program that writes does not matter: a decision is
// there once its line has ended.
func read(dir, network string) (all []head, newest int, err error) {
	path, err := pathOf(dir, network)
	if err != nil {
		return nil, 0, err
	}
	for _, p := range []string{older(path), path} {
		data, err := os.ReadFile(p)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, 0, fmt.Errorf("read decisions: %w", err)
		}
		newest = len(data)
		for line := range bytes.Lines(data) {
			h := head{line: line}
			if bytes.HasSuffix(line, []byte("\n")) && json.Unmarshal(line, &h) == nil && h.Number > 0 {
				all = append(all, h)
			}
		}
	}
	return all, newest, nil
}

func (h head) stored() (s Stored, err error) {
	if err := json.Unmarshal(h.line, &s); err != nil {
		return s, fmt.Errorf("decision %d: %w", h.Number, err)
	}
	return s, nil
}

// Last returns the last n decisions of a network, the oldest first.
func Last(dir, network string, n int) ([]Stored, error) {
	all, _, err := read(dir, network)
	if err != nil {
		return nil, err
	}
	var out []Stored
	for _, h := range all[max(0, len(all)-n):] {
		s, err := h.stored()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Number returns the decision with a number, or ErrNone.
func Number(dir, network string, number int) (Stored, error) {
	return newest(dir, network, func(h head) bool { return h.Number == number })
}

// At returns the decision that held at a time: the last one that was made by then. It is
// ErrNone when all that are kept are later.
func At(dir, network string, t time.Time) (Stored, error) {
	return newest(dir, network, func(h head) bool { return !h.At.After(t) })
}

func newest(dir, network string, wanted func(head) bool) (Stored, error) {
	all, _, err := read(dir, network)
	if err != nil {
		return Stored{}, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if wanted(all[i]) {
			return all[i].stored()
		}
	}
	return Stored{}, ErrNone
}

// Replay decides anew from what was stored, and returns both decisions as JSON. They are the
// same to the last bit unless the rules have changed since.
func Replay(stored []byte) (was, is []byte, err error) {
	var s struct {
		Input    *decide.Input   `json:"input"`
		Decision json.RawMessage `json:"decision"`
	}
	if err := json.Unmarshal(stored, &s); err != nil {
		return nil, nil, fmt.Errorf("this is no stored decision: %w", err)
	}
	if s.Input == nil || len(s.Decision) == 0 {
		return nil, nil, errors.New("this is no stored decision: it has no input or no decision; `z2mha why --json` writes one")
	}
	var b bytes.Buffer
	if err := json.Compact(&b, s.Decision); err != nil {
		return nil, nil, fmt.Errorf("this is no stored decision: %w", err)
	}
	is, err = json.Marshal(decide.Decide(*s.Input))
	return b.Bytes(), is, err
}
