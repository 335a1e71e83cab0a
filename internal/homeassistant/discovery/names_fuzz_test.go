package discovery_test

import (
	"testing"
	"unicode/utf8"

	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
	"z2mha/internal/homeassistant/discovery/discoverytest"
)

// Any two names make messages that Home Assistant takes, and every option leads back
// to its node.
func FuzzNames(f *testing.F) {
	f.Add("home", "pi")
	f.Add(nasty, "none")
	f.Add("", "cmd")
	f.Fuzz(func(t *testing.T, network, node string) {
		n := home(network, active(node), standby("x"+node))
		for _, wrong := range discoverytest.Check(tree([]status.Network{n}), discoverytest.Ours) {
			t.Error(wrong)
		}
		label := discovery.Label(node)
		if got, ok := discovery.ByLabel(n, label); !ok || got.Name != node || !utf8.ValidString(label) {
			t.Errorf("%q leads to %q", label, got.Name)
		}
		discovery.Locate([]status.Network{n}, options, network)
	})
}
