package coverage_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
	"z2mha/internal/failover/readiness"
)

var (
	noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	ours = zigbee.Identity{PanID: 0x4a21, Channel: 15, IEEE: 0x00124b0000000001}
)

func host(name string, runs bool) readiness.View {
	o := &network.Observation{Node: name, TTY: "/dev/" + name, TTYPresent: true, FreeBytes: 1 << 30, HostID: name, TTYDevice: name, DataID: name}
	v := readiness.View{Name: name, Observed: o}
	if runs {
		o.TTYHolders = []network.Process{{PID: 7, Command: "node"}}
		o.DataHolders = o.TTYHolders
	}
	return v
}

// home has a stand-by that is ready, with a stick that holds the network.
func home() readiness.Input {
	odo := odometer.Odometer{}.Captured(1000, noon)
	return readiness.Input{Network: "home", Now: noon, Views: []readiness.View{host("attic", true), host("cellar", false)},
		Bridge: &readiness.Bridge{Node: "attic", Coordinator: ours.IEEE, PanID: ours.PanID, Channel: ours.Channel},
		Known: readiness.Known{HostID: "indoors", Holds: map[string]zigbee.Identity{"cellar": ours},
			Record: network.Record{Odometer: odo, Sticks: map[string]network.StickRecord{"cellar": {Image: "abc", Reserved: odo.Reservation(noon)}}}}}
}

