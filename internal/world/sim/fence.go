package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/engine"
)

// opCut is what a fence does, as an operation on its node.
const opCut engine.Op = "cut"

// A fence is the plug of a host as one controller reaches it.
type fence struct {
	engine.Fence
	node string
	c    *controller
}

func (c *controller) fences() map[string][]engine.Fence {
	out := map[string][]engine.Fence{}
	if !c.w.story.Plugs {
		return out
	}
	for _, name := range c.w.names {
		out[name] = []engine.Fence{fence{c.w.home.Host(name).Plug(), name, c}}
	}
	return out
}

var errPlug = errors.New("the plug does not answer")

// Cut takes the power away, unless the plug says so only.
func (f fence) Cut(ctx context.Context) (evidence string, err error) {
	if err := f.c.enter(ctx); err != nil {
		return "", err
	}
	f.c.explode("act", false)
	if err := f.reach(ctx); err != nil {
		return "", err
	}
	f.c.w.rules.after(event{what: opBegins, node: f.node, op: opCut})
	if how, lies := f.c.w.ailing(FenceLies, f.node); lies && how > 0 {
		evidence = "the plug says off"
	} else if lies {
		err = errors.New("the plug was switched off, and is on still")
	} else {
		if evidence, err = f.Fence.Cut(ctx); err == nil {
			f.c.w.plugOff(f.node)
		}
	}
	f.c.w.log("%s cut: %s, %v", f.node, evidence, err)
	f.c.w.rules.after(event{what: opEnds, node: f.node, op: opCut, err: err})
	f.c.explode("act", true)
	if f.c.died.Load() {
		return "", errDied
	}
	return evidence, err
}

func (w *World) plugOff(node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[node] = true
}

// Check asks whether the plug is there.
func (f fence) Check(ctx context.Context) error {
	if err := f.c.enter(ctx); err != nil {
		return err
	}
	return f.reach(ctx)
}

func (f fence) reach(ctx context.Context) error {
	takes := f.c.jitter(f.node, 200*time.Millisecond)
	if more, slow := f.c.w.ailing(FenceSlow, f.node); slow {
		takes += more
	}
	if err := sleep(ctx, takes); err != nil {
		return fmt.Errorf("the plug did not answer in time: %w", err)
	}
	if _, gone := f.c.w.ailing(FenceUnreachable, f.node); gone {
		return errPlug
	}
	return nil
}
