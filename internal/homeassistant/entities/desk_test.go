package entities_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
)

// fakeDesk is a desk that carries out everything at once, and writes down what it
// was asked for.
type fakeDesk struct {
	mu       sync.Mutex
	networks []status.Network
	changed  chan struct{}
	listener map[int]func(status.Event)
	next     int
	asked    []string
	answer   func(desk.Request) error // nil: all is well
	block    chan struct{}            // Ask waits until it is closed, unless nil
}

func newDesk(networks ...status.Network) *fakeDesk {
	return &fakeDesk{networks: networks, changed: make(chan struct{}), listener: map[int]func(status.Event){}}
}

func (d *fakeDesk) Networks() []status.Network {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.networks)
}

func (d *fakeDesk) Preview(context.Context, desk.Request) (desk.Preview, error) {
	return desk.Preview{}, nil
}

func (d *fakeDesk) Ask(ctx context.Context, r desk.Request) (string, error) {
	d.mu.Lock()
	block, answer := d.block, d.answer
	d.asked = append(d.asked, fmt.Sprintf("%s %s %s by %s", r.Network, r.Verb, r.To, r.By))
	if !r.Unattended {
		d.asked = append(d.asked, "as if a person had looked")
	}
	d.mu.Unlock()
	if block != nil && r.Verb != desk.Hold && r.Verb != desk.Release {
		select {
		case <-block:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	if answer != nil {
		if err := answer(r); err != nil {
			return "", err
		}
	}
	return "run-1", nil
}

func (d *fakeDesk) Look(string) {}

func (d *fakeDesk) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

func (d *fakeDesk) Listen(tell func(status.Event)) (cancel func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.next
	d.next++
	d.listener[n] = tell
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.listener, n)
	}
}

// change changes the first network.
func (d *fakeDesk) change(change func(*status.Network)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.networks[0]
	n.Nodes = slices.Clone(n.Nodes)
	change(&n)
	d.networks = append([]status.Network{n}, d.networks[1:]...)
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *fakeDesk) tell(e status.Event) {
	d.mu.Lock()
	var all []func(status.Event)
	for _, tell := range d.listener {
		all = append(all, tell)
	}
	d.mu.Unlock()
	for _, tell := range all {
		tell(e)
	}
}

func (d *fakeDesk) requests() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

// home is a network whose first node is active and whose others could take over.
func home(name string, nodes ...string) status.Network {
	now := time.Now()
	good := func(text string) status.Light { return status.Light{State: status.LightGood, Text: text, At: now} }
	n := status.Network{
		Name: name, At: now, Protection: status.Protected, Active: nodes[0], Recorded: nodes[0], LastSync: now, Devices: 31, Moves: 2,
		Last: &status.Move{At: now, From: nodes[1], To: nodes[0], Cause: status.CauseManual, Outcome: plan.Completed, Duration: time.Minute},
	}
	for i, node := range nodes {
		x := status.Node{
			Name: node, Role: network.RoleStandby, Kind: "systemd", Seen: now, Latency: 40 * time.Millisecond, Version: "2.12.1",
			Host: good("reachable"), Service: good("stopped"), Dongle: good("there"), Radio: good("silent (HOLD)"), CanTake: true,
		}
		if i == 0 {
			x.Role, x.Service, x.Radio, x.CanTake, x.Why = network.RoleActive, good("running"), good("on air"), false, "it is active"
		} else {
			n.Ready = append(n.Ready, node)
		}
		n.Nodes = append(n.Nodes, x)
	}
	return n
}
