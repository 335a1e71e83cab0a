package desk

import "time"

// tidyPause is the shortest time between two times that a network's past is tidied.
const tidyPause = time.Hour

// litter says that something was added to a network's past. d.mu is held.
func (d *Desk) litter(f *dossier) {
	if d.parts.Tidy == nil {
		return
	}
	f.littered = true
	select {
	case d.sweep <- struct{}{}:
	default:
	}
}

// tidyUp tidies what was littered until the desk closes, one network after the other.
func (d *Desk) tidyUp(over <-chan struct{}) {
	for {
		t := time.NewTimer(d.tidyAll())
		select {
		case <-over:
			t.Stop()
			return
		case <-d.sweep:
		case <-t.C:
		}
		t.Stop()
	}
}

// tidyAll tidies where it is time, and says in how long it may be time again.
func (d *Desk) tidyAll() time.Duration {
	soonest := tidyPause
	for _, name := range d.order {
		wait, due := d.tidyDue(d.files[name])
		switch {
		case due:
			d.parts.Tidy(name)
		case wait > 0:
			soonest = min(soonest, wait)
		}
	}
	return soonest
}

// tidyDue says whether a network is to be tidied now, or else in how long; 0 for never.
func (d *Desk) tidyDue(f *dossier) (in time.Duration, due bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !f.littered {
		return 0, false
	}
	now := time.Now()
	if wait := tidyPause - now.Sub(f.tidied); wait > 0 && !f.tidied.IsZero() {
		return wait, false
	}
	f.littered, f.tidied = false, now
	return 0, true
}
