package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
)

// capturePatience is how long one capture by schedule may take. A slow stick needs most
// of it, and many files over a slow line.
const capturePatience = 5 * time.Minute

// mayCapture is the cadence with what speaks against a capture now. d.mu is held.
func (f *dossier) mayCapture() cadence.State {
	s := f.cadence
	switch {
	case f.wanted():
		s.Blocked = "somebody waits"
	case f.hold.On || f.holdErr != nil:
		s.Blocked = "the network is on hold"
	case f.doing != "":
		s.Blocked = f.doing + " is being carried out"
	case f.picture.unfinished() != "":
		s.Blocked = "a run is open"
	case f.sight.at.IsZero() || f.lookErr != nil || f.settling:
		s.Blocked = "it is being looked at"
	case f.sight.status.Active == "":
		s.Blocked = "no node is active"
	}
	return s
}

// capturable is what is to be captured now, and why.
func (d *Desk) capturable(f *dossier, now time.Time) (cadence.Kind, string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.compareClocks(f, now)
	when, kind, why := f.rule.Next(f.mayCapture())
	if now.Before(when) {
		return cadence.None, ""
	}
	return kind, why
}

// wanted says that somebody waits for the goroutine that attends to the network.
func (f *dossier) wanted() bool { return f.job != nil || f.waiting > 0 }

// compareClocks asks for a capture when the clock was set since the last time: nobody
// can say then how old the last one is. d.mu is held.
func (d *Desk) compareClocks(f *dossier, now time.Time) {
	if !f.checked.IsZero() && cadence.Jumped(now.Round(0).Sub(f.checked.Round(0)), now.Sub(f.checked)) {
		d.parts.Log.Warn("the clock was set", "network", f.name)
		f.cadence = f.cadence.Due("the clock was set")
	}
	f.checked = now
}

