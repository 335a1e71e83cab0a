package desk

import (
	"fmt"
	"time"

	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
)

// Notes keep what must not be forgotten of a network's watch. Another program may change
// them, so Load reads the disk each time; the notes of an unknown network are empty.
type Notes interface {
	Load(network string) (status.Notes, error)
	// Change changes what is on disk, also when another program does so at the same time.
	Change(network string, change func(*status.Notes)) error
}

// readNotes takes over what another program may have noted.
func (d *Desk) readNotes(f *dossier) {
	if d.parts.Notes == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		f.watch.noted = true
		return
	}
	n, err := d.parts.Notes.Load(f.name)
	d.mu.Lock()
	defer d.mu.Unlock()
	w := &f.watch
	if err != nil && w.notesErr == nil {
		d.parts.Log.Error("the notes of the watch cannot be read", "network", f.name, "error", err)
	}
	if w.notesErr = err; err != nil {
		return
	}
	d.setNotes(f, n)
}

// setNotes takes notes that are on disk, and tells what is new in them. d.mu is held.
func (d *Desk) setNotes(f *dossier, n status.Notes) {
	w := &f.watch
	if w.noted && !n.Acknowledged.IsZero() && !n.Acknowledged.Equal(w.notes.Acknowledged) {
		text := "What was done by itself is acknowledged, so a failover may be made again when one is needed."
		d.tell(f, status.Event{Type: status.EventAcknowledged, By: n.By, Cause: status.CauseManual, Text: text})
		w.tries = nil
		f.soon()
	}
	w.notes, w.noted = n, true
}

// changeNotes changes the notes and stores them.
func (d *Desk) changeNotes(f *dossier, change func(*status.Notes)) error {
	d.mu.Lock()
	n := f.watch.notes
	d.mu.Unlock()
	if d.parts.Notes == nil {
		change(&n)
	} else if err := d.parts.Notes.Change(f.name, func(stored *status.Notes) { change(stored); n = *stored }); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.setNotes(f, n)
	return nil
}

// acknowledge is a person who has dealt with the last failover.
func (d *Desk) acknowledge(f *dossier, r Request) error {
	err := d.changeNotes(f, func(n *status.Notes) { n.Acknowledged, n.By = time.Now(), r.By })
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		return d.refuseLocked(f, r, &network.RefusedError{What: string(r.Verb), Why: err.Error(), Remedy: "see that the disk of the controller is not full"})
	}
	d.reconsider(f)
	return nil
}

// unacknowledged is the last failover that nobody has acknowledged, and until when it
// keeps the controller from another one; zero when there is none.
func (w watch) unacknowledged(p past, now time.Time) (at, until time.Time) {
	said := w.notes.Acknowledged
	if health.Age(now, said) < -5*time.Second { // by a clock that was ahead: decide does not count it, either
		said = time.Time{}
	}
	for _, t := range w.failovers(p) {
		if t.After(said) {
			at = t
		}
	}
	if !at.IsZero() && now.Before(at.Add(w.policy.CoolDown)) {
		until = at.Add(w.policy.CoolDown)
	}
	return at, until
}

// forgotten says so when the notes cannot be read.
func (w watch) forgotten() string {
	if w.notesErr == nil {
		return ""
	}
	return fmt.Sprintf("what was acknowledged cannot be read: %v", w.notesErr)
}
