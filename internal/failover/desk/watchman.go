package desk

import (
	"context"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/status"
)

// The watchman looks at what is known of a network after each look, has it decided what is
// to be done, and does it. It asks for the same runs of the same engine as a person does,
// one at a time; the engine looks again before it acts, and what it refuses is not asked
// for again at every look.

// A watch is what the watchman keeps of one network. Desk.mu guards it.
type watch struct {
	policy   Policy
	memory   decide.Memory
	decision *decide.Decision // the last one, nil when there was none
	input    decide.Input     // that it was made from
	number   int              // under which it is kept, 0 when it is not
	at       time.Time        // when it was made
	since    time.Time        // since when it is the same
	told     []string         // its reasons then
	tries    map[string]try   // what was not begun or did not work, by what was decided
	tried    []decide.Tried   // what came to nothing, of late
	fences   map[string]unfenced
	asked    decide.Question // that was told last, zero when there is none
	notes    status.Notes
	notesErr error
	noted    bool      // notes were read once
	due      time.Time // the next wanted rehearsal, zero when none is
	blackout string    // the window that it falls into, "" when in none
}

// weigh decides about a network by the last look, and returns the job that follows; nil
// when none does. It belongs to the goroutine that attends to the network.
func (d *Desk) weigh(ctx context.Context, f *dossier) *job {
	if d.parts.Decide == nil {
		return nil
	}
	held := d.readHold(f)
	d.readNotes(f)
	d.plan(f, time.Now())
	in, ok := d.inputOf(f, time.Now())
	if !ok {
		return nil
	}
	dec := d.parts.Decide(in)
	d.keepDecision(f, in, dec)
	j := d.follow(f, in, dec, held)
	switch {
	case j != nil && j.request.Cause == status.CauseScheduled:
		return d.beginRehearsal(f, j)
	case j == nil && dec.Action == decide.Correct && !held:
		d.correct(ctx, f, dec)
	}
	return j
}

// inputOf is what is decided from; false when nothing can be decided: the network was not
// looked at, or something is under way.
func (d *Desk) inputOf(f *dossier, now time.Time) (decide.Input, bool) {
	d.checkClock()
	signs := d.signs(f)
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.lookErr != nil {
		f.watch.decision = nil // nobody knows whether it still holds
	}
	if !d.open || f.closed || f.sight.at.IsZero() || f.lookErr != nil || f.job != nil {
		return decide.Input{}, false
	}
	f.notStopped()
	return decide.Input{
		Health:   d.input(f, signs, now),
		Policy:   f.watch.policy.Policy,
		Standbys: f.sight.standbys(now),
		State:    d.stateOf(f, now),
		Memory:   f.watch.memory,
	}, true
}

// stateOf is what is on record. d.mu is held.
func (d *Desk) stateOf(f *dossier, now time.Time) decide.State {
	st, w := f.sight.status, f.watch
	s := decide.State{
		Open: f.picture.unfinished(), LastActive: st.Record.Active, Acknowledged: w.notes.Acknowledged,
		Failovers: within(w.failovers(f.past), now, 24*time.Hour), Repairs: within(f.past.repairs, now, 24*time.Hour),
		Starts: within(f.past.starts, now, 24*time.Hour), Tried: slices.Clone(w.tried), Stopped: f.stoppedOnPurpose(),
		FenceFailed: f.fencesFailed(), Restarts: f.sight.restarts(), Fences: map[string][]decide.Rung{},
		Rehearsal: f.rehearsal(now),
	}
	switch {
	case f.holdErr != nil:
		s.Held = "whether it is on hold cannot be read, so it counts as held"
	case f.hold.On:
		s.Held = f.holdWords()
	}
	if d.parts.Rungs != nil {
		s.Fences = d.parts.Rungs(f.name)
	}
	if b := st.Bridge; b != nil && b.Err == nil {
		s.Joining, s.Interviewing = b.PermitJoin, b.Interviewed
	}
	return s
}

