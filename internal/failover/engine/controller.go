package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// A Controller is the application: whoever asks for something calls its methods. It
// runs one plan per network at a time.
type Controller struct {
	parts Parts

	mu        sync.Mutex
	busy      map[string]string         // network → run id; guarded by mu
	images    map[string]*nvimage.Image // read from the shelf, nobody changes them; guarded by mu
	onlookers []*onlooker               // guarded by mu
	failed    map[string]int            // looks at a host since the last good one; guarded by mu
	over      map[string]bool           // runs that have ended, which they do for good; guarded by mu

	recording sync.Mutex // one change of a record at a time, with its write
}

// New makes a Controller. It starts nothing.
func New(p Parts) *Controller {
	return &Controller{parts: p, busy: map[string]string{}, images: map[string]*nvimage.Image{}, failed: map[string]int{}, over: map[string]bool{}}
}

// Networks names the configured networks.
func (c *Controller) Networks() []string {
	var out []string
	for _, n := range c.parts.Networks {
		out = append(out, n.Name)
	}
	return out
}

// network finds a network by name; "" means the only one.
func (c *Controller) network(name string) (*Network, error) {
	if name == "" && len(c.parts.Networks) == 1 {
		return &c.parts.Networks[0], nil
	}
	for i := range c.parts.Networks {
		if c.parts.Networks[i].Name == name {
			return &c.parts.Networks[i], nil
		}
	}
	what := fmt.Sprintf("network %q", name)
	if name == "" {
		what = "no network named"
	}
	if len(c.parts.Networks) == 0 {
		return nil, &network.RefusedError{What: what, Why: "the configuration has no network yet", Remedy: "add two hosts on the page, or write them into z2mha.yaml"}
	}
	return nil, &network.RefusedError{What: what, Why: "the configuration has " + strings.Join(c.Networks(), ", "),
		Remedy: "name one of them with --network"}
}

func (n *Network) node(name string) (Node, error) {
	for _, x := range n.Nodes {
		if x.Name() == name {
			return x, nil
		}
	}
	return nil, &network.RefusedError{What: fmt.Sprintf("node %q", name),
		Why: fmt.Sprintf("network %s has the nodes %s", n.Name, strings.Join(n.names(), ", "))}
}

func (n *Network) names() []string {
	var out []string
	for _, x := range n.Nodes {
		out = append(out, x.Name())
	}
	return out
}

// without returns the node names that are not among those given.
func (n *Network) without(skip ...string) []string {
	return slices.DeleteFunc(n.names(), func(s string) bool { return slices.Contains(skip, s) })
}

// occupy takes the network for one run, unless it is held.
func (c *Controller) occupy(net, what string) (release func(), err error) {
	return c.occupyUnless(false, net, what)
}

// occupyUnless is occupy; heldToo takes it also when it is held.
func (c *Controller) occupyUnless(heldToo bool, net, what string) (release func(), err error) {
	if !heldToo {
		if err := c.notHeld(net, what); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other, taken := c.busy[net]; taken {
		return nil, &network.RefusedError{What: what, Why: other + " is running on this network",
			Remedy: "wait until it has ended"}
	}
	c.busy[net] = what
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.busy, net)
	}, nil
}

func (c *Controller) notHeld(net, what string) error {
	if c.parts.Held == nil || broken.IgnoresHold {
		return nil
	}
	who, err := c.parts.Held(net)
	if err != nil {
		return fmt.Errorf("see whether %s is held: %w", net, err)
	}
	if who != "" {
		return &network.RefusedError{What: what, Why: who, Remedy: "release the hold first"}
	}
	return nil
}

// unfinished returns the run of a network that never ended, whatever order the
// clock has put it in. There can be one at most, as each run settles the one before.
func (c *Controller) unfinished(net string) (string, *plan.Progress, error) {
	runs, err := c.parts.Journal.Runs(net)
	if err != nil {
		return "", nil, err
	}
	for _, id := range runs {
		if c.isOver(net, id) {
			continue
		}
		entries, err := c.parts.Journal.Load(net, id)
		if err != nil {
			return "", nil, err
		}
		prog, err := plan.Replay(entries)
		switch {
		case errors.Is(err, plan.ErrNoPlan):
		case err != nil:
			return "", nil, err
		case !prog.Ended():
			return id, &prog, nil
		default:
			c.noteOver(net, id)
		}
	}
	return "", nil, nil
}

func (c *Controller) isOver(net, run string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over[net+"/"+run]
}

func (c *Controller) noteOver(net, run string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over[net+"/"+run] = true
}

// Close releases the nodes' connections.
func (c *Controller) Close() {
	for _, n := range c.parts.Networks {
		for _, x := range n.Nodes {
			_ = x.Close()
		}
	}
}

// progressOf turns a node's progress into reports of a step.
func progressOf(w Watch, s plan.Step) Progress {
	return func(what string, done, total int) {
		w(Report{Step: s, What: what, Done: done, Total: total})
	}
}
