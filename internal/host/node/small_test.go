package node_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"z2mha/internal/dongle/znpsim"
)

// TestBudgetSmallActs prints what the acts take that a planned move waits for, with the
// host near and the stick at the speed of its wire.
func TestBudgetSmallActs(t *testing.T) {
	for _, latency := range []time.Duration{2 * time.Millisecond, 5 * time.Millisecond} {
		p := newPlace(t)
		stick := znpsim.NewDongle(znpsim.DongleOptions{Name: fmt.Sprint(latency), Image: znpsim.FormedImage(identity),
			Latency: latency, BytesPerSecond: znpsim.WireSpeed})
		tty, err := stick.OpenPTY(p.cfg.Dongle)
		p.must(err)
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- tty.Serve(ctx) }()
		t.Cleanup(func() { cancel(); <-served })
		p.warm()
		for _, act := range []struct {
			name     string
			do       func() error
			requests int // of the stick
		}{
			{"observe", func() error { _, err := p.Observe(t.Context()); return err }, 0},
			{"inspect stick", func() error { _, err := p.InspectStick(t.Context()); return err }, 3},
			{"reset", func() error { _, err := p.Reset(t.Context()); return err }, 5},
			{"park, silent", func() error { _, err := p.Park(t.Context()); return err }, 4},
		} {
			before, begun := stick.Stats().Requests, time.Now()
			lines := p.commands(func() { p.must(act.do()) })
			took, requests := time.Since(begun), stick.Stats().Requests-before
			t.Logf("%-14s %v a request: %4d ms, %d commands, %d requests", act.name, latency, took.Milliseconds(), len(lines), requests)
			if requests > act.requests {
				t.Errorf("%s took %d requests, want %d", act.name, requests, act.requests)
			}
		}
	}
}
