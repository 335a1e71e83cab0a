// Package helperapi is what znp-helper and the controller say to one another: verbs
// with their arguments, lines on stdout, errors on stderr and exit codes. It is
// data only, so that both sides share one truth and neither imports the other.
//
// A verb writes JSON lines to stdout: any number of progress messages, then exactly
// one result. When it fails there is no result; stderr ends with one Error line and
// the exit status is its code. A verb that was started over a connection that is
// gone says nothing about what happened: ask again with the same run id.
package helperapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Version is the version of this protocol. The controller pushes the helper it was
// built with, so it needs no negotiation; it is reported to tell strangers apart.
const Version = 1

// The events a Message can carry.
const (
	EventProgress = "progress"
	EventResult   = "result"
	EventChunk    = "chunk"
)

// A Message is one line on the helper's stdout.
type Message struct {
	Event    string          `json:"event"`
	Progress *Progress       `json:"progress,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Chunk    *Chunk          `json:"chunk,omitempty"`
}

// A Fetch is one line on standard input of a manifest that talks: it asks for the
// contents of these files, and then for the next listing.
type Fetch struct {
	Paths []string `json:"fetch"`
}

// A Chunk is a piece of a file asked for. Its line is followed by as many bytes as it
// says. Every file ends with a chunk that says so, also one that is Gone.
type Chunk struct {
	Bytes int  `json:"bytes"`
	End   bool `json:"end,omitempty"`
	Gone  bool `json:"gone,omitempty"` // it is not there, or no regular file
}

// Progress tells how far a step is; Total is 0 while it is not known.
type Progress struct {
	Step  string `json:"step"` // compare, write, read back …
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// ErrNoResult is returned when a helper's output ended without a result: it was
// interrupted or the connection broke.
var ErrNoResult = errors.New("the helper's output ended without a result")

// ParseLine reads one line of stdout. Lines that are not of the helper, such as
// what a login shell prints, are an error that quotes their beginning.
func ParseLine(line []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(line, &m); err != nil || m.Event == "" {
		return Message{}, fmt.Errorf("not a line of znp-helper: %.60q", line)
	}
	return m, nil
}

// Result decodes the result in a helper's whole stdout, passing over progress and
// over lines that are not the helper's.
func Result[T any](stdout []byte) (T, error) {
	var result T
	for line := range bytes.Lines(stdout) {
		m, err := ParseLine(line)
		if err != nil || m.Event != EventResult {
			continue
		}
		if err := json.Unmarshal(m.Result, &result); err != nil {
			return result, fmt.Errorf("read the helper's result: %w", err)
		}
		return result, nil
	}
	return result, ErrNoResult
}
