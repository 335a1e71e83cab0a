package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
	"z2mha/internal/failover/plan"
)

// resetPause is between two resets of a stick that does not answer.
const resetPause = 3 * time.Second

// A MuteError is a stick that answers to no reset: nothing on its host can repair it, and
// nobody can ask it whether it is silent.
type MuteError struct {
	Node string
	Err  error
}

func (e *MuteError) Error() string {
	return fmt.Sprintf("the stick of %s is mute: it was reset twice and does not answer (%v)", e.Node, e.Err)
}

func (e *MuteError) Unwrap() error { return e.Err }

// survey looks once more whether what the plan is for is so.
func (e *execution) survey(ctx context.Context, s plan.Step) ([]string, error) {
	back, err := e.surveyBack(ctx, s)
	if err != nil {
		return nil, err
	}
	saw, err := e.surveyNow(ctx, s)
	return append(back, saw...), err
}

// surveyBack gives a node the stick that we took from it, by a failover that came to nothing
// or has moved the network.
func (e *execution) surveyBack(ctx context.Context, s plan.Step) ([]string, error) {
	if e.plan.Kind == plan.KindSilence { // whose ladder may have taken it just now
		return nil, nil
	}
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	return e.putBack(ctx, x)
}

func (e *execution) surveyNow(ctx context.Context, s plan.Step) ([]string, error) {
	in, err := e.c.look(ctx, e.net, "", e.plan.Kind != plan.KindRepair)
	if err != nil {
		return nil, err
	}
	if err := e.c.noteSpeakers(in.Network, in.Views); err != nil {
		return nil, err
	}
	if e.plan.Kind == plan.KindRepair {
		if !e.prog.BegunAct(plan.ActPark) { // afterwards all are silent by our own doing
			e.facts.Alone = alone(in.Record, e.net.without(s.Node))
		}
		return []string{s.Node + " is the active node on record, and no other runs"}, mayRepair(ctx, e.net, in, s.Node)
	}
	if in.Recorded != e.plan.To {
		return nil, &network.RefusedError{What: string(e.plan.Kind), Why: fmt.Sprintf("%s was active and now %q is on record", e.plan.To, in.Recorded)}
	}
	if err := mayQuiet(ctx, e.net, in, s.Node, e.plan.Kind); err != nil {
		return nil, err
	}
	info, err := awaitWord(ctx, e.net, e.plan.To, s.Node, e.plan.Kind)
	if err != nil {
		return nil, err
	}
	e.facts.Before = baseline(info, nil)
	return []string{fmt.Sprintf("%s runs and answers, channel %d, PAN id %s", e.plan.To, info.Channel, info.PanID)}, nil
}

// alone says that all others were proven silent since they were started last, so that none
// can have spoken since the active did.
func alone(r network.Record, others []string) bool {
	return !slices.ContainsFunc(others, func(name string) bool {
		_, proven := r.Silent[name]
		return !proven || r.Spoken[name]
	})
}

// resetTwice is a reset that is tried again on a stick that does not answer.
func (e *execution) resetTwice(ctx context.Context, s plan.Step) ([]string, error) {
	if err := sleep(ctx, e.net.Timing.Settle); err != nil {
		return nil, err
	}
	return e.resetAgain(ctx, s)
}

func (e *execution) resetAgain(ctx context.Context, s plan.Step) ([]string, error) {
	saw, err := e.resetStick(ctx, s)
	if err == nil || sleep(ctx, resetPause) != nil {
		return saw, err
	}
	saw, err = e.resetStick(ctx, s)
	if err != nil {
		return nil, &MuteError{Node: s.Node, Err: err}
	}
	return append(saw, "it did not answer to the first reset"), nil
}

// goesOn says that a stick may start on what it holds: it steps over what it has used by
// itself, nobody else has used more, and it is not put back to an earlier state.
func (e *execution) goesOn(img *nvimage.Image) (string, bool) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil || e.plan.Kind != plan.KindRepair || !e.facts.Alone || r.Odometer.Doubt {
		return "", false
	}
	c, err := img.Counters()
	if err != nil || c.NWK.Add(2*odometer.BootSkip) < r.Odometer.Highest {
		return "", false
	}
	return fmt.Sprintf("nobody else has spoken, so it goes on from its own frame counter, %d", c.NWK), true
}

