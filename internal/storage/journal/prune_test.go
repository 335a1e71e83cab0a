package journal_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/plan"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/journal"
)

const day = 24 * time.Hour

// record leaves the record of a run that began so long before start.
func record(t testing.TB, j *journal.Journal, id string, kind plan.Kind, age time.Duration, ended bool) {
	t.Helper()
	data, err := json.Marshal(plan.Plan{ID: id, Kind: kind, Network: "home"})
	must(t, err)
	at := start.Add(-age)
	run, err := j.Create(plan.Entry{Seq: 1, Run: id, At: at, Event: plan.EventPlanned, Data: data}, "home")
	must(t, err)
	if ended {
		must(t, run.Append(plan.Entry{Seq: 2, Run: id, At: at, Event: plan.EventEnded, Note: string(plan.Completed)}))
	}
	must(t, run.Close())
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	j := journal.New(dir, durable.Disk{})
	r := journal.Retention{Runs: 3, Age: 30 * day, Syncs: 2}
	record(t, j, "moved-400", plan.KindSwitchover, 400*day, true)
	record(t, j, "open-390", plan.KindSwitchover, 390*day, false)
	record(t, j, "moved-60", plan.KindSwitchover, 60*day, true)
	record(t, j, "stopped-50", plan.KindStop, 50*day, true)
	for i := range 5 {
		record(t, j, fmt.Sprint("moved-", i+20), plan.KindSwitchover, time.Duration(i+20)*day, true)
		record(t, j, fmt.Sprint("synced-", i), plan.KindSync, time.Duration(i)*time.Hour, true)
	}
	record(t, j, "syncing-9", plan.KindSync, 9*time.Hour, false)
	must(t, os.WriteFile(filepath.Join(dir, "home", "moved-60.jsonl.torn"), []byte("{\n"), 0o600))
	damaged := filepath.Join(dir, "home", "damaged.jsonl")
	must(t, os.WriteFile(damaged, []byte("{\n{}\n"), 0o600))

	would, err := j.Surplus("home", r, start)
	must(t, err)
	got, err := j.Prune("home", r, start)
	must(t, err)
	if diff := cmp.Diff(would, got); diff != "" {
		t.Errorf("said before and done (-said +done):\n%s", diff)
	}
	if want := []string{"moved-400", "moved-60", "stopped-50", "synced-4", "synced-3", "synced-2"}; !slices.Equal(got.Runs, want) {
		t.Errorf("removed %v", got.Runs)
	}
	if !slices.Equal(got.Damaged, []string{damaged}) || got.Bytes < 6*100 {
		t.Errorf("%d bytes, damaged %v", got.Bytes, got.Damaged)
	}
	must(t, os.Remove(damaged))
	left, err := j.Runs("home")
	must(t, err)
	if want := []string{"open-390", "moved-24", "moved-23", "moved-22", "moved-21", "moved-20", "syncing-9", "synced-1", "synced-0"}; !slices.Equal(left, want) {
		t.Errorf("left %v", left)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "home", "*.torn")); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestPruneKeepsTheNewest(t *testing.T) {
	j := journal.New(t.TempDir(), durable.Disk{})
	for i := range 4 {
		record(t, j, fmt.Sprint("moved-", i), plan.KindSwitchover, time.Duration(400+i)*day, true)
	}
	got, err := j.Prune("home", journal.Retention{Runs: 3, Age: 30 * day}, start)
	must(t, err)
	if !slices.Equal(got.Runs, []string{"moved-3"}) {
		t.Errorf("removed %v", got.Runs)
	}
	none, err := j.Prune("barn", journal.DefaultRetention, start)
	must(t, err)
	if len(none.Runs) > 0 {
		t.Errorf("of a network without runs: %v", none.Runs)
	}
}

// Whatever operation a crash comes at, each record is whole or gone.
func TestPruneCrashes(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		j := journal.New(dir, durable.Disk{})
		for i := range 3 {
			record(t, j, fmt.Sprint("synced-", i), plan.KindSync, time.Duration(i)*time.Hour, true)
		}
		_, err := journal.New(dir, durable.Disk{Fault: durable.CrashAt(n)}).Prune("home", journal.Retention{Syncs: 1}, start)
		runs, runsErr := j.Runs("home")
		must(t, runsErr)
		if len(runs) == 0 || runs[len(runs)-1] != "synced-0" {
			t.Errorf("crash at operation %d: runs %v", n, runs)
		}
		if err == nil {
			return
		}
	}
}
