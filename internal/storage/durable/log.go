package durable

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// TornSuffix is added to a log's name for the file that keeps its torn ends.
const TornSuffix = ".torn"

// A Log is a file of JSON objects, one a line, that only grows. It is for one
// goroutine at a time.
type Log struct {
	disk   Disk
	file   *os.File
	path   string
	end    int64 // length of the whole lines
	broken error // why nothing may be appended any more
}

// OpenLog opens the log at path for appending and creates it when it is missing.
//
// A crash in mid-write leaves a torn last line. It was never acknowledged, yet it
// is not thrown away: OpenLog appends it to path+".torn", then cuts it off. A
// last line that only lacks its line feed is whole and gets one. A line in the
// middle that is no JSON object is a *TornLineError, and nothing is changed.
func (d Disk) OpenLog(path string, perm fs.FileMode) (*Log, error) {
	f, err := d.openAppend(path, perm)
	if err != nil {
		return nil, err
	}
	l := &Log{disk: d, file: f, path: path}
	if err := l.mend(); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

func (d Disk) openAppend(path string, perm fs.FileMode) (*os.File, error) {
	if err := d.fault(OpOpen, path); err != nil {
		return nil, fmt.Errorf("open log %s: %w", path, err)
	}
	_, missing := os.Stat(path)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, perm)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if missing == nil {
		return f, nil
	}
	if err := d.syncDir(filepath.Dir(path)); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// mend brings the file to whole lines and sets l.end.
func (l *Log) mend() error {
	data, err := os.ReadFile(l.path)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	s, err := split(l.path, data)
	if err != nil {
		return err
	}
	l.end = s.whole
	if len(s.torn) > 0 {
		if err := l.setAside(s.torn); err != nil {
			return err
		}
		return l.cut()
	}
	if s.unended {
		return l.write([]byte("\n"))
	}
	return nil
}

// setAside makes torn durable beside the log before it is cut off.
func (l *Log) setAside(torn []byte) error {
	path := l.path + TornSuffix
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep torn line: %w", err)
	}
	kept := append(bytes.TrimRight(torn, "\n"), '\n')
	if bytes.HasSuffix(old, kept) {
		return nil // a crash came between keeping and cutting
	}
	return l.disk.WriteFile(path, append(old, kept...), 0o600)
}

// Append adds one JSON object as a line and returns when it is on disk. When it
// fails, the line is not part of the log, and after a failure that leaves this in
// doubt every later Append fails too: open the log again to go on.
func (l *Log) Append(object []byte) error {
	if l.broken != nil {
		return fmt.Errorf("append to %s: not since an earlier failure: %w", l.path, l.broken)
	}
	if !isObject(object) || bytes.ContainsRune(object, '\n') {
		return fmt.Errorf("append to %s: not one JSON object on one line", l.path)
	}
	return l.write(append(bytes.Clone(object), '\n'))
}

// write appends b and syncs. A failed write is cut off again, so that the next
// line does not grow out of the stump of this one.
func (l *Log) write(b []byte) error {
	_, err := l.disk.write(l.file, l.path, b)
	if err != nil {
		err = fmt.Errorf("append to %s: %w", l.path, err)
		if cutErr := l.cut(); cutErr != nil {
			l.broken = errors.Join(err, cutErr)
		}
		return err
	}
	if err := l.disk.sync(l.file, l.path); err != nil {
		// After a failed fsync the kernel may have dropped the page and will
		// not say so again: what is on disk is unknown.
		l.broken = fmt.Errorf("sync %s: %w", l.path, err)
		_ = l.cut()
		return l.broken
	}
	l.end += int64(len(b))
	return nil
}

// cut shortens the file to its whole lines.
func (l *Log) cut() error {
	if err := l.disk.fault(OpTruncate, l.path); err != nil {
		return fmt.Errorf("cut torn line off %s: %w", l.path, err)
	}
	if err := l.file.Truncate(l.end); err != nil {
		return fmt.Errorf("cut torn line: %w", err)
	}
	if err := l.disk.sync(l.file, l.path); err != nil {
		return fmt.Errorf("sync %s: %w", l.path, err)
	}
	return nil
}

// Close releases the file. What was appended is on disk already.
func (l *Log) Close() error { return l.file.Close() }

// isObject says that b is one whole JSON object. No beginning of an object is an
// object, so a torn line is always told from a whole one.
func isObject(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 0 && b[0] == '{' && json.Valid(b)
}
