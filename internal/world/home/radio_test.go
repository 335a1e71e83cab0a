package home_test

import (
	"testing"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/clues"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/z2m/bridge"
)

// A stick that hangs behind a simulated Zigbee2MQTT is found by the order of proofs, once
// nothing was heard for so long that it is asked.
func TestMuteStick(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	h, _ := running(t)
	conn, err := bus.Dial(t.Context(), bus.Config{Server: "mqtt://" + h.Broker()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	b, err := bridge.New(t.Context(), conn, "zigbee2mqtt", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	eventually(t, "it is online, and the devices are known", func() bool {
		return b.Signs().Bridge.Online && len(b.Signs().Devices) > 0
	})

	var notes clues.Notes
	began := time.Now()
	input := func() health.Input {
		p := []network.Process{{PID: h.Attic.PID(), Command: "zigbee2mqtt"}}
		notes.Saw(readiness.View{Name: "attic", Observed: &network.Observation{Node: "attic", At: time.Now(), TTYPresent: true, TTYHolders: p, DataHolders: p}}, time.Now())
		return notes.Input(clues.Now{At: time.Now(), Network: "home", Nodes: []string{"attic"}, Record: network.Record{Active: "attic"},
			Signs: b.Signs(), Controller: health.Controller{Started: began.Add(-time.Hour)}})
	}
	probe := func(want clues.Probe) {
		t.Helper()
		what, at := notes.Due(input())
		if what != want || time.Until(at) > 12*time.Second {
			t.Fatalf("%s is due in %s, want %s now", what, time.Until(at), want)
		}
		notes.Begin(what, time.Now())
		answers, err := clues.Make(t.Context(), b, what, time.Now())
		notes.End(what, time.Now(), answers, err)
		t.Logf("%s: %d answers, %v", what, answers, err)
	}
	probe(clues.Stick)
	if in := input(); in.Radio.StickAnswered.IsZero() || !in.Radio.StickSilent.IsZero() {
		t.Fatalf("a good stick: %+v", in.Radio)
	}
	h.Attic.Dongle.SetFault(znpsim.Fault{Silent: true})
	began, notes = time.Now(), clues.Notes{}
	probe(clues.Stick)
	in := input()
	if in.Radio.StickSilent.IsZero() || !in.Radio.StickAsked.After(in.Radio.StickSilent) || time.Since(began) > time.Minute {
		t.Errorf("a mute stick: %+v after %s", in.Radio, time.Since(began))
	}
	if what, _ := notes.Due(in); what != clues.All {
		t.Errorf("%s comes next", what)
	}
	h.Attic.Dongle.SetFault(znpsim.Fault{})
}
