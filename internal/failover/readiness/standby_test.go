package readiness_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
	"z2mha/internal/failover/readiness"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

var ours = zigbee.Identity{PanID: 0x4a21, ExtPanID: 0x0102030405060708, Channel: 15, IEEE: 0x00124b0000000001, Key: zigbee.Key{7}}

// full is a home about which everything is known, and all is well. Its evidence is of
// different ages: the look 10 s, the stick 4 min, its memory 20 min, staging 30 min.
func full() readiness.Input {
	in := good()
	in.Now, in.HostID = noon, "indoors"
	for _, v := range in.Views {
		v.Observed.At = noon.Add(-10 * time.Second)
		v.Observed.Service, v.Observed.Enabled = network.ServiceStopped, "no"
		v.Observed.Privileges = "root through sudo"
		v.Observed.Broker = &network.Reach{Address: "broker.example:1883", OK: true, Took: 3 * time.Millisecond}
	}
	air := in.Views[0].Observed
	air.Service, air.Enabled = network.ServiceRunning, "yes"
	in.Views[1].StickAt = noon.Add(-4 * time.Minute)
	in.Views[1].Stick.Address = ours.IEEE
	in.Bridge.At = noon.Add(-5 * time.Second)
	in.Bridge.Coordinator, in.Bridge.PanID, in.Bridge.ExtPanID, in.Bridge.Channel = ours.IEEE, ours.PanID, ours.ExtPanID, ours.Channel
	in.Bridge.Revision = 20250321
	in.Newest = generation.Generation{Number: 14, At: noon.Add(-time.Hour), Summary: generation.Summary{
		PanID: ours.PanID.String(), Coordinator: ours.IEEE.String(), KeyFingerprint: ours.Key.Fingerprint(), Version: "2.14.1"}}
	in.Holds = map[string]zigbee.Identity{"cellar": ours}
	odo := odometer.Odometer{}.Captured(100_000, noon.Add(-2*time.Minute))
	in.Record = network.Record{Network: "home", Active: "attic", Odometer: odo,
		Captured: noon.Add(-2 * time.Minute), BackedUp: noon.Add(-3 * time.Minute),
		Sticks: map[string]network.StickRecord{"cellar": {Image: "abc", Generation: 14, Reserved: odo.Reservation(noon),
			Verified: noon.Add(-20 * time.Minute)}},
		Staged: map[string]network.StagedRecord{"cellar": {Generation: 14, At: noon.Add(-30 * time.Minute)}}}
	return in
}

func TestEveryCheckHoldsAndHasItsAge(t *testing.T) {
	a := readiness.Assess(full())
	ages := map[string]time.Duration{
		"reachable": 10 * time.Second, "privileges": 10 * time.Second, "service": 10 * time.Second, "stopped": 10 * time.Second,
		"stick-free": 10 * time.Second, "autostart": 10 * time.Second, "stick-present": 10 * time.Second,
		"stick-answers": 4 * time.Minute, "hold": 4 * time.Minute, "firmware": 4 * time.Minute,
		"identity": 20 * time.Minute, "current": 20 * time.Minute, "reserved": 20 * time.Minute, "staged": 30 * time.Minute,
		"version": 10 * time.Second, "space": 10 * time.Second, "broker": 10 * time.Second,
		"broker-apart": 10 * time.Second, "controller-apart": 10 * time.Second,
	}
	var got []string
	for _, c := range a.Checks {
		age, known := c.Age(noon)
		if !c.OK || c.Warning || c.Note || c.Evidence == "" || c.Fix != "" || !known {
			t.Errorf("%+v", c)
		}
		if c.Node != "cellar" {
			continue
		}
		got = append(got, c.ID)
		if age != ages[c.ID] {
			t.Errorf("%s is %s old, want %s", c.ID, age, ages[c.ID])
		}
	}
	if len(got) != len(ages) {
		t.Errorf("the stand-by has the checks %v", got)
	}
	if ok, why := readiness.Warm(full(), "cellar"); !ok {
		t.Errorf("not warm: %v", why)
	}
}