// failovers are those that limit the next one. After a restore nobody knows what was done
// since the backup, and that counts as one.
func (w watch) failovers(p past) []time.Time {
	out := slices.Clone(p.failovers)
	if !w.notes.Forgot.IsZero() {
		out = append(out, w.notes.Forgot)
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

func within(times []time.Time, now time.Time, d time.Duration) []time.Time {
	var out []time.Time
	for _, t := range times {
		if now.Sub(t) < d {
			out = append(out, t)
		}
	}
	return out
}

// holdWords is who holds the network.
func (f *dossier) holdWords() string {
	words := "on hold since " + f.hold.Since.Local().Format(time.DateTime)
	if f.hold.By != "" {
		words += " (" + f.hold.By + ")"
	}
	return words
}

// restarts says of each node whether its service manager starts Zigbee2MQTT again.
func (s sight) restarts() map[string]bool {
	out := map[string]bool{}
	for node, o := range s.seen {
		out[node] = !slices.Contains([]string{"", "no", "none", "never"}, o.Restart)
	}
	return out
}

// follow does what was decided: it returns the job, or sets when to look again. held is
// what the disk says just now, whatever was decided.
func (d *Desk) follow(f *dossier, in decide.Input, dec decide.Decision, held bool) *job {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	f.nextLook = earlier(f.nextLook, soonest(dec, now))
	r, ok := requestOf(f.name, dec)
	if !ok || held || f.job != nil || f.closed || !d.open {
		return nil
	}
	if t := f.watch.tries[keyOf(dec)]; now.Before(t.until) {
		f.nextLook = earlier(f.nextLook, t.until)
		return nil
	}
	j := newJob(r)
	j.decision, j.risk = &dec, in.Policy.AcceptRisk
	d.take(f, j)
	d.parts.Log.Info("the controller acts", "network", f.name, "action", dec.Action, "node", dec.Node, "to", dec.To, "why", first(dec.Reasons))
	return j
}

// requestOf puts a decision into the words of a request; false when nothing is to be run.
func requestOf(network string, dec decide.Decision) (Request, bool) {
	r := Request{Network: network, By: status.ByController, Cause: status.CauseAutomatic}
	switch dec.Action {
	case decide.Repair:
		r.Verb, r.To = Repair, dec.Node
	case decide.Failover:
		r.Verb, r.To, r.From = Failover, dec.To, dec.Node
	case decide.ColdStart:
		r.Verb, r.To = Start, dec.Node
	case decide.Silence:
		r.Verb, r.To = Silence, dec.Node
	case decide.Return:
		r.Verb, r.To = Return, dec.Node
	case decide.FailBack:
		r.Verb, r.To = Switchover, dec.To
	case decide.Rehearse:
		r.Verb, r.To, r.Cause = Switchover, dec.To, status.CauseScheduled
	default:
		return r, false
	}
	return r, true
}

// deadRadio is what is wrong with the radio of a node that is left although its Zigbee2MQTT
// runs and answers; "" when it does not.
func deadRadio(dec *decide.Decision) string {
	i := slices.IndexFunc(dec.Conditions, func(c health.Condition) bool { return c.Kind == health.RadioDead && c.Node == dec.Node })
	if dec.Action != decide.Failover || i < 0 {
		return ""
	}
	return first(dec.Conditions[i].Evidence)
}

// How soon a network is looked at again when something is wrong with it: evidence must be
// seen more than once.
const (
	troubleEvery = 2 * time.Second
	// waitEvery is for what takes longer, such as a service manager's restart.
	waitEvery = 5 * time.Second
)

// soonest is when the network is to be looked at again because of what was decided.
func soonest(dec decide.Decision, now time.Time) time.Time {
	at := now.Add(time.Hour)
	switch dec.Action {
	case decide.Look:
		at = now.Add(troubleEvery)
	case decide.Wait:
		at = now.Add(waitEvery)
	}
	if !dec.Again.IsZero() {
		at = earlier(at, dec.Again)
	}
	if least := now.Add(leastPause); at.Before(least) {
		return least
	}
	return at
}

// keyOf names what was decided, so that it is known again.
func keyOf(dec decide.Decision) string {
	return string(dec.Action) + " " + dec.Node + " " + dec.To
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// troubled says that something is wrong with the active, so that looks are made often.
func troubled(conditions []health.Condition) bool {
	return !slices.ContainsFunc(conditions, func(c health.Condition) bool { return c.Kind == health.Healthy || c.Kind == health.Unproven })
}

// correct puts the retained bridge/state right. What does not work is not tried again soon.
func (d *Desk) correct(ctx context.Context, f *dossier, dec decide.Decision) {
	evidence, err := d.CorrectState(ctx, f.name)
	if err == nil {
		d.parts.Log.Info("bridge/state at the broker was put right", "network", f.name, "evidence", evidence)
		return
	}
	d.parts.Log.Warn("bridge/state at the broker could not be put right", "network", f.name, "error", err)
	d.mu.Lock()
	defer d.mu.Unlock()
	f.watch.cameToNothing(dec, err, time.Now())
}

// keepDecision takes a decision in. A question is told once.
func (d *Desk) keepDecision(f *dossier, in decide.Input, dec decide.Decision) {
	d.mu.Lock()
	w := &f.watch
	same := w.decision != nil && alike(*w.decision, dec)
	if !same {
		w.since, w.told = in.Health.Now, dec.Reasons
	}
	w.decision, w.input, w.at, w.memory = &dec, in, in.Health.Now, dec.Memory
	w.settled(dec)
	d.askPerson(f, dec)
	d.reconsider(f)
	d.mu.Unlock()
	if _, acts := requestOf(f.name, dec); !acts || !same { // one that is not carried out again says nothing new
		d.store(f, in, dec)
	}
}

// store keeps a decision on disk. That this does not work keeps nothing from being done.
func (d *Desk) store(f *dossier, in decide.Input, dec decide.Decision) {
	if d.parts.Decisions == nil {
		return
	}
	number, _, err := d.parts.Decisions.Keep(in, dec)
	if err != nil {
		d.parts.Log.Error("a decision cannot be stored", "network", f.name, "error", err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f.watch.number = number
}

// alike says that two decisions are the same but for how old the evidence is.
func alike(a, b decide.Decision) bool {
	return keyOf(a) == keyOf(b) && questionID(a) == questionID(b) && slices.EqualFunc(a.Conditions, b.Conditions, func(x, y health.Condition) bool {
		return x.Kind == y.Kind && x.Node == y.Node
	})
}

func questionID(dec decide.Decision) string {
	if dec.Question == nil {
		return ""
	}
	return dec.Question.ID
}

// askPerson tells a question when it is a new one. One that is gone for good may be told
// again; it is not gone while the same trouble lasts. d.mu is held.
func (d *Desk) askPerson(f *dossier, dec decide.Decision) {
	w := &f.watch
	switch id := questionID(dec); {
	case id != "" && id != w.asked.ID:
		w.asked = *dec.Question
		d.tell(f, status.Event{Type: status.EventNeedsConfirmation, Node: dec.Node, To: dec.To, Cause: status.CauseAutomatic,
			Text: f.said(dec.Question.Text), Fix: dec.Question.Fix})
	case id == "" && w.asked.ID != "" && dec.Action == decide.Nothing && !troubled(dec.Conditions):
		w.asked = decide.Question{}
	}
}

// said is a sentence, in which the name of a node that begins it stays as it is.
func (f *dossier) said(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if slices.ContainsFunc(f.nodes, func(n Node) bool { return n.Name == strings.TrimRight(word, ":,") }) {
		return stop(s)
	}
	return sentence(s)
}

// shown is the decision as everybody sees it; nil when there is none. Desk.mu is held.
func (w watch) shown() *status.Decision {
	if w.decision == nil {
		return nil
	}
	dec := w.decision
	out := &status.Decision{Number: w.number, At: w.at, Since: w.since, Action: dec.Action, Node: dec.Node, To: dec.To,
		Reasons: slices.Clone(dec.Reasons), Told: slices.Clone(w.told), Not: slices.Clone(dec.Not)}
	if dec.Question != nil {
		q := *dec.Question
		if q.ID == w.asked.ID {
			q = w.asked // as it was told: how long it has been so is said elsewhere
		}
		out.Question = &q
	}
	if t, ok := w.tries[keyOf(*dec)]; ok {
		out.Refused, out.Again = t.why, t.until
	}
	return out
}
