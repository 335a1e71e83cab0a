package desk

import (
	"errors"
	"strings"
	"testing"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/failover/status"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// seenAt are looks at attic, which runs, and cellar, which does not, one after the
// other; change alters one of them.
func seenAt(changes ...func(st *engine.Status)) sight {
	var s sight
	for i, change := range changes {
		at := noon.Add(time.Duration(i) * time.Minute)
		st := engine.Status{Network: "home", Active: "attic", Bridge: &readiness.Bridge{Node: "attic"}, Views: []readiness.View{
			{Name: "attic", Observed: &network.Observation{At: at, FreeBytes: 1 << 30, TTY: "/dev/a", TTYPresent: true, HostID: "1", Service: network.ServiceRunning,
				TTYHolders: []network.Process{{PID: 7, Command: "node"}}, DataHolders: []network.Process{{PID: 7, Command: "node"}}}},
			{Name: "cellar", Observed: &network.Observation{At: at, FreeBytes: 1 << 30, TTY: "/dev/c", TTYPresent: true, HostID: "2", Service: network.ServiceStopped}},
		}}
		if change != nil {
			change(&st)
		}
		s = s.after(st, at, time.Second)
	}
	return s
}

// asked is a look that asks the stick of cellar.
func asked(st *engine.Status) {
	st.Views[1].Stick = &network.StickState{State: "HOLD", Silent: true, Stick: nvimage.Stick{Product: 1, Revision: 20240710}}
}

func cellar(change func(v *readiness.View)) func(st *engine.Status) {
	return func(st *engine.Status) { change(&st.Views[1]) }
}

func bridge(b readiness.Bridge) func(st *engine.Status) {
	return func(st *engine.Status) { st.Bridge = &b }
}

func TestLights(t *testing.T) {
	type light func(n status.Node) status.Light
	host := func(n status.Node) status.Light { return n.Host }
	service := func(n status.Node) status.Light { return n.Service }
	dongle := func(n status.Node) status.Light { return n.Dongle }
	radio := func(n status.Node) status.Light { return n.Radio }
	for _, tt := range []struct {
		name     string
		looks    []func(st *engine.Status)
		node     string
		light    light
		state    status.LightState
		text     string
		evidence string
		at       time.Time // zero: not checked
	}{
		{"host answers", []func(*engine.Status){nil}, "cellar", host, status.LightGood, "reachable", "SSH", noon},
		{"host is gone", []func(*engine.Status){cellar(func(v *readiness.View) { v.Observed, v.Err = nil, errors.New("no route") })},
			"cellar", host, status.LightBad, "not reachable", "no route", noon},
		{"active runs", []func(*engine.Status){nil}, "attic", service, status.LightGood, "running", "systemd says running; node (pid 7) holds /dev/a", noon},
		{"stand-by is stopped", []func(*engine.Status){nil}, "cellar", service, status.LightGood, "stopped", "nobody holds", noon},
		{"stand-by runs", []func(*engine.Status){cellar(func(v *readiness.View) {
			v.Observed.DataHolders = []network.Process{{PID: 9, Command: "node"}}
			v.Observed.TTYHolders = v.Observed.DataHolders
		})}, "cellar", service, status.LightBad, "running", "pid 9", noon},
		{"stand-by that is gone keeps what was seen, with its age", []func(*engine.Status){nil, cellar(func(v *readiness.View) { v.Observed, v.Err = nil, errors.New("no route") })},
			"cellar", service, status.LightUnknown, "was stopped", "nobody holds", noon},
		{"stick is missing", []func(*engine.Status){cellar(func(v *readiness.View) { v.Observed.TTYPresent = false })},
			"cellar", dongle, status.LightBad, "missing", "/dev/c does not exist", noon},
		{"stick answered a minute ago", []func(*engine.Status){asked, nil}, "cellar", dongle, status.LightGood, "answers", "revision 20240710", noon},
		{"stick does not answer", []func(*engine.Status){cellar(func(v *readiness.View) { v.StickErr = errors.New("no reply") })},
			"cellar", dongle, status.LightBad, "does not answer", "no reply", noon},
		{"stand-by was read silent a minute ago", []func(*engine.Status){asked, nil}, "cellar", radio, status.LightGood, "silent (HOLD)", "HOLD", noon},
		{"stand-by was never read", []func(*engine.Status){nil}, "cellar", radio, status.LightUnknown, "not known", "not asked", time.Time{}},
		{"stand-by ran since it was read", []func(*engine.Status){asked, cellar(func(v *readiness.View) {
			v.Observed.TTYHolders = []network.Process{{PID: 9, Command: "node"}}
		}), nil}, "cellar", radio, status.LightUnknown, "not known", "not asked", time.Time{}},
		{"stand-by was booted since it was read", []func(*engine.Status){asked, cellar(func(v *readiness.View) { v.Observed.HostID = "3" })},
			"cellar", radio, status.LightUnknown, "not known", "not asked", time.Time{}},
		{"our own helper is nobody", []func(*engine.Status){asked, cellar(func(v *readiness.View) {
			v.Observed.TTYHolders = []network.Process{{PID: 9, Command: "znp-helper", Ours: true}}
		})}, "cellar", radio, status.LightGood, "silent (HOLD)", "HOLD", noon},
		{"stand-by's stick is not silent", []func(*engine.Status){cellar(func(v *readiness.View) { v.Stick = &network.StickState{State: "ZB_COORD"} })},
			"cellar", radio, status.LightBad, "may be on air", "ZB_COORD", noon},
		{"active speaks with its mark", []func(*engine.Status){nil}, "attic", radio, status.LightGood, "on air", "says it is attic", noon},
		{"active has no mark yet", []func(*engine.Status){bridge(readiness.Bridge{})}, "attic", radio, status.LightGood, "on air", "no mark yet", noon},
		{"active is not heard", []func(*engine.Status){bridge(readiness.Bridge{Err: errors.New("silence")})}, "attic", radio, status.LightBad, "not heard", "silence", noon},
		{"somebody else speaks", []func(*engine.Status){bridge(readiness.Bridge{Node: "shed"})}, "attic", radio, status.LightBad, "somebody else speaks", "shed", noon},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := status.Node{Name: tt.node, Kind: "systemd"}
			seenAt(tt.looks...).lights(&n, "attic")
			got := tt.light(n)
			if got.State != tt.state || got.Text != tt.text || !strings.Contains(got.Evidence, tt.evidence) {
				t.Errorf("got %+v", got)
			}
			if !tt.at.IsZero() && !got.At.Equal(tt.at) {
				t.Errorf("evidence of %s, want %s", got.At, tt.at)
			}
		})
	}
}

