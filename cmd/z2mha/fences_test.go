package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"z2mha/internal/config"
	"z2mha/internal/failover/network"
	"z2mha/internal/homeassistant/supervisor/supervisortest"
)

func TestOpenFences(t *testing.T) {
	n := config.Network{Name: "home", Nodes: []config.Node{
		{Name: "attic", Fences: []config.Fence{
			{Kind: config.FenceCommand, Run: "/bin/poe off", Confirm: "/bin/poe", Expect: "off"},
			{Kind: config.FenceHTTP, Method: "POST", URL: config.NewSecret("http://u:hunter2@plug/"), ConfirmURL: config.NewSecret("http://plug/"), Expect: "off"},
			{Kind: config.FenceHomeAssistant, Entity: "switch.attic"},
		}},
		{Name: "cellar", Fences: []config.Fence{{Kind: config.FencePerson}}},
	}}
	log := slog.New(slog.DiscardHandler)
	_, err := new(app).openFences(t.Context(), n, log)
	if refused := new(network.RefusedError); !errors.As(err, &refused) || !strings.Contains(err.Error(), "attic") || !strings.Contains(err.Error(), "kind: http") {
		t.Errorf("on its own: %v", err)
	}
	f := supervisortest.Start(t, supervisortest.Options{})
	t.Setenv("Z2MHA_SUPERVISOR", f.URL)
	t.Setenv("SUPERVISOR_TOKEN", f.Token)
	got, err := new(app).openFences(t.Context(), n, log)
	if err != nil || len(got["attic"]) != 3 || len(got["cellar"]) != 0 {
		t.Fatalf("%v, %v", got, err)
	}
	for i, want := range []string{"the command poe", "the HTTP call to plug", "switch.attic of Home Assistant"} {
		if got["attic"][i].String() != want {
			t.Errorf("got %s, want %s", got["attic"][i], want)
		}
	}
	if by := byPerson(n); by["attic"] || !by["cellar"] {
		t.Errorf("by a person: %v", by)
	}
}