// learnSecond keeps what is on the stick of the node that was silenced, and compares what
// it has used with what the active, which goes on, uses now.
func (e *execution) learnSecond(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return nil, err
	}
	reserved := r.Sticks[s.Node].Reserved
	e.facts.TargetImage, e.facts.Behind = "", ""
	got, err := e.readTwice(ctx, x, s)
	if err != nil { // it is silent, and nobody knows how far it was
		e.facts.Behind = fmt.Sprintf("what %s has used could not be read (%v)", s.Node, err)
		return []string{e.facts.Behind}, e.doubt()
	}
	c, used := e.usedByOurs(got.Image)
	switch {
	case !used:
		return []string{"its stick holds nothing of this network"}, nil
	case reserved != 0 && c.NWK <= reserved && !r.Spoken[s.Node]:
		return []string{fmt.Sprintf("it was not started since its stick was written, frame counter %d", c.NWK)}, nil
	}
	if err := e.remember(func(r *network.Record) { r.Odometer = r.Odometer.Held(c.NWK) }); err != nil {
		return nil, err
	}
	if e.facts.TargetImage, err = e.keepMemory(s.Node, got.StickImage); err != nil {
		return nil, err
	}
	saw := []string{fmt.Sprintf("it has used counters up to %d", c.NWK.Add(odometer.Lag))}
	if e.facts.Behind = e.behind(ctx, got.Image); e.facts.Behind == "" {
		return append(saw, e.plan.To+" is above all of them"), nil
	}
	return append(saw, fmt.Sprintf("%s must be restarted above them: %s", e.plan.To, e.facts.Behind)), nil
}

// readTwice reads a stick whole, and tries again.
func (e *execution) readTwice(ctx context.Context, x Node, s plan.Step) (memory, error) {
	m, err := e.readWhole(ctx, x, s)
	if err == nil || sleep(ctx, resetPause) != nil {
		return m, err
	}
	return e.readWhole(ctx, x, s)
}

// usedByOurs are the counters of a memory of the network that is on air.
func (e *execution) usedByOurs(img *nvimage.Image) (nvimage.Counters, bool) {
	id, err := img.Identity()
	if err != nil || id.ExtPanID != e.facts.Before.ExtPanID {
		return nvimage.Counters{}, false
	}
	c, err := img.Counters()
	return c, err == nil
}

// backupTries is how often the active is asked for its counters. They are in doubt then.
const backupTries = 2

// behind says why the active must be restarted above what img tells of, "" when it need not.
func (e *execution) behind(ctx context.Context, img *nvimage.Image) (why string) {
	for try := 1; ; try++ {
		now, err := e.activeNow(ctx)
		if err == nil {
			why, err = behindOf(img, now)
		}
		if err == nil {
			return why
		}
		if try == backupTries || sleep(ctx, resetPause) != nil {
			return fmt.Sprintf("its own could not be read (%v)", err)
		}
	}
}

// activeNow has the active write down what its stick has saved, and reads it.
func (e *execution) activeNow(ctx context.Context) (*netbackup.Backup, error) {
	if _, err := e.c.backUp(ctx, e.net); err != nil {
		return nil, fmt.Errorf("have %s back its coordinator up: %w", e.plan.To, err)
	}
	x, err := e.net.node(e.plan.To)
	if err != nil {
		return nil, err
	}
	got, err := x.Capture(ctx, e.c.parts.Shelf)
	if err != nil {
		return nil, err
	}
	f, ok := (generation.Generation{Files: got.Files}).File(backupFile)
	if !ok {
		return nil, fmt.Errorf("%s has no %s", e.plan.To, backupFile)
	}
	raw, err := e.c.blob(f.SHA256)
	if err != nil {
		return nil, err
	}
	return netbackup.Parse(raw)
}

// behindOf says which counter of the active is not above what img tells of, "" when all
// are. What the active has saved, it has used.
func behindOf(img *nvimage.Image, active *netbackup.Backup) (string, error) {
	c, err := img.Counters()
	if err != nil {
		return "", err
	}
	if used := c.NWK.Add(odometer.Lag); active.FrameCounter < used {
		return fmt.Sprintf("its frame counter is %d", active.FrameCounter), nil
	}
	theirs, err := netbackup.FromImage(img, "", time.Time{})
	if err != nil {
		return "", err
	}
	used := map[zigbee.Key]zigbee.FrameCounter{}
	for _, d := range theirs.Devices {
		if d.LinkKey != nil {
			used[d.LinkKey.Key] = d.LinkKey.Tx
		}
	}
	for _, d := range active.Devices {
		if d.LinkKey != nil && d.LinkKey.Tx < used[d.LinkKey.Key] {
			return fmt.Sprintf("its counter for the link key of %s is %d", d.IEEE, d.LinkKey.Tx), nil
		}
	}
	return "", nil
}

// raiseActive lifts the counters of the active, which was stopped for it, above those that
// the second speaker has used.
func (e *execution) raiseActive(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	saw, err := e.raiseOld(ctx, x, s)
	if err == nil {
		e.facts.Loaded = time.Now()
	}
	return saw, err
}

