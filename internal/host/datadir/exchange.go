package datadir

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"z2mha/internal/host/helperapi"
)

// byExchange is the quick way. The exchange itself is the one point of no return;
// which side of it we are on is seen by the directories' inodes.
func (p Promotion) byExchange(ctx context.Context, j *journal) error {
	switch idOf(p.Data) {
	case j.OldDir:
		if err := p.exchangeNow(ctx, j); err != nil {
			return err
		}
	case j.NewDir:
	default:
		return p.strange()
	}
	old, err := p.findOld(j)
	if err != nil {
		return err
	}
	if err := p.moveLocal(old, p.Data); err != nil {
		return err
	}
	return p.putAside(j, old)
}

func (p Promotion) strange() error {
	return helperapi.Errorf(helperapi.ExitRefused,
		"%s is neither the old nor the new directory of run %s; somebody else moved it: look at %s and %s",
		p.Data, p.Run, p.Staging, p.Previous)
}

func (p Promotion) exchangeNow(ctx context.Context, j *journal) error {
	if idOf(p.Staging) != j.NewDir {
		return helperapi.Errorf(helperapi.ExitRefused, "%s is not the directory that run %s was to promote", p.Staging, p.Run)
	}
	if err := p.mustBeIdle(); err != nil {
		return err
	}
	d := p.disk()
	for _, o := range j.Owners {
		if err := d.owner(filepath.Join(p.Staging, o.Path), o); err != nil {
			return err
		}
	}
	if err := d.syncAll(p.Staging); err != nil {
		return err
	}
	if err := p.stillStaged(ctx, j); err != nil {
		return err
	}
	if err := p.stillOurs(j); err != nil {
		return err
	}
	return d.exchange(p.Staging, p.Data)
}

// stillStaged looks at staging once more. Its modes are the target's by now.
func (p Promotion) stillStaged(ctx context.Context, j *journal) error {
	m, err := p.scan(ctx, p.Staging)
	if err != nil {
		return err
	}
	if diff := Same(j.New, m.Files); len(diff) > 0 {
		return helperapi.Errorf(helperapi.ExitRefused, "%s is not what was staged: %s; sync again",
			p.Staging, strings.Join(diff, ", "))
	}
	return nil
}

// findOld says where the old data lies after the exchange.
func (p Promotion) findOld(j *journal) (string, error) {
	for _, at := range []string{p.Staging, p.Previous, p.besideStaging()} {
		if idOf(at) == j.OldDir {
			return at, nil
		}
	}
	return "", p.strange()
}

// besideStaging takes the old data when it cannot be renamed to Previous.
func (p Promotion) besideStaging() string { return p.Staging + ".previous-" + p.Run }

// putAside frees the staging place and flushes.
func (p Promotion) putAside(j *journal, old string) error {
	d := p.disk()
	j.KeptAt = old
	if old == p.Staging {
		j.KeptAt = p.Previous
		if err := d.MkdirAll(filepath.Dir(p.Previous), 0o700); err != nil {
			return err
		}
		err := d.Rename(old, p.Previous)
		if errors.Is(err, unix.EXDEV) {
			j.KeptAt = p.besideStaging()
			err = d.Rename(old, j.KeptAt)
		}
		if err != nil {
			return err
		}
	}
	return d.syncAll(p.Data)
}

// moveLocal moves what stays with the host from one directory to the other, unless
// there is something of that name already. Without a directory to hold it, it moves
// only when it is local by its path, as configured logs are: what is so by its name,
// node_modules, is nothing without that directory.
func (p Promotion) moveLocal(from, to string) error {
	names, err := p.localEntries(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		target := filepath.Join(to, name)
		if exists(target) || !exists(filepath.Dir(target)) && !p.Local.matchPath(filepath.ToSlash(name)) {
			continue
		}
		if err := p.makeParents(from, to, filepath.Dir(name)); err != nil {
			return err
		}
		if err := p.disk().Rename(filepath.Join(from, name), target); err != nil {
			return err
		}
	}
	return nil
}

// makeParents makes the directory name in to, like that in from.
func (p Promotion) makeParents(from, to, name string) error {
	target := filepath.Join(to, name)
	if exists(target) {
		return nil
	}
	if err := p.makeParents(from, to, filepath.Dir(name)); err != nil {
		return err
	}
	like, err := ownerOf(filepath.Join(from, name))
	if err != nil {
		return err
	}
	if err := p.disk().MkdirAll(target, os.FileMode(like.Mode)); err != nil {
		return err
	}
	return p.disk().owner(target, like)
}
