package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/network"
)

// plugBudget is how long a stick may take to be there again once its USB device is.
const plugBudget = 20 * time.Second

// takeOff takes the stick of a node off its USB bus. That it is to be done is on record
// before, since nobody but us puts it back.
func (e *execution) takeOff(ctx context.Context, x Node) (network.Unplugged, error) {
	err := e.remember(func(r *network.Record) { r.TakeOff(x.Name(), time.Now()) })
	if err != nil {
		return network.Unplugged{}, &haltError{err}
	}
	u, err := x.Unplug(ctx)
	if _, refused := errors.AsType[*network.RefusedError](err); refused { // nothing was taken, so nothing is to be given back
		err = errors.Join(err, e.remember(func(r *network.Record) { delete(r.Off, x.Name()) }))
	}
	return u, err
}

// putBack gives a node the stick back that we have taken off its bus, and sees it there. It
// says nothing of its radio. Where there is none to give back it does nothing.
func (e *execution) putBack(ctx context.Context, x Node) ([]string, error) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if _, off := r.Off[x.Name()]; err != nil || !off {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), plugBudget)
	defer cancel()
	if err := x.Replug(ctx); err != nil {
		return nil, err
	}
	if _, err := awaitNode(ctx, x, func(o network.Observation) bool { return o.TTYPresent }); err != nil {
		return nil, fmt.Errorf("the stick of %s was given back to its USB bus and is not there: %w", x.Name(), err)
	}
	err = e.remember(func(r *network.Record) { delete(r.Off, x.Name()) })
	return []string{fmt.Sprintf("the stick of %s, which was taken off its USB bus, is there again", x.Name())}, err
}
