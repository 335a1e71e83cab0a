package e2e_test

import (
	"testing"

	"z2mha/internal/failover/status"
)

// What follows breaks a home of real programs in one way at a time, with the controller
// watching and nobody there to ask it. Each time the radio's record must be clean, and the
// lamp must answer at the end, or the controller must say why nothing is done.

// TestE2EKilled: Zigbee2MQTT is killed and its stick stays on air. It is repaired where it
// is; a stand-by that took over would speak beside it.
func TestE2EKilled(t *testing.T) {
	g := watched(t).seeded()
	if err := g.home.Attic.Kill(); err != nil {
		t.Fatal(err)
	}
	g.tells(status.EventRepaired, "attic")
	g.never(status.EventFailoverStarted)
	g.endsWell(g.home.Attic)
}
