package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

const (
	refreshPatience = 3 * time.Second
	askPatience     = 5 * time.Second

	// freshLoad is how old a load may be when the target starts: its counters were
	// chosen for that moment.
	freshLoad = 15 * time.Minute

	// unreadMargin is for link keys when the target's stick could not be read after
	// it was silenced.
	unreadMargin = 1_000_000
)

// errEnded is a Zigbee2MQTT whose process is gone.
var errEnded = errors.New("Zigbee2MQTT has ended")

// start puts the target on air, after one more look that everybody else is silent.
func (e *execution) start(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	if age := time.Now().Round(0).Sub(e.facts.Loaded.Round(0)); age < 0 || age > freshLoad {
		return nil, fmt.Errorf("its stick was loaded %s ago, by the clock: too long for its counters to be trusted", age.Round(time.Second))
	}
	saw, err := e.onlyVoice(ctx, s.Node)
	if err != nil {
		return nil, err
	}
	e.facts.Started = time.Now()
	o, err := e.startService(ctx, x)
	if err != nil {
		return nil, err
	}
	return append(saw, fmt.Sprintf("%s holds %s", o.TTYHolders[0], o.TTY)), nil
}

// startService starts Zigbee2MQTT unless it runs, and waits until it holds its stick.
// From the moment it is asked, the node no longer counts as silent.
func (e *execution) startService(ctx context.Context, x Node) (network.Observation, error) {
	o, err := x.Observe(ctx)
	if err != nil || o.Active() {
		return o, err
	}
	if o.Runs() {
		return o, fmt.Errorf("%s is neither stopped nor running: %s", x.Name(), o.WhyNotStopped())
	}
	err = e.remember(func(r *network.Record) {
		delete(r.Silent, x.Name())
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
	st, err := lookSilent(ctx, x)
	if errors.Is(err, errSpeaks) { // whatever was proven before holds no longer
		err = errors.Join(err, e.remember(func(r *network.Record) { delete(r.Silent, x.Name()) }))
	}
	switch {
	case err == nil:
		return fmt.Sprintf("%s is silent: its stick says %s", x.Name(), st.State), nil
	case errors.Is(err, errSpeaks) || x.Name() == e.plan.From:
		return "", err
	}
	r, merr := e.c.parts.Memory.Load(e.net.Name)
	if merr != nil {
		return "", errors.Join(err, merr)
	}
	at, proven := r.Silent[x.Name()]
	if !proven {
		return "", err
	}
	return fmt.Sprintf("%s cannot be asked now (%v), was proven silent at %s and not started since",
		x.Name(), err, at.Format(time.TimeOnly)), nil
}

// errSpeaks is evidence that a node may be on air, as opposed to no evidence.
var errSpeaks = errors.New("it may be on air")

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
		return st, fmt.Errorf("%w: its stick is in state %s", errSpeaks, st.State)
	}
	return st, err
}

// silence takes a start back: stops the node and reads its stick in HOLD.
func (e *execution) silence(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	stopCtx, cancel := context.WithTimeout(ctx, e.net.Timing.Stop)
	defer cancel()
	saw, err := e.stop(stopCtx, s)
	if err != nil {
		return nil, err
	}
	silence, err := x.Reset(ctx)
	if err != nil {
		return nil, fmt.Errorf("the stick of %s cannot be proven silent: %w", s.Node, err)
	}
	more, err := e.silent(s.Node, silence)
	if err != nil {
		return nil, err
	}
	return append(append(saw, more...), e.learn(ctx, x, s)), nil
}

// learn reads what the silenced target has used, so that the old stick can be lifted
// above it. A stick that cannot be read is no reason to leave the home dark: the
// margin is larger then.
func (e *execution) learn(ctx context.Context, x Node, s plan.Step) string {
	e.facts.TargetImage = ""
	got, err := x.ReadStick(ctx, progressOf(e.watch, s))
	if err != nil {
		return fmt.Sprintf("what it has used could not be read (%v); a large margin is taken", err)
	}
	c, err := got.Image.Counters()
	if err == nil {
		err = e.remember(func(r *network.Record) { r.Odometer = r.Odometer.Captured(c.NWK, time.Now()) })
	}
	var blob string
	if err == nil {
		blob, err = e.c.parts.Shelf.KeepImage(e.net.Name, s.Node, got.Image.Encode())
	}
	if err != nil {
		return fmt.Sprintf("what it has used could not be kept (%v); a large margin is taken", err)
	}
	e.facts.TargetImage = blob
	return fmt.Sprintf("it has used counters up to %d", c.NWK)
}

