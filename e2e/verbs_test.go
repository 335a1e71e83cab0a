package e2e_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerbsThatOnlyLook change nothing on hosts and sticks.
func TestVerbsThatOnlyLook(t *testing.T) {
	b := simulated(t).start()
	for _, tc := range []struct {
		args []string
		says []string
	}{
		{[]string{"list"}, []string{"attic is active", "cellar", "standby", "would Zigbee survive it?", "Home Assistant's host dies"}},
		{[]string{"preflight"}, []string{"cellar: the stick is silent (it says HOLD, just now)", "ready: the network can move away from attic"}},
		{[]string{"preflight", "--to", "cellar"}, []string{"ready"}},
		{[]string{"switchover", "--dry-run"}, []string{
			"from attic to cellar", "Nothing has been changed", "zigbee2mqtt-service stop", "znp-helper",
		}},
		{[]string{"switchover", "--to", "attic"}, []string{"nothing to do"}},
		{[]string{"check-config"}, []string{"is good"}},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			b := &bench{T: t, home: b.home, watch: b.watch}
			b.changesNothing(func() { b.ends(b.z2mha(tc.args...), exitOK, tc.says...) })
		})
	}
	b.mediumIsClean()
}

// TestSync brings the stand-by's staging up to date and leaves its data and its stick
// alone, which was never loaded; a second one sends only what Zigbee2MQTT has saved anew.
func TestSync(t *testing.T) {
	b := simulated(t).start()
	before := b.fingerprint()
	b.ends(b.z2mha("sync"), exitOK, "generation 1", "4 files sent", "z2mha seed")
	for name, hash := range b.fingerprint() {
		if strings.HasPrefix(name, "cellar") && before[name] != hash {
			t.Errorf("%s changed", name)
		}
	}
	staged, err := filepath.Glob(filepath.Join(b.home.Cellar.Dir, "zigbee2mqtt", "*staging*", "database.db"))
	if err != nil || len(staged) != 1 {
		t.Errorf("staged databases %v (%v), want one", staged, err)
	}
	b.ends(b.z2mha("sync"), exitOK, "generation 2", "2 files sent")
	b.mediumIsClean()
}

// TestUnknownNode: a wrong name is turned down with the right ones.
func TestUnknownNode(t *testing.T) {
	b := simulated(t).start()
	b.changesNothing(func() { b.ends(b.z2mha("switchover", "--to", "garage"), exitRefused, "garage", "attic", "cellar") })
}

// TestTour runs what `make tour` runs.
func TestTour(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cmd := exec.Command(z2mhaBinary, "demo", "--tour")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v:\n%s", err, out.String())
	}
	for _, want := range []string{"the lamp answers through the cellar", "never two coordinators at a time", "no device had to join again"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tour does not say %q:\n%s", want, out.String())
		}
	}
}
