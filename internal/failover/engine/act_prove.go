package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

const (
	refreshPatience = 3 * time.Second
	askPatience     = 5 * time.Second
	lookGrace       = 20 * time.Second // for a look that fails when the watch is over
)

// errEnded is a Zigbee2MQTT whose process is gone.
var errEnded = errors.New("Zigbee2MQTT has ended")

// prove believes the new active only when it says who it is, tells the same
// network, is heard by a device that answered before, and stays up.
func (e *execution) prove(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	again, err := e.quietAgain(ctx)
	if err != nil {
		return nil, err
	}
	watched := time.Now()
	info, err := e.hear(ctx, s.Node, e.plan.To == e.plan.From || beside(e.plan.Kind))
	if err != nil {
		return nil, err
	}
	saw := append(again, fmt.Sprintf("Zigbee2MQTT on %s answers after %.1f s", s.Node, time.Since(watched).Seconds()))
	if err := e.sameNetwork(ctx, info); err != nil {
		return nil, err
	}
	if asksNobodyBefore(e.plan.Kind) {
		return e.proveStart(ctx, s, x, append(saw, "same network as before"), watched)
	}
	saw = append(saw, fmt.Sprintf("same network, %d devices", len(e.facts.Before.Devices)))
	heard, err := e.witnesses(ctx)
	if err != nil && !e.lenient {
		return nil, err
	}
	if err != nil { // they had answered long ago, before a controller was lost
		e.facts.Unproven = err.Error()
		heard = []string{"unproven: " + err.Error()}
	}
	saw = append(saw, heard...)
	return append(saw, fmt.Sprintf("it stayed up for %s", e.net.Timing.Watch)), e.staysUp(ctx, x, watched)
}

// quietAgain silences the old active of a failover once more when it runs beside the target:
// a run that was cut off may be taken up long after its fence, and an open run would keep
// everybody else from ending that there are two.
func (e *execution) quietAgain(ctx context.Context) ([]string, error) {
	i := slices.IndexFunc(e.plan.Steps, func(s plan.Step) bool { return s.Act == plan.ActFence })
	if e.plan.Kind != plan.KindFailover || i < 0 {
		return nil, nil
	}
	x, err := e.net.node(e.plan.From)
	if err != nil {
		return nil, err
	}
	o, err := lookPastHelper(ctx, x)
	if err != nil || !o.Runs() {
		return nil, nil // what cannot be looked at was fenced, and the start has seen to that
	}
	saw, err := e.climb(ctx, e.plan.Steps[i])
	return append([]string{fmt.Sprintf("%s ran again beside %s", e.plan.From, e.plan.To)}, saw...), err
}

// asksNobodyBefore says that before such a run nobody was on air whom a device could have
// answered for certain.
func asksNobodyBefore(k plan.Kind) bool {
	return k == plan.KindFailover || startsLast(k)
}

// beside says that such a run acts on a node while another one serves.
func beside(k plan.Kind) bool { return k == plan.KindSilence || k == plan.KindReturn }

// hear waits for a fresh word of the Zigbee2MQTT on a node, and gives up as soon
// as its process is gone. An unmarked one is accepted only if told so: the first
// active of a network has no mark until somebody has moved to it.
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
	devices, err := e.devicesSince(ctx, since)
	if err != nil {
		return err
	}
	now := baseline(info, devices)
	diff := e.facts.Before.identity(now)
	if !e.lenient { // while no controller watched, people may have paired and removed
		diff = append(diff, e.facts.Before.devices(now)...)
	}
	if len(diff) > 0 {
		return fmt.Errorf("it is not the same network: %s", strings.Join(diff, ", "))
	}
	return nil
}

// devicesSince asks again while there is time: one lost answer is no reason for a
// second outage.
func (e *execution) devicesSince(ctx context.Context, since time.Time) ([]BridgeDevice, error) {
	for {
		devices, err := e.net.Bridge.Devices(ctx, since)
		if err == nil || sleep(ctx, lookEvery) != nil {
			return devices, err
		}
	}
}

// witnesses asks those who answered before, again and again until one answers.
func (e *execution) witnesses(ctx context.Context) ([]string, error) {
	e.facts.Unproven = ""
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
		over := time.Since(since) - e.net.Timing.Watch
		if over >= 0 && (err == nil || over > lookGrace) {
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
			again := fmt.Errorf("%s runs again: %s; see that nothing restarts Zigbee2MQTT there", name, o.WhyNotStopped())
			return errors.Join(again, e.remember(func(r *network.Record) { // whatever was proven of it holds no longer
				r.Speaks(name)
				strayed(r, name)
			}))
		}
	}
	return nil
}

// record makes the target the active one. If the disk refuses, the run stays open
// and the next start records it: the move itself is not taken back for that.
func (e *execution) record(_ context.Context, s plan.Step) ([]string, error) {
	err := e.remember(func(r *network.Record) {
		r.Active, r.Since, r.Unproven, r.Spoken = s.Node, time.Now(), e.facts.unproven(), nil
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
	saw := []string{r.Active + " is the active node on record"}
	if e.plan.Kind != plan.KindRestore {
		return saw, nil
	}
	more, err := e.adopt()
	return append(saw, more...), err
}