// capture captures by schedule, and quietly: what is told is that it does not work, that
// it works again, and that a capture was refused. It gives way to whoever asks for
// something. It belongs to the goroutine that attends to the network.
func (d *Desk) capture(ctx context.Context, f *dossier, kind cadence.Kind, why string) {
	if d.readHold(f) {
		return
	}
	d.noteLeaves(f)
	ctx, cancel := context.WithTimeout(ctx, capturePatience)
	defer cancel()
	d.mu.Lock()
	if f.delayed = f.wanted(); f.delayed {
		f.delayed = false
		d.mu.Unlock()
		return
	}
	f.stopLook, f.capturing, f.unlooked = cancel, true, true
	f.cadence = f.cadence.Begin(kind, time.Now())
	d.mu.Unlock()
	got, err := d.parts.Engine.Capture(ctx, engine.CaptureRequest{Network: f.name, Reason: why, Live: kind == cadence.Full}, func(engine.Report) {})
	var t *tale
	if got.Run != "" {
		t = d.tale(f.name, got.Run)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f.stopLook, f.capturing = nil, false
	how := d.captured(f, t, got, err)
	f.cadence = f.cadence.End(how, time.Now())
	d.parts.Log.Info("the network was captured", "network", f.name, "kind", kind, "why", why, "outcome", outcomes[how],
		"generation", got.Generation, "refused", got.Refused, "run", got.Run, "error", err)
	if how == cadence.Good {
		f.nextLook = time.Now()
	}
	d.reconsider(f)
}

var outcomes = map[cadence.End]string{cadence.Good: "good", cadence.Failed: "failed", cadence.PutOff: "put off"}

// captured takes in what became of a capture by schedule. d.mu is held.
func (d *Desk) captured(f *dossier, t *tale, got engine.Captured, err error) cadence.End {
	delayed := f.delayed
	f.delayed = false
	wasFailing := f.past.syncFailing
	if t != nil {
		f.past.add(t)
	}
	err = cmp.Or(err, got.Err)
	if open, unsettled := errors.AsType[*engine.UnsettledError](err); unsettled || f.past.unfinished != "" {
		d.stayedOpen(f, open, err)
	}
	switch {
	case got.Refused != 0:
		d.refuseCapture(f, got.Refused, got.Why)
		return cadence.Good
	case err != nil && (delayed || errors.Is(err, context.Canceled) || errors.Is(err, engine.ErrInterrupted)):
		f.past.syncFailing = wasFailing
		return cadence.PutOff
	case err != nil:
		f.past.syncFailing = wasFailing
		d.missCapture(f, err)
		return cadence.Failed
	}
	d.acceptCapture(f, wasFailing)
	d.litter(f)
	return cadence.Good
}

// stayedOpen notes a run that could not be settled. d.mu is held.
func (d *Desk) stayedOpen(f *dossier, open *engine.UnsettledError, err error) {
	if open != nil {
		f.past.unfinished = open.Run
	}
	f.openWhy = "a capture is not finished"
	if err != nil {
		f.openWhy = err.Error()
	}
	f.recoverAt = time.Now().Add(recoverEvery)
	d.cry(f, status.Event{Run: f.past.unfinished, Text: sentence(f.openWhy)})
}

// missCapture tells once that captures do not work. One that the engine would not begin
// is not told: what speaks against it is shown. d.mu is held.
func (d *Desk) missCapture(f *dossier, err error) {
	f.missed = err.Error()
	if f.past.syncFailing || isRefusal(err) {
		return
	}
	f.past.syncFailing = true
	d.tell(f, status.Event{Type: status.EventSyncFailed, Cause: status.CauseScheduled, From: f.sight.status.Active,
		Text: sentence("the data of " + f.sight.status.Active + " could not be captured: " + err.Error()), Fix: "it is tried again and again; see the log"})
}

// acceptCapture ends what was wrong with captures. d.mu is held.
func (d *Desk) acceptCapture(f *dossier, wasFailing bool) {
	tell := wasFailing || f.refusal.standing
	d.allGood(f)
	f.past.syncFailing = false
	if tell {
		d.tell(f, status.Event{Type: status.EventSyncRecovered, Cause: status.CauseScheduled, From: f.sight.status.Active,
			Text: sentence("the data of " + f.sight.status.Active + " was captured and found good again")})
	}
}

// allGood forgets what was wrong. d.mu is held.
func (d *Desk) allGood(f *dossier) {
	f.missed, f.refusal, f.refusedWhy, f.sight.status.Record.Refused = "", refusal{}, "", 0
}

// sync is a capture that was asked for.
func (d *Desk) sync(ctx context.Context, f *dossier, j *job, watch engine.Watch) (engine.Ended, string, error) {
	d.noteLeaves(f)
	d.mu.Lock()
	f.cadence = f.cadence.Begin(cadence.Full, time.Now())
	d.mu.Unlock()
	r := j.request
	got, err := d.parts.Engine.Capture(ctx, engine.CaptureRequest{Network: f.name, Reason: reasonOf(r.By), Live: true, AcceptChange: r.AcceptChange}, watch)
	d.mu.Lock()
	defer d.mu.Unlock()
	how := cadence.Failed
	switch {
	case got.Refused != 0:
		how = cadence.Good
		d.refuseCapture(f, got.Refused, got.Why)
		if err == nil && got.Run == "" {
			err = &network.RefusedError{What: "the capture of " + f.sight.status.Active, Why: strings.Join(got.Why, ", "), Remedy: acceptFix(got.Refused)}
		}
	case err == nil && got.Err == nil:
		how = cadence.Good
		d.allGood(f)
		d.litter(f)
		if got.Run == "" { // there is no run that would tell it
			d.tell(f, status.Event{Type: syncedType(f.past.syncFailing), Cause: status.CauseManual, By: r.By, From: f.sight.status.Active,
				Text: sentence("the data of " + f.sight.status.Active + " was captured; nothing had to be brought anywhere")})
			f.past.syncFailing = false
		}
	case errors.Is(cmp.Or(err, got.Err), context.Canceled):
		how = cadence.PutOff
	}
	f.cadence = f.cadence.End(how, time.Now())
	return got.Ended, unreachable(got), err
}

// syncedType is what a good capture is told as.
func syncedType(wasFailing bool) status.EventType {
	if wasFailing {
		return status.EventSyncRecovered
	}
	return status.EventSyncCompleted
}

// A refusal is what was told of captures that were refused.
type refusal struct {
	standing bool
	text     string // of the event
}

// recall takes up what an earlier process has told.
func (r *refusal) recall(ev status.Event) {
	switch ev.Type {
	case status.EventCaptureRefused:
		*r = refusal{true, ev.Text}
	case status.EventSyncRecovered:
		*r = refusal{}
	}
}

// refuseCapture makes a refused capture a condition that stands until one is accepted.
// It is told once, and again when the reasons change. d.mu is held.
func (d *Desk) refuseCapture(f *dossier, number int, why []string) {
	what := fmt.Sprintf("a capture of %s was refused", f.sight.status.Active)
	if len(why) > 0 {
		what += ": " + strings.Join(why, ", ")
	}
	f.missed, f.sight.status.Record.Refused, f.refusedWhy, f.past.syncFailing = "", number, what, true
	text := flat(sentence(what))
	if f.refusal.standing && f.refusal.text == text {
		return
	}
	f.refusal = refusal{true, text}
	d.tell(f, status.Event{Type: status.EventCaptureRefused, Node: f.sight.status.Active, Text: text, Fix: acceptFix(number)})
}

func acceptFix(number int) string {
	return fmt.Sprintf("nothing is brought to a stand-by until then: see what has changed; when it is as it should be, accept copy %d on the page, or run z2mha accept %d", number, number)
}

// seenRecord follows what is on record of captures, which other processes change too.
// d.mu is held.
func (d *Desk) seenRecord(f *dossier, now time.Time) {
	rec := f.sight.status.Record
	if !f.seeded {
		f.cadence, f.seeded = f.cadence.Seed(rec.BackedUp, rec.Captured, now), true
	}
	switch {
	case rec.Refused == 0 && f.refusal.standing:
		d.acceptCapture(f, false)
	case rec.Refused != 0 && f.refusal.standing && f.refusedWhy == "":
		f.refusedWhy = strings.TrimSuffix(f.refusal.text, ".")
	case rec.Refused != 0 && f.refusedWhy == "":
		d.refuseCapture(f, rec.Refused, nil)
	}
	if active := f.sight.status.Active; active != "" && active != f.served {
		if f.served != "" {
			f.cadence = f.cadence.Due("another node serves")
		}
		f.served = active
	}
}

// hearken takes note of what changes in the network until the desk closes.
func (d *Desk) hearken(f *dossier) (cancel func()) {
	if d.parts.Membership == nil {
		return func() {}
	}
	return d.parts.Membership(f.name, func(m engine.Membership) {
		if m.Gone() { // at once, for a run that is under way; takeIn does it again, and says why it cannot
			_ = d.parts.Engine.NoteLeft(f.name, network.Leaving{IEEE: m.IEEE, At: m.At})
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		f.changes = append(f.changes, m)
		select {
		case f.arrivals <- struct{}{}:
		default:
		}
		if f.stopLook != nil && !f.capturing {
			d.cutLookSoon(f)
		}
	})
}

// lookGrace is how long a look may still take when the network has changed: a capture
// must begin in time.
const lookGrace = 15 * time.Second

// cutLookSoon ends the look that is under way if it takes long. d.mu is held.
func (d *Desk) cutLookSoon(f *dossier) {
	this := f.lookNo
	time.AfterFunc(lookGrace, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if f.lookNo == this && !f.capturing {
			f.putOff()
		}
	})
}

// takeIn takes in what has changed in the network.
func (d *Desk) takeIn(f *dossier) {
	d.mu.Lock()
	changes := f.changes
	f.changes = nil
	for _, m := range changes {
		switch m.Kind {
		case engine.MemberInterviewing:
			f.cadence = f.cadence.Interviewing(m.IEEE)
			continue
		case engine.MemberInterviewed:
			f.cadence = f.cadence.Interviewed(m.IEEE)
		}
		f.cadence = f.cadence.Changed(m.At)
		if m.Gone() { // a capture that had begun before it has forgotten it
			f.leaving = append(f.leaving, network.Leaving{IEEE: m.IEEE, At: m.At})
		}
		d.parts.Log.Info("the network has changed", "network", f.name, "kind", m.Kind, "device", m.IEEE, "name", oneLine(m.Name))
	}
	d.mu.Unlock()
	d.noteLeaves(f)
}

// noteLeaves puts on record who has left. What cannot be written is tried again before
// the next capture. It belongs to the goroutine that attends to the network.
func (d *Desk) noteLeaves(f *dossier) {
	d.mu.Lock()
	leaving := f.leaving
	f.leaving = nil
	d.mu.Unlock()
	for i, l := range leaving {
		if err := d.parts.Engine.NoteLeft(f.name, l); err != nil {
			d.parts.Log.Error("that a device has left cannot be put on record", "network", f.name, "device", l.IEEE, "error", err)
			d.mu.Lock()
			f.leaving = leaving[i:]
			d.mu.Unlock()
			return
		}
	}
}
