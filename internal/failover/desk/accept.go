package desk

import (
	"cmp"
	"context"
	"fmt"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/status"
)

// accept takes a capture that was refused for what the network is, and brings what it is
// now to the stand-bys. That this does not work at once takes nothing back: it is told,
// and captures go on.
func (d *Desk) accept(ctx context.Context, f *dossier, j *job, watch engine.Watch) (engine.Ended, string, error) {
	r, e := j.request, d.parts.Engine
	if _, err := e.WhyRefused(f.name, r.Generation); err != nil {
		return engine.Ended{}, "", err
	}
	if _, err := e.Accept(f.name, r.Generation, cmp.Or(r.By, "somebody")); err != nil {
		return engine.Ended{}, "", err
	}
	d.accepted(f, j)
	ended, note, err := d.sync(ctx, f, j, watch)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil && !f.refusal.standing {
		d.missCapture(f, err)
	}
	return ended, note, err
}

// accepted ends that a capture stands refused, and lets whoever asked go.
func (d *Desk) accepted(f *dossier, j *job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.allGood(f)
	f.past.syncFailing = false
	d.tell(f, status.Event{Type: status.EventSyncRecovered, Cause: status.CauseManual, By: j.request.By, From: f.sight.status.Active,
		Text: fmt.Sprintf("Copy %d was accepted: it is what the network is from now on.", j.request.Generation)})
	j.begin("")
}
