package journal

import (
	"encoding/json"
	"fmt"

	"z2mha/internal/storage/durable"
)

// A Run is the record of one run, open for appending. It is for one goroutine at
// a time.
type Run struct {
	log  *durable.Log
	id   string
	last int // Seq of the last entry
}

// Append records e, numbered after the entry before it, and returns when it is
// on disk. After an error e does not count as recorded; see durable.Log.Append.
func (r *Run) Append(e Entry) error {
	e.Run, e.Seq = r.id, r.last+1
	line, err := encode(e)
	if err != nil {
		return err
	}
	if err := r.log.Append(line); err != nil {
		return fmt.Errorf("record %s of run %s: %w", e.Event, r.id, err)
	}
	r.last++
	return nil
}

// Close ends the writing, not the run.
func (r *Run) Close() error { return r.log.Close() }

func encode(e Entry) ([]byte, error) {
	line, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("record %s of run %s: %w", e.Event, e.Run, err)
	}
	return line, nil
}

// decode reads one line and refuses one that is not the seq-th of run: a lost, a
// doubled or a foreign entry would send a resumed plan the wrong way.
func decode(line []byte, run string, seq int) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, fmt.Errorf("not an entry: %w", err)
	}
	if e.Run != run || e.Seq != seq {
		return Entry{}, fmt.Errorf("entry %d of run %q stands where entry %d of run %q should be; "+
			"the file was changed by hand or by a bad disk", e.Seq, e.Run, seq, run)
	}
	return e, nil
}