func TestServiceLightNamesWhoSaysSo(t *testing.T) {
	for _, tt := range []struct {
		kind, state, want string
	}{
		{"openrc", "stopped", "openrc says stopped; nobody holds its stick or data"},
		{"", "", "the service manager says unknown; nobody holds its stick or data"},
		{"commands", "stopped", "its own command says stopped; nobody holds its stick or data"},
		{"commands", "", "nobody holds its stick or data"},
		{"commands", "unknown", "nobody holds its stick or data"},
	} {
		got := lamp{kind: tt.kind}.serviceOf(network.Observation{Service: network.ServiceState(tt.state)})
		if got.Evidence != tt.want {
			t.Errorf("%q %q: %q, want %q", tt.kind, tt.state, got.Evidence, tt.want)
		}
	}
}

func TestStickAnswersAreCarriedOver(t *testing.T) {
	silent := seenAt(cellar(func(v *readiness.View) { v.StickErr = errors.New("no reply") }), nil)
	if c := silent.candidates()[0]; c.ready() || !strings.Contains(c.whyNot(), "no reply") {
		t.Errorf("a stand-by whose stick did not answer is ready: %+v", c)
	}
	if c := seenAt(asked, nil).candidates()[0]; !c.ready() {
		t.Errorf("not ready: %+v", c)
	}
	found := false
	for _, c := range silent.checks() {
		found = found || c.ID == "stick-answers" && !c.OK
	}
	if !found {
		t.Errorf("checks %v", silent.checks())
	}
}
