package z2mtest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/engine"
)

// TestAskStick has a real Zigbee2MQTT ask its stick: it answers without its radio, with
// joining open too, and a mute one is told from a Zigbee2MQTT that is silent itself.
func TestAskStick(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	dir, address := program(t), startBroker(t)
	medium := znpsim.NewMedium(znpsim.MediumOptions{})
	t.Cleanup(func() { medium.Close() })
	stick := znpsim.NewDongle(znpsim.DongleOptions{Name: "asked", Medium: medium, Image: znpsim.FormedImage(identity)})
	lamp := medium.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp})
	n := newNode(t, dir, address, "asked", t.TempDir(), onTCP, stick, lamp)
	n.run()
	l := listen(t, address, "asked")

	ask := func(want error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		before, began := frames(t, stick), time.Now()
		if err := l.AskStick(ctx); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("asked the stick: %v, want %v", err, want)
		} else {
			t.Logf("after %s: %v; the network counter moved by %d", time.Since(began).Round(time.Millisecond), err, frames(t, stick)-before)
		}
	}
	ask(nil)
	n.bus.publish("bridge/request/permit_join", `{"time":60}`)
	l.hears("interviewed " + lamp.IEEE().String() + " lamp")
	await(t, 10*time.Second, "joining open", func() bool { return strings.Contains(n.bus.get("bridge/info"), `"permit_join":true`) })
	ask(nil)
	if !strings.Contains(n.bus.get("bridge/info"), `"permit_join":true`) {
		t.Error("asking the stick closed joining")
	}
	stick.SetFault(znpsim.Fault{Silent: true})
	ask(engine.ErrStickSilent)
	busy := make(chan struct{})
	during(t, func(context.Context) error { // a home in use
		for {
			select {
			case <-busy:
				return nil
			case <-time.After(400 * time.Millisecond):
				n.bus.client.Publish("asked/lamp/set", 0, false, `{"state":"TOGGLE"}`)
			}
		}
	})
	ask(engine.ErrStickSilent)
	close(busy)
	stick.SetFault(znpsim.Fault{})
	time.Sleep(7 * time.Second) // what waits for the stick is given up
	ask(nil)
	n.process.kill()
	ask(engine.ErrBridgeSilent)
	n.noUnknownCommands()
}

func frames(t *testing.T, stick *znpsim.Dongle) zigbee.FrameCounter {
	t.Helper()
	c, ok := stick.Counter()
	if !ok {
		t.Fatal("the stick is not on air")
	}
	return c
}