func TestChecksThatFail(t *testing.T) {
	stick := func(change func(*network.StickRecord)) func(*readiness.Input) {
		return func(in *readiness.Input) {
			s := in.Record.Sticks["cellar"]
			change(&s)
			in.Record.Sticks["cellar"] = s
		}
	}
	look := func(change func(*network.Observation)) func(*readiness.Input) {
		return func(in *readiness.Input) { change(in.Views[1].Observed) }
	}
	const blocks, warns, notes = "blocks", "warns", "notes"
	for _, tt := range []struct {
		name     string
		spoil    func(in *readiness.Input)
		id       string
		how      string
		evidence string
		fix      string
		warm     bool // still
	}{
		{"cannot be reached", func(in *readiness.Input) {
			in.Views[1] = readiness.View{Name: "cellar", Err: errors.New("no route")}
		}, "reachable", blocks, "no route", "make cellar reachable", true},
		{"has a service that nobody knows", look(func(o *network.Observation) {
			o.ServiceTrouble = &network.RefusedError{Why: "there is no unit z2m", Remedy: "check the name"}
		}), "service", blocks, "no unit z2m", "on cellar: check the name", true},
		{"has its data in use", look(func(o *network.Observation) { o.DataHolders = []network.Process{{PID: 9, Command: "node"}} }),
			"stopped", blocks, "node (pid 9) still uses the data", "on cellar", true},
		{"is believed to run", look(func(o *network.Observation) { o.Service = network.ServiceRunning }),
			"stopped", blocks, "no process was seen", "on cellar", true},
		{"has its stick open", look(func(o *network.Observation) { o.TTYHolders = []network.Process{{PID: 9, Command: "cat"}} }),
			"stick-free", blocks, "cat (pid 9) still holds /dev/cellar", "on cellar", true},
		{"starts at boot", look(func(o *network.Observation) { o.Enabled = "yes" }), "autostart", warns, "two coordinators", "disable", true},
		{"has no stick", look(func(o *network.Observation) { o.TTYPresent = false }), "stick-present", blocks, "does not exist", "plug", true},
		{"has a mute stick", func(in *readiness.Input) { in.Views[1].Stick, in.Views[1].StickErr = nil, errors.New("no reply") },
			"stick-answers", blocks, "no reply", "`dongle` of cellar", true},
		{"may be on air", func(in *readiness.Input) { in.Views[1].Stick.Silent, in.Views[1].Stick.State = false, "COORDINATOR" },
			"hold", warns, "COORDINATOR", "resets it first", true},
		{"has another firmware, and holds the network", func(in *readiness.Input) { in.Views[1].Stick.Stick.Revision = 20240710 },
			"firmware", notes, "it holds the network already", "flash revision 20250321", true},
		{"has another firmware, and was about to be written", func(in *readiness.Input) {
			in.Views[1].Stick.Stick.Revision = 20240710
			half := in.Record.Sticks["cellar"]
			half.Writing = true
			in.Record.Sticks["cellar"] = half
		}, "firmware", blocks, "of attic has firmware revision 20250321", "flash revision 20250321", false},
		{"has another firmware", func(in *readiness.Input) { in.Views[1].Stick.Stick.Revision, in.Copies = 20240710, true },
			"firmware", blocks, "of attic has firmware revision 20250321, that of cellar has 20240710", "flash revision 20250321", true},
		{"has another firmware than the last copy, while nobody tells", func(in *readiness.Input) {
			in.Bridge.Revision, in.Newest.Stick, in.Copies = 0, nvimage.Stick{Revision: 20240710}, true
		}, "firmware", blocks, "that of cellar has 20250321", "flash revision 20240710", true},

		{"was loaded with another network", func(in *readiness.Input) {
			other := ours
			other.PanID = 0x1111
			in.Holds["cellar"] = other
		}, "identity", warns, "PAN id 0x1111 is not 0x4a21", "z2mha seed", false},
		{"was loaded with another key", func(in *readiness.Input) {
			other := ours
			other.Key[0]++
			in.Holds["cellar"] = other
		}, "identity", warns, "network key", "z2mha seed", false},
		{"was exchanged", func(in *readiness.Input) { in.Views[1].Stick.Address = 0x00124b0000000002 },
			"identity", warns, "it was exchanged", "z2mha seed", false},
		{"was never loaded", func(in *readiness.Input) {
			in.Record.Sticks, in.Holds, in.Views[1].Stick.Address = nil, nil, 0x00124b0000000002
		}, "identity", notes, "not loaded yet", "z2mha seed", false},
		{"has a stick of which nothing is known", func(in *readiness.Input) { in.Record.Sticks, in.Holds = nil, nil },
			"current", notes, "not known", "z2mha seed", false},
		{"has a stick whose image cannot be read", func(in *readiness.Input) { in.Holds = nil }, "current", notes, "not known", "z2mha seed", false},
		{"could not be kept current", stick(func(s *network.StickRecord) { s.Trouble, s.TroubleFix = "it refused item 3", "unplug it once" }),
			"current", warns, "it refused item 3", "unplug it once", false},
		{"could not be kept current, for whatever reason", stick(func(s *network.StickRecord) { s.Trouble = "it refused item 3" }),
			"current", warns, "it refused item 3", "sync now", false},
		{"holds an old copy", stick(func(s *network.StickRecord) { s.Generation = 12 }), "current", warns, "it holds copy 12, the latest is 14", "sync now", true},
		{"is behind a copy that was made just now", func(in *readiness.Input) { in.Newest.Number, in.Newest.At = 15, noon.Add(-time.Minute) },
			"current", notes, "it holds copy 14, the latest is 15", "sync now", true},
		{"has a counter that was overtaken", stick(func(s *network.StickRecord) { s.Reserved = 100_000 }),
			"reserved", warns, "100000 is written", "raised", false},
		{"has a counter that will be overtaken", func(in *readiness.Input) {
			s := in.Record.Sticks["cellar"]
			s.Reserved = in.Record.Odometer.Floor(noon)
			in.Record.Sticks["cellar"] = s
		}, "reserved", notes, "not for another day", "raised", true},
		{"has an old copy of the data", func(in *readiness.Input) { in.Record.Staged["cellar"] = network.StagedRecord{Generation: 2} },
			"staged", warns, "copy 2 lies there, the latest is 14", "sync now", true},
		{"has no copy of the data on record", func(in *readiness.Input) { in.Record.Staged = nil }, "staged", notes, "not on record", "sync now", true},
		{"is behind with the data of just now", func(in *readiness.Input) { in.Newest.Number, in.Newest.At = 15, noon.Add(-time.Minute) },
			"staged", notes, "copy 14 lies there", "sync now", true},

		{"has another version", look(func(o *network.Observation) { o.Version = "2.1.0" }), "version", blocks, "versions 2.14.1 and 2.1.0", "one version", true},
		{"has a full disk", look(func(o *network.Observation) { o.FreeBytes = 1 << 20 }), "space", blocks, "1 MB free", "free at least 50 MB on cellar", true},
		{"does not reach the broker", look(func(o *network.Observation) { o.Broker = &network.Reach{Address: "b:1", Why: "no route to host"} }),
			"broker", blocks, "b:1 cannot be reached from here: no route to host", "cellar may reach it", true},
		{"has the broker", look(func(o *network.Observation) { o.BrokerHere = true }), "broker-apart", notes, "on the machine of cellar", "without a node", true},
		{"has this controller", look(func(o *network.Observation) { o.HostID = "indoors" }), "controller-apart", notes, "this stand-by is gone", "another machine", true},
		{"has a watchdog", look(func(o *network.Observation) { o.Watchdog = "1" }), "watchdog", warns, `"1"`, "on cellar", true},
		{"has ModemManager", look(func(o *network.Observation) { o.ModemManager = true }), "modem-manager", warns, "/dev/cellar", "remove", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := full()
			tt.spoil(&in)
			c, ok := find(readiness.Assess(in), tt.id, "cellar")
			if !ok {
				t.Fatalf("there is no check %s", tt.id)
			}
			how := map[bool]string{true: blocks, false: warns}[c.Blocks()]
			if c.Note {
				how = notes
			}
			if c.OK || how != tt.how || c.Note && !c.Warning {
				t.Errorf("it %s, want it %s: %+v", how, tt.how, c)
			}
			if !strings.Contains(c.Evidence, tt.evidence) || !strings.Contains(c.Fix, tt.fix) {
				t.Errorf("evidence %q, fix %q", c.Evidence, c.Fix)
			}
			if refused := readiness.Assess(in).Refusal("switchover") != nil; refused != (tt.how == blocks) {
				t.Errorf("refused: %v", refused)
			}
			if warm, why := readiness.Warm(in, "cellar"); warm != tt.warm || warm == (len(why) > 0) {
				t.Errorf("warm %v: %v", warm, why)
			}
			if err := readiness.Assess(in).ForSync().Refusal("sync"); err != nil && tt.id != "space" && tt.name != "has its data in use" { // then two are active
				t.Errorf("a sync is refused: %v", err)
			}
		})
	}
}

