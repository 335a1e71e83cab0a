package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/generation"
	"z2mha/internal/world/home"
)

// lossBound is how long ago a device must have joined to work through the stand-by when
// the active host loses power without a warning.
const lossBound = 90 * time.Second

// TestE2ELossBound: a lamp is paired while the server watches. 90 s later the active host
// loses its power, stick and all, and the cellar takes over on what it was given. The new
// lamp works there, and no device joins a second time.
func TestE2ELossBound(t *testing.T) {
	b := genuine(t).start()
	b.ends(b.z2mha("seed"), exitOK)
	b.lampAnswersThrough(b.home.Attic)
	s := served(t, b.home.Config)
	e := hear(t, b.home.Broker(), home.Login{})
	b.eventually("the server has captured the home", func() bool { return b.lastCopy().Number > 0 })

	lamp, joined := b.pairs(e)
	b.eventually("the new lamp is in a copy", func() bool { return b.copyHolds(lamp) })
	t.Logf("the new lamp was on the shelf %.1f s after it had joined", time.Since(joined).Seconds())
	if late := time.Since(joined); late > time.Minute {
		t.Errorf("it took %s until a capture held the new lamp, want a minute at most", late)
	}
	<-time.After(time.Until(joined.Add(lossBound))) // the case to test
	b.losesPower(b.home.Attic)
	s.quit()

	b.ends(b.z2mha("failover", "--confirm-unplugged", "--confirm", "the stick is unplugged"), exitOK)
	b.lampAnswersThrough(b.home.Cellar)
	was := lamp.On()
	b.eventually("the new lamp obeys", func() bool {
		e.says("zigbee2mqtt/"+lamp.IEEE().String()+"/set", map[bool]string{true: `{"state":"OFF"}`, false: `{"state":"ON"}`}[was])
		return lamp.On() != was
	})
	if joins := b.home.Medium.Record().Joins; joins != 1 {
		t.Errorf("devices joined %d times, want once: when the new lamp was paired", joins)
	}
	r := b.home.Medium.Record()
	if len(r.DualActive)+len(r.CounterRegressions)+len(r.Formed)+r.ReplaysDropped > 0 {
		t.Errorf("radio medium: %+v", r)
	}
}

// pairs opens the network, brings a lamp fresh from the factory, waits until Zigbee2MQTT
// has interviewed it, and closes the network. It returns when the lamp had joined.
func (b *bench) pairs(e *ear) (*znpsim.Device, time.Time) {
	b.Helper()
	from := e.until(0, "zigbee2mqtt/bridge/info")
	lamp := b.home.Medium.AddDevice(znpsim.DeviceSpec{Name: "new-lamp", Kind: znpsim.Lamp})
	e.says("zigbee2mqtt/bridge/request/permit_join", `{"time":60}`) // whoever waits joins when it opens
	from = e.until(from, "zigbee2mqtt/bridge/event", "device_joined")
	joined := time.Now()
	e.until(from, "zigbee2mqtt/bridge/event", "device_interview", "successful")
	e.says("zigbee2mqtt/bridge/request/permit_join", `{"time":0}`)
	return lamp, joined
}

// says publishes.
func (e *ear) says(topic, payload string) {
	e.t.Helper()
	if err := e.conn.Publish(e.t.Context(), bus.Message{Topic: topic, Payload: []byte(payload)}); err != nil {
		e.t.Fatal(err)
	}
}

// lastCopy is the newest generation on the shelf, the zero one when there is none.
func (b *bench) lastCopy() generation.Generation {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(b.home.State(), "shelf", "home", "*.json"))
	if err != nil {
		b.Fatal(err)
	}
	var g generation.Generation
	if len(files) == 0 {
		return g
	}
	raw, err := os.ReadFile(files[len(files)-1])
	if err == nil {
		err = json.Unmarshal(raw, &g)
	}
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// copyHolds says that the newest generation lists a device and is on its way to nobody
// any more: the stand-by's stick and staging have it.
func (b *bench) copyHolds(d *znpsim.Device) bool {
	b.Helper()
	g := b.lastCopy()
	for _, m := range g.Summary.Members {
		if m.IEEE == d.IEEE() {
			return g.Usable() && b.unsettled() == nil
		}
	}
	return false
}
