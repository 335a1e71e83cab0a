package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"z2mha/internal/host/helperapi"
)

// A phase is how far a promotion is. It is on disk before the phase begins.
type phase string

const (
	phasePrepared  phase = "prepared"  // nothing of the data directory has changed, unless by the one exchange
	phaseSwitching phase = "switching" // file by file: old data is kept, new files stand beside their places
	phaseDone      phase = "done"      // read back
	phaseUndoing   phase = "undoing"
	phaseUndone    phase = "undone"
)

// A journal is what a later process must know to continue or take back.
type journal struct {
	Run      string `json:"run"`
	Staging  string `json:"staging"`
	Data     string `json:"data"`
	Previous string `json:"previous"`
	Phase    phase  `json:"phase"`
	Method   string `json:"method"`

	// Which directory is which, wherever it lies by now.
	OldDir dirID `json:"old_dir"`
	NewDir dirID `json:"new_dir"`

	New    []helperapi.File `json:"new"`    // what the data directory shall contain, local entries apart
	Owners []owner          `json:"owners"` // and to whom it shall belong
	Local  Patterns         `json:"local,omitempty"`
	KeptAt string           `json:"kept_at,omitempty"`

	// Of an undo: where what was promoted comes to lie. It is chosen before anything is
	// moved, and is "" while nothing had been promoted.
	UndoneAt string `json:"undone_at,omitempty"`

	// Of the way file by file: what was there, and that it may be there no more.
	Old      []helperapi.File `json:"old,omitempty"`
	Switched bool             `json:"switched,omitempty"`
}

// A dirID tells a directory apart wherever it is renamed to.
type dirID struct {
	Dev uint64 `json:"dev"`
	Ino uint64 `json:"ino"`
}

// idOf returns the zero dirID when there is no such directory.
func idOf(path string) dirID {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return dirID{}
	}
	st := info.Sys().(*syscall.Stat_t)
	return dirID{Dev: uint64(st.Dev), Ino: st.Ino}
}

// as is the promotion with what it began with: whoever continues it, or takes it back,
// may not know every local entry.
func (p Promotion) as(j *journal) Promotion {
	if len(j.Local) > 0 {
		p.Local = j.Local
	}
	return p
}

// load returns nil when the promotion was never begun.
func (p Promotion) load() (*journal, error) {
	data, err := os.ReadFile(p.Journal)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the promotion's journal: %w", err)
	}
	var j journal
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, fmt.Errorf("read the promotion's journal %s: %w", p.Journal, err)
	}
	if j.Staging != p.Staging || j.Data != p.Data || j.Previous != p.Previous {
		return nil, helperapi.Errorf(helperapi.ExitRefused,
			"run %s promoted %s to %s and not these directories; use a new run id", j.Run, j.Staging, j.Data)
	}
	return &j, nil
}

func (p Promotion) save(j *journal) error {
	data, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	if err := p.disk().WriteFile(p.Journal, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the promotion's journal: %w", err)
	}
	return nil
}

func (p Promotion) enter(j *journal, next phase) error {
	j.Phase = next
	return p.save(j)
}
