package engine

import (
	"context"
	"fmt"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// disable keeps a node that is about to be silent from starting by itself at its next
// boot, which would put a second coordinator on air. Whether it did is remembered
// before it is changed.
func (e *execution) disable(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	o, err := x.Observe(ctx)
	if err != nil {
		return nil, err
	}
	if o.Enabled == "yes" || !e.resumed {
		if err := e.remember(func(r *network.Record) { r.AtBoot = o.Enabled == "yes" }); err != nil {
			return nil, err
		}
	}
	switch o.Enabled {
	case "yes":
	case "":
		return []string{"its service manager does not tell whether it starts at boot"}, nil
	default:
		return []string{"it does not start at boot"}, nil
	}
	asked := x.SetAutostart(ctx, false)
	if o, err = x.Observe(ctx); err != nil {
		return nil, joinAsked(err, asked)
	}
	if o.Enabled == "yes" {
		return nil, &network.RefusedError{What: string(e.plan.Kind), Why: fmt.Sprint(joinAsked(fmt.Errorf("%s still starts at boot", s.Node), asked)),
			Remedy: fmt.Sprintf("disable the service on %s by hand, then try again", s.Node)}
	}
	return []string{"it no longer starts at boot"}, nil
}

// enableAgain takes disable back. It never fails: the node serves already.
func (e *execution) enableAgain(ctx context.Context, s plan.Step) ([]string, error) {
	return e.enable(ctx, s)
}

// enable lets the active node start at boot, if the one before did. That it cannot is
// told and is no reason to take a move back.
func (e *execution) enable(ctx context.Context, s plan.Step) ([]string, error) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return nil, err
	}
	if !r.AtBoot {
		return []string{"the active node did not start at boot before"}, nil
	}
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	asked := x.SetAutostart(ctx, true)
	o, err := x.Observe(ctx)
	switch {
	case err != nil:
		return []string{fmt.Sprintf("unproven: %v", joinAsked(err, asked))}, nil
	case o.Enabled == "yes":
		return []string{"it starts at boot"}, nil
	}
	return []string{fmt.Sprintf("unproven: %v", joinAsked(fmt.Errorf("it may not start at boot; enable the service on %s by hand", s.Node), asked))}, nil
}
