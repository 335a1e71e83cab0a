package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

const (
	wantWitnesses  = 3
	witnessRounds  = 3
	witnessTimeout = 6 * time.Second
)

// gates looks at everything once more and refuses before anything is touched.
func (e *execution) gates(ctx context.Context, s plan.Step) ([]string, error) {
	in, err := e.c.look(ctx, e.net, e.plan.To, e.plan.Kind == plan.KindSwitchover)
	if err != nil {
		return nil, err
	}
	in = forPlan(in, e.plan)
	a := readiness.Assess(in)
	if err := a.Refusal(string(e.plan.Kind)); err != nil {
		return nil, err
	}
	if a.Active != s.Node {
		return nil, &network.RefusedError{What: string(e.plan.Kind), Why: fmt.Sprintf("%s was active and now %s is", s.Node, a.Active)}
	}
	saw := []string{fmt.Sprintf("%s is the only active node", a.Active)}
	more, err := e.takeBaseline(ctx)
	return append(saw, more...), err
}

func (e *execution) takeBaseline(ctx context.Context) ([]string, error) {
	b := e.net.Bridge
	info, err := b.Refresh(ctx)
	if err != nil {
		return nil, err
	}
	var saw []string
	if info.PermitJoin {
		if err := b.CloseJoining(ctx); err != nil {
			return nil, fmt.Errorf("close joining: %w", err)
		}
		saw = append(saw, "joining was open and is closed now")
	}
	devices, err := b.Devices(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	e.facts.Before = baseline(info, devices)
	return append(saw, fmt.Sprintf("channel %d, PAN id %s, coordinator %s, %d devices",
		info.Channel, info.PanID, info.Coordinator, len(devices))), nil
}

// witness finds devices that answer now. When one of them does not answer the new
// active, the move has failed, whatever Zigbee2MQTT believes.
func (e *execution) witness(ctx context.Context, _ plan.Step) ([]string, error) {
	devices, err := e.net.Bridge.Devices(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	e.facts.Witnesses = nil
	candidates := askable(devices)
	for round := 0; round < witnessRounds && len(candidates) > 0 && len(e.facts.Witnesses) < wantWitnesses; round++ {
		n := min(wantWitnesses, len(candidates))
		got, err := e.ask(ctx, candidates[:n], n, witnessTimeout)
		if err != nil {
			return nil, err
		}
		e.facts.Witnesses = append(e.facts.Witnesses, got...)
		candidates = candidates[n:]
	}
	if len(e.facts.Witnesses) == 0 {
		return []string{"no mains device answered; afterwards the network can only be called unproven"}, nil
	}
	return []string{friendly(e.facts.Witnesses) + " answered"}, nil
}

func (e *execution) ask(ctx context.Context, devices []BridgeDevice, enough int, wait time.Duration) ([]BridgeDevice, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	heard, err := e.net.Bridge.Ask(ctx, devices, enough)
	if err != nil {
		return nil, err
	}
	var out []BridgeDevice
	for _, d := range devices {
		if containsIEEE(heard, d.IEEE) {
			out = append(out, d)
		}
	}
	return out, nil
}

func askable(devices []BridgeDevice) []BridgeDevice {
	var out []BridgeDevice
	for _, d := range devices {
		if d.Askable {
			out = append(out, d)
		}
	}
	return out
}

func containsIEEE(list []zigbee.IEEE, a zigbee.IEEE) bool {
	for _, x := range list {
		if x == a {
			return true
		}
	}
	return false
}

func friendly(devices []BridgeDevice) string {
	var names []string
	for _, d := range devices {
		names = append(names, d.FriendlyName)
	}
	return strings.Join(names, ", ")
}
