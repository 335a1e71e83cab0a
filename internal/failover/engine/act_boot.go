package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

const (
	bootTries    = 3
	bootPause    = 3 * time.Second
	bootPatience = 10 * time.Second // for a look
)

// disable keeps a node that is about to be silent from starting by itself at its next
// boot, which would put a second coordinator on air. What it takes from a node that
// serves the home is owed to the next one; that is on record before it is changed.
//
// A stop goes on where this cannot be done: silence now matters more than the next boot.
func (e *execution) disable(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	o, err := observeSoon(ctx, x)
	if err != nil {
		return nil, err
	}
	if err := e.noteServing(ctx, x, o); err != nil {
		return nil, err
	}
	switch {
	case o.Enabled == "yes":
	case o.StartedBy != "":
		return []string{fmt.Sprintf("unproven: it is not enabled, and %s may start it", o.StartedBy)}, nil
	case o.Enabled == "":
		return []string{"its service manager does not tell whether it starts at boot"}, nil
	default:
		return []string{"it does not start at boot"}, nil
	}
	err = e.takeBoot(ctx, x)
	if err != nil && (e.plan.Kind == plan.KindStop || beside(e.plan.Kind)) {
		e.facts.Unproven = err.Error()
		return []string{"unproven: " + err.Error()}, nil
	}
	if err != nil {
		return nil, &network.RefusedError{What: string(e.plan.Kind), Why: err.Error(),
			Remedy: fmt.Sprintf("disable the service on %s by hand, then try again", s.Node)}
	}
	return []string{"it no longer starts at boot"}, nil
}

// noteServing keeps who serves the home, and what is owed to the next who does.
func (e *execution) noteServing(ctx context.Context, x Node, o network.Observation) error {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return err
	}
	owed := r.BootOwed || o.Enabled == "yes" && (o.Active() || r.Active == x.Name())
	active := r.Active
	if e.plan.Kind == plan.KindStop && o.Active() {
		active = e.servingUntilNow(ctx, x.Name(), r.Active)
	}
	if owed == r.BootOwed && active == r.Active {
		return nil
	}
	return e.remember(func(r *network.Record) {
		if r.Active != active {
			r.Serves(active, time.Now())
		}
		r.BootOwed = owed
	})
}

// servingUntilNow is who goes on record when a node is stopped that runs. The first
// node ever seen is taken at its word. Where another one is on record and does not run,
// somebody has moved the network by hand, or started the wrong node: nobody can tell
// which of the two holds it, so none is on record from here on.
func (e *execution) servingUntilNow(ctx context.Context, node, recorded string) string {
	if recorded == node {
		return node
	}
	for _, name := range e.net.without(node) {
		x, err := e.net.node(name)
		if err != nil {
			return recorded
		}
		o, err := observeSoon(ctx, x)
		if err != nil || o.Runs() {
			return recorded
		}
	}
	info, err := e.refresh(ctx)
	switch {
	case recorded != "" && err == nil && e.anotherNetwork(info):
		return recorded
	case recorded != "" || err != nil || info.Node != "" && info.Node != node:
		return ""
	}
	return node
}

// anotherNetwork says that it is not the one of the last good copy.
func (e *execution) anotherNetwork(info BridgeInfo) bool {
	last, err := e.c.parts.Shelf.Latest(e.net.Name)
	return err == nil && len(baseline(info, nil).inData(last.Summary)) > 0
}

// takeBoot asks until the node does not start at boot any more.
func (e *execution) takeBoot(ctx context.Context, x Node) error {
	return trySetBoot(ctx, x, false, func(o network.Observation) error {
		if o.Enabled == "yes" {
			return fmt.Errorf("%s still starts at boot", x.Name())
		}
		return nil
	})
}