// startAgain brings the old active back. If the target may have spoken, the old
// stick's counters are raised above everything it may have used, and read back,
// before the old stick speaks again: also when somebody has started it meanwhile.
// One that was seen to run may still have been ending; then it is started again.
func (e *execution) startAgain(ctx context.Context, s plan.Step) ([]string, error) {
	for {
		saw, err := e.bringBack(ctx, s)
		if !errors.Is(err, errEnded) || sleep(ctx, lookEvery) != nil {
			return saw, err
		}
	}
}

func (e *execution) bringBack(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	saw, err := e.onlyVoice(ctx, s.Node)
	if err != nil {
		return nil, err
	}
	if e.prog.BegunAct(plan.ActStart) && !e.raised {
		more, err := e.raiseOld(ctx, x, s)
		if err != nil {
			return nil, err
		}
		e.raised = true
		saw = append(saw, more...)
	}
	if _, err := e.startService(ctx, x); err != nil {
		return nil, err
	}
	more, err := e.answersAgain(ctx, s.Node)
	return append(saw, more...), err
}

// raiseOld lifts the counters of the old stick, in HOLD, above everything the target
// may have used. It starts from what the stick holds now, and keeps that first.
func (e *execution) raiseOld(ctx context.Context, x Node, s plan.Step) ([]string, error) {
	stopCtx, cancel := context.WithTimeout(ctx, e.net.Timing.Stop)
	defer cancel()
	if _, err := e.stop(stopCtx, s); err != nil {
		return nil, err
	}
	if _, err := x.Park(ctx); err != nil {
		return nil, err
	}
	now, err := x.ReadStick(ctx, progressOf(e.watch, s))
	if err != nil {
		return nil, err
	}
	if err := e.isOurNetwork(now.Image); err != nil {
		return nil, err
	}
	if _, err := e.c.parts.Shelf.KeepImage(e.net.Name, s.Node, now.Image.Encode()); err != nil {
		return nil, fmt.Errorf("keep the image of the stick: %w", err)
	}
	img := now.Image.Clone()
	margin, err := e.overtakeTarget(img)
	if err != nil {
		return nil, err
	}
	floors, err := e.floors(margin)
	if err != nil {
		return nil, err
	}
	if err := img.Raise(floors); err != nil {
		return nil, fmt.Errorf("raise the counters of %s: %w", s.Node, err)
	}
	if err := e.willUse(img); err != nil {
		return nil, err
	}
	rep, err := x.LoadStick(ctx, network.StickLoad{Run: fmt.Sprintf("%s-back-%d", e.plan.ID, e.prog.Seq), Want: img,
		From: now.Stick, AnyRevision: e.net.AnyRevision, ExpectBefore: now.Image.Hash()}, progressOf(e.watch, s))
	if err != nil {
		return nil, err
	}
	return loaded(rep, floors.NWK), nil
}

// overtakeTarget lifts img to the counters of the target's stick and returns the
// margin for link keys that is still to be added.
func (e *execution) overtakeTarget(img *nvimage.Image) (margin uint32, err error) {
	if e.facts.TargetImage == "" {
		return unreadMargin, nil
	}
	target, err := e.image(e.facts.TargetImage)
	if err != nil {
		return 0, err
	}
	img.Overtake(target)
	return linkMargin, nil
}

// answersAgain waits until the old active speaks on MQTT with the old identity.
func (e *execution) answersAgain(ctx context.Context, node string) ([]string, error) {
	info, err := e.hear(ctx, node, true)
	if err != nil {
		return nil, err
	}
	saw := []string{fmt.Sprintf("Zigbee2MQTT on %s answers, channel %d, PAN id %s", node, info.Channel, info.PanID)}
	got, err := e.witnesses(ctx)
	if err != nil {
		e.facts.Unproven = err.Error()
		got = []string{"unproven: " + err.Error()}
	}
	return append(saw, got...), e.remember(func(r *network.Record) { r.Unproven = e.facts.Unproven })
}

// prove believes the new active only when it says who it is, tells the same
// network, is heard by a device that answered before, and stays up.
func (e *execution) prove(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	watched := time.Now()
	info, err := e.hear(ctx, s.Node, false)
	if err != nil {
		return nil, err
	}
	saw := []string{fmt.Sprintf("Zigbee2MQTT on %s answers after %.1f s", s.Node, time.Since(watched).Seconds())}
	if err := e.sameNetwork(ctx, info); err != nil {
		return nil, err
	}
	saw = append(saw, fmt.Sprintf("same network, %d devices", len(e.facts.Before.Devices)))
	heard, err := e.witnesses(ctx)
	if err != nil && !e.resumed {
		return nil, err
	}
	if err != nil { // they had answered long ago, before a controller was lost
		e.facts.Unproven = err.Error()
		heard = []string{"unproven: " + err.Error()}
	}
	saw = append(saw, heard...)
	return append(saw, fmt.Sprintf("it stayed up for %s", e.net.Timing.Watch)), e.staysUp(ctx, x, watched)
}

