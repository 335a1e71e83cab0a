// Package runrecord lets a command outlive the connection it was started over. A
// run has an id chosen by the caller; its record, one JSON file, says whether it is
// running, done or failed. Whoever comes with the same id gets the result that is
// recorded, follows a run that goes on, or takes over one whose process died.
//
// A process that owns a run holds a lock on a file beside the record. The kernel
// drops that lock with the process, so liveness never rests on a process id that
// somebody else may have by now; pid and boot id are recorded for people.
package runrecord

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"z2mha/internal/host/helperapi"
	"z2mha/internal/storage/durable"
)

// A State says how far a run is.
type State string

const (
	Running State = "running" // or its process died; see Join
	Done    State = "done"
	Failed  State = "failed"
)

// A Record is what is known of a run. It carries no secrets.
type Record struct {
	Run   string            `json:"run"`
	Verb  string            `json:"verb"`
	Args  map[string]string `json:"args"` // what makes it this act and no other: port, hash of the image …
	State State             `json:"state"`

	PID     int       `json:"pid"`
	BootID  string    `json:"boot_id"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`

	Progress *helperapi.Progress `json:"progress,omitempty"`
	Notes    map[string]string   `json:"notes,omitempty"` // see Run.Note
	Result   json.RawMessage     `json:"result,omitempty"`
	Error    *helperapi.Error    `json:"error,omitempty"`
}

const (
	runIDLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	maxRunID     = 100
)

func checkRun(run string) error {
	if run == "" || len(run) > maxRunID || run[0] == '.' || strings.Trim(run, runIDLetters) != "" {
		return helperapi.Errorf(helperapi.ExitUsage,
			"run id %q: use up to %d letters, digits, dots, dashes and underscores", run, maxRunID)
	}
	return nil
}

// Load reads a run's record; a run nobody started is fs.ErrNotExist.
func Load(dir, run string) (Record, error) {
	if err := checkRun(run); err != nil {
		return Record{}, err
	}
	data, err := os.ReadFile(recordPath(dir, run))
	if err != nil {
		return Record{}, err
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("read run record %s: %w", recordPath(dir, run), err)
	}
	return r, nil
}

// sameAct says why a second request under the same id is not the recorded one.
func (r Record) sameAct(verb string, args map[string]string) error {
	if r.Verb == verb && maps.Equal(r.Args, args) {
		return nil
	}
	var diff []string
	if r.Verb != verb {
		diff = append(diff, fmt.Sprintf("it was %s, now %s", r.Verb, verb))
	}
	for name, was := range r.Args {
		if now := args[name]; was != now {
			diff = append(diff, fmt.Sprintf("%s was %q, now %q", name, was, now))
		}
	}
	return helperapi.Errorf(helperapi.ExitRefused,
		"run %s is another act (%s); use a new run id", r.Run, strings.Join(diff, ", "))
}

func (r Record) save(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(recordPath(dir, r.Run), append(data, '\n'), 0o600)
}

func recordPath(dir, run string) string { return filepath.Join(dir, run+".json") }
func lockPath(dir, run string) string   { return filepath.Join(dir, run+".lock") }

// prune removes runs that ended longer than keep ago, with the files of other
// packages that bear the run's name. It takes nothing that is not a run, whatever
// directory it was given, and never fails a run: what cannot be removed stays.
func prune(dir string, keep time.Duration) {
	records, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return
	}
	for _, path := range records {
		run := strings.TrimSuffix(filepath.Base(path), ".json")
		r, err := Load(dir, run)
		if err != nil || r.Run != run || r.Ended.IsZero() || time.Since(r.Ended) < keep {
			continue
		}
		for _, suffix := range []string{".promotion", ".promotion.undo", ".promotion.lock", ".lock", ".json"} {
			_ = os.Remove(filepath.Join(dir, run+suffix))
		}
	}
}

// bootID names the boot of this host; "" when the kernel does not tell.
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return strings.TrimSpace(string(data))
}
