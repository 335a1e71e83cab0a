package engine

import (
	"context"
	"errors"
	"fmt"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// A VetoError is somebody who was heard on air just before another was to speak. It
// outweighs every proof, a person's word and the wish to go on without proof.
type VetoError struct{ Node, Old string }

func (e *VetoError) Error() string { return e.refusal().Error() }

// Unwrap makes it a refusal like any other.
func (e *VetoError) Unwrap() error { return e.refusal() }

func (e *VetoError) refusal() *network.RefusedError {
	return &network.RefusedError{What: "start " + e.Node,
		Why: fmt.Sprintf("somebody is on air, whatever else was proven: the stick of %s hears a coordinator of this network (0x0000)", e.Node),
		Remedy: fmt.Sprintf("take the power from the stick of %s and from every other stick that holds this network, then try again; "+
			"if %s serves the home, leave it", e.Old, e.Old)}
}

// veto listens before the target speaks. Silence is no proof, and a stick that cannot
// listen no veto.
func (e *execution) veto(ctx context.Context, x Node) ([]string, error) {
	if !listens(e.plan.Kind) || e.turning {
		return nil, nil
	}
	who, ok := e.onAirAs()
	if !ok {
		return []string{"nobody listened for another coordinator: it is not known which network to listen for"}, nil
	}
	heard, err := x.Listen(ctx, who)
	switch {
	case err != nil:
		return []string{fmt.Sprintf("nobody listened for another coordinator: %v", err)}, nil
	case heard.Coordinator && !broken.IgnoresVeto:
		return nil, &VetoError{Node: x.Name(), Old: e.plan.From}
	case heard.Quiet():
		return []string{fmt.Sprintf("its stick hears %s of the network, and no coordinator", routers(heard))}, nil
	}
	return []string{"its stick hears nobody of the network, which says nothing"}, nil
}

// listens says that nobody of the network should be on air when such a run starts a node,
// and that it was not this very run which has seen to that for all of them.
func listens(k plan.Kind) bool {
	return k == plan.KindFailover || k == plan.KindStart || k == plan.KindRepair
}

// onAirAs is the network as it would be heard.
func (e *execution) onAirAs() (zigbee.Identity, bool) {
	b := e.facts.Before
	if b == nil || b.ExtPanID == 0 || b.Channel == 0 {
		return zigbee.Identity{}, false
	}
	return zigbee.Identity{PanID: b.PanID, ExtPanID: b.ExtPanID, Channel: b.Channel}, true
}

// listen has the first parked stick listen that can, but for the one of a node.
func (e *execution) listen(ctx context.Context, but string) (node string, heard network.Heard, err error) {
	who, ok := e.onAirAs()
	if !ok {
		return "", heard, errors.New("it is not known which network to listen for")
	}
	err = errors.New("there is no other stick")
	for _, name := range e.plan.Standbys() {
		x, nerr := e.net.node(name)
		if name == but || nerr != nil {
			continue
		}
		if heard, err = x.Listen(ctx, who); err == nil && (heard.Coordinator || heard.Quiet()) {
			return name, heard, nil
		}
		node = name
	}
	return node, heard, err
}

func routers(h network.Heard) string {
	if len(h.Neighbours) == 1 {
		return "a router"
	}
	return fmt.Sprintf("%d routers", len(h.Neighbours))
}
