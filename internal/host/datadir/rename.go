package datadir

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"z2mha/internal/host/helperapi"
)

// byRename is the way across file systems. Until the phase "switching" is on disk
// only copies have been made.
func (p Promotion) byRename(ctx context.Context, j *journal) error {
	if j.Phase == phasePrepared {
		if err := p.prepareCopies(ctx, j); err != nil {
			return p.explainSpace(err)
		}
	}
	if err := p.mustBeIdle(); err != nil {
		return err
	}
	if err := p.stillOurs(j); err != nil {
		return err
	}
	if err := p.switchFiles(j); err != nil {
		return err
	}
	j.KeptAt = p.Previous
	d := p.disk()
	if err := d.removeAll(p.work()); err != nil {
		return err
	}
	return d.syncAll(p.Data)
}

// work holds the new files within the data directory's own file system.
func (p Promotion) work() string { return filepath.Join(p.Data, workPrefix+"new") }

// keeping is Previous while it is not complete.
func (p Promotion) keeping() string {
	return filepath.Join(filepath.Dir(p.Previous), workPrefix+filepath.Base(p.Previous))
}

func (p Promotion) prepareCopies(ctx context.Context, j *journal) error {
	if err := p.mustBeIdle(); err != nil {
		return err
	}
	old, err := p.keepOld(ctx)
	if err != nil {
		return err
	}
	if err := p.copyTree(ctx, p.Staging, p.work(), j.New, j.Owners); err != nil {
		return err
	}
	if err := p.disk().syncAll(p.Data); err != nil {
		return err
	}
	j.Old, j.Switched = old, true
	return p.enter(j, phaseSwitching)
}

// keepOld copies the old data to Previous and returns its list.
func (p Promotion) keepOld(ctx context.Context) ([]helperapi.File, error) {
	m, err := p.scan(ctx, p.Data)
	if err != nil {
		return nil, err
	}
	if exists(p.Previous) {
		return m.Files, p.alreadyKept(ctx, m.Files)
	}
	owners, err := ownOwners(p.Data, p.Local)
	if err != nil {
		return nil, err
	}
	d := p.disk()
	if err := d.MkdirAll(filepath.Dir(p.Previous), 0o700); err != nil {
		return nil, err
	}
	if err := p.copyTree(ctx, p.Data, p.keeping(), m.Files, owners); err != nil {
		return nil, err
	}
	if err := d.syncAll(p.keeping()); err != nil {
		return nil, err
	}
	return m.Files, d.Rename(p.keeping(), p.Previous)
}

// alreadyKept checks that what an earlier attempt kept is still all there is.
func (p Promotion) alreadyKept(ctx context.Context, files []helperapi.File) error {
	kept, err := p.scan(ctx, p.Previous)
	if err != nil {
		return err
	}
	if diff := Same(files, kept.Files); len(diff) > 0 {
		return helperapi.Errorf(helperapi.ExitRefused,
			"%s has changed since it was kept in %s: %s; take the promotion back with --undo",
			p.Data, p.Previous, strings.Join(diff, ", "))
	}
	return nil
}

// copyTree copies files with their directories and owners, and reads them back.
func (p Promotion) copyTree(ctx context.Context, from, to string, files []helperapi.File, owners []owner) error {
	d := p.disk()
	if err := d.removeAll(to); err != nil {
		return err
	}
	if err := d.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, o := range owners {
		if o.Dir {
			if err := d.MkdirAll(filepath.Join(to, o.Path), 0o700); err != nil {
				return err
			}
		}
	}
	for _, f := range files {
		if err := d.copyFile(filepath.Join(from, f.Path), filepath.Join(to, f.Path)); err != nil {
			return err
		}
	}
	for _, o := range slices.Backward(owners) {
		if err := d.owner(filepath.Join(to, o.Path), o); err != nil {
			return err
		}
	}
	m, err := p.scan(ctx, to)
	if err != nil {
		return err
	}
	if diff := Same(files, m.Files); len(diff) > 0 {
		return helperapi.Errorf(helperapi.ExitIO, "copying %s to %s went wrong: %s", from, to, strings.Join(diff, ", "))
	}
	return nil
}

// switchFiles removes what shall not stay and renames the new files into place,
// configuration.yaml last. Each step is harmless to repeat.
func (p Promotion) switchFiles(j *journal) error {
	if err := p.removeOld(j); err != nil {
		return err
	}
	if err := p.makeDirs(j); err != nil {
		return err
	}
	files := slices.Clone(j.New)
	slices.SortStableFunc(files, func(a, b helperapi.File) int { return last(a.Path) - last(b.Path) })
	for _, f := range files {
		from := filepath.Join(p.work(), f.Path)
		if !exists(from) {
			continue // renamed before a crash; the read-back at the end proves it
		}
		if err := p.disk().Rename(from, filepath.Join(p.Data, f.Path)); err != nil {
			return err
		}
	}
	return nil
}

func last(name string) int {
	if name == Configuration {
		return 1
	}
	return 0
}

// removeOld removes the old files that have no successor, then the directories that
// have none and are empty by now. Previous has them all.
func (p Promotion) removeOld(j *journal) error {
	files, dirs := map[string]bool{}, map[string]bool{".": true}
	for _, o := range j.Owners {
		if o.Dir {
			dirs[o.Path] = true
		} else {
			files[o.Path] = true
		}
	}
	for _, f := range j.Old {
		at := filepath.Join(p.Data, f.Path)
		if files[f.Path] || !exists(at) || isDir(at) {
			continue // stays, or a crash came after its removal
		}
		if err := p.disk().remove(at); err != nil {
			return err
		}
	}
	return p.removeEmptyDirs(dirs)
}

func (p Promotion) removeEmptyDirs(stay map[string]bool) error {
	all, err := ownOwners(p.Data, p.Local)
	if err != nil {
		return err
	}
	for _, o := range slices.Backward(all) {
		if !o.Dir || stay[o.Path] {
			continue
		}
		err := p.disk().remove(filepath.Join(p.Data, o.Path))
		if err != nil && !errors.Is(err, unix.ENOTEMPTY) {
			return err
		}
	}
	return nil
}

func (p Promotion) makeDirs(j *journal) error {
	d := p.disk()
	for _, o := range j.Owners {
		if !o.Dir {
			continue
		}
		dir := filepath.Join(p.Data, o.Path)
		if err := d.MkdirAll(dir, os.FileMode(o.Mode)); err != nil {
			return err
		}
		if err := d.owner(dir, o); err != nil {
			return err
		}
	}
	return nil
}

// explainSpace clears the copies of a promotion that did not fit on the disk.
// Nothing of the data directory had changed.
func (p Promotion) explainSpace(err error) error {
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return err
	}
	_ = os.RemoveAll(p.work())
	_ = os.RemoveAll(p.keeping())
	return helperapi.Errorf(helperapi.ExitNoSpace,
		"%v; %s is unchanged: make room for a second copy of it", err, p.Data)
}
