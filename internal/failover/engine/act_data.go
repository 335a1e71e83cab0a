package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// copy brings data into a node's staging: what the active has now or, where the run has
// a generation of its own, that.
func (e *execution) copy(ctx context.Context, s plan.Step) ([]string, error) {
	switch {
	case e.plan.Kind == plan.KindRestore:
		return e.copyBack(ctx, s)
	case e.plan.Kind == plan.KindReturn:
		return e.takeIn(ctx, s)
	case e.plan.Generation != 0:
		g, err := e.generation()
		if err != nil {
			return nil, err
		}
		return e.stage(ctx, s, g)
	}
	var saw []string
	if e.plan.Fast || e.plan.Kind == plan.KindSeed {
		took, err := e.c.backUp(ctx, e.net)
		if err != nil {
			return nil, err
		}
		saw = append(saw, fmt.Sprintf("Zigbee2MQTT has backed its coordinator up in %.1f s", took.Seconds()))
	}
	more, err := e.captureAndStage(ctx, s, generation.Generation{})
	if err == nil && len(saw) > 0 {
		err = e.noteBackup()
	}
	return append(saw, more...), err
}

// noteBackup takes note of the counter that the stick on air had saved just now.
func (e *execution) noteBackup() error {
	g, err := e.generation()
	if err != nil || g.Summary.BackupCounter == 0 {
		return err
	}
	return e.remember(func(r *network.Record) {
		r.Captured = time.Now()
		r.BackedUp = r.Captured
		r.Odometer = r.Odometer.Captured(g.Summary.BackupCounter, r.Captured)
	})
}

// finalCopy does the same once Zigbee2MQTT has saved everything and is gone; the
// generation now includes the stick's memory, if that was read.
func (e *execution) finalCopy(ctx context.Context, s plan.Step) ([]string, error) {
	return e.captureAndStage(ctx, s, generation.Generation{StickImage: e.facts.StickImage, Stick: e.facts.Stick})
}

func (e *execution) captureAndStage(ctx context.Context, s plan.Step, g generation.Generation) ([]string, error) {
	g, err := e.capture(ctx, g)
	if err == nil && e.plan.Yield && s.Act == plan.ActFinalCopy {
		g, err = e.aboveFloor(ctx, g)
	}
	if err != nil {
		return nil, err
	}
	return e.stage(ctx, s, g)
}

// capture reads the active's data, and gives it a number when it is what it should be.
func (e *execution) capture(ctx context.Context, g generation.Generation) (generation.Generation, error) {
	source := e.plan.Source()
	if broken.CapturesStandby {
		source = e.plan.To
	}
	from, err := e.net.node(source)
	if err != nil {
		return g, err
	}
	got, err := e.readData(ctx, from)
	if err != nil {
		return g, err
	}
	g.Source, g.Reason, g.At = source, string(e.plan.Kind), time.Now()
	if why := e.unlikeBefore(got.Summary); len(why) > 0 && !broken.CapturesStandby {
		return g, refusedCapture(source, 0, why)
	}
	g, err = e.c.take(e.net, g, got, e.plan.Accept)
	if err != nil {
		return g, err
	}
	e.facts.Generation = g.Number
	return g, e.recordServing(source)
}

// readData is what was read ahead, once, or is read now.
func (e *execution) readData(ctx context.Context, from Node) (network.Capture, error) {
	if got := e.ahead; got != nil {
		e.ahead = nil
		return *got, nil
	}
	return from.Capture(ctx, e.c.parts.Shelf)
}

// stage puts a generation into a node's staging.
func (e *execution) stage(ctx context.Context, s plan.Step, g generation.Generation) ([]string, error) {
	to, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	rep, err := to.Stage(ctx, g, e.c.parts.Shelf, progressOf(e.watch, s))
	if err != nil {
		return nil, err
	}
	e.facts.Generation = g.Number
	err = e.remember(func(r *network.Record) {
		if r.Staged == nil {
			r.Staged = map[string]network.StagedRecord{}
		}
		r.Staged[s.Node] = network.StagedRecord{Generation: g.Number, At: time.Now()}
	})
	return staged(g, rep), err
}

// recordServing puts on record who serves the home, which a person may have changed.
func (e *execution) recordServing(node string) error {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil || r.Active == node {
		return err
	}
	return e.remember(func(r *network.Record) { r.Serves(node, time.Now()) })
}

// unlikeBefore says how a capture is less than the network that ran when this run began.
func (e *execution) unlikeBefore(s generation.Summary) []string {
	var why []string
	if e.facts.Before != nil {
		why = e.facts.Before.unlike(s)
	}
	// A key that was edited since Zigbee2MQTT started would make the target form or
	// restore another network.
	if key := e.facts.KeyFingerprint; key != "" && s.KeyFingerprint != "" && s.KeyFingerprint != key {
		why = append(why, fmt.Sprintf("its network key (%s) is not the one on the stick (%s)", s.KeyFingerprint, key))
	}
	return why
}

func staged(g generation.Generation, rep network.StageReport) []string {
	saw := []string{fmt.Sprintf("generation %d, %d files, %d devices; %d files sent (%d bytes)",
		g.Number, len(g.Files), g.Summary.Devices, rep.FilesSent, rep.BytesSent)}
	if len(rep.Kept) > 0 {
		saw = append(saw, "keeps its own "+strings.Join(rep.Kept, ", "))
	}
	return append(saw, append(g.Summary.Warnings, rep.Warnings...)...)
}

func (e *execution) promote(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	if err := mustBeStopped(ctx, x); err != nil {
		return nil, err
	}
	if err := x.Promote(ctx, e.plan.ID); err != nil {
		return nil, err
	}
	if err := e.remember(func(r *network.Record) { delete(r.Staged, s.Node) }); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("generation %d is the data of %s; what was there is kept", e.facts.Generation, s.Node)}, nil
}

func (e *execution) unpromote(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	if err := mustBeStopped(ctx, x); err != nil {
		return nil, err
	}
	if err := x.Unpromote(ctx, e.plan.ID); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("%s has the data it had before", s.Node)}, nil
}
