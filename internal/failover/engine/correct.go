package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
)

// Bridge is what is heard of a network over MQTT; nil when there is no such network.
func (c *Controller) Bridge(net string) Bridge {
	n, err := c.network(net)
	if err != nil {
		return nil
	}
	return n.Bridge
}

// Sighted calls tell with each node of a network as soon as it was looked at, whoever looks
// and however long others take, until cancel is called. tell must return at once. A look
// that was broken off tells nothing.
func (c *Controller) Sighted(net string, tell func(readiness.View)) (cancel func()) {
	w := &onlooker{net, tell}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onlookers = append(slices.Clone(c.onlookers), w)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.onlookers = slices.DeleteFunc(slices.Clone(c.onlookers), func(x *onlooker) bool { return x == w })
	}
}

type onlooker struct {
	network string
	tell    func(readiness.View)
}

func (c *Controller) sighted(net string, v readiness.View) {
	c.mu.Lock()
	onlookers := c.onlookers
	c.mu.Unlock()
	for _, w := range onlookers {
		if w.network == net {
			w.tell(v)
		}
	}
}

// correctPatience is how long Zigbee2MQTT may take to say who it is.
const correctPatience = 5 * time.Second

// CorrectState puts right a bridge/state that the broker keeps as "offline" although the
// node serves: the last will of an older connection came late. It asks Zigbee2MQTT who it
// is before, and whether it is still there after: if not, "offline" was the truth, and is
// published again.
func CorrectState(ctx context.Context, b Bridge, node string) (evidence string, err error) {
	refuse := func(format string, args ...any) (string, error) {
		return "", &network.RefusedError{What: "put bridge/state right", Why: fmt.Sprintf(format, args...)}
	}
	state, err := b.State(ctx)
	switch {
	case err != nil:
		return "", err
	case !state.Known || state.Online:
		return refuse("the broker does not keep \"offline\"")
	case node == "":
		return refuse("no node is on record as the active one")
	}
	info, err := refresh(ctx, b)
	switch {
	case err != nil:
		return "", fmt.Errorf("put bridge/state right: %w", err)
	case info.Node != node:
		return refuse("the Zigbee2MQTT that answers bears the mark %q, not that of %s", info.Node, node)
	case !info.At.After(state.At):
		return refuse("its answer is not newer than the \"offline\"")
	}
	if err := b.Correct(ctx, true); err != nil {
		return "", err
	}
	if again, err := refresh(ctx, b); err != nil || again.Node != node {
		return "", errors.Join(fmt.Errorf("%s went away while bridge/state was put right", node), err, b.Correct(ctx, false))
	}
	return fmt.Sprintf("%s has answered %s after the broker heard \"offline\", and once more after that was put right",
		node, info.At.Sub(state.At).Round(time.Millisecond)), nil
}

func refresh(ctx context.Context, b Bridge) (BridgeInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, correctPatience)
	defer cancel()
	return b.Refresh(ctx)
}
