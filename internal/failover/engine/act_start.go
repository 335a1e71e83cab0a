package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// freshLoad is how old a load may be when the target starts. Its counters were chosen
// for that moment; the steps between are bounded by minutes, so more means that this
// machine slept or its clock was set.
const freshLoad = 15 * time.Minute

// start puts the target on air, after one more look that everybody else is silent.
func (e *execution) start(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	look := meanwhile(func() (network.Observation, error) { return x.Observe(ctx) })
	saw, err := e.onlyVoice(ctx, s.Node)
	o, lookErr := look()
	if err = cmp.Or(err, lookErr); err == nil && !o.Active() {
		var heard []string
		if heard, err = e.veto(ctx, x); err == nil {
			saw = append(saw, heard...)
			o, err = e.startTarget(ctx, x, o)
		}
	}
	if err != nil {
		return nil, err
	}
	return append(saw, fmt.Sprintf("%s holds %s", o.TTYHolders[0], o.TTY)), nil
}

func (e *execution) startTarget(ctx context.Context, x Node, o network.Observation) (network.Observation, error) {
	if e.plan.Kind == plan.KindSeed {
		if err := e.noStrays(e.plan.To); err != nil {
			return network.Observation{}, err
		}
	}
	if err := e.stillFresh(); err != nil {
		return network.Observation{}, err
	}
	if err := e.floorHolds(); err != nil {
		return network.Observation{}, err
	}
	e.facts.Started = time.Now()
	return e.startStopped(ctx, x, o)
}

// stillFresh says that the counters were chosen for about now. A stick that goes on with
// its own memory, as a seed leaves it, steps over what it has used by itself.
func (e *execution) stillFresh() error {
	if e.plan.Kind == plan.KindSeed {
		return nil
	}
	if age := time.Now().Round(0).Sub(e.facts.Loaded.Round(0)); age < 0 || age > freshLoad {
		return fmt.Errorf("its stick was loaded %s ago, by the clock: too long for its counters to be trusted", age.Round(time.Second))
	}
	return nil
}

// floorHolds asks once more whether what was put onto the target is above everything
// that the network may have used until now.
func (e *execution) floorHolds() error {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil || !e.prog.DoneAct(plan.ActActivate) {
		return err
	}
	if on, ok := r.Sticks[e.plan.To]; ok && on.Reserved < e.facts.Floors.NWK {
		return fmt.Errorf("its stick may start from frame counter %d, and at least %d is needed", on.Reserved, e.facts.Floors.NWK)
	}
	return nil
}

// forgetStick takes note that a stick is used from now on: what it holds will change.
func forgetStick(r *network.Record, node string) {
	if on, ok := r.Sticks[node]; ok {
		on.Image, on.Writing, on.Generation, on.Trouble, on.TroubleFix = "", false, 0, "", ""
		r.Sticks[node] = on
	}
}

// startService starts Zigbee2MQTT unless it runs, and waits until it holds its stick.
// From the moment it is asked, the node no longer counts as silent.
func (e *execution) startService(ctx context.Context, x Node) (network.Observation, error) {
	o, err := x.Observe(ctx)
	if err != nil || o.Active() {
		return o, err
	}
	return e.startStopped(ctx, x, o)
}

// startStopped starts Zigbee2MQTT on a node that was seen as o just now.
func (e *execution) startStopped(ctx context.Context, x Node, o network.Observation) (network.Observation, error) {
	if o.Runs() {
		return o, fmt.Errorf("%s is neither stopped nor running: %s", x.Name(), o.WhyNotStopped())
	}
	err := e.remember(func(r *network.Record) {
		r.Speaks(x.Name())
		forgetStick(r, x.Name())
		r.Odometer = r.Odometer.Booted() // a stick may boot more often than was reckoned with
	})
	if err != nil {
		return o, err
	}
	asked := x.StartService(ctx)
	ctx, cancel := context.WithTimeout(ctx, e.net.Timing.Start)
	defer cancel()
	o, err = awaitNode(ctx, x, network.Observation.Active)
	if err != nil {
		return o, joinAsked(fmt.Errorf("Zigbee2MQTT does not run: %w", err), asked)
	}
	return o, nil
}

// onlyVoice proves now that no node but the named one could be on air. The old
// active must be read in HOLD this minute. Another stand-by that was proven silent
// and not started since stays so while it cannot be reached.
func (e *execution) onlyVoice(ctx context.Context, speaker string) ([]string, error) {
	var saw []string
	for _, name := range e.net.without(speaker) {
		if broken.StartsUnfenced && name == e.plan.From || broken.TrustsOthers && name != e.plan.From {
			continue
		}
		x, err := e.net.node(name)
		if err != nil {
			return nil, err
		}
		what, err := e.provenSilent(ctx, x)
		if err != nil {
			return nil, fmt.Errorf("%s must be silent before %s may speak: %w", name, speaker, err)
		}
		saw = append(saw, what)
	}
	return saw, nil
}

