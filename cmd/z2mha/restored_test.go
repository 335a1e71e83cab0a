package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"z2mha/internal/backup"
	"z2mha/internal/bus"
	"z2mha/internal/config"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
	"z2mha/internal/failover/plan"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/holds"
	"z2mha/internal/storage/journal"
	"z2mha/internal/storage/memory"
	"z2mha/internal/storage/notes"
)

// restoredState is a state directory that came out of a backup, in which attic was
// active and a run was open.
func restoredState(t *testing.T) string {
	t.Helper()
	var disk durable.Disk
	was := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(memory.New(filepath.Join(was, "records"), disk).Save(network.Record{Network: "home", Active: "attic", Since: time.Now(),
		Sticks:   map[string]network.StickRecord{"cellar": {Image: "aa", Generation: 3, Reserved: 60_000}},
		Staged:   map[string]network.StagedRecord{"cellar": {Generation: 3}},
		Silent:   map[string]time.Time{"cellar": time.Now()},
		Fenced:   map[string]network.Fenced{"shed": {At: time.Now(), Rung: "person", By: "a person's word"}, "barn": {At: time.Now(), Rung: network.ByUnplug}},
		Odometer: odometer.Odometer{}.Captured(50_000, time.Now())}))
	data, err := json.Marshal(plan.Switchover("home", "attic", "cellar", nil, plan.DefaultTiming()))
	must(err)
	run, err := journal.New(filepath.Join(was, "runs"), disk).Create(
		plan.Entry{Seq: 1, At: time.Now(), Run: "20260101T000000.000-switchover", Event: plan.EventPlanned, Data: data}, "home")
	must(err)
	must(run.Close())
	must(backup.Dir{State: was}.Clear())
	state := filepath.Join(t.TempDir(), "state")
	must(os.CopyFS(state, os.DirFS(was)))
	return state
}

// What was active when the backup was made is not what was active last, and a command
// must know that as well as the server.
func TestNothingOfARestoredStateIsTrusted(t *testing.T) {
	cfg := &config.Config{State: restoredState(t), Networks: []config.Network{{Name: "home"}}}
	w := once(cfg, true, slog.New(slog.DiscardHandler))
	w.connect = func(context.Context, config.MQTT) (*bus.Conn, error) { return nil, os.ErrDeadlineExceeded }
	if _, err := wire(context.Background(), cfg, w, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("there is no broker")
	}
	var disk durable.Disk
	r, err := memory.New(filepath.Join(cfg.State, "records"), disk).Load("home")
	if err != nil || r.Active != "" || len(r.Silent) != 0 || !r.Odometer.Doubt || r.Odometer.Highest < 50_000 {
		t.Errorf("record %+v, %v", r, err)
	}
	if _, word := r.Fenced["shed"]; word || r.Fenced["barn"].Rung != network.ByUnplug {
		t.Errorf("it believes who was silent then: %+v", r.Fenced)
	}
	if on := r.Sticks["cellar"]; len(r.Staged) != 0 || on.Image != "" || on.Generation != 0 || on.Reserved != 60_000 {
		t.Errorf("it believes what it knew of the stand-by: %+v, staged %v", on, r.Staged)
	}
	if who, err := holds.New(filepath.Join(cfg.State, "holds"), disk).Held("home"); err != nil || !strings.Contains(who, "backup") {
		t.Errorf("held: %q, %v", who, err)
	}
	if n, err := notes.New(filepath.Join(cfg.State, "notes"), disk).Load("home"); err != nil || n.Forgot.IsZero() || n.Rehearsed.IsZero() {
		t.Errorf("that failovers may be forgotten is not noted: %+v, %v", n, err)
	}
	if h, err := holds.New(filepath.Join(cfg.State, "holds"), disk).Load("home"); err != nil || !h.Person {
		t.Errorf("an automation could release %+v, %v", h, err)
	}
	j := journal.New(filepath.Join(cfg.State, "runs"), disk)
	entries, err := j.Load("home", "20260101T000000.000-switchover")
	if err != nil || entries[len(entries)-1].Event != plan.EventEnded {
		t.Errorf("journal %v, %v", entries, err)
	}
	if again, _, err := (backup.Dir{State: cfg.State}).Restored(); err != nil || again {
		t.Errorf("restored again: %t, %v", again, err)
	}
}
