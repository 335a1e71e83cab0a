package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/plan"
	"z2mha/internal/storage/durable"
)

// A Retention says how many ended runs are kept. Syncs come by the hour and tell
// little, so they have a limit of their own.
type Retention struct {
	Runs  int           // the newest of all others, and
	Age   time.Duration // all others that are not older
	Syncs int           // the newest syncs, whatever their age
}

// DefaultRetention keeps a month whole, and what came before as far as 200 runs reach.
var DefaultRetention = Retention{Runs: 200, Age: 30 * 24 * time.Hour, Syncs: 50}

// Pruned is what was removed, or would be.
type Pruned struct {
	Runs    []string `json:"runs"` // their ids, oldest first
	Bytes   int64    `json:"bytes"`
	Damaged []string `json:"damaged,omitempty"` // records that cannot be read; they stay
}

// Prune removes the records of old runs of a network. A run that has not ended stays,
// and so does a record that cannot be read: it may be of such a one.
func (j *Journal) Prune(network string, r Retention, now time.Time) (Pruned, error) {
	p, err := j.Surplus(network, r, now)
	if err != nil {
		return Pruned{}, err
	}
	done := Pruned{Damaged: p.Damaged}
	for _, run := range p.Runs {
		path, err := j.path(network, run)
		if err != nil {
			return done, err
		}
		size := j.size(path)
		// The record goes last: while it is there, the run is still to be removed.
		if err := errors.Join(j.disk.Remove(path+durable.TornSuffix), j.disk.Remove(path)); err != nil {
			return done, fmt.Errorf("tidy the runs of %s: %w", network, err)
		}
		done.Runs, done.Bytes = append(done.Runs, run), done.Bytes+size
	}
	return done, nil
}

// Surplus says what Prune would remove now, and removes nothing.
func (j *Journal) Surplus(network string, r Retention, now time.Time) (Pruned, error) {
	all, damaged, err := j.records(network)
	if err != nil {
		return Pruned{}, err
	}
	p := Pruned{Damaged: damaged}
	var syncs, others int
	for _, x := range slices.Backward(all) {
		gone := false
		if x.kind == plan.KindSync {
			syncs++
			gone = syncs > r.Syncs
		} else {
			others++
			gone = others > r.Runs && now.Sub(x.last) > r.Age
		}
		if gone && x.ended {
			p.Runs = append(p.Runs, x.id)
			p.Bytes += j.size(filepath.Join(j.dir, network, x.id+suffix))
		}
	}
	slices.Reverse(p.Runs)
	return p, nil
}

// record is what a retention looks at.
type record struct {
	id          string
	kind        plan.Kind
	ended       bool
	first, last time.Time
}

// records are those of a network, oldest first, and the files that cannot be read.
func (j *Journal) records(network string) (all []record, damaged []string, err error) {
	ids, err := j.ids(network)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		entries, err := j.Load(network, id)
		if err != nil {
			damaged = append(damaged, filepath.Join(j.dir, network, id+suffix))
			continue
		}
		x := record{id: id, first: entries[0].At}
		if prog, err := plan.Replay(entries); err == nil {
			x.kind, x.ended, x.last = prog.Plan.Kind, prog.Ended(), prog.Last
		}
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b record) int {
		return cmp.Or(a.first.Compare(b.first), strings.Compare(a.id, b.id))
	})
	return all, damaged, nil
}

// size is of all that is kept of a run.
func (j *Journal) size(path string) int64 {
	var total int64
	for _, p := range []string{path, path + durable.TornSuffix} {
		if info, err := os.Stat(p); err == nil {
			total += info.Size()
		}
	}
	return total
}
