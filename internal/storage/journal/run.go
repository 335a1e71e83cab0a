package journal

import (
	"encoding/json"
	"fmt"

	"z2mha/internal/failover/plan"
	"z2mha/internal/storage/durable"
)

// A Run is the record of one run, open for appending. It is for one goroutine at
// a time.
type Run struct {
	log  *durable.Log
	id   string
	last int // Seq of the last entry
}

// Append records e, which must be the one after the last, and returns when it is
// on disk. After an error e does not count as recorded; see durable.Log.Append.
func (r *Run) Append(e plan.Entry) error {
	line, err := encode(e, r.id, r.last+1)
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

func encode(e plan.Entry, run string, seq int) ([]byte, error) {
	if err := check(e, run, seq); err != nil {
		return nil, fmt.Errorf("record %s: %w", e.Event, err)
	}
	line, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("record %s of run %s: %w", e.Event, e.Run, err)
	}
	return line, nil
}

func decode(line []byte, run string, seq int) (plan.Entry, error) {
	var e plan.Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return plan.Entry{}, fmt.Errorf("not an entry: %w", err)
	}
	if err := check(e, run, seq); err != nil {
		return plan.Entry{}, fmt.Errorf("%w; the file was changed by hand or by a bad disk", err)
	}
	return e, nil
}

// check refuses an entry that is not the seq-th of run: a lost, a doubled or a
// foreign entry would send a resumed plan the wrong way.
func check(e plan.Entry, run string, seq int) error {
	if e.Run == run && e.Seq == seq {
		return nil
	}
	return fmt.Errorf("entry %d of run %q stands where entry %d of run %q should be", e.Seq, e.Run, seq, run)
}
