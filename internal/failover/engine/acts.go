package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

const (
	// lookEvery is how often a node is looked at while something is awaited.
	lookEvery = 500 * time.Millisecond
	// saveWait is how long Zigbee2MQTT may take to save when it is to end quickly.
	saveWait = 2 * time.Second
)

// An action is how one kind of step acts. do ends with reading back what it did
// and returns what it saw in plain words; undo likewise. Both look before they
// act, so that repeating them is harmless.
type action struct {
	do   func(*execution, context.Context, plan.Step) ([]string, error)
	undo func(*execution, context.Context, plan.Step) ([]string, error)
}

var actions = map[plan.Act]action{
	plan.ActGates:     {do: (*execution).gates},
	plan.ActWitness:   {do: (*execution).witness},
	plan.ActPark:      {do: (*execution).park},
	plan.ActKeepStick: {do: (*execution).keepStick},
	plan.ActCopy:      {do: (*execution).copy},
	plan.ActStop:      {do: (*execution).stop, undo: (*execution).startAgain},
	plan.ActFence:     {do: (*execution).fence},
	plan.ActReadStick: {do: (*execution).readStick},
	plan.ActFinalCopy: {do: (*execution).finalCopy},
	plan.ActLoad:      {do: (*execution).load},
	plan.ActPromote:   {do: (*execution).promote, undo: (*execution).unpromote},
	plan.ActStart:     {do: (*execution).start, undo: (*execution).silence},
	plan.ActProve:     {do: (*execution).prove},
	plan.ActRecord:    {do: (*execution).record},
	plan.ActDisable:   {do: (*execution).disable, undo: (*execution).enableAgain},
	plan.ActEnable:    {do: (*execution).enable},
	plan.ActReady:     {do: (*execution).readyToStart},
	plan.ActRaise:     {do: (*execution).raiseOwn, undo: (*execution).wholeStick},
	plan.ActWarm:      {do: (*execution).warm},
	plan.ActActivate:  {do: (*execution).activate},
	plan.ActDead:      {do: (*execution).dead},
	plan.ActYield:     {do: (*execution).yield},
	plan.ActRewrite:   {do: (*execution).rewrite, undo: (*execution).rewriteBack},
	plan.ActSurvey:    {do: (*execution).survey},
	plan.ActLearn:     {do: (*execution).learnSecond},
}

func actOf(a plan.Act) action {
	act, ok := actions[a]
	if !ok {
		panic(fmt.Sprintf("engine: no action for %q", a))
	}
	return act
}

// stop asks the service manager and believes only what it sees: a stop that
// reports failure while Zigbee2MQTT is still saving is no failure. But one that was
// never carried out leaves a manager that may start it again, so it is asked until
// it agrees or says itself that the service is stopped.
func (e *execution) stop(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	var saw []string
	var asked error
	if e.plan.Fast && !e.turning {
		var seen *network.Observation
		if saw, seen, asked = e.stopFast(ctx, x); seen != nil {
			return append(saw, freed(*seen)), nil
		}
	} else {
		asked = x.StopService(ctx)
	}
	if broken.BelievesStop {
		return append(saw, "it was asked to stop"), asked
	}
	for {
		o, err := x.Observe(ctx)
		agreed := asked == nil || o.Service == network.ServiceStopped || o.Service == network.ServiceFailed
		if err == nil && o.Stopped() && agreed {
			return append(saw, freed(o)), nil
		}
		if sleep(ctx, lookEvery) != nil {
			return nil, joinAsked(errors.Join(fmt.Errorf("%s did not stop in time (%s)", x.Name(), cmp.Or(o.WhyNotStopped(), "nothing runs any more")), err), asked)
		}
		if asked != nil {
			asked = x.StopService(ctx)
		}
	}
}

func freed(o network.Observation) string {
	return fmt.Sprintf("no program holds %s or the data directory", o.TTY)
}

// stopFast ends Zigbee2MQTT as soon as it has saved. Its closing backup is one that was
// just made. seen is a look that finds it stopped, nil when there was none.
func (e *execution) stopFast(ctx context.Context, x Node) (saw []string, seen *network.Observation, err error) {
	r, err := x.StopFast(ctx, saveWait)
	if err != nil {
		return nil, nil, err
	}
	if r.Seen != nil && r.Seen.Stopped() {
		seen = r.Seen
	}
	if !r.Saved {
		return []string{fmt.Sprintf("it was not seen to save within %s, so it was left to end by itself, which took %.1f s", saveWait, r.Took.Seconds())}, seen, nil
	}
	return []string{fmt.Sprintf("it had saved after %.2f s and was gone after %.2f s", r.SaveTook.Seconds(), r.Took.Seconds())}, seen, nil
}

