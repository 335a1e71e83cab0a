package datadir

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"z2mha/internal/host/helperapi"
)

// Undo takes a promotion back, from wherever it got to: the old data is the data
// directory again, with the local entries as they are now, and what was promoted,
// perhaps lived in, lies where Previous of the result says: beside the old data's
// place, never in staging. Nothing is deleted. A promotion that never
// began counts as taken back, and can then begin no more. Undo waits for a promotion
// that is under way. Errors as for Do.
func (p Promotion) Undo(ctx context.Context) (helperapi.PromoteResult, error) {
	p, err := p.resolve()
	if err != nil {
		return helperapi.PromoteResult{}, err
	}
	release, err := p.lock(ctx)
	if err != nil {
		return helperapi.PromoteResult{}, err
	}
	defer release()
	return p.undo(context.WithoutCancel(ctx))
}

func (p Promotion) undo(ctx context.Context) (helperapi.PromoteResult, error) {
	j, err := p.load()
	if err == nil && j == nil {
		j = &journal{Run: p.Run, Staging: p.Staging, Data: p.Data, Previous: p.Previous, Phase: phaseUndone}
		err = p.save(j)
	}
	if err != nil {
		return helperapi.PromoteResult{}, err
	}
	if j.Phase != phaseUndone {
		if err := p.as(j).takeBack(ctx, j); err != nil {
			return helperapi.PromoteResult{}, err
		}
	}
	result := j.result()
	result.Undone = true
	return result, nil
}

func (p Promotion) takeBack(ctx context.Context, j *journal) error {
	if err := p.mustBeIdle(); err != nil {
		return err
	}
	if err := p.enter(j, phaseUndoing); err != nil {
		return err
	}
	var err error
	switch {
	case j.Method == helperapi.MethodExchange:
		err = p.exchangeBack(j)
	case j.Switched:
		err = p.renameBack(ctx, j)
	default:
		err = p.disk().removeAll(p.work())
	}
	if err != nil {
		return err
	}
	return p.enter(j, phaseUndone)
}

func (p Promotion) exchangeBack(j *journal) error {
	d := p.disk()
	if idOf(p.Data) == j.NewDir {
		old, err := p.findOld(j)
		if err != nil {
			return err
		}
		if err := p.chooseUndone(j); err != nil {
			return err
		}
		if err := p.moveLocal(p.Data, old); err != nil {
			return err
		}
		if err := p.stillOurs(j); err != nil {
			return err
		}
		if err := d.exchange(old, p.Data); err != nil {
			return err
		}
	}
	if idOf(p.Data) != j.OldDir {
		return p.strange()
	}
	return p.putNewAside(j)
}

// chooseUndone keeps in the journal a place for what was promoted: Zigbee2MQTT may have
// lived in it, so it must not return to staging, which the next one overwrites.
func (p Promotion) chooseUndone(j *journal) error {
	if j.UndoneAt != "" {
		return nil
	}
	j.UndoneAt = p.Previous + ".undone"
	for n := 2; exists(j.UndoneAt); n++ {
		j.UndoneAt = fmt.Sprintf("%s.undone-%d", p.Previous, n)
	}
	return p.save(j)
}

// putNewAside moves the promoted directory from where the old one lay. One that never
// was the data directory stays in staging.
func (p Promotion) putNewAside(j *journal) error {
	d := p.disk()
	if j.UndoneAt == "" {
		j.KeptAt = p.Staging
		return d.syncAll(p.Data)
	}
	for _, at := range []string{p.Staging, p.Previous, p.besideStaging()} {
		if idOf(at) != j.NewDir {
			continue
		}
		err := p.rename(at, j.UndoneAt)
		if errors.Is(err, unix.EXDEV) {
			j.UndoneAt = p.besideStaging() + ".undone"
			err = p.rename(at, j.UndoneAt)
		}
		if err != nil {
			return err
		}
	}
	j.KeptAt = j.UndoneAt
	return d.syncAll(p.Data)
}

// rename renames a directory to a place that is free, making the folder around it.
func (p Promotion) rename(from, to string) error {
	if exists(to) {
		return helperapi.Errorf(helperapi.ExitRefused, "%s has come to exist meanwhile; move it away and ask again", to)
	}
	if err := p.disk().MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return p.disk().Rename(from, to)
}

// renameBack promotes the kept data over whatever the data directory holds, which is
// kept in turn.
func (p Promotion) renameBack(ctx context.Context, j *journal) error {
	if err := p.chooseUndone(j); err != nil {
		return err
	}
	back := p
	back.Staging, back.Previous = p.Previous, j.UndoneAt
	back.Journal, back.Run = p.Journal+".undo", p.Run+".undo"
	back.restore, back.Expect = true, ""
	result, err := back.do(ctx)
	if err != nil {
		return fmt.Errorf("take the promotion back: %w", err)
	}
	j.KeptAt = result.Previous
	return nil
}