// hear waits for a fresh word of the Zigbee2MQTT on a node, and gives up as soon
// as its process is gone. An unmarked one is accepted only if told so: the first
// active of a network has no mark until its first move.
func (e *execution) hear(ctx context.Context, node string, unmarked bool) (BridgeInfo, error) {
	x, err := e.net.node(node)
	if err != nil {
		return BridgeInfo{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.net.Timing.Start)
	defer cancel()
	for {
		info, err := e.refresh(ctx)
		if err == nil && (info.Node == node || (unmarked && info.Node == "")) {
			return info, nil
		}
		if err == nil {
			err = fmt.Errorf("the Zigbee2MQTT that answers says it is %q, not %q", info.Node, node)
		}
		if o, oerr := x.Observe(ctx); oerr == nil && o.Stopped() {
			return info, fmt.Errorf("%w on %s", errEnded, node)
		}
		if sleep(ctx, lookEvery) != nil {
			return info, err
		}
	}
}

func (e *execution) refresh(ctx context.Context) (BridgeInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, refreshPatience)
	defer cancel()
	return e.net.Bridge.Refresh(ctx)
}

// sameNetwork compares identity and device list with what was before. The list
// must be one that was published after the start.
func (e *execution) sameNetwork(ctx context.Context, info BridgeInfo) error {
	ctx, cancel := context.WithTimeout(ctx, bridgePatience)
	defer cancel()
	since := e.facts.Started
	if e.resumed { // published before this process began to listen
		since = time.Time{}
	}
	devices, err := e.net.Bridge.Devices(ctx, since)
	if err != nil {
		return err
	}
	now := baseline(info, devices)
	diff := e.facts.Before.identity(now)
	if !e.resumed { // while no controller watched, people may have paired and removed
		diff = append(diff, e.facts.Before.devices(now)...)
	}
	if len(diff) > 0 {
		return fmt.Errorf("it is not the same network: %s", strings.Join(diff, ", "))
	}
	return nil
}

// witnesses asks those who answered before, again and again until one answers.
func (e *execution) witnesses(ctx context.Context) ([]string, error) {
	if len(e.facts.Witnesses) == 0 {
		e.facts.Unproven = "no device could be asked"
		return []string{"unproven: no device had answered before either"}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, e.net.Timing.Prove)
	defer cancel()
	for {
		got, err := e.ask(ctx, e.facts.Witnesses, 1, askPatience)
		if err == nil && len(got) > 0 {
			return []string{friendly(got) + " answered"}, nil
		}
		if sleep(ctx, lookEvery) != nil {
			return nil, errors.Join(fmt.Errorf("%s answered before and %s not now", friendly(e.facts.Witnesses), doOrDoes(len(e.facts.Witnesses))), err)
		}
	}
}

func doOrDoes(n int) string {
	if n == 1 {
		return "does"
	}
	return "do"
}

// staysUp looks at all nodes until the watch is over: the new active must run, and
// nobody else may come back.
func (e *execution) staysUp(ctx context.Context, x Node, since time.Time) error {
	for {
		o, err := x.Observe(ctx)
		if err == nil && !o.Active() {
			return fmt.Errorf("%w on %s, %.0f s after its start", errEnded, x.Name(), time.Since(since).Seconds())
		}
		if back := e.cameBack(ctx, x.Name()); back != nil {
			return back
		}
		if time.Since(since) >= e.net.Timing.Watch {
			return err
		}
		if serr := sleep(ctx, lookEvery); serr != nil {
			return errors.Join(serr, err)
		}
	}
}

// cameBack names another node on which something runs again, as a service manager
// that restarts by itself would do.
func (e *execution) cameBack(ctx context.Context, speaker string) error {
	for _, name := range e.net.without(speaker) {
		x, err := e.net.node(name)
		if err != nil {
			return err
		}
		if o, err := x.Observe(ctx); err == nil && o.Runs() {
			return fmt.Errorf("%s runs again: %s; see that nothing restarts Zigbee2MQTT there", name, o.WhyNotStopped())
		}
	}
	return nil
}

// record makes the target the active one. If the disk refuses, the run stays open
// and the next start records it: the move itself is not taken back for that.
func (e *execution) record(_ context.Context, s plan.Step) ([]string, error) {
	err := e.remember(func(r *network.Record) {
		r.Active, r.Since, r.Unproven = s.Node, time.Now(), e.facts.Unproven
	})
	if err != nil {
		return nil, &haltError{err}
	}
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return nil, &haltError{err}
	}
	if r.Active != s.Node {
		return nil, &haltError{fmt.Errorf("the record says %q", r.Active)}
	}
	return []string{r.Active + " is the active node on record"}, nil
}
