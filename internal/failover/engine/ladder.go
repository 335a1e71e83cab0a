package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// A Fence takes a node's radio away by something that does not depend on the node.
type Fence interface {
	// String says in words what it is: "the plug switch.attic of Home Assistant".
	String() string
	// Rung is its place on the ladder: decide.RungPower.
	Rung() decide.Rung
	// Cut returns without an error only when its own confirmation says that the power is
	// gone, with what that was in words. It is idempotent, and asks anew each time.
	Cut(ctx context.Context) (evidence string, err error)
	// Check finds out, changing nothing, whether it could cut now.
	Check(ctx context.Context) error
}

// Rungs are the ways to silence each node of a network that are configured, in the order
// in which they are tried. Whether a stick can be unplugged from USB is found out by trying.
func (c *Controller) Rungs(net string) map[string][]decide.Rung {
	out := map[string][]decide.Rung{}
	n, err := c.network(net)
	if err != nil {
		return out
	}
	for _, name := range n.names() {
		rungs := []decide.Rung{decide.RungStop, decide.RungReset, decide.RungUnplug}
		for _, f := range n.Fences[name] {
			rungs = append(rungs, f.Rung())
		}
		out[name] = append(rungs, decide.RungPerson)
	}
	return out
}

// climbs says that a step silences a node by whatever there is: one that is lost, or that
// must not speak beside the active.
func climbs(p plan.Plan, s plan.Step) bool {
	return p.Kind == plan.KindFailover || p.Kind == plan.KindSilence && s.Node == p.From
}

// A proof is what a rung gives that ends the ladder. The zero By is the stick's own word.
type proof struct {
	saw []string
	by  network.Fenced
}

// A rung is one way to silence a node, on a particular ladder.
type rung struct {
	what   string // in words
	budget time.Duration
	try    func(context.Context) (proof, error)
}

// A ladder is the climb for one node.
type ladder struct {
	e       *execution
	x       Node
	s       plan.Step
	stopped []string // what was seen when it was stopped
	lost    bool     // its host cannot be asked
	running bool     // it was seen that a program drives the stick, and not that it ended
	failed  []string // the rungs so far, with why they gave no proof
}

// climb silences the node of a step: rung by rung, each verified, and the first one that
// gives proof ends it. Every rung that gives none is journaled before the next is tried.
// It can be repeated: every rung looks before it acts.
//
// A word, a person's or the wish to go on without proof, never outweighs evidence: where a
// program was seen to drive the stick and not to end, nothing but its power will do.
func (e *execution) climb(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	l := &ladder{e: e, x: x, s: s}
	return l.climb(ctx, append(l.near(), l.far()...))
}

// climbFar is for a node that cannot be asked any more, after what was seen.
func (e *execution) climbFar(ctx context.Context, s plan.Step, x Node, why error) ([]string, error) {
	l := &ladder{e: e, x: x, s: s, failed: []string{why.Error()}, lost: unseen(why)}
	return l.climb(ctx, l.far())
}

func (l *ladder) climb(ctx context.Context, rungs []rung) ([]string, error) {
	for _, r := range rungs {
		began := time.Now()
		p, err := l.tryOne(ctx, r)
		if err != nil && broken.FencesByFaith && !errors.Is(err, errNoSuchRung) {
			p, err = proof{saw: []string{r.what}, by: network.Fenced{Rung: string(decide.RungPower), By: r.what}}, nil
		}
		if err == nil {
			return p.saw, l.proven(p)
		}
		if errors.Is(err, errNoSuchRung) {
			continue
		}
		if halt := new(haltError); errors.As(err, &halt) {
			return nil, err
		}
		why := fmt.Sprintf("%s: no proof: %v", r.what, err)
		if err := l.e.note(plan.EventRung, l.s, nil, why, time.Since(began)); err != nil {
			return nil, &haltError{err}
		}
		l.failed = append(l.failed, why)
	}
	return nil, &UnconfirmedError{Node: l.x.Name(), Why: l.why(), Fences: l.e.net.fenceNames(l.x.Name()), Running: l.running, What: l.e.plan.Kind}
}

// errNoSuchRung is one that nobody has put there.
var errNoSuchRung = errors.New("there is no such rung")

func (l *ladder) tryOne(ctx context.Context, r rung) (proof, error) {
	ctx, cancel := context.WithTimeout(ctx, r.budget)
	defer cancel()
	return r.try(ctx)
}

func (l *ladder) why() string {
	return fmt.Sprintf("nobody can tell whether the stick of %s is silent (%s)", l.x.Name(), strings.Join(l.failed, "; "))
}

