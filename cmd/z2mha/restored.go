package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"z2mha/internal/backup"
	"z2mha/internal/config"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/holds"
	"z2mha/internal/storage/journal"
	"z2mha/internal/storage/memory"
	"z2mha/internal/storage/notes"
)

// takeUpRestored makes a state directory that came out of a backup safe to work with:
// its counters are doubted, nobody is on record as active, a run that was open then is
// set aside, and its networks are held until a person has looked. It returns nil for a
// directory that was not restored, and leaves that as it is.
func takeUpRestored(cfg *config.Config, state string, records *memory.Memory) (*backup.Marker, error) {
	d := backup.Dir{State: state}
	yes, marker, err := d.Restored()
	if err != nil || !yes {
		return nil, err
	}
	if err := d.Adopt(); err != nil {
		return nil, err
	}
	for _, n := range cfg.Networks {
		if err := doubt(n.Name, state, marker, records); err != nil {
			return nil, fmt.Errorf("take up network %s after a restore: %w", n.Name, err)
		}
	}
	return &marker, d.Clear()
}

// doubt forgets what may have changed since the backup. Above all a start must not take
// the node that was active then for the one that was active last.
func doubt(net, state string, marker backup.Marker, records *memory.Memory) error {
	var disk durable.Disk
	r, err := records.Load(net)
	if err != nil {
		return err
	}
	r.Network, r.Odometer, r.Silent = net, r.Odometer.Doubted(), nil
	r.Active, r.Since, r.Unproven = "", time.Time{}, ""
	r.Staged = nil // numbers are given again
	// Somebody's word, or a plug, was about a night that is long over. What we have taken off
	// USB is still to be given back.
	maps.DeleteFunc(r.Fenced, func(_ string, f network.Fenced) bool { return f.Rung != network.ByUnplug })
	for node, on := range r.Sticks {
		on.Image, on.Generation = "", 0
		r.Sticks[node] = on
	}
	if err := records.Save(r); err != nil {
		return err
	}
	if err := setAside(net, journal.New(filepath.Join(state, "runs"), disk)); err != nil {
		return err
	}
	// What was done by itself since the backup is not in the journal.
	if err := notes.New(filepath.Join(state, "notes"), disk).Save(net, status.Notes{Forgot: time.Now(), Rehearsed: time.Now()}); err != nil {
		return err
	}
	return holds.New(filepath.Join(state, "holds"), disk).Save(net,
		status.Hold{On: true, Person: true, Since: time.Now(), By: "z2mha, because its data came out of " + whichBackup(marker)})
}

func whichBackup(m backup.Marker) string {
	if m.At.IsZero() {
		return "a backup"
	}
	return "a backup of " + m.At.Format(time.DateTime)
}

// setAside ends the run that was open when the backup was made: what it was about to
// do belongs to another day.
func setAside(net string, j engine.Journal) error {
	runs, err := j.Runs(net)
	if err != nil {
		return err
	}
	for _, id := range runs {
		entries, err := j.Load(net, id)
		if err != nil {
			return err
		}
		prog, err := plan.Replay(entries)
		if err != nil || prog.Ended() {
			continue
		}
		run, err := j.Open(net, id)
		if err != nil {
			return err
		}
		err = run.Append(plan.Entry{Seq: prog.Seq + 1, At: time.Now(), Run: id, Event: plan.EventEnded, Note: string(plan.GivenUp)})
		if err = errors.Join(err, run.Close()); err != nil {
			return err
		}
	}
	return nil
}
