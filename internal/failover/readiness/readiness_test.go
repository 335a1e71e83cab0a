package readiness_test

import (
	"errors"
	"strings"
	"testing"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
)

func stopped(name string) readiness.View {
	return readiness.View{Name: name,
		Observed: &network.Observation{Node: name, TTY: "/dev/" + name, TTYPresent: true, FreeBytes: 1 << 30, Version: "2.14.1", HostID: name, TTYDevice: "/dev/" + name, DataID: name},
		Stick:    &network.StickState{State: "HOLD", Silent: true, Stick: nvimage.Stick{Product: 1, Revision: 20250321}}}
}

func running(name string) readiness.View {
	v := stopped(name)
	p := []network.Process{{PID: 7, Command: "node index.js"}}
	v.Observed.TTYHolders, v.Observed.DataHolders, v.Stick = p, p, nil
	return v
}

func good() readiness.Input {
	return readiness.Input{Network: "home", To: "cellar", Views: []readiness.View{running("attic"), stopped("cellar")},
		Bridge: &readiness.Bridge{Node: "attic", Version: "2.14.1", Devices: 3}}
}

func TestAssess(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(in *readiness.Input)
		want  string // part of the refusal; "" for ready
	}{
		{"is ready when all is well", func(*readiness.Input) {}, ""},
		{"is ready before the first move, without a mark", func(in *readiness.Input) { in.Bridge.Node = "" }, ""},
		{"is ready with an unfinished run, which is taken up first", func(in *readiness.Input) { in.Unfinished = "x" }, ""},
		{"is ready with a stick left on air, which is parked first", func(in *readiness.Input) { in.Views[1].Stick.Silent = false }, ""},
		{"is ready on one machine, with a warning", func(in *readiness.Input) { in.Views[1].Observed.HostID = "attic" }, ""},
		{"refuses when nobody runs", func(in *readiness.Input) { in.Views[0] = stopped("attic") }, "no node runs"},
		{"does not say that nobody runs when one cannot be looked at", func(in *readiness.Input) {
			in.Views[0] = readiness.View{Name: "attic", Err: errors.New("no route to host")}
		}, "whether it runs on attic cannot be seen"},
		{"refuses when two run", func(in *readiness.Input) { in.Views[1] = running("cellar") }, "runs on attic and cellar"},
		{"refuses when the active has lost its stick", func(in *readiness.Input) { in.Views[0].Observed.TTYHolders = nil }, "does not hold"},
		{"refuses when another program holds the active's stick", func(in *readiness.Input) { in.Views[0].Observed.DataHolders = nil }, "does not use the data"},
		{"refuses when a node cannot be looked at", func(in *readiness.Input) {
			in.Views[1] = readiness.View{Name: "cellar", Err: errors.New("no route")}
		}, "no route"},
		{"refuses one stick under two names", func(in *readiness.Input) {
			in.Views[1].Observed.HostID, in.Views[1].Observed.TTYDevice = "attic", "/dev/attic"
		}, "same stick"},
		{"refuses one network stick under two names", func(in *readiness.Input) {
			in.Views[0].Observed.TTYDevice, in.Views[1].Observed.TTYDevice = "tcp://192.0.2.1:6638", "tcp://192.0.2.1:6638"
		}, "same stick"},
		{"refuses one directory under two names", func(in *readiness.Input) {
			in.Views[1].Observed.HostID, in.Views[1].Observed.DataID = "attic", "attic"
		}, "same data directory"},
		{"refuses when Zigbee2MQTT is silent", func(in *readiness.Input) { in.Bridge.Err = errors.New("nothing came") }, "nothing came"},
		{"refuses when somebody else speaks", func(in *readiness.Input) { in.Bridge.Node = "shed" }, "it says it is shed"},
		{"refuses during an interview", func(in *readiness.Input) { in.Bridge.Interviewed = []string{"lamp"} }, "lamp is being interviewed"},
		{"refuses a missing stick", func(in *readiness.Input) { in.Views[1].Observed.TTYPresent = false }, "does not exist"},
		{"refuses a full disk", func(in *readiness.Input) { in.Views[1].Observed.FreeBytes = 1 << 20 }, "1 MB free"},
		{"refuses a stick that does not answer", func(in *readiness.Input) {
			in.Views[1].Stick, in.Views[1].StickErr = nil, errors.New("not a Z-Stack stick")
		}, "not a Z-Stack stick"},
		{"is ready with a service that does not tell its state", func(in *readiness.Input) { in.Views[1].Observed.Service = network.ServiceUnknown }, ""},
		{"refuses a service that does not exist", func(in *readiness.Input) {
			in.Views[1].Observed.Service = network.ServiceUnknown
			in.Views[1].Observed.ServiceTrouble = &network.RefusedError{What: "ask", Why: "there is no unit z2m", Remedy: "check the name"}
		}, "there is no unit z2m; on cellar: check the name"},
		{"is ready with a masked service", func(in *readiness.Input) { in.Views[1].Observed.Enabled = "masked" }, ""},
		{"refuses another version", func(in *readiness.Input) { in.Views[1].Observed.Version = "2.1.0" }, "versions 2.14.1 and 2.1.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := good()
			tt.spoil(&in)
			a := readiness.Assess(in)
			err := a.Refusal("switchover")
			if tt.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want a refusal with %q", err, tt.want)
			}
			for _, c := range a.Blocking() {
				if c.Evidence == "" || c.Fix == "" {
					t.Errorf("%s blocks without evidence or remedy", c.ID)
				}
			}
		})
	}
}

func TestSyncNeedsNoReadyStick(t *testing.T) {
	in := good()
	in.Views[1].Stick, in.Views[1].StickErr = nil, errors.New("mute")
	in.Views[1].Observed.Version = "2.1.0"
	in.Views[1].Observed.ServiceTrouble = &network.RefusedError{Why: "no such container"}
	if err := readiness.Assess(in).ForSync().Refusal("sync"); err != nil {
		t.Error(err)
	}
}
