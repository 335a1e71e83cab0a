package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"z2mha/internal/config"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/fence"
	"z2mha/internal/homeassistant/supervisor"
)

// openFences makes what can cut the power of the nodes of a network.
func (a *app) openFences(ctx context.Context, n config.Network, log *slog.Logger) (map[string][]engine.Fence, error) {
	out := map[string][]engine.Fence{}
	for _, x := range n.Nodes {
		for _, f := range x.Fences {
			if f.Kind == config.FencePerson {
				continue
			}
			d, err := a.device(ctx, f, log)
			if err != nil {
				return nil, fmt.Errorf("fence of %s: %w", x.Name, err)
			}
			out[x.Name] = append(out[x.Name], fence.New(d, fence.Options{Timeout: f.Timeout, OffTime: f.OffTime}))
		}
	}
	return out, nil
}

// byPerson are the nodes of which it was accepted that only a person can cut their power.
func byPerson(n config.Network) map[string]bool {
	out := map[string]bool{}
	for _, x := range n.Nodes {
		out[x.Name] = slices.ContainsFunc(x.Fences, func(f config.Fence) bool { return f.Kind == config.FencePerson })
	}
	return out
}

func (a *app) device(ctx context.Context, f config.Fence, log *slog.Logger) (fence.Device, error) {
	expect := fence.Expectation{Key: f.ExpectKey, Text: f.Expect}
	switch f.Kind {
	case config.FenceMQTT:
		m, err := fence.NewMQTT(ctx, a.bus, fence.Topics{Topic: f.Topic, Payload: f.Payload, ConfirmTopic: f.ConfirmTopic, Expect: expect,
			AskTopic: f.AskTopic, AskPayload: f.AskPayload})
		if err != nil {
			return nil, err
		}
		a.onClose(func() error { m.Close(); return nil })
		return m, nil
	case config.FenceHTTP:
		return &fence.HTTP{Method: f.Method, URL: f.URL.Reveal(), Body: f.Body, ContentType: f.ContentType,
			Authorization: f.Authorization.Reveal(), ConfirmURL: f.ConfirmURL.Reveal(), Expect: expect}, nil
	case config.FenceCommand:
		return &fence.Command{Run: f.Run, Confirm: f.Confirm, Expect: expect}, nil
	case config.FenceHomeAssistant:
		core, err := homeAssistant(log)
		return &fence.HomeAssistant{Core: core, Entity: f.Entity, Action: f.Action, Power: f.Power, Below: f.Below}, err
	}
	panic("no fence of kind " + string(f.Kind))
}

// homeAssistant is the one that this add-on belongs to.
func homeAssistant(log *slog.Logger) (*supervisor.Client, error) {
	c, err := supervisor.New(supervisor.Config{
		URL: os.Getenv("Z2MHA_SUPERVISOR"), Token: supervisor.NewSecret(os.Getenv("SUPERVISOR_TOKEN")), Log: log,
	})
	if err != nil {
		return nil, &network.RefusedError{What: "kind: home_assistant", Why: "this z2mha is no add-on of Home Assistant: " + err.Error(),
			Remedy: "write kind: http with the REST API of Home Assistant, as addon/DOCS.md shows"}
	}
	return c, nil
}
