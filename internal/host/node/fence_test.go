package node_test

import (
	"errors"
	"strings"
	"testing"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/node"
)

// A stick that listens ends in HOLD; one on air is left there. A tty that is no USB device,
// as all sticks in tests are, cannot be unplugged.
func TestListenAndUnplug(t *testing.T) {
	for name, change := range map[string]func(*node.Config){
		"on the host":    func(*node.Config) {},
		"in the network": func(c *node.Config) { c.Dongle = freePort(t) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, change)
			d := plug(t, p, znpsim.FormedImage(identity))
			heard, err := p.Listen(t.Context(), identity)
			if err != nil || heard.State != "HOLD" || heard.Coordinator || heard.Quiet() {
				t.Errorf("in silence it hears %+v, %v", heard, err)
			}
			_, err = p.Listen(t.Context(), zigbee.Identity{})
			wantError(t, err, "attic", "which network")
			goOnAir(t, p, d)
			_, err = p.Listen(t.Context(), identity)
			wantError(t, err, "attic", "HOLD")
			wantState(t, p, "COORDINATOR", false)

			_, err = p.Unplug(t.Context())
			if refused := new(network.RefusedError); !errors.As(err, &refused) || !strings.Contains(err.Error(), "USB") {
				t.Errorf("got %v", err)
			}
			wantState(t, p, "COORDINATOR", false)
		})
	}
}

func TestExplainSaysHowItListens(t *testing.T) {
	p := newPlace(t)
	plug(t, p, znpsim.FormedImage(identity))
	got := p.commands(func() {
		if _, err := p.Listen(t.Context(), identity); err != nil {
			t.Error(err)
		}
	})
	want := strings.NewReplacer("CHANNEL", "15", "ID", identity.ExtPanID.String()).Replace(p.Explain(engine.OpListen)[0])
	if last := got[len(got)-1]; last != want {
		t.Errorf("got %s\nwant %s", last, want)
	}
	for op, verb := range map[engine.Op]string{engine.OpUnplug: " unplug ", engine.OpReplug: " replug "} {
		if lines := p.Explain(op); len(lines) != 1 || !strings.Contains(lines[0], verb+p.cfg.Dongle) {
			t.Errorf("%s: %q", op, lines)
		}
	}
}