// takeIn keeps the data of a node that was active once, and puts what the network is now
// into its staging. What cannot be done is told and tried again with the next sync, which
// does no harm: its data stay where they are until somebody moves there.
func (e *execution) takeIn(ctx context.Context, s plan.Step) ([]string, error) {
	saw := e.keepData(ctx, s)
	more, err := e.captureServing(ctx, s)
	var halt *haltError
	if errors.As(err, &halt) {
		return nil, err
	}
	if err != nil {
		return append(saw, "not done: "+err.Error()), nil
	}
	return append(saw, more...), nil
}

// captureServing brings the data of the active into a node's staging, while it is the
// active: what is taken up later may find that it is not any more.
func (e *execution) captureServing(ctx context.Context, s plan.Step) ([]string, error) {
	to, err := e.net.node(e.plan.To)
	if err != nil {
		return nil, err
	}
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return nil, err
	}
	if o, err := observeSoon(ctx, to); err != nil || !o.Active() || r.Active != e.plan.To {
		return nil, errors.Join(fmt.Errorf("%s does not serve the home any more", e.plan.To), err)
	}
	took, err := e.c.backUp(ctx, e.net)
	if err != nil {
		return nil, err
	}
	saw := []string{fmt.Sprintf("Zigbee2MQTT has backed its coordinator up in %.1f s", took.Seconds())}
	more, err := e.captureAndStage(ctx, s, generation.Generation{})
	if err == nil {
		err = e.noteBackup()
	}
	return append(saw, more...), err
}

// keepData puts the data of a node on the shelf, as something that must reach nobody.
func (e *execution) keepData(ctx context.Context, s plan.Step) []string {
	x, err := e.net.node(s.Node)
	if err != nil {
		return []string{"not kept: " + err.Error()}
	}
	got, err := x.Capture(ctx, e.c.parts.Shelf)
	why := []string{fmt.Sprintf("%s was active once, and %s is now", s.Node, e.plan.To)}
	if err != nil {
		why = append(why, err.Error())
	}
	if len(got.Files) == 0 {
		return []string{"its data could not be kept, and stay where they are: " + strings.Join(why, ", ")}
	}
	g := generation.Generation{Network: e.net.Name, Source: s.Node, At: time.Now(), Files: got.Files, Summary: got.Summary,
		Reason: "what " + s.Node + " had when it came back", Refused: why}
	if last, err := e.c.parts.Shelf.Newest(e.net.Name); err == nil && last.Source == s.Node && last.Hash == g.ContentHash() {
		return []string{fmt.Sprintf("its data are generation %d", last.Number)}
	}
	if g, err = e.c.parts.Shelf.Add(g); err != nil {
		return []string{"its data could not be kept, and stay where they are: " + err.Error()}
	}
	return []string{fmt.Sprintf("its data are generation %d", g.Number)}
}

// notBehind is what a step that was not needed saw.
func (e *execution) notBehind() []string {
	return []string{fmt.Sprintf("not needed: the counters of %s are above those that %s has used", e.plan.To, e.plan.From)}
}

// again forgets what was done, so that a plan of which every step looks before it acts is
// carried out from its start.
func (e *execution) again() { clear(e.prog.Done) }

// takeUpRepair goes on with a repair. One that had touched nothing is given up: nobody
// knows whether it is still wanted.
func (e *execution) takeUpRepair(ctx context.Context) Ended {
	if !e.prog.BegunAct(plan.ActStop) {
		return e.walkBack(ctx, nil)
	}
	if e.prog.WalkBack != "" {
		return e.walkBack(ctx, errors.New(e.prog.WalkBack))
	}
	target, err := e.sight(ctx)
	if err != nil {
		return e.open("look at "+e.plan.To, err)
	}
	if !target.Runs || !e.prog.BegunAct(plan.ActStart) {
		e.again()
	}
	return e.conclude(ctx)
}

// takeUpBeside goes on with what was done to a node beside the active one. From the moment
// on in which the active itself was to be restarted it is a run like any other.
func (e *execution) takeUpBeside(ctx context.Context) Ended {
	e.again()
	return e.conclude(ctx)
}

// restarting says that the active itself was to be restarted.
func (e *execution) restarting() bool {
	return slices.ContainsFunc(e.plan.Steps, func(s plan.Step) bool { return s.IfBehind && s.Dark && e.prog.Begun[s.ID] })
}

// conclude carries out what is left, or takes it back.
func (e *execution) conclude(ctx context.Context) Ended {
	err := e.forward(ctx)
	if err == nil {
		return e.end(plan.Completed, nil)
	}
	var halt *haltError
	if errors.As(err, &halt) {
		return e.open("finish it", err)
	}
	return e.walkBack(ctx, err)
}