// proven remembers how the node was silenced. A stick that has said HOLD is on record by
// then.
func (l *ladder) proven(p proof) error {
	if p.by.By == "" {
		l.e.facts.Fenced = nil
		return nil
	}
	p.by.At = time.Now()
	l.e.facts.Fenced = &p.by
	return l.e.remember(func(r *network.Record) { r.Fence(l.x.Name(), p.by) })
}

// near are the rungs for which the host must answer, far the others.
func (l *ladder) near() []rung {
	t := l.e.net.Timing
	return []rung{
		{"stopping it and resetting its stick", t.Stop + t.Settle + plan.ResetBudget, l.stopAndReset},
		{"taking its stick off USB", plan.UnplugBudget, l.unplug},
	}
}

func (l *ladder) far() []rung {
	var all []rung
	for _, f := range l.e.net.Fences[l.x.Name()] {
		all = append(all, rung{f.String(), plan.CutBudget, l.cut(f)})
	}
	return append(all,
		rung{"a person's word", plan.UnplugBudget, l.word},
		rung{"going on without proof", plan.UnplugBudget, l.risk})
}

// stopAndReset is rungs 1 and 2: stopping Zigbee2MQTT proves nothing of a stick.
func (l *ladder) stopAndReset(ctx context.Context) (proof, error) {
	o, err := observeSoon(ctx, l.x)
	if l.lost = err != nil; l.lost {
		return proof{}, errors.Join(err, l.oweBoot())
	}
	l.running = o.Runs() && !o.OnlyOurs()
	if err := l.keepDown(ctx, o); err != nil {
		return proof{}, err
	}
	if l.stopped, err = l.stop(ctx); err != nil {
		return proof{}, err
	}
	l.running = false
	if !o.TTYPresent {
		return proof{}, errors.New(stickElsewhere(l.x.Name()))
	}
	if err := sleep(ctx, l.e.net.Timing.Settle); err != nil {
		return proof{}, err
	}
	reset := l.e.resetStick
	if l.e.plan.Kind == plan.KindSilence { // the home has Zigbee meanwhile
		reset = l.e.resetAgain
	}
	saw, err := reset(ctx, l.s)
	if err != nil {
		return proof{}, fmt.Errorf("its stick cannot be silenced (%w)", err)
	}
	return proof{saw: append(l.stopped, saw...)}, nil
}

// stop leaves a part of the rung's budget to the stick.
func (l *ladder) stop(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, l.e.net.Timing.Stop)
	defer cancel()
	return l.e.stop(ctx, l.s)
}

// keepDown takes the start at boot. That it cannot be done is no reason to leave the node
// on air: it is told, and an unreachable node's start at boot is settled later.
func (l *ladder) keepDown(ctx context.Context, o network.Observation) error {
	if err := l.e.noteServing(ctx, l.x, o); err != nil {
		return &haltError{err}
	}
	if o.Enabled != "yes" {
		return nil
	}
	if err := l.e.takeBoot(ctx, l.x); err != nil {
		why := fmt.Sprintf("keeping %s from starting at boot: %v", l.x.Name(), err)
		if err := l.e.note(plan.EventRung, l.s, nil, why, 0); err != nil {
			return &haltError{err}
		}
		l.failed = append(l.failed, why)
	}
	return nil
}

// oweBoot is for a node that nobody can ask whether it starts at boot.
func (l *ladder) oweBoot() error {
	err := l.e.remember(func(r *network.Record) { r.BootOwed = true })
	if err != nil {
		return &haltError{err}
	}
	return nil
}

// unplug is rung 3. A stick whose USB device is away may have power still, and be on air
// by itself. So it is proof only together with a parked stick that hears the network's
// routers, and no coordinator.
func (l *ladder) unplug(ctx context.Context) (proof, error) {
	if l.lost {
		return proof{}, errors.New("its host does not answer")
	}
	u, err := l.e.takeOff(ctx, l.x)
	if err != nil {
		return proof{}, err
	}
	l.running = false
	listener, heard, err := l.e.listen(ctx, l.x.Name())
	switch {
	case err != nil:
		return proof{}, l.putBack(ctx, fmt.Errorf("%s was away, and it may have power still; nobody can listen for it: %w", u, err))
	case heard.Coordinator:
		return proof{}, l.putBack(ctx, fmt.Errorf("%s was away, and a coordinator of the network is on air: %s hears it", u, listener))
	case !heard.Quiet():
		return proof{}, l.putBack(ctx, fmt.Errorf("%s was away, and it may have power still; %s hears nobody of the network, so its silence says nothing", u, listener))
	}
	saw := fmt.Sprintf("%s was taken away and its tty is gone; %s hears %s and no coordinator", u, listener, routers(heard))
	return proof{append(l.stopped, saw), network.Fenced{Rung: network.ByUnplug, By: u.String(), Saw: saw}}, nil
}