// fence resets the stick: stopping Zigbee2MQTT alone leaves it on air. One that was
// killed has nothing under way, so nothing has to settle.
func (e *execution) fence(ctx context.Context, s plan.Step) ([]string, error) {
	switch {
	case climbs(e.plan, s):
		return e.climb(ctx, s)
	case e.plan.Kind == plan.KindRepair || beside(e.plan.Kind):
		return e.resetTwice(ctx, s)
	}
	if e.plan.Fast && !e.turning {
		return e.resetWhileReading(ctx, s)
	}
	if err := sleep(ctx, e.net.Timing.Settle); err != nil {
		return nil, err
	}
	return e.resetStick(ctx, s)
}

// resetWhileReading reads the data of the node whose stick is being reset: nobody writes
// there any more. The final copy takes what was read, or reads itself.
func (e *execution) resetWhileReading(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	read := meanwhile(func() (network.Capture, error) { return x.Capture(ctx, e.c.parts.Shelf) })
	saw, err := e.resetStick(ctx, s)
	if got, readErr := read(); readErr == nil {
		e.ahead = &got
	}
	return saw, err
}

// meanwhile does something beside what the caller does next. The function it returns
// waits for the end, and must be called.
func meanwhile[T any](do func() (T, error)) func() (T, error) {
	var got T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		got, err = do()
	}()
	return func() (T, error) {
		<-done
		return got, err
	}
}

func (e *execution) resetStick(ctx context.Context, s plan.Step) ([]string, error) {
	if broken.StartsUnfenced {
		return []string{"it will be silent"}, nil
	}
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	silence, err := x.Reset(ctx)
	if err != nil {
		return nil, err
	}
	return e.silent(s.Node, silence)
}

// silent records that a node's stick was read in HOLD just now.
func (e *execution) silent(node string, got network.Silence) ([]string, error) {
	err := e.remember(func(r *network.Record) { r.Hush(node, time.Now()) })
	how := "without a reset"
	if got.Reset {
		how = "after a reset"
	}
	return []string{fmt.Sprintf("the stick says %s %s", got.State, how)}, err
}

// remember changes the network's record on disk.
func (e *execution) remember(change func(*network.Record)) error {
	return e.c.remember(e.net.Name, change)
}

func (e *execution) park(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	silence, err := parkStopped(ctx, x)
	if err != nil {
		return e.trusted(ctx, x, err)
	}
	return e.silent(s.Node, silence)
}

func parkStopped(ctx context.Context, x Node) (network.Silence, error) {
	if err := mustBeStopped(ctx, x); err != nil {
		return network.Silence{}, err
	}
	return x.Park(ctx)
}

// trusted takes an earlier proof of silence for a stand-by that cannot be asked now, where
// that counts.
func (e *execution) trusted(ctx context.Context, x Node, err error) ([]string, error) {
	if x.Name() == e.plan.From || x.Name() == e.plan.To || !unseen(err) {
		return nil, err
	}
	saw, err := e.standing(ctx, x, err)
	if err != nil {
		return nil, err
	}
	return []string{saw}, nil
}

// mustBeStopped looks, and names who still runs. Our own helper is waited for.
func mustBeStopped(ctx context.Context, x Node) error {
	o, err := lookPastHelper(ctx, x)
	if err != nil {
		return err
	}
	if why := o.WhyNotStopped(); why != "" {
		return fmt.Errorf("%s is not stopped: %s", x.Name(), why)
	}
	return nil
}

// lookPastHelper looks at a node until nothing but a stranger holds its stick: a
// helper whose controller went away finishes its item and ends.
func lookPastHelper(ctx context.Context, x Node) (network.Observation, error) {
	for {
		o, err := x.Observe(ctx)
		if err != nil {
			return o, &unseenError{err}
		}
		if !o.OnlyOurs() || sleep(ctx, lookEvery) != nil {
			return o, nil
		}
	}
}

// An unseenError is a look that did not work: nothing is known of the node.
type unseenError struct{ err error }

func (e *unseenError) Error() string { return e.err.Error() }
func (e *unseenError) Unwrap() error { return e.err }

func unseen(err error) bool {
	_, ok := errors.AsType[*unseenError](err)
	return ok
}

// awaitNode looks until ok holds or ctx ends. A look that fails is tried again:
// only the last failure counts.
func awaitNode(ctx context.Context, x Node, ok func(network.Observation) bool) (network.Observation, error) {
	var last error
	for {
		o, err := x.Observe(ctx)
		if err == nil && ok(o) {
			return o, nil
		}
		if err != nil && ctx.Err() == nil {
			last = err
		}
		if sleep(ctx, lookEvery) != nil {
			if last != nil {
				return o, fmt.Errorf("%s did not get there in time: %w", x.Name(), last)
			}
			return o, fmt.Errorf("%s did not get there in time", x.Name())
		}
	}
}

func joinAsked(err, asked error) error {
	if err == nil || asked == nil {
		return err
	}
	return fmt.Errorf("%w; the service manager said: %w", err, asked)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
