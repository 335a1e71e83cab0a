package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"z2mha/internal/config"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/journal"
	"z2mha/internal/storage/memory"
	"z2mha/internal/storage/shelf"
)

// A tidier removes what no rule keeps of a network's past. It may work beside a server.
type tidier struct {
	shelf   *shelf.Shelf
	records *memory.Memory
	runs    *journal.Journal
	rule    shelf.Retention
}

// Tidied is what was removed of one network, or would be.
type tidied struct {
	Shelf shelf.Pruned   `json:"shelf"`
	Runs  journal.Pruned `json:"runs"`
}

func newTidier(cfg *config.Config, kept *shelf.Shelf, records *memory.Memory) tidier {
	return tidier{shelf: kept, records: records, runs: journal.New(filepath.Join(cfg.State, "runs"), durable.Disk{}),
		rule: shelf.Retention{Count: cfg.Shelf.Generations, Age: cfg.Shelf.Age, Size: cfg.Shelf.Bytes}}
}

// tidy removes old records of runs, and then what is old on the shelf. While a run of
// the network has not ended, nothing is removed: it may still name what is old.
func (t tidier) tidy(net string) (out tidied, err error) {
	if err := t.mustBeEnded(net); err != nil {
		return out, err
	}
	if out.Runs, err = t.runs.Prune(net, journal.DefaultRetention, time.Now()); err != nil {
		return out, err
	}
	out.Shelf, err = t.shelf.Prune(net, t.rule, t.use)
	return out, err
}

// tidyQuietly is tidy for a server: what was removed is for the log, and so is why nothing
// could be.
func (t tidier) tidyQuietly(net string, log *slog.Logger) {
	out, err := t.tidy(net)
	if _, refused := errors.AsType[*network.RefusedError](err); refused {
		log.Debug("the past was not tidied", "network", net, "why", err)
		return
	}
	if err != nil {
		log.Error("the past cannot be tidied", "network", net, "err", err)
		return
	}
	log.Info("the past was tidied", "network", net, "runs", len(out.Runs.Runs), "generations", out.Shelf.Generations,
		"images", out.Shelf.Images, "bytes", out.Runs.Bytes+out.Shelf.Bytes)
}

// surplus says what tidy would remove now.
func (t tidier) surplus(net string) (out tidied, err error) {
	if err := t.mustBeEnded(net); err != nil {
		return out, err
	}
	if out.Runs, err = t.runs.Surplus(net, journal.DefaultRetention, time.Now()); err != nil {
		return out, err
	}
	out.Shelf, err = t.shelf.Surplus(net, t.rule, t.use)
	return out, err
}

// use is what records speak of. A network that has left the configuration has none.
func (t tidier) use(net string) (shelf.Use, error) {
	r, err := t.records.Load(net)
	if err != nil {
		return shelf.Use{}, err
	}
	var u shelf.Use
	u.Generations, u.Blobs = r.InUse()
	return u, nil
}

func (t tidier) mustBeEnded(net string) error {
	ids, err := t.runs.Runs(net)
	if err != nil {
		return err
	}
	for _, id := range ids {
		entries, err := t.runs.Load(net, id)
		if err != nil {
			return err
		}
		prog, err := plan.Replay(entries)
		if errors.Is(err, plan.ErrNoPlan) {
			continue
		}
		if err == nil && prog.Ended() {
			continue
		}
		return &network.RefusedError{What: "tidy the past of " + net, Why: fmt.Sprintf("run %s has not ended", id),
			Remedy: "try again when it has; z2mha list tells what it waits for"}
	}
	return nil
}