// putBack gives the host its stick again: away it is no more silent, and nothing could be
// repaired.
func (l *ladder) putBack(ctx context.Context, why error) error {
	if _, err := l.e.putBack(ctx, l.x); err != nil {
		return fmt.Errorf("%w; it could not be put back: %w", why, err)
	}
	return why
}

// cut is rung 4.
func (l *ladder) cut(f Fence) func(context.Context) (proof, error) {
	return func(ctx context.Context) (proof, error) {
		saw, err := f.Cut(ctx)
		if err == nil && !l.lost {
			err = goneFrom(ctx, l.x)
		}
		if err != nil {
			return proof{}, err
		}
		l.running = false
		saw = fmt.Sprintf("%s: %s", f, saw)
		return proof{append(l.stopped, saw), network.Fenced{Rung: string(f.Rung()), By: f.String(), Saw: saw}}, nil
	}
}

// word is rung 6. Rung 5, a guard on the node that silences itself, is not built.
func (l *ladder) word(ctx context.Context) (proof, error) {
	word := l.e.plan.Confirmed
	switch {
	case word == "":
		return proof{}, errNoSuchRung
	case l.running:
		return proof{}, errors.New("a program was seen to drive the stick, which contradicts it")
	}
	if !l.lost {
		if err := goneFrom(ctx, l.x); err != nil {
			return proof{}, err
		}
	}
	return proof{append(l.stopped, word), network.Fenced{Rung: string(decide.RungPerson), By: "a person's word", Saw: word}}, nil
}

// risk goes on without proof, which somebody wanted in so many words.
func (l *ladder) risk(context.Context) (proof, error) {
	switch {
	case l.e.plan.Risk != decide.RiskWords:
		return proof{}, errNoSuchRung
	case l.running:
		return proof{}, errors.New("a program was seen to drive the stick: then there would be two for sure")
	}
	l.e.facts.Risk = fmt.Sprintf("nobody could prove that %s is silent; it was accepted that %s", l.x.Name(), decide.RiskWords)
	return proof{append(l.stopped, "unproven: "+l.e.facts.Risk),
		network.Fenced{Rung: network.ByRisk, By: "nothing: it was accepted that " + decide.RiskWords, Saw: l.e.facts.Risk}}, nil
}

// goneFrom contradicts whoever says that a stick has no power, while its host answers and
// sees it. A coordinator in the network is not seen by any host.
func goneFrom(ctx context.Context, x Node) error {
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	for {
		o, err := x.Observe(ctx)
		if err != nil || !o.TTYPresent || strings.HasPrefix(o.TTY, "tcp://") {
			return nil
		}
		if sleep(ctx, lookEvery) != nil || ctx.Err() != nil {
			return fmt.Errorf("%s answers, and its stick is plugged in there: that contradicts it", x.Name())
		}
	}
}

func (n *Network) fenceNames(node string) []string {
	var all []string
	for _, f := range n.Fences[node] {
		all = append(all, f.String())
	}
	return all
}

// fencedAt is how old the word of a fence may be when the target starts.
const fencedAt = 20 * time.Second

// stillFenced asks anew for what silenced a node that cannot be asked itself. why is why.
// A stick that had said HOLD, and cannot be asked any more, needs the rungs that do not
// depend on its host.
func (e *execution) stillFenced(ctx context.Context, x Node, why error) (string, error) {
	f := e.facts.Fenced
	if f == nil {
		saw, err := e.climbFar(ctx, e.startStep(), x, why)
		return fmt.Sprintf("%s cannot be asked (%v); %s", x.Name(), why, strings.Join(saw, "; ")), err
	}
	if f.Rung != network.ByRisk && !unseen(why) {
		if err := goneFrom(ctx, x); err != nil {
			return "", err
		}
	}
	for _, fence := range e.net.Fences[x.Name()] {
		if fence.String() != f.By || time.Since(f.At) < fencedAt {
			continue
		}
		saw, err := fence.Cut(ctx)
		if err != nil {
			return "", fmt.Errorf("%s was silenced by %s, which does not hold any more: %w", x.Name(), f.By, err)
		}
		f.At, f.Saw = time.Now(), saw
	}
	return fmt.Sprintf("%s cannot be asked (%v); %s", x.Name(), why, f.Saw), nil
}

// startStep is the one in which the nodes are looked at for the last time.
func (e *execution) startStep() plan.Step {
	for _, s := range e.plan.Steps {
		if s.Act == plan.ActStart {
			return s
		}
	}
	return plan.Step{}
}