func TestOf(t *testing.T) {
	const yes, hand, no = coverage.Yes, coverage.ByHand, coverage.No
	type answers [5]coverage.Answer
	for _, tt := range []struct {
		name  string
		spoil func(in *readiness.Input)
		want  answers          // process, stick, host, Home Assistant, broker
		of    coverage.Failure // whose words are looked at
		why   string
		fix   string
	}{
		{"leaves most to a person when a stand-by is ready", func(*readiness.Input) {}, answers{hand, hand, hand, yes, no},
			coverage.Process, "cellar is ready", "z2mha failover --to cellar"},
		{"says that a service manager starts again", func(in *readiness.Input) { in.Views[0].Observed.Restart = "always" }, answers{hand, hand, hand, yes, no},
			coverage.Process, "attic starts it again by itself", "z2mha failover --to cellar"},
		{"has a broken stick unplugged", func(*readiness.Input) {}, answers{hand, hand, hand, yes, no},
			coverage.Stick, "cellar takes over with what was read from the stick", "unplug the broken stick"},
		{"has a dead host unplugged", func(*readiness.Input) {}, answers{hand, hand, hand, yes, no},
			coverage.Host, "whether attic is silent only you can make sure", "unplug attic or its stick, then run `z2mha failover"},
		{"says what Home Assistant is for", func(*readiness.Input) {}, answers{hand, hand, hand, yes, no},
			coverage.HomeAssistant, "Zigbee goes on without it", ""},
		{"says what the broker is for", func(*readiness.Input) {}, answers{hand, hand, hand, yes, no},
			coverage.Broker, "nobody hears Zigbee", "start it again"},

		{"has a fence cut the power when you say so", func(in *readiness.Input) {
			in.Fences = map[string][]string{"attic": {"switch.attic of Home Assistant"}}
		},
			answers{hand, hand, hand, yes, no}, coverage.Host, "switch.attic of Home Assistant cuts the power of attic", "run `z2mha failover --to cellar`"},
		{"survives a lost host by itself with a fence", func(in *readiness.Input) {
			in.Automatic, in.Fences = true, map[string][]string{"attic": {"switch.attic of Home Assistant", "the MQTT topic plugs/attic"}}
		}, answers{yes, yes, yes, yes, no}, coverage.Host, "cellar takes over by itself, once attic is silent or switch.attic of Home Assistant or the MQTT topic plugs/attic has cut its power", ""},
		{"needs a person for a lost host without a fence", func(in *readiness.Input) { in.Automatic = true }, answers{yes, hand, hand, yes, no},
			coverage.Host, "whether attic is silent only you can make sure", "unplug attic or its stick"},
		{"does not count the fence of another node", func(in *readiness.Input) {
			in.Automatic, in.Fences = true, map[string][]string{"cellar": {"a plug"}}
		}, answers{yes, hand, hand, yes, no}, coverage.Stick, "when you say so", "unplug the broken stick"},
		{"says what was accepted", func(in *readiness.Input) { in.Automatic, in.AcceptRisk = true, true }, answers{yes, yes, yes, yes, no},
			coverage.Host, "nobody proves that attic is silent: you have accepted that two coordinators may speak at once", ""},
		{"has no use of a fence when the broker dies too", func(in *readiness.Input) {
			in.Automatic, in.Fences = true, map[string][]string{"attic": {"a plug"}}
			in.Views[0].Observed.BrokerHere = true
		}, answers{yes, yes, no, yes, no}, coverage.Host, "the broker dies with attic", "without a node"},

		{"survives nothing without a stand-by", func(in *readiness.Input) { in.Views = in.Views[:1] }, answers{no, no, no, yes, no},
			coverage.Process, "there is no stand-by", "second host"},
		{"survives nothing when the stand-by is out of reach", func(in *readiness.Input) {
			in.Views[1] = readiness.View{Name: "cellar", Err: errors.New("no route")}
		}, answers{no, no, no, yes, no}, coverage.Host, "cellar could not take over: no route", "make cellar reachable"},
		{"does not hold the active's trouble against the stand-by", func(in *readiness.Input) { in.Bridge.Err = errors.New("silence"); in.Newest.StickImage = "abc" },
			answers{hand, hand, hand, yes, no}, coverage.Process, "cellar is ready", "failover"},
		{"needs the active's stick while the stand-by's is not loaded", func(in *readiness.Input) { in.Record.Sticks = nil }, answers{hand, no, no, yes, no},
			coverage.Stick, "does not hold this network", "run `z2mha seed` (“Make ready …” on the page)"},
		{"makes do with the memory that was kept", func(in *readiness.Input) { in.Record.Sticks, in.Newest.StickImage = nil, "abc" }, answers{hand, hand, hand, yes, no},
			coverage.Host, "cellar is ready", "unplug attic"},
		{"does not survive a machine that is both", func(in *readiness.Input) { in.Views[1].Observed.HostID = "attic" }, answers{hand, hand, no, yes, no},
			coverage.Host, "it is the same machine", "another machine"},
		{"does not survive a host that takes the broker along", func(in *readiness.Input) { in.Views[0].Observed.BrokerHere = true }, answers{hand, hand, no, yes, no},
			coverage.Host, "the broker dies with attic", "without a node"},
		{"names the node that has the broker", func(in *readiness.Input) { in.Views[1].Observed.BrokerHere = true }, answers{hand, hand, hand, yes, no},
			coverage.Broker, "machine of cellar", "without a node"},
		{"does not survive Home Assistant's host when it is the active node", func(in *readiness.Input) { in.HostID = "attic" }, answers{hand, hand, hand, no, no},
			coverage.HomeAssistant, "attic is the same machine", "switch over"},
		{"loses a stand-by with Home Assistant's host", func(in *readiness.Input) { in.HostID = "cellar" }, answers{hand, hand, hand, yes, no},
			coverage.HomeAssistant, "a stand-by on the same machine", ""},
		{"does not mix up machines that are not known", func(in *readiness.Input) { in.HostID, in.Views[0].Observed.HostID = "", "" }, answers{hand, hand, hand, yes, no},
			coverage.HomeAssistant, "goes on without it", ""},
		{"survives nothing when nobody is active", func(in *readiness.Input) { in.Views[0] = host("attic", false) }, answers{no, no, no, no, no},
			coverage.HomeAssistant, "no node is active", "on air"},
		{"takes the stand-by that is ready", func(in *readiness.Input) {
			in.Views = append(in.Views, host("shed", false))
			in.Views[1] = readiness.View{Name: "cellar", Err: errors.New("no route")}
		}, answers{hand, no, no, yes, no}, coverage.Process, "shed is ready", "--to shed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := home()
			tt.spoil(&in)
			lines := coverage.Of(in)
			var got answers
			for i, l := range lines {
				got[i] = l.Survives
				if l.Why == "" || l.Survives != coverage.Yes && l.Fix == "" || l.Failure.What() == string(l.Failure) {
					t.Errorf("%+v", l)
				}
			}
			if got != tt.want {
				t.Errorf("got %v, want %v: %+v", got, tt.want, lines)
			}
			i := slices.IndexFunc(lines, func(l coverage.Line) bool { return l.Failure == tt.of })
			if l := lines[i]; !strings.Contains(l.Why, tt.why) || !strings.Contains(l.Fix, tt.fix) || tt.fix == "" && l.Fix != "" {
				t.Errorf("%q, %q", l.Why, l.Fix)
			}
		})
	}
	if got := coverage.Of(readiness.Input{}); got != nil {
		t.Errorf("before anything was seen it says %v", got)
	}
}
