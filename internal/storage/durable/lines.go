package durable

import (
	"bytes"
	"fmt"
	"os"
)

// A TornLineError is a line in the middle of a log that is no JSON object. A
// crash cannot cause that; a bad disk or an editor can.
type TornLineError struct {
	Path string
	Line int // from 1
}

func (e *TornLineError) Error() string {
	return fmt.Sprintf("%s line %d is not a whole JSON object, and it is not the last line; "+
		"restore the file from a backup, or move it aside and start over without it", e.Path, e.Line)
}

// ReadLines returns the whole lines of the log at path, without line feeds, and
// changes nothing. A torn last line is left out; a torn line before it is a
// *TornLineError. A missing file is fs.ErrNotExist.
func ReadLines(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	s, err := split(path, data)
	return s.lines, err
}

// A splitLog is a log taken apart.
type splitLog struct {
	lines   [][]byte
	torn    []byte // what follows the last whole line
	whole   int64  // bytes of the whole lines
	unended bool   // the last whole line lacks its line feed
}

func split(path string, data []byte) (splitLog, error) {
	var s splitLog
	for number := 1; len(data) > 0; number++ {
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		if !isObject(line) {
			if len(bytes.Trim(rest, "\x00\n")) > 0 {
				return splitLog{}, &TornLineError{Path: path, Line: number}
			}
			s.torn = data
			return s, nil
		}
		s.lines = append(s.lines, line)
		s.whole += int64(len(data) - len(rest))
		s.unended = !ended
		data = rest
	}
	return s, nil
}
