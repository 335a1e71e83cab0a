package runrecord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"z2mha/internal/host/helperapi"
)

const (
	pollEvery     = 100 * time.Millisecond
	progressEvery = 2 * time.Second
	keepRecords   = 90 * 24 * time.Hour
)

// A Run is owned by this process until Finish.
type Run struct {
	dir     string
	lock    *os.File
	record  Record
	resumed bool
	shown   time.Time // when progress was last put into the record
}

// A Request names a run and the act it stands for.
type Request struct {
	Dir  string // created when missing
	Run  string
	Verb string
	Args map[string]string
	// Follow is told the progress of a run that another process owns.
	Follow func(helperapi.Progress)
}

// Join makes the caller the owner of a run, or returns the record of one that is
// over. Exactly one of run and record is non-nil without an error.
//
// A run that is done is returned as it is. While another process owns it, Join
// follows until that one ends and returns its outcome, done or failed. A run whose
// process died, and one that had failed before, is given to the caller to do again:
// acts under a run id are idempotent. A request that is not the recorded act is
// refused with ExitRefused.
func Join(ctx context.Context, q Request) (run *Run, over *Record, err error) {
	if err := checkRun(q.Run); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(q.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the folder for run records: %w", err)
	}
	lock, followed, err := q.awaitLock(ctx)
	if err != nil {
		return nil, nil, err
	}
	run, over, err = q.takeOver(lock, followed)
	if run == nil {
		_ = lock.Close()
	}
	return run, over, err
}

// awaitLock opens and locks the run's lock file, following the owner meanwhile.
func (q Request) awaitLock(ctx context.Context) (lock *os.File, followed bool, err error) {
	lock, err = os.OpenFile(lockPath(q.Dir, q.Run), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("open run %s: %w", q.Run, err)
	}
	for {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return lock, followed, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			break
		}
		followed = true
		if err = q.follow(ctx); err != nil {
			break
		}
	}
	_ = lock.Close()
	return nil, followed, err
}

// follow waits a moment and passes on the owner's progress.
func (q Request) follow(ctx context.Context) error {
	if r, err := Load(q.Dir, q.Run); err == nil {
		if err := r.sameAct(q.Verb, q.Args); err != nil {
			return err
		}
		if q.Follow != nil && r.Progress != nil {
			q.Follow(*r.Progress)
		}
	}
	select {
	case <-time.After(pollEvery):
		return nil
	case <-ctx.Done():
		return helperapi.Errorf(helperapi.ExitInterrupted,
			"stopped following run %s, which goes on", q.Run)
	}
}

func (q Request) takeOver(lock *os.File, followed bool) (*Run, *Record, error) {
	old, err := Load(q.Dir, q.Run)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		prune(q.Dir, keepRecords)
		old = Record{Run: q.Run, Verb: q.Verb, Args: q.Args, Started: time.Now().UTC()}
	case err != nil:
		return nil, nil, err
	default:
		if err := old.sameAct(q.Verb, q.Args); err != nil {
			return nil, nil, err
		}
		if old.State == Done || followed && old.State == Failed {
			return nil, &old, nil
		}
	}
	resumed := old.State != ""
	old.State, old.Error, old.Ended = Running, nil, time.Time{}
	old.PID, old.BootID = os.Getpid(), bootID()
	r := &Run{dir: q.Dir, lock: lock, record: old, resumed: resumed}
	if err := r.record.save(r.dir); err != nil {
		return nil, nil, err
	}
	return r, nil, nil
}

// Resumed says that an earlier attempt at this run began and did not get done.
func (r *Run) Resumed() bool { return r.resumed }

// Note returns what Note kept under name, in this attempt or an earlier one.
func (r *Run) Note(name string) string { return r.record.Notes[name] }

// SetNote durably keeps a fact that a later attempt will need.
func (r *Run) SetNote(name, value string) error {
	if r.record.Notes == nil {
		r.record.Notes = map[string]string{}
	}
	r.record.Notes[name] = value
	return r.record.save(r.dir)
}

// Progress lets followers see how far the run is. It is best effort and slow on
// purpose: flash wears.
func (r *Run) Progress(p helperapi.Progress) {
	if now := time.Now(); now.Sub(r.shown) >= progressEvery {
		r.shown = now
		r.record.Progress = &p
		_ = r.record.save(r.dir)
	}
}

// Finish records the outcome and gives the run up. The error, if any, is that of
// recording; the outcome itself is the caller's to report.
func (r *Run) Finish(result json.RawMessage, failure *helperapi.Error) error {
	r.record.State, r.record.Result, r.record.Error = Done, result, failure
	if failure != nil {
		r.record.State = Failed
	}
	r.record.Ended, r.record.Progress = time.Now().UTC(), nil
	return errors.Join(r.record.save(r.dir), r.lock.Close())
}
