package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
)

// A FenceCheck is what is known of one fence.
type FenceCheck struct {
	Node  string
	Fence string // in words
	Saw   string // what it has said, after a test
	Err   error  // why it could not cut, or did not; nil when it could
	At    time.Time
}

// CheckFences finds out, all at once and changing nothing, whether the fences of a network
// could cut now. only names one node; "" means all.
func (c *Controller) CheckFences(ctx context.Context, net, only string) ([]FenceCheck, error) {
	n, err := c.network(net)
	if err != nil {
		return nil, err
	}
	if only != "" {
		if _, err := n.node(only); err != nil {
			return nil, err
		}
	}
	var out []FenceCheck
	var fences []Fence
	for _, name := range n.names() {
		for _, f := range n.Fences[name] {
			if only == "" || only == name {
				out, fences = append(out, FenceCheck{Node: name, Fence: f.String()}), append(fences, f)
			}
		}
	}
	var asking sync.WaitGroup
	for i, f := range fences {
		asking.Go(func() { out[i].Err, out[i].At = f.Check(ctx), time.Now() })
	}
	asking.Wait()
	return out, nil
}

// TestFences really cuts, by every fence of a node, and looks whether the node and its
// stick are gone then. It refuses a node that serves the home, or whose machine somebody
// else needs. Giving the power back is left to whoever asks.
func (c *Controller) TestFences(ctx context.Context, net, node string) ([]FenceCheck, error) {
	n, err := c.network(net)
	if err != nil {
		return nil, err
	}
	x, err := n.node(node)
	if err != nil {
		return nil, err
	}
	release, err := c.occupy(n.Name, "a test of the fences")
	if err != nil {
		return nil, err
	}
	defer release()
	if err := c.notHeld(n.Name, "a test of the fences"); err != nil {
		return nil, err
	}
	in, err := c.look(ctx, n, "", false)
	if err != nil {
		return nil, err
	}
	if err := n.mayBeCut(in, node); err != nil {
		return nil, err
	}
	var out []FenceCheck
	for _, f := range n.Fences[node] {
		saw, err := f.Cut(ctx)
		if err == nil {
			err = goneFrom(ctx, x)
		}
		out = append(out, FenceCheck{Node: node, Fence: f.String(), Saw: saw, Err: err, At: time.Now()})
	}
	return out, nil
}

// mayBeCut is about a node that nothing has happened to.
func (n *Network) mayBeCut(in readiness.Input, node string) error {
	refuse := func(why, remedy string) error {
		return &network.RefusedError{What: "test the fences of " + node, Why: why, Remedy: remedy}
	}
	i := slices.IndexFunc(in.Views, func(v readiness.View) bool { return v.Name == node })
	v := in.Views[i]
	switch {
	case len(n.Fences[node]) == 0:
		return refuse("it has none", "add some with fence: in z2mha.yaml")
	case in.Unfinished != "":
		return refuse(fmt.Sprintf("run %s is open", in.Unfinished), "let it be settled first")
	case in.Recorded == "":
		return refuse("it is not on record which node was active last", "let the network be seen first")
	case node == in.Recorded:
		return refuse(node+" serves the home, or did last", "switch over to another node first")
	case v.Err != nil:
		return refuse(fmt.Sprintf("it cannot be looked at (%v), so it could not be seen whether its power goes", v.Err), "make "+node+" reachable")
	case v.Observed.Runs():
		return refuse(v.Observed.WhyNotStopped(), "look at "+node+" first")
	}
	return n.sharesMachine(in, v, refuse)
}

// sharesMachine finds who else would lose their power.
func (n *Network) sharesMachine(in readiness.Input, v readiness.View, refuse func(why, remedy string) error) error {
	own := v.Observed.HostID
	if own == "" {
		return nil
	}
	if own == in.HostID {
		return refuse("this controller runs on the same machine", "try this fence by hand")
	}
	for _, other := range in.Views {
		if other.Name != v.Name && other.Observed != nil && other.Observed.HostID == own {
			return refuse(other.Name+" is the same machine", "try this fence by hand")
		}
	}
	if v.Observed.BrokerHere {
		return refuse("the broker runs on the same machine", "try this fence by hand")
	}
	return nil
}
