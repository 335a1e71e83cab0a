package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/holds"
	"z2mha/internal/storage/memory"
	"z2mha/internal/storage/notes"
)

// A second hold does not make one out of the first that an automation could release.
func TestHoldOnHold(t *testing.T) {
	dir := t.TempDir()
	h := holds.New(dir, durable.Disk{})
	if err := hold(h, "home", true); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Load("home"); err != nil || !got.On || got.Person {
		t.Errorf("held: %+v, %v", got, err)
	}
	was := status.Hold{On: true, Person: true, Since: time.Unix(1, 0).UTC(), By: "z2mha"}
	if err := h.Save("home", was); err != nil {
		t.Fatal(err)
	}
	if err := hold(h, "home", true); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Load("home"); err != nil || got != was {
		t.Errorf("held again: %+v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "home.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, on := range []bool{true, false} {
		if err := hold(h, "home", on); err != nil {
			t.Fatal(err)
		}
		if got, err := h.Load("home"); err != nil || got.On != on {
			t.Errorf("mended: %+v, %v", got, err)
		}
	}
}

// What a person asks for beside a server is put where that looks.
func TestAnErrandIsHandedOver(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "z2mha.yaml")
	text := "state: " + dir + "\nmqtt: {server: mqtt://localhost}\nnetworks:\n  - name: home\n    nodes:\n" +
		"      - {name: attic, host: a, dongle: /dev/a, data: /a, service: systemd}\n      - {name: cellar, host: b, dongle: /dev/b, data: /b, service: systemd}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := memory.New(filepath.Join(dir, "records"), durable.Disk{}).Save(network.Record{Network: "home", Active: "attic"}); err != nil {
		t.Fatal(err)
	}
	held, err := durable.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Unlock()
	for _, args := range [][]string{
		{"failover", "--to", "cellar", "--confirm-unplugged", "--confirm", "the stick is unplugged"},
		{"start", "attic", "--despite-hold"}, {"acknowledge"},
	} {
		root := newRoot()
		root.SetArgs(append([]string{"--config", config}, args...))
		root.SetOut(io.Discard)
		if err := root.Execute(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		n, err := notes.New(filepath.Join(dir, "notes"), durable.Disk{}).Load("home")
		if err != nil {
			t.Fatal(err)
		}
		switch e := n.Errand; args[0] {
		case "failover":
			if e == nil || e.Verb != "failover" || e.From != "attic" || e.To != "cellar" || !strings.Contains(e.Confirmed, "has no power") {
				t.Errorf("failover: %+v", e)
			}
		case "start":
			if e == nil || e.Verb != "start" || e.To != "attic" || !e.DespiteHold {
				t.Errorf("start: %+v", e)
			}
		default:
			if time.Since(n.Acknowledged) > time.Minute || !strings.Contains(n.By, "on the command line") {
				t.Errorf("acknowledged: %+v", n)
			}
		}
	}
}
