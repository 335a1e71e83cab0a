package datadir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"z2mha/internal/host/helperapi"
)

// lockPoll is how often a lock that somebody holds is asked for again.
const lockPoll = 20 * time.Millisecond

// lock keeps everybody else from promoting, or taking back, this run and anything of
// this data directory, and waits while somebody does. The kernel drops the locks with
// the process that holds them, so whoever gets them comes after an act that ended or
// died. Error: ctx ended first, ExitBusy.
//
// The directory's lock is one on the folder around it: the directory itself is
// exchanged, and a lock file of ours would lie in a folder of each user's own.
func (p Promotion) lock(ctx context.Context) (release func(), err error) {
	run, err := lockFile(ctx, p.Journal+".lock", os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("lock run %s: %w", p.Run, err)
	}
	around, err := lockFile(ctx, existing(filepath.Dir(p.Data)), os.O_RDONLY)
	if err != nil {
		_ = run.Close()
		return nil, fmt.Errorf("lock %s: %w", p.Data, err)
	}
	return func() { _ = around.Close(); _ = run.Close() }, nil
}

// lockFile opens and locks path. Closing gives the lock back.
func lockFile(ctx context.Context, path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			break
		}
		if err = waitForLock(ctx); err != nil {
			break
		}
	}
	_ = f.Close()
	return nil, err
}

func waitForLock(ctx context.Context) error {
	select {
	case <-time.After(lockPoll):
		return nil
	case <-ctx.Done():
		return helperapi.Errorf(helperapi.ExitBusy, "another promotion, or its way back, is still under way; wait for it")
	}
}

// existing is path, or the nearest directory above it that there is.
func existing(path string) string {
	for !exists(path) && path != filepath.Dir(path) {
		path = filepath.Dir(path)
	}
	return path
}

// stillOurs reads the phase again, just before what cannot be stopped. It differs only
// when somebody does not keep to the locks.
func (p Promotion) stillOurs(j *journal) error {
	now, err := p.load()
	if err != nil {
		return err
	}
	if now == nil || now.Phase != j.Phase {
		return helperapi.Errorf(helperapi.ExitRefused, "somebody else works on run %s; look at %s", p.Run, p.Journal)
	}
	return nil
}
