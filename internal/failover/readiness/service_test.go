package readiness_test

import (
	"strings"
	"testing"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
)

// find returns the check of that name about a node.
func find(a readiness.Assessment, id, node string) (readiness.Check, bool) {
	for _, c := range a.Checks {
		if c.ID == id && c.Node == node {
			return c, true
		}
	}
	return readiness.Check{}, false
}

func TestServiceWarnings(t *testing.T) {
	for _, tt := range []struct {
		name     string
		node     string // whose look is spoilt
		spoil    func(o *network.Observation)
		id       string
		warns    bool // false: the check holds, or is not there
		evidence string
		fix      string
	}{
		{"warns of a stand-by that starts at boot", "cellar", func(o *network.Observation) { o.Enabled = "yes" },
			"autostart", true, "two coordinators", "disable the service on cellar"},
		{"names the command that disables it", "cellar", func(o *network.Observation) { o.Enabled, o.Disable = "yes", "rc-update --all del z2m" },
			"autostart", true, "enabled", "as root: rc-update --all del z2m"},
		{"is content with a disabled stand-by", "cellar", func(o *network.Observation) { o.Enabled = "no" },
			"autostart", false, "not enabled", ""},
		{"says nothing of a boot that is not known", "cellar", func(*network.Observation) {}, "autostart", false, "", ""},
		{"warns of another service that starts a stand-by", "cellar", func(o *network.Observation) { o.Enabled, o.StartedBy = "no", "home-assistant.service" },
			"autostart", true, "home-assistant.service starts it", "on cellar"},
		{"lets the active start at boot", "attic", func(o *network.Observation) { o.Enabled = "yes" }, "autostart", false, "", ""},
		{"warns of an active that nobody starts at boot", "attic", func(o *network.Observation) { o.Enabled = "no" },
			"boot", true, "after a power cut", "enable the service on attic"},
		{"is content with an active that something else starts", "attic", func(o *network.Observation) { o.Enabled, o.StartedBy = "no", "home.target" },
			"boot", false, "home.target starts it", ""},
		{"is content with an enabled active", "attic", func(o *network.Observation) { o.Enabled = "yes" }, "boot", false, "enabled", ""},
		{"does not ask a stand-by to start at boot", "cellar", func(o *network.Observation) { o.Enabled = "no" }, "boot", false, "", ""},
		{"warns of a watchdog on a stand-by", "cellar", func(o *network.Observation) { o.Watchdog = "default" },
			"watchdog", true, `"default"`, "take Z2M_WATCHDOG out of the service's environment on cellar"},
		{"warns of a watchdog on the active, which will be a stand-by", "attic", func(o *network.Observation) { o.Watchdog = "1" },
			"watchdog", true, `"1"`, "on attic"},
		{"shows a hostile watchdog as one line", "cellar", func(o *network.Observation) { o.Watchdog = "a\nb" },
			"watchdog", true, `"a\nb"`, "on cellar"},
		{"warns of ModemManager", "cellar", func(o *network.Observation) { o.ModemManager = true },
			"modem-manager", true, "/dev/cellar", "ID_MM_DEVICE_IGNORE"},
		{"tells what the service manager says", "cellar", func(o *network.Observation) { o.Service = network.ServiceStopped },
			"service", false, "it says stopped", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := good()
			for _, v := range in.Views {
				if v.Name == tt.node {
					tt.spoil(v.Observed)
				}
			}
			a := readiness.Assess(in)
			if err := a.Refusal("switchover"); err != nil {
				t.Fatalf("a warning refuses: %v", err)
			}
			c, ok := find(a, tt.id, tt.node)
			if ok != (tt.evidence != "") {
				t.Fatalf("checks are %+v", a.Checks)
			}
			if !ok {
				return
			}
			if c.Warning != tt.warns || c.OK == tt.warns || !strings.Contains(c.Evidence, tt.evidence) || !strings.Contains(c.Fix, tt.fix) || (c.Fix == "") == tt.warns {
				t.Errorf("got %+v", c)
			}
		})
	}
}