// stayDown keeps a target that is silent again from starting at the next boot beside the
// old active: its start may have taken off a mask under which it was enabled.
func (e *execution) stayDown(ctx context.Context, x Node) []string {
	o, err := observeSoon(ctx, x)
	if e.plan.To == e.plan.From || err == nil && o.Enabled != "yes" {
		return nil
	}
	if err == nil {
		err = e.takeBoot(ctx, x)
	}
	if err != nil {
		return []string{"unproven: " + err.Error()}
	}
	return []string{"it does not start at boot"}
}

// enableAgain takes disable back. It never fails: the node serves already.
func (e *execution) enableAgain(ctx context.Context, s plan.Step) ([]string, error) {
	return e.enable(ctx, s)
}

// enable gives the node the start at boot that is owed, if it serves the home now: what
// is taken up later may find that somebody else does. That it cannot be done is told
// and is no reason to take a move back.
func (e *execution) enable(ctx context.Context, s plan.Step) ([]string, error) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err == nil && !r.BootOwed {
		return []string{"the active node is not known to have started at boot"}, nil
	}
	if err == nil {
		err = e.othersStayDown(ctx, s.Node)
	}
	if err == nil {
		err = e.giveBoot(ctx, s.Node)
	}
	if errors.Is(err, errMute) {
		return []string{err.Error()}, nil
	}
	if err != nil {
		if e.facts.Unproven == "" {
			e.facts.Unproven = err.Error()
		}
		return []string{"unproven: " + err.Error()}, nil
	}
	return []string{"it starts at boot"}, nil
}

// othersStayDown keeps the start at boot from a second node: one that was lost in a
// failover may have it still, and come back with the next power.
func (e *execution) othersStayDown(ctx context.Context, node string) error {
	// In a move by plan the old active was just kept from it.
	planned := []plan.Kind{plan.KindSwitchover, plan.KindSeed, plan.KindRestore, plan.KindStop}
	if slices.Contains(planned, e.plan.Kind) || broken.GivesBootTwice {
		return nil
	}
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return err
	}
	for _, name := range e.net.without(node) {
		x, err := e.net.node(name)
		if err != nil {
			return err
		}
		_, fenced := r.Fenced[name]
		switch o, err := observeSoon(ctx, x); {
		case err != nil && e.plan.Kind == plan.KindStart && !fenced: // a stand-by that was never lost while it was active
		case err != nil:
			return fmt.Errorf("%s does not start at boot yet, since nobody can see whether %s does; the next sync that reaches it settles that", node, name)
		case o.Enabled == "yes":
			return fmt.Errorf("%s starts at boot, so %s does not; disable the service on %s, then sync", name, node, name)
		}
	}
	return nil
}

// errMute is a service manager that is never asked about the boot.
var errMute = errors.New("its service manager does not tell whether it starts at boot")

func (e *execution) giveBoot(ctx context.Context, node string) error {
	x, err := e.net.node(node)
	if err != nil {
		return err
	}
	o, err := observeSoon(ctx, x)
	if err != nil {
		return err
	}
	if !o.Active() {
		return fmt.Errorf("%s does not run, so it shall not start at boot either", node)
	}
	if o.Enabled == "" {
		return errMute
	}
	err = trySetBoot(ctx, x, true, func(o network.Observation) error {
		if o.Enabled != "yes" {
			return fmt.Errorf("%s may not start at boot; enable the service there by hand", node)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.remember(func(r *network.Record) { r.BootOwed = false })
}

// observeSoon looks until a look works, for a while.
func observeSoon(ctx context.Context, x Node) (network.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	return awaitNode(ctx, x, func(network.Observation) bool { return true })
}

// trySetBoot asks more than once, and believes only what it reads back.
func trySetBoot(ctx context.Context, x Node, on bool, judge func(network.Observation) error) (err error) {
	for try := 1; ; try++ {
		asked := x.SetAutostart(ctx, on)
		o, oerr := x.Observe(ctx)
		if err = oerr; err == nil {
			err = judge(o)
		}
		if err == nil || try == bootTries || sleep(ctx, bootPause) != nil {
			return joinAsked(err, asked)
		}
	}
}
