package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// copy captures the active's data and stages it on one stand-by.
func (e *execution) copy(ctx context.Context, s plan.Step) ([]string, error) {
	return e.captureAndStage(ctx, s, generation.Generation{})
}

// finalCopy does the same once Zigbee2MQTT has saved everything and is gone; the
// generation now includes the stick's memory.
func (e *execution) finalCopy(ctx context.Context, s plan.Step) ([]string, error) {
	return e.captureAndStage(ctx, s, generation.Generation{StickImage: e.facts.StickImage, Stick: e.facts.Stick})
}

func (e *execution) captureAndStage(ctx context.Context, s plan.Step, g generation.Generation) ([]string, error) {
	from, err := e.net.node(e.plan.From)
	if err != nil {
		return nil, err
	}
	to, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	got, err := from.Capture(ctx, e.c.parts.Shelf)
	if err != nil {
		return nil, err
	}
	if err := e.guard(got.Summary); err != nil {
		return nil, err
	}
	if err := e.recordServing(e.plan.From); err != nil {
		return nil, err
	}
	g, err = e.number(g, got)
	if err != nil {
		return nil, err
	}
	rep, err := to.Stage(ctx, g, e.c.parts.Shelf, progressOf(e.watch, s))
	if err != nil {
		return nil, err
	}
	e.facts.Generation = g.Number
	return staged(g, rep), nil
}

// recordServing puts on record who serves the home, which a person may have changed.
func (e *execution) recordServing(node string) error {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil || r.Active == node {
		return err
	}
	return e.remember(func(r *network.Record) { r.Active, r.Since, r.Unproven = node, time.Now(), "" })
}

// number gives a capture a generation, or finds the one it equals.
func (e *execution) number(g generation.Generation, got network.Capture) (generation.Generation, error) {
	g.Network, g.Source, g.Reason, g.At = e.net.Name, e.plan.From, string(e.plan.Kind), time.Now()
	g.Files, g.Summary = got.Files, got.Summary
	last, err := e.c.parts.Shelf.Latest(e.net.Name)
	if err != nil && !errors.Is(err, generation.ErrNone) {
		return g, err
	}
	if err == nil && last.Source == g.Source && last.Hash == g.ContentHash() {
		return last, nil
	}
	g, err = e.c.parts.Shelf.Add(g)
	if err != nil {
		return g, fmt.Errorf("put the capture on the shelf: %w", err)
	}
	return g, nil
}

// guard refuses a capture that is less than the network that ran, or that tells of
// another network than the last good one: a start on a wrong stick leaves just that.
// The last good generation stays, and so does what is staged.
func (e *execution) guard(s generation.Summary) error {
	var why []string
	if e.facts.Before != nil {
		why = e.facts.Before.unlike(s)
	}
	// A key that was edited since Zigbee2MQTT started would make the target form or
	// restore another network.
	if key := e.facts.KeyFingerprint; key != "" && s.KeyFingerprint != "" && s.KeyFingerprint != key {
		why = append(why, fmt.Sprintf("its network key (%s) is not the one on the stick (%s)", s.KeyFingerprint, key))
	}
	last, err := e.c.parts.Shelf.Latest(e.net.Name)
	switch {
	case err == nil && !e.plan.Accept:
		why = append(why, s.Unlike(last.Summary)...)
	case err != nil && !errors.Is(err, generation.ErrNone):
		return err
	}
	if len(why) == 0 {
		return nil
	}
	return &network.RefusedError{What: "the capture of " + e.plan.From, Why: strings.Join(why, ", "),
		Remedy: fmt.Sprintf("look at the data directory and the stick of %s; if this is what you want, say so with --accept-change", e.plan.From)}
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
