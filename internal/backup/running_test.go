package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"

	"z2mha/internal/backup"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
	"z2mha/internal/failover/plan"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/journal"
	"z2mha/internal/storage/memory"
	"z2mha/internal/storage/shelf"
)

// While a controller works, every copy can be opened by a controller, everything that
// is named in it is in it, and no counter is used in it that it does not know of.
func TestCopiesOfAWorkingController(t *testing.T) {
	d := backup.Dir{State: filepath.Join(t.TempDir(), "state")}
	must(t, durable.Disk{}.MkdirAll(d.State, 0o700))
	must(t, d.Clear())
	stop, worked := make(chan struct{}), make(chan error, 1)
	begun := make(chan struct{})
	go func() { worked <- work(d.State, begun, stop) }()
	<-begun
	seen := 0
	for range 8 {
		must(t, d.Prepare(noon, "0.2.0", "attic"))
		seen += wantConsistent(t, filepath.Join(d.State, "backup", "copy"))
		must(t, d.Done())
	}
	close(stop)
	must(t, <-worked)
	if seen == 0 {
		t.Error("no copy had a counter in its journals: nothing was tried")
	}
}

// work does what a controller does, in its order: blob, generation, intent, record,
// then the entry that relies on the record. begun is closed after the first round.
func work(state string, begun, stop chan struct{}) error {
	kept, err := shelf.Open(filepath.Join(state, "shelf"), shelf.Options{})
	if err != nil {
		return err
	}
	runs := journal.New(filepath.Join(state, "runs"), durable.Disk{})
	records := memory.New(filepath.Join(state, "records"), durable.Disk{})
	for n := 1; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := errors.Join(capture(kept, n), move(runs, records, n)); err != nil {
			return err
		}
		if n == 1 {
			close(begun)
		}
	}
}

func capture(kept *shelf.Shelf, n int) error {
	content := fmt.Appendf(nil, "database of round %d", n)
	hash := hashOf(content)
	if err := kept.Put(hash, bytes.NewReader(content)); err != nil {
		return err
	}
	_, image := kept.KeepImage("home", "attic", fmt.Appendf(nil, "image of round %d", n))
	_, added := kept.Add(generation.Generation{Network: "home",
		Files: []generation.File{{Path: "database.db", SHA256: hash, Size: int64(len(content))}}})
	return errors.Join(image, added)
}

func move(runs *journal.Journal, records *memory.Memory, n int) error {
	id := fmt.Sprintf("r%06d", n)
	run, err := runs.Create(plan.Entry{Seq: 1, Run: id, At: noon, Event: plan.EventBegin}, "home")
	if err != nil {
		return err
	}
	defer run.Close()
	counter := zigbee.FrameCounter(n)
	return errors.Join(
		run.Append(plan.Entry{Seq: 2, Run: id, At: noon, Event: plan.EventBegin, Note: "load"}),
		records.Save(network.Record{Network: "home", Odometer: odometer.Odometer{Highest: counter, At: noon}}),
		run.Append(plan.Entry{Seq: 3, Run: id, At: noon, Event: plan.EventDone, Data: fmt.Appendf(nil, "%d", counter)}),
	)
}

// wantConsistent opens a copy and returns the highest counter that its journals used.
func wantConsistent(t testing.TB, state string) int {
	t.Helper()
	kept, err := shelf.Open(filepath.Join(state, "shelf"), shelf.Options{})
	must(t, err)
	wantBlobs(t, kept)
	record, err := memory.New(filepath.Join(state, "records"), durable.Disk{}).Load("home")
	must(t, err)
	used := highest(t, journal.New(filepath.Join(state, "runs"), durable.Disk{}))
	if used > int(record.Odometer.Highest) {
		t.Errorf("a journal used counter %d, the record knows of %d", used, record.Odometer.Highest)
	}
	return used
}

func wantBlobs(t testing.TB, kept *shelf.Shelf) {
	t.Helper()
	generations, err := kept.List("home")
	must(t, err)
	images, err := kept.Images("home", "attic")
	must(t, err)
	var hashes []string
	for _, g := range generations {
		hashes = append(hashes, g.Files[0].SHA256)
	}
	for _, i := range images {
		hashes = append(hashes, i.SHA256)
	}
	for _, hash := range hashes {
		blob, err := kept.Open(hash)
		if errors.Is(err, fs.ErrNotExist) {
			t.Errorf("blob %s is named and not there", hash)
			continue
		}
		must(t, err)
		must(t, blob.Close())
	}
}

func highest(t testing.TB, runs *journal.Journal) int {
	t.Helper()
	ids, err := runs.Runs("home")
	must(t, err)
	most := 0
	for _, id := range ids {
		entries, err := runs.Load("home", id)
		must(t, err)
		var counter int
		if last := entries[len(entries)-1]; len(last.Data) > 0 {
			_, err := fmt.Sscan(string(last.Data), &counter)
			must(t, err)
		}
		most = max(most, counter)
	}
	return most
}
