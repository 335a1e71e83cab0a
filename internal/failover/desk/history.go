package desk

import (
	"errors"
	"slices"
	"time"

	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

// A past is what the runs of a network have left.
type past struct {
	last        *status.Move           // begun last
	moves       int                    // completed
	outages     map[rest]time.Duration // of the last completed run of each kind
	copies      map[string]copied      // what was staged last, by node
	synced      time.Time              // when a copy of what was on air was brought anywhere last
	syncFailing bool                   // the last sync did not work
	unfinished  string                 // run that has not ended, "" when none

	failovers []time.Time // begun by the controller itself, oldest first
	repairs   []time.Time // of the active in place, oldest first
	starts    []time.Time // cold starts by the controller itself, oldest first
	stopped   *status.Run // that a person asked for and nothing has undone since, nil when none
}

// A rest tells runs apart by how long Zigbee rests in them. to is "" for any target.
type rest struct {
	kind        plan.Kind
	fast, yield bool
	to          string
}

func restOf(p plan.Plan, to string) rest { return rest{p.Kind, p.Fast, p.Yield, to} }

func newPast() past {
	return past{outages: map[rest]time.Duration{}, copies: map[string]copied{}}
}

// add takes one run more, the newest, in the state it is in.
func (p *past) add(t *tale) {
	switch {
	case t.over() && t.run.Outcome != plan.NeedsHelp:
		if p.unfinished == t.run.ID {
			p.unfinished = ""
		}
	default:
		p.unfinished = t.run.ID
	}
	p.addOwn(t)
	for node, c := range t.copy {
		p.copies[node] = c
		if kind := t.run.Plan.Kind; c.at.After(p.synced) && kind != plan.KindFailover && kind != plan.KindRestore {
			p.synced = c.at
		}
	}
	if t.run.Plan.Kind == plan.KindSync {
		p.syncFailing = t.run.Outcome != plan.Completed
	}
	if t.run.Plan.Kind.Moves() {
		p.addMove(t.move())
	}
	if t.run.Outcome == plan.Completed && t.run.Outage > 0 {
		for _, to := range []string{"", t.run.Plan.To} {
			p.outages[restOf(t.run.Plan, to)] = t.run.Outage
		}
	}
}

// addOwn counts what limits the controller. A run that was given up has touched nothing, and
// a failover that ended before its target was to start has moved nothing: the home is
// without Zigbee, so it may be tried again. A run that is settled later comes twice.
func (p *past) addOwn(t *tale) {
	count := func(list *[]time.Time, counts bool) {
		*list = slices.DeleteFunc(*list, t.run.Began.Equal)
		if counts && t.run.Outcome != plan.GivenUp {
			*list = append(*list, t.run.Began)
			slices.SortFunc(*list, time.Time.Compare)
		}
	}
	switch kind := t.run.Plan.Kind; {
	case kind == plan.KindFailover && t.run.Cause == status.CauseAutomatic:
		count(&p.failovers, !t.over() || t.run.Outcome == plan.Completed || t.begun(plan.ActStart))
	case kind == plan.KindRepair:
		count(&p.repairs, true)
	case kind == plan.KindStart && t.run.Cause == status.CauseAutomatic:
		count(&p.starts, true)
	}
	switch kind := t.run.Plan.Kind; {
	case kind == plan.KindStop && t.run.Outcome == plan.Completed:
		p.stopped = t.shown()
	case kind != plan.KindSync && t.run.Outcome == plan.Completed:
		p.stopped = nil
	}
}

func (p *past) addMove(m status.Move) {
	if m.Outcome == "" {
		m.Outcome = plan.NeedsHelp
	}
	p.last = &m
	if m.Outcome == plan.Completed {
		p.moves++
	}
}

// recall reads all runs of a network. What cannot be read is left out, with a line in
// the log: the engine refuses to act on a journal that it cannot read, and says why.
func (d *Desk) recall(net string) past {
	p := newPast()
	runs, err := d.parts.History.Runs(net)
	if err != nil {
		d.parts.Log.Warn("earlier runs cannot be listed", "network", net, "error", err)
	}
	for _, id := range runs {
		if t := d.tale(net, id); t != nil {
			p.add(t)
		}
	}
	return p
}

// tale reads one run; nil when it cannot be read or nothing was planned in it.
func (d *Desk) tale(net, id string) *tale {
	entries, err := d.parts.History.Load(net, id)
	if err != nil {
		d.parts.Log.Warn("an earlier run cannot be read and is left out", "network", net, "run", id, "error", err)
		return nil
	}
	t, err := taleOf(entries)
	if err != nil {
		if !errors.Is(err, plan.ErrNoPlan) {
			d.parts.Log.Warn("an earlier run cannot be read and is left out", "network", net, "run", id, "error", err)
		}
		return nil
	}
	return t
}

// unended is the run that has not ended; nil when there is none. There can be one at
// most, and it is nearly always the newest.
func (d *Desk) unended(net string) *tale {
	runs, err := d.parts.History.Runs(net)
	if err != nil {
		d.parts.Log.Warn("runs cannot be listed", "network", net, "error", err)
	}
	for i := len(runs) - 1; i >= 0; i-- {
		if t := d.tale(net, runs[i]); t != nil && !t.over() {
			return t
		}
	}
	return nil
}
