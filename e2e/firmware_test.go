package e2e_test

import (
	"testing"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/world/home"
)

// TestE2EOtherFirmware: a stick of another firmware cannot take a copy of the memory. The
// first move leaves it to Zigbee2MQTT to restore its backup there; after that both sticks
// are kept current like any, and the way back is a fast one.
func TestE2EOtherFirmware(t *testing.T) {
	b := assemble(t, home.Options{Program: zigbee2mqtt(t), Broker: mosquitto(t), NewHost: sshd(t),
		Stick: func(node string, d *znpsim.DongleOptions) {
			if node == "cellar" {
				d.Revision = 20240710
			}
		}}).start()
	b.ends(b.z2mha("switchover", "--to", "cellar"), exitRefused, "20240710", "--let-zigbee2mqtt-restore")
	b.ends(b.z2mha("switchover", "--to", "cellar", "--let-zigbee2mqtt-restore"), exitOK)
	b.lampAnswersThrough(b.home.Cellar)
	for _, o := range b.watch.Outages() {
		t.Logf("outage %s → %s, lamp to lamp: %.1f s", o.From, o.To, o.Unanswered.Seconds())
	}
	b.ends(b.z2mha("switchover", "--to", "attic"), exitOK, "as soon as it has saved")
	b.lampAnswersThrough(b.home.Attic)
	r := b.home.Medium.Record()
	if len(r.DualActive)+len(r.CounterRegressions)+r.ReplaysDropped+r.Joins > 0 {
		t.Errorf("radio medium: %+v", r)
	}
	for _, f := range r.Formed { // the network that Zigbee2MQTT forms before it writes ours
		if f.Identity.ExtPanID == home.Identity.ExtPanID {
			t.Errorf("%s formed our own network anew", f.Dongle)
		}
	}
}
