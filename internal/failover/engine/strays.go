package engine

import (
	"context"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// A stray is a node that was seen to speak beside the active, because somebody started it.
// What it has used is above what the active and every stand-by know, link keys too, until
// the network is started above that.

// strayed takes note of one, and that what its stick holds is not known any more.
func strayed(r *network.Record, node string) {
	if r.Beside(node, time.Now()) {
		forgetStick(r, node)
	}
}

// strays says whether there are any that the run's nodes may be behind.
func (e *execution) strays(but string) ([]string, error) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range e.net.without(but) {
		if r.Spoken[name] && name != e.plan.From {
			out = append(out, name)
		}
	}
	return out, nil
}

// overtakeStrays lifts img, for the stick of a node that is to start, to what strays have
// used, and returns the margin for link keys that covers those it cannot read.
func (e *execution) overtakeStrays(ctx context.Context, s plan.Step, img *nvimage.Image) (margin uint32, err error) {
	names, err := e.strays(s.Node)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		r, err := e.c.parts.Memory.Load(e.net.Name)
		if err != nil {
			return 0, err
		}
		on := r.Sticks[name]
		other, err := e.image(on.Image)
		if on.Image == "" || on.Writing || err != nil {
			other, err = e.readOther(ctx, name, s)
		}
		if err != nil {
			margin = unreadMargin
			continue
		}
		img.Overtake(other)
	}
	return margin, nil
}

// noStrays is for a stick that goes on with its own memory.
func (e *execution) noStrays(node string) error {
	names, err := e.strays(node)
	if err == nil && len(names) > 0 {
		err = &network.RefusedError{What: "start " + node, Why: names[0] + " has been on air meanwhile", Remedy: "its counters are raised first"}
	}
	return err
}
