package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// sightPatience is how long a target may take to be looked at after a restart of the
// controller.
const sightPatience = time.Minute

// recover finishes or takes back the run that an earlier process left.
func (c *Controller) recover(ctx context.Context, n *Network, w Watch) error {
	id, prog, err := c.unfinished(n.Name)
	if err != nil || id == "" || broken.IgnoresOpenRun {
		return err
	}
	e, err := c.resume(n, id, *prog, w)
	if err != nil {
		return err
	}
	ended := e.takeUp(ctx)
	if err := e.log.Close(); err != nil {
		return fmt.Errorf("close the journal of run %s: %w", id, err)
	}
	if ended.Outcome == plan.NeedsHelp {
		return ended.Err
	}
	return nil
}

// takeUp goes on with a run of an earlier process, in the direction that what is
// seen now allows. A target that has served for long is not taken back: that would
// cost the home what happened since. Then a person is asked.
func (e *execution) takeUp(ctx context.Context) Ended {
	switch _, more := e.prog.NextForward(); {
	case !more:
		return e.end(plan.Completed, nil)
	case e.plan.Kind == plan.KindStop:
		return e.takeUpStop(ctx)
	case e.prog.DoneAct(plan.ActRecord): // the home may have moved on since: never back
		return e.finish(ctx)
	case e.plan.Kind == plan.KindRepair:
		return e.takeUpRepair(ctx)
	case beside(e.plan.Kind) && !e.restarting():
		return e.takeUpBeside(ctx)
	}
	target, seen := e.sight(ctx)
	e.lenient = e.lenient || target.Served
	switch e.prog.AfterCrash(target) {
	case plan.Back:
		return e.walkBack(ctx, nil)
	case plan.Ask:
		return e.open("look at the target", fmt.Errorf("%s was to start and may serve the home; make it reachable, then try again: %w", e.plan.To, seen))
	}
	err := e.forward(ctx)
	var halt *haltError
	switch {
	case err == nil:
		return e.end(plan.Completed, nil)
	case errors.As(err, &halt) || target.Served:
		return e.open("finish the move", err)
	}
	return e.walkBack(ctx, err)
}

// finish does what is left of a run that cannot be taken back.
func (e *execution) finish(ctx context.Context) Ended {
	if err := e.forward(ctx); err != nil {
		return e.open("finish it", err)
	}
	return e.end(plan.Completed, nil)
}

// takeUpStop silences a node whose Zigbee2MQTT has ended, as was asked for. One that
// goes on running, or cannot be looked at, is left alone: whoever wants it stopped asks
// again.
func (e *execution) takeUpStop(ctx context.Context) Ended {
	x, err := e.net.node(e.plan.From)
	if err != nil || !e.prog.BegunAct(plan.ActStop) {
		return e.walkBack(ctx, err)
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.net.Timing.Stop)
	defer cancel()
	if _, err := awaitNode(look, x, network.Observation.Stopped); err != nil {
		return e.walkBack(ctx, err)
	}
	err = e.forward(ctx)
	var halt *haltError
	switch {
	case err == nil:
		return e.end(plan.Completed, nil)
	case errors.As(err, &halt):
		return e.open("finish the stop", err)
	}
	return e.walkBack(ctx, err)
}

func (e *execution) open(what string, err error) Ended {
	return e.unsettled(plan.Step{Title: what}, nil, err)
}

// sight looks at the target, more than once if need be: a look that fails says
// nothing about what runs.
func (e *execution) sight(ctx context.Context) (plan.Sight, error) {
	x, err := e.net.node(e.plan.To)
	if err != nil { // a sync has no target
		return plan.Sight{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sightPatience)
	defer cancel()
	o, err := awaitNode(ctx, x, func(network.Observation) bool { return true })
	t := e.net.Timing
	began, _ := e.prog.BeganAct(plan.ActStart)
	served := time.Now().Round(0).Sub(began.Round(0))
	return plan.Sight{Known: err == nil, Runs: err == nil && o.Active(), Served: served < 0 || served > t.Start+t.Prove+t.Watch}, err
}

// Recover does only that, for a controller that starts. It returns nil when no run
// was cut off or the one that was is settled now, and an *UnsettledError when a
// person must look.
func (c *Controller) Recover(ctx context.Context, net string, w Watch) error {
	n, err := c.network(net)
	if err != nil {
		return err
	}
	release, err := c.occupy(n.Name, "a recovery")
	if err != nil {
		return err
	}
	defer release()
	return c.recover(ctx, n, w)
}
