package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Restored says that the state directory is not the one that was cleared last, or that
// this cannot be told: it came out of a backup, or was moved to another disk. The
// marker is that of the backup, and zero when it was made without Prepare, or when it
// is damaged. A missing directory was not restored.
func (d Dir) Restored() (bool, Marker, error) {
	here, err := placeOf(d.State)
	if errors.Is(err, fs.ErrNotExist) {
		return false, Marker{}, nil
	}
	if err != nil {
		return false, Marker{}, err
	}
	var m Marker
	marked, err := d.readJSON(markerName, &m)
	if err != nil {
		return false, Marker{}, err
	}
	var cleared Place
	placed, err := d.readJSON(placeName, &cleared)
	if err != nil {
		return false, Marker{}, err
	}
	elsewhere := placed && cleared.compare(here) == differs
	return elsewhere || (marked && m.Place.compare(here) != equal), m, nil
}

// Adopt puts the copy that Prepare made in place of the files packed beside it, in a
// directory that was restored for certain. Anywhere else it does nothing: what lies
// there is newer than the copy. It can be repeated after a crash.
func (d Dir) Adopt() error {
	here, err := placeOf(d.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !d.foreign(here) {
		return err
	}
	entries, err := os.ReadDir(d.copyDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take over the backup's copy: %w", err)
	}
	if err := d.Disk.MkdirAll(d.replacedDir(), 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		if err := d.adopt(e.Name()); err != nil {
			return fmt.Errorf("take over the backup's copy: %w", err)
		}
	}
	return nil
}

// adopt exchanges one file or directory. A crash after the first of the two renames
// leaves the copy where it is, so that the next Adopt finds it.
func (d Dir) adopt(name string) error {
	if _, err := os.Lstat(d.path(name)); err == nil {
		aside := filepath.Join(d.replacedDir(), name)
		if err := os.RemoveAll(aside); err != nil {
			return err
		}
		if err := d.Disk.Rename(d.path(name), aside); err != nil {
			return err
		}
	}
	return d.Disk.Rename(filepath.Join(d.copyDir(), name), d.path(name))
}

// foreign says that the marker is for certain that of another directory.
func (d Dir) foreign(here Place) bool {
	var m Marker
	found, err := d.readJSON(markerName, &m)
	return err == nil && found && m.Place.compare(here) == differs
}

// Clear takes the state directory for what it is from here on: it notes its place and
// removes marker, copy, and what a crash left half written at its top. Call it at every
// start, once everything that follows from Restored is on disk.
func (d Dir) Clear() error {
	here, err := placeOf(d.State)
	if err != nil {
		return err
	}
	if err := d.Disk.Sweep(d.State); err != nil {
		return err
	}
	if err := d.writeJSON(placeName, here); err != nil {
		return err
	}
	return d.forget()
}