func (e *execution) provenSilent(ctx context.Context, x Node) (string, error) {
	st, err := e.lookOnce(ctx, x)
	ours := x.Name() == e.plan.From || x.Name() == e.plan.To && e.prog.BegunAct(plan.ActStart)
	if errors.Is(err, errSpeaks) && !ours {
		if err := e.remember(func(r *network.Record) { strayed(r, x.Name()) }); err != nil {
			return "", err
		}
	}
	if errors.Is(err, errOnAir) && e.turning { // its Zigbee2MQTT is gone, its stick goes on
		return e.resetOrphan(ctx, x)
	}
	if errors.Is(err, errSpeaks) { // whatever was proven before holds no longer
		err = errors.Join(err, e.remember(func(r *network.Record) { r.Speaks(x.Name()) }))
	}
	switch {
	case err == nil:
		return fmt.Sprintf("%s is silent: its stick says %s", x.Name(), st.State), nil
	case x.Name() == e.plan.From && climbs(e.plan, plan.Step{Node: e.plan.From}) && !errors.Is(err, errSpeaks):
		return e.stillFenced(ctx, x, err)
	case errors.Is(err, errSpeaks) || x.Name() == e.plan.From:
		return "", err
	}
	return e.standing(ctx, x, err)
}

// standing is a proof of silence that stands for a node which cannot be asked now. why is
// why.
func (e *execution) standing(ctx context.Context, x Node, why error) (string, error) {
	if at, ok := e.provenBefore(x.Name()); ok {
		return cannotBeAsked(x, why, at), nil
	}
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil || !startsLast(e.plan.Kind) {
		return "", errors.Join(why, err)
	}
	f := r.Fenced[x.Name()]
	if f.Rung == string(decide.RungPerson) { // for as long as nobody has seen the host again
		return fmt.Sprintf("%s cannot be asked (%v); %s", x.Name(), why, f.Saw), nil
	}
	for _, fence := range e.net.Fences[x.Name()] {
		if fence.String() != f.By {
			continue
		}
		saw, err := fence.Cut(ctx)
		if err != nil {
			return "", fmt.Errorf("%s was silenced by %s, which does not hold any more: %w", x.Name(), f.By, err)
		}
		return fmt.Sprintf("%s cannot be asked (%v); %s", x.Name(), why, saw), nil
	}
	return "", why
}

// mayStand says that a node which cannot be asked was silenced in a way that may still hold.
func mayStand(r network.Record, node string) bool {
	_, silent := r.Silent[node]
	rung := r.Fenced[node].Rung
	return silent || rung == string(decide.RungPerson) || rung == string(decide.RungPower)
}

// provenBefore is when a stand-by was proven silent that was not started since. For a
// planned move it must be in this run: anybody may have started it before. Where the node
// starts that was active last, or takes over from it, what was proven stands until somebody
// is seen to speak.
func (e *execution) provenBefore(node string) (time.Time, bool) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return time.Time{}, false
	}
	at, proven := r.Silent[node]
	return at, proven && (startsLast(e.plan.Kind) || e.plan.Kind == plan.KindFailover || !at.Before(e.began))
}

// startsLast says that such a run starts only the node that was active last.
func startsLast(k plan.Kind) bool {
	return k == plan.KindStart || k == plan.KindRepair || k == plan.KindSilence || k == plan.KindReturn
}

func cannotBeAsked(x Node, err error, at time.Time) string {
	return fmt.Sprintf("%s cannot be asked now (%v), was proven silent at %s and not started since", x.Name(), err, at.Format(time.DateTime))
}

// lookOnce does not wait long for the node that was fenced: it is not expected to answer.
func (e *execution) lookOnce(ctx context.Context, x Node) (network.StickState, error) {
	if e.facts.Fenced != nil && x.Name() == e.plan.From {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, bootPatience)
		defer cancel()
	}
	return lookSilent(ctx, x)
}

var (
	// errSpeaks is evidence that a node may be on air, as opposed to no evidence.
	errSpeaks = errors.New("it may be on air")
	// errOnAir is a stick on air that nobody drives.
	errOnAir = fmt.Errorf("%w without anybody driving it", errSpeaks)
)

// resetOrphan silences a stick whose Zigbee2MQTT is gone.
func (e *execution) resetOrphan(ctx context.Context, x Node) (string, error) {
	silence, err := x.Reset(ctx)
	if err != nil {
		return "", err
	}
	if _, err := e.silent(x.Name(), silence); err != nil {
		return "", err
	}
	saw := fmt.Sprintf("the stick of %s was left on air; reset, it says %s", x.Name(), silence.State)
	if x.Name() == e.plan.To {
		saw += "; " + e.learn(ctx, x, plan.Step{Node: x.Name()})
		e.raised = false
	}
	return saw, nil
}

func lookSilent(ctx context.Context, x Node) (network.StickState, error) {
	o, err := lookPastHelper(ctx, x)
	if err != nil {
		return network.StickState{}, err
	}
	if why := o.WhyNotStopped(); why != "" {
		return network.StickState{}, fmt.Errorf("%w: %s", errSpeaks, why)
	}
	st, err := x.InspectStick(ctx)
	if err == nil && !st.Silent {
		return st, fmt.Errorf("%w: its stick is in state %s", errOnAir, st.State)
	}
	if err != nil { // perhaps because somebody has taken the stick since the look
		if o, oerr := x.Observe(ctx); oerr == nil && o.Runs() && !o.OnlyOurs() {
			return st, fmt.Errorf("%w: %s", errSpeaks, o.WhyNotStopped())
		}
	}
	return st, err
}