func TestActiveIsJudgedByLess(t *testing.T) {
	in := full()
	in.Views[0].Observed.BrokerHere, in.Views[0].Observed.HostID = true, "indoors"
	a := readiness.Assess(in)
	for _, id := range []string{"broker-apart", "controller-apart"} {
		if c, _ := find(a, id, "attic"); !c.Note || c.Evidence == "" || c.Fix == "" {
			t.Errorf("%s: %+v", id, c)
		}
	}
	for _, id := range []string{"stopped", "stick-free", "hold", "firmware", "identity", "current", "reserved", "staged", "version"} {
		if c, ok := find(a, id, "attic"); ok {
			t.Errorf("the active node has %+v", c)
		}
	}
}

func TestAnotherStandbyNeedOnlyBeSilent(t *testing.T) {
	in := full()
	in.Views = append(in.Views, stopped("shed"))
	in.Views[2].Observed.Version, in.Views[2].Observed.FreeBytes = "1.0.0", 0
	var got []string
	for _, c := range readiness.Assess(in).Checks {
		if c.Node == "shed" {
			got = append(got, c.ID)
		}
	}
	if want := []string{"reachable", "stopped", "stick-free", "stick-present"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	in.To = ""
	if c, ok := find(readiness.Assess(in), "version", "shed"); !ok || c.OK {
		t.Errorf("with no target named it is no candidate: %+v", c)
	}
}

func TestWhatIsNotKnownIsNotAsked(t *testing.T) {
	in := good()
	in.Bridge = nil
	in.Views[1].Stick = nil
	for _, c := range readiness.Assess(in).Checks {
		switch c.ID {
		case "hold", "firmware", "identity", "reserved", "staged", "broker", "broker-apart", "controller-apart", "captured", "backed-up":
			t.Errorf("%+v", c)
		}
	}
}

func TestAnyRevisionIsSaid(t *testing.T) {
	in := full()
	in.Views[1].Stick.Stick.Revision, in.AnyRevision = 20240710, true
	if c, _ := find(readiness.Assess(in), "firmware", "cellar"); !c.OK || !strings.Contains(c.Evidence, "allows") {
		t.Errorf("%+v", c)
	}
}

func TestOldCaptures(t *testing.T) {
	in := full()
	in.Record.Captured, in.Record.BackedUp = noon.Add(-30*time.Hour), noon.Add(-24*time.Hour)
	a := readiness.Assess(in)
	if c, _ := find(a, "captured", ""); c.OK || !c.Note || c.Evidence != "not for 30 hours" || c.Fix != "sync now" {
		t.Errorf("%+v", c)
	}
	if c, _ := find(a, "backed-up", ""); !c.OK || !c.At.Equal(in.Record.BackedUp) {
		t.Errorf("%+v", c)
	}
}

func TestAgeIsNeverNegative(t *testing.T) {
	if age, known := (readiness.Check{At: noon.Add(time.Second)}).Age(noon); age != 0 || !known {
		t.Errorf("%s %v", age, known)
	}
	if _, known := (readiness.Check{}).Age(noon); known {
		t.Error("a check without a time has an age")
	}
}
