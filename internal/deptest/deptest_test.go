package deptest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/deptest"
)

// The arrows of this project point inward.
func TestProject(t *testing.T) {
	packages, err := deptest.Load("../..", "z2mha")
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 5 {
		t.Fatalf("go list found %d packages of the project", len(packages))
	}
	for _, wrong := range deptest.ProjectRules.Check(packages) {
		t.Error(wrong)
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		of   deptest.Package
		want string // part of the only complaint, "" for none
	}{
		{"lets pure import pure", pkg("internal/failover/plan", "internal/failover/network", "fmt", "time"), ""},
		{"stops pure at an adapter", pkg("internal/failover/plan", "internal/host/remote"), "plan imports internal/host/remote: a pure package"},
		{"stops pure at the engine", pkg("internal/failover/plan", "internal/failover/engine"), "imports internal/failover/engine: a pure package"},
		{"stops pure at the network", pkg("internal/z2m", "net"), "internal/z2m imports net: a pure package does not reach outside"},
		{"stops pure at programs", pkg("internal/z2m", "os/exec"), "imports os/exec"},
		{"stops pure at SSH", pkg("internal/dongle/unpi", "golang.org/x/crypto/ssh"), "imports golang.org/x/crypto/ssh"},
		{"stops pure at MQTT", pkg("internal/z2m/yamledit", "github.com/eclipse/paho.mqtt.golang"), "imports github.com/eclipse"},
		{"stops pure at the clock", deptest.Package{Path: "internal/failover/odometer", Clock: []string{"a.go:3 time.Now"}}, "odometer: a.go:3 time.Now"},
		{"leaves the engine its clock", deptest.Package{Path: "internal/failover/engine", Clock: []string{"a.go:3 time.Now"}}, ""},
		{"lets the engine use the core", pkg("internal/failover/engine", "internal/failover/plan", "internal/dongle/nvimage"), ""},
		{"stops the engine at a store", pkg("internal/failover/engine", "internal/storage/journal"), "engine imports internal/storage/journal"},
		{"stops the engine at a live stick", pkg("internal/failover/engine", "internal/dongle/znp"), "engine imports internal/dongle/znp"},
		{"lets an adapter implement the engine's needs", pkg("internal/storage/shelf", "internal/failover/engine", "internal/storage/durable"), ""},
		{"stops an adapter at another", pkg("internal/storage/shelf", "internal/bus"), "an adapter does not know another one"},
		{"stops stores at one another", pkg("internal/storage/shelf", "internal/storage/journal"), "an adapter does not know another one"},
		{"lets what is built over another use it", pkg("internal/z2m/bridge", "internal/bus", "internal/z2m"), ""},
		{"does not turn built-over round", pkg("internal/bus", "internal/z2m/bridge"), "an adapter does not know another one"},
		{"lets a test kit use its package", pkg("internal/dongle/znp/znptest", "internal/dongle/znp"), ""},
		{"keeps the helper small", pkg("cmd/znp-helper", "internal/bus"), "cmd/znp-helper contains internal/bus, by way of cmd/znp-helper"},
		{"keeps the helper's own parts", pkg("cmd/znp-helper", "internal/dongle/nvram", "internal/host/helper"), ""},
		{"keeps pages free of us", pkg("web/pages", "internal/failover/network"), "web/... may import only web/..."},
		{"keeps commands to themselves", pkg("internal/dash", "cmd/z2mha"), "commands are imported by nobody"},
		{"lets a command use all", pkg("cmd/z2mha", "internal/a", "internal/b", "internal/c", "internal/d", "internal/e", "internal/f"), ""},
		{"counts imports", pkg("internal/notify", core6...), "internal/notify imports 6 packages"},
		{"knows the exceptions", pkg("internal/failover/engine", core6...), ""},
		{"counts only this module", pkg("internal/notify", "a", "b", "c", "d", "e", "f", "g"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := deptest.ProjectRules.Check([]deptest.Package{tt.of})
			if tt.want == "" && len(got) == 0 {
				return
			}
			if tt.want == "" || len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("complaints %q, want %q", got, tt.want)
			}
		})
	}
}

// A program is looked at through everything that it imports.
func TestReach(t *testing.T) {
	got := deptest.ProjectRules.Check([]deptest.Package{
		pkg("cmd/znp-helper", "internal/host/helper"),
		pkg("internal/host/helper", "internal/dongle/znp"),
		pkg("internal/dongle/znp", "internal/failover/network"),
		pkg("internal/failover/network", "internal/failover/odometer"),
	})
	if len(got) != 1 || !strings.Contains(got[0], "cmd/znp-helper contains internal/failover/network, by way of internal/dongle/znp") {
		t.Errorf("complaints %q", got)
	}
}

func TestClockCalls(t *testing.T) {
	src := `package p
import clock "time"
var limit = clock.Second
func f(now clock.Time) { clock.Sleep(limit); _ = clock.Now().Sub(now) }
func g(x struct{ Now func() }) { x.Now() }
`
	got, err := deptest.ClockCalls("p.go", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"p.go:4 time.Sleep", "p.go:4 time.Now"}, got); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
}

var core6 = []string{
	"internal/dongle/zigbee", "internal/dongle/nvimage", "internal/failover/plan",
	"internal/failover/network", "internal/failover/generation", "internal/failover/odometer",
}

func pkg(path string, imports ...string) deptest.Package {
	return deptest.Package{Path: path, Imports: imports}
}
