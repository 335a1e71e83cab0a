// Package backup lets a state directory be copied while the controller works in it,
// and tells, at the next start, that a state directory came out of such a copy.
//
// Whoever makes the backup packs file after file, in an order of its own, for as long
// as it takes. Each file of the state is replaced in one act or only grows, but packed
// like that two of them may be of different minutes, and one that is replaced just
// while it is packed may be cut short. So Prepare makes a copy that holds still, in
// <state>/backup/copy, and it is packed with the rest:
//
//   - a file in it is whole, except that a log may lack its last lines;
//   - journals are copied first, then records, then all others, then the shelf's
//     generations and indexes, then its blobs: the reverse of the order in which the
//     controller writes. So whatever a copied file names is in the copy too, and the
//     counters in a copied record are at least those that the copied journals used;
//   - nothing that captures or moves waits: a move that is under way goes on. Only the
//     tidying of the shelf does, since it removes what a copied file may name;
//   - blobs, which never change, are linked rather than copied.
//
// Beside it lies the marker, <state>/backed-up.json. Done removes both. A directory is
// told from its copies by its inode number and its time of birth, which no archive can
// restore; <state>/place.json has those of the directory that was cleared last. So a
// backup is recognised too when it was made while the controller, and with it the
// hooks, did not run; and a marker that only was not removed, because Done never ran,
// is not taken for a backup where the file system knows times of birth.
//
// At start, before anything else is read, and with the state directory locked:
//
//	restored, marker, err := d.Restored()
//	if restored { d.Adopt(); note the doubt; set open runs aside for a person }
//	d.Clear()
//
// What is not guaranteed: that a restored state is true. It says what was known when
// the backup was made. Its counters must be doubted (odometer.Doubted), who is active
// must be looked up, and a run that was open then must not be gone on with: much may
// have happened since. Where inode numbers change by themselves (some network and
// foreign file systems), every start looks like a restored one. And a whole machine
// that is set back by its hypervisor is not noticed here.
package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"z2mha/internal/storage/durable"
)

const (
	markerName = "backed-up.json"
	placeName  = "place.json"
	workName   = "backup"
	lockName   = "lock"
)

// A Dir is a state directory as backups see it.
type Dir struct {
	State string
	Disk  durable.Disk
}

// A Marker says when and by whom a state directory was made ready to be backed up.
type Marker struct {
	At      time.Time `json:"at"`
	Version string    `json:"version"` // of z2mha
	Host    string    `json:"host"`
	Place   Place     `json:"place"` // the directory that was backed up
}

// Prepare makes the copy that holds still, then writes the marker. The controller may
// work on. A copy and a marker of before are replaced, whether Done never ran for them
// or another backup is still being packed; that other one then has to do without.
//
// A state directory that is missing, or that was itself restored and not started
// since, is left as it is: there is nothing to copy, or the marker in it is what the
// next start must find. Another Prepare at the same time is a *durable.LockedError.
func (d Dir) Prepare(now time.Time, version, host string) error {
	here, err := placeOf(d.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if restored, _, err := d.Restored(); err != nil || (restored && d.foreign(here)) {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.forget(); err != nil {
		return err
	}
	if err := d.copyState(); err != nil {
		return errors.Join(err, d.forget())
	}
	return d.writeJSON(markerName, Marker{At: now.UTC(), Version: version, Host: host, Place: here})
}

// Done removes marker and copy after the backup was packed. There may be none. In a
// directory that was restored and not started since, they stay.
func (d Dir) Done() error {
	here, err := placeOf(d.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || d.foreign(here) {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return d.forget()
}

// lock keeps a second Prepare or Done away.
func (d Dir) lock() (unlock func(), err error) {
	if err := d.Disk.MkdirAll(d.work(), 0o700); err != nil {
		return nil, err
	}
	l, err := durable.Lock(d.work())
	if err != nil {
		return nil, fmt.Errorf("another backup is being prepared or ended: %w", err)
	}
	return func() { _ = l.Unlock() }, nil
}

// forget removes the marker first, so that it never stands beside half a copy.
func (d Dir) forget() error {
	if err := os.Remove(d.path(markerName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the backup's marker: %w", err)
	}
	for _, dir := range []string{d.copyDir(), d.partDir(), d.replacedDir()} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove the copy made for a backup: %w", err)
		}
	}
	return nil
}

func (d Dir) path(name string) string { return filepath.Join(d.State, name) }
func (d Dir) work() string            { return d.path(workName) }
func (d Dir) copyDir() string         { return filepath.Join(d.work(), "copy") }
func (d Dir) partDir() string         { return filepath.Join(d.work(), "part") }
func (d Dir) replacedDir() string     { return filepath.Join(d.work(), "replaced") }

func (d Dir) writeJSON(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return d.Disk.WriteFile(d.path(name), append(b, '\n'), 0o600)
}

// readJSON fills v. A file that is there and cannot be understood is found all the
// same, with v as it was: the pack may have cut it short.
func (d Dir) readJSON(name string, v any) (found bool, err error) {
	b, err := os.ReadFile(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the state directory: %w", err)
	}
	_ = json.Unmarshal(b, v)
	return true, nil
}
