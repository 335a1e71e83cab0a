package discovery_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
	"z2mha/internal/homeassistant/discovery/discoverytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	noon    = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	options = discovery.Options{
		Version:          "0.2.0",
		ConfigurationURL: "homeassistant://app/local_zigbee2mqtt_ha",
		Origin:           discovery.Origin{SupportURL: "https://github.com/z2mha/z2mha"},
	}
)

func light(state status.LightState, text string) status.Light {
	return status.Light{State: state, Text: text, Evidence: "seen over SSH", At: noon}
}

func active(name string) status.Node {
	return status.Node{
		Name: name, Role: network.RoleActive, Kind: "systemd", Address: "192.0.2.10", Seen: noon.Add(-5 * time.Second),
		Latency: 41 * time.Millisecond, Version: "2.12.1", Firmware: "20240710",
		Host: light(status.LightGood, "reachable"), Service: light(status.LightGood, "running"),
		Dongle: light(status.LightGood, "present"), Radio: light(status.LightGood, "on air"), Why: "it is active",
	}
}

func standby(name string) status.Node {
	n := active(name)
	n.Role, n.Service, n.Radio = network.RoleStandby, light(status.LightGood, "stopped"), light(status.LightGood, "silent (HOLD)")
	n.CanTake, n.Why, n.Kind = true, "", "openrc"
	return n
}

// home is a network in good order.
func home(name string, nodes ...status.Node) status.Network {
	n := status.Network{
		Name: name, At: noon, Protection: status.Protected, Nodes: nodes, Active: nodes[0].Name, Recorded: nodes[0].Name,
		Since: noon.Add(-48 * time.Hour), LastSync: noon.Add(-10*time.Minute - 25*time.Second), Devices: 31, Moves: 4, Generation: 17,
		Last: &status.Move{
			Run: "20261120-101500-home", At: noon.Add(-48 * time.Hour), From: nodes[1].Name, To: nodes[0].Name, By: "Owner on the page",
			Cause: status.CauseManual, Outcome: plan.Completed, Duration: 64*time.Second + 230*time.Millisecond, Outage: 21 * time.Second,
		},
	}
	n.Policy = decide.DefaultPolicy
	n.Conditions = []health.Condition{{Kind: health.Healthy, Node: nodes[0].Name, Evidence: []string{"looked at 2 s ago"}}}
	n.Decision = &status.Decision{At: noon, Since: noon.Add(-time.Hour), Action: decide.Nothing, Reasons: []string{nodes[0].Name + " serves", "looked at 2 s ago"},
		Told: []string{nodes[0].Name + " serves", "looked at 0 s ago"}}
	n.Rehearsal = noon.Add(15*time.Hour + 31*time.Minute)
	for _, node := range nodes[1:] {
		if node.CanTake {
			n.Ready = append(n.Ready, node.Name)
		}
	}
	return n
}

func degraded() status.Network {
	dead := status.Node{
		Name: "cellar", Role: network.RoleOffline, Kind: "docker", OutOfSync: true,
		Host: light(status.LightBad, "not reachable"), Service: light(status.LightUnknown, ""), Dongle: light(status.LightUnknown, ""),
		Why: "cellar cannot be reached",
	}
	n := home("holiday_home", active("attic"), standby("garage"), dead)
	n.Protection = status.Degraded
	n.Reasons = []status.Reason{{Node: "cellar", What: "cellar cannot be reached over SSH", Fix: "Look whether the host has power and network."}}
	n.Hold = status.Hold{On: true, Since: noon, By: "Guest on the page"}
	n.Last, n.Moves, n.LastSync, n.Devices = nil, 0, time.Time{}, -1
	n.Policy.AcceptRisk = decide.RiskWords
	n.Conditions = []health.Condition{{Kind: health.HostLostBridgeOffline, Node: "attic"}}
	n.Decision = &status.Decision{At: noon, Since: noon, Action: decide.Ask, Node: "attic", To: "garage", Told: []string{"attic cannot be asked"},
		Question: &decide.Question{ID: "fence attic", Text: "attic cannot be asked, so its stick may be on air.", Fix: "Pull the stick out of attic."}, Refused: "attic cannot be looked at"}
	n.CoolDown = noon.Add(time.Hour)
	return n
}

func unseen() status.Network {
	return status.Network{Name: "home", Devices: -1, Nodes: []status.Node{{Name: "pi"}, {Name: "nuc"}}}
}

func moving() status.Network {
	n := home("home", active("pi"), standby("nuc"))
	n.Protection = status.Acting
	n.Run = &status.Run{Plan: plan.Plan{Kind: plan.KindSwitchover}}
	n.Nodes[1].CanTake, n.Nodes[1].Why = false, "a plan is being carried out"
	n.Last = &status.Move{At: noon, From: "pi", To: "nuc", Cause: status.CauseManual}
	return n
}

const nasty = "<img src=x onerror=\"alert(1)\">'{{ 7*7 }}\n\u202etxt.exe\x00 Küche \xff"

func hostile() status.Network {
	long := strings.Repeat("ä", 200)
	n := home(nasty, active(long), standby("none"), standby("cmd"))
	n.Nodes[0].Version, n.Nodes[0].Kind = nasty, nasty
	n.Protection = status.Degraded
	for range 50 {
		n.Reasons = append(n.Reasons, status.Reason{Node: long, What: strings.Repeat(nasty, 30), Fix: nasty})
	}
	n.Hold.By, n.Unproven = long, nasty
	return n
}

var cases = []struct {
	name     string
	networks []status.Network
}{
	{"good", []status.Network{home("home", active("pi"), standby("nuc"))}},
	{"two-networks", []status.Network{home("home", active("pi"), standby("nuc")), degraded()}},
	{"unseen", []status.Network{unseen()}},
	{"moving", []status.Network{moving()}},
	{"hostile", []status.Network{hostile()}},
}

// tree is everything that is retained.
func tree(networks []status.Network) discoverytest.Tree {
	out := discoverytest.Tree{}
	for _, d := range discovery.Devices(networks, options) {
		out[d.Topic] = string(d.Payload(nil))
	}
	for _, m := range slices.Concat(discovery.Availability(networks, options), discovery.States(networks, options, noon)) {
		out[m.Topic] = string(m.Payload)
	}
	return out
}

func TestHomeAssistantTakesEverything(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, wrong := range discoverytest.Check(tree(c.networks), discoverytest.Ours) {
				t.Error(wrong)
			}
		})
	}
}

func TestTheFullTableOfKeysAgrees(t *testing.T) {
	rules, ok := discoverytest.Shared(t)
	if !ok {
		t.Log("no table of keys beside the repository; our own rules are checked elsewhere")
		return
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, wrong := range discoverytest.Check(tree(c.networks), rules) {
				t.Error(wrong)
			}
		})
	}
}

// What is checked must be able to fail.
func TestTheRulesFindMistakes(t *testing.T) {
	for want, change := range map[string][2]string{
		"the key ~ is not allowed":               {`{"device":`, `{"~":"z2mha","device":`},
		"the key object_id is not allowed":       {`"default_entity_id":"sensor.z2mha_home_pi_role"`, `"object_id":"role"`},
		"the unique id z2mha_home_problem":       {`"unique_id":"z2mha_home_standby_ready"`, `"unique_id":"z2mha_home_problem"`},
		"default_entity_id":                      {`sensor.z2mha_home_protection`, `protection`},
		"has no member":                          {`"protection":"protected",`, ``},
		"is not an option":                       {`"protection":"protected",`, `"protection":"good",`},
		"unit \"kg\" for duration":               {`"unit_of_measurement":"s"`, `"unit_of_measurement":"kg"`},
		"exclude one another":                    {`"qos":1`, `"qos":1,"availability_topic":"x"`},
		"availability topic \"z2mha/home/switch": {`"topic":"z2mha/home/switchover_available"`, `"topic":"z2mha/home/switchover_availible"`},
		"via_device z2mha_hom is nobody":         {`"via_device":"z2mha_home"`, `"via_device":"z2mha_hom"`},
		"is not in sentence case":                {`"name":"Active node"`, `"name":"Active Node"`},
		"the attribute state is not taken":       {`"summary":`, `"state":`},
		"configuration_url":                      {`homeassistant://app`, `ftp://app`},
	} {
		good := tree(cases[0].networks)
		for topic, payload := range good {
			good[topic] = strings.ReplaceAll(payload, change[0], change[1])
		}
		wrong := strings.Join(discoverytest.Check(good, discoverytest.Ours), "\n")
		if !strings.Contains(wrong, want) {
			t.Errorf("want %q, found:\n%s", want, wrong)
		}
	}
}

func TestGolden(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := pretty(t, tree(c.networks))
			file := filepath.Join("testdata", c.name+".golden")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("run with -update if this is meant:\n%s", diff)
			}
		})
	}
}

// pretty is one topic after the other, JSON indented.
func pretty(t testing.TB, tree discoverytest.Tree) []byte {
	t.Helper()
	var out bytes.Buffer
	var topics []string
	for topic := range tree {
		topics = append(topics, topic)
	}
	slices.Sort(topics)
	for _, topic := range topics {
		out.WriteString("== " + topic + "\n")
		if !strings.HasPrefix(tree[topic], "{") {
			out.WriteString(tree[topic])
		} else if err := json.Indent(&out, []byte(tree[topic]), "", " "); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n")
	}
	return out.Bytes()
}

func TestWhatHomeAssistantShows(t *testing.T) {
	got := discoverytest.Entities(tree([]status.Network{home("home", active("pi"), standby("nuc")), degraded()}))
	want := map[string]string{
		"sensor.z2mha_home_protection":                        "protected",
		"sensor.z2mha_home_active_node":                       "pi",
		"select.z2mha_home_active_node_select":                "pi",
		"binary_sensor.z2mha_home_problem":                    "OFF",
		"binary_sensor.z2mha_home_standby_ready":              "ON",
		"binary_sensor.z2mha_home_switching":                  "OFF",
		"sensor.z2mha_home_last_sync":                         "2026-11-22T11:49:35+00:00",
		"sensor.z2mha_home_sync_age":                          "600",
		"sensor.z2mha_home_last_switchover":                   "2026-11-20T12:00:00+00:00",
		"sensor.z2mha_home_last_switchover_reason":            "manual",
		"sensor.z2mha_home_last_switchover_duration":          "64.2",
		"sensor.z2mha_home_switchovers":                       "4",
		"sensor.z2mha_home_devices":                           "31",
		"button.z2mha_home_switchover":                        "unknown",
		"switch.z2mha_home_auto_failover":                     "unavailable",
		"switch.z2mha_home_hold":                              "OFF",
		"sensor.z2mha_home_pi_role":                           "active",
		"button.z2mha_home_pi_activate":                       "unavailable",
		"button.z2mha_home_nuc_activate":                      "unknown",
		"binary_sensor.z2mha_home_pi_zigbee2mqtt":             "ON",
		"binary_sensor.z2mha_home_nuc_zigbee2mqtt":            "OFF",
		"sensor.z2mha_home_nuc_last_seen":                     "2026-11-22T11:59:00+00:00",
		"sensor.z2mha_home_nuc_latency":                       "41",
		"sensor.z2mha_home_nuc_firmware":                      "20240710",
		"sensor.z2mha_holiday_home_last_sync":                 "unknown",
		"sensor.z2mha_holiday_home_devices":                   "unknown",
		"sensor.z2mha_holiday_home_last_switchover":           "unknown",
		"switch.z2mha_holiday_home_hold":                      "ON",
		"binary_sensor.z2mha_holiday_home_problem":            "ON",
		"binary_sensor.z2mha_holiday_home_cellar_host":        "OFF",
		"binary_sensor.z2mha_holiday_home_cellar_problem":     "ON",
		"binary_sensor.z2mha_holiday_home_garage_problem":     "OFF",
		"sensor.z2mha_holiday_home_cellar_version":            "unknown",
		"sensor.z2mha_holiday_home_last_switchover_reason":    "none",
		"binary_sensor.z2mha_holiday_home_cellar_zigbee2mqtt": "unknown",
	}
	for id, state := range want {
		if got[id] != state {
			t.Errorf("%s is %q, want %q", id, got[id], state)
		}
	}
}

func TestNothingIsClaimedBeforeTheFirstLook(t *testing.T) {
	got := discoverytest.Entities(tree([]status.Network{unseen()}))
	for _, id := range []string{
		"sensor.z2mha_home_protection", "sensor.z2mha_home_active_node", "binary_sensor.z2mha_home_problem",
		"binary_sensor.z2mha_home_standby_ready", "sensor.z2mha_home_pi_role", "binary_sensor.z2mha_home_pi_host",
	} {
		if got[id] != "unknown" {
			t.Errorf("%s is %q", id, got[id])
		}
	}
}

// No two pairs of names may share a device, a topic or an option.
func TestNamesStayApart(t *testing.T) {
	names := []string{"a", "a_b", "b", "b_c", "c", "a_", "_b", "A", "home", "home_pi", "pi", "cmd", "none", "None", "unknown", "ä", "ö", "",
		" a", "a b", "a  b", "a/b", "a#", "+", strings.Repeat("x", 200), strings.Repeat("x", 201), "state", nasty}
	var networks []status.Network
	for _, n := range names {
		x := status.Network{Name: n}
		for _, node := range names {
			x.Nodes = append(x.Nodes, status.Node{Name: node})
		}
		networks = append(networks, x)
	}
	seen := map[string]bool{}
	once := func(key string) {
		if seen[key] {
			t.Fatalf("%q twice", key)
		}
		seen[key] = true
	}
	commands := map[string]bool{}
	for _, d := range discovery.Devices(networks, options) {
		once(d.Topic)
		for _, c := range d.Components {
			once(c.Platform + " " + c.UniqueID)
			if c.CommandTopic != "" {
				commands[c.CommandTopic] = true
			}
		}
	}
	for _, m := range slices.Concat(discovery.Availability(networks, options), discovery.States(networks, options, noon)) {
		once(m.Topic)
		if _, ok := discovery.Locate(networks, options, m.Topic); ok || strings.ContainsAny(m.Topic, "+#\x00 ") {
			t.Errorf("topic %q", m.Topic)
		}
	}
	for _, n := range names {
		once("label " + discovery.Label(n))
	}
	if want := len(names)*5 + len(names)*len(names); len(commands) != want {
		t.Errorf("%d command topics, want %d", len(commands), want)
	}
	for topic := range commands {
		if target, ok := discovery.Locate(networks, options, topic); !ok || !target.Known {
			t.Errorf("%q leads nowhere", topic)
		}
	}
}

func TestLabelsAreOneLineForPeople(t *testing.T) {
	clean := regexp.MustCompile(`^[^\p{C}]{1,64}$`)
	for _, name := range []string{nasty, strings.Repeat("ä", 200), "\x00", "\n", "None"} {
		label := discovery.Label(name)
		if !clean.MatchString(label) || strings.EqualFold(label, "none") {
			t.Errorf("%q becomes %q", name, label)
		}
	}
	if got := discovery.Label("living_room"); got != "living_room" {
		t.Errorf("a good name becomes %q", got)
	}
}

func TestAGoneComponentIsNamedByItsPlatformOnly(t *testing.T) {
	d := discovery.Devices([]status.Network{unseen()}, options)[0]
	var got struct {
		Components map[string]map[string]any `json:"components"`
	}
	if err := json.Unmarshal(d.Payload(map[string]string{"rehearse": "button"}), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"platform": "button"}, got.Components["rehearse"]); diff != "" {
		t.Error(diff)
	}
	if len(got.Components) != len(d.Platforms())+1 {
		t.Error("the others are missing")
	}
}

func TestEvents(t *testing.T) {
	m, ok := discovery.Event(status.Event{
		At: noon, Network: "home", Type: status.EventSwitchoverCompleted, Text: "nuc is active now", From: "pi", To: "nuc",
		Cause: status.CauseManual, By: "MQTT", Run: "r1", Duration: 64200 * time.Millisecond,
	}, options)
	want := `{"event_type":"switchover_completed","at":"2026-11-22T12:00:00+00:00","text":"nuc is active now","from":"pi","to":"nuc",` +
		`"reason":"manual","by":"MQTT","run":"r1","duration":64.2}`
	if !ok || m.Topic != "z2mha/home/event" || string(m.Payload) != want {
		t.Errorf("%v %s %s", ok, m.Topic, m.Payload)
	}
	for _, kind := range status.EventTypes {
		if _, ok := discovery.Event(status.Event{Type: kind}, options); !ok {
			t.Errorf("%s is not shown", kind)
		}
	}
	if _, ok := discovery.Event(status.Event{Type: status.EventStepDone}, options); ok {
		t.Error("a step is shown")
	}
}

func TestOptions(t *testing.T) {
	o := discovery.Options{Prefix: "ha", Base: "top/zigbee", ConfigurationURL: "javascript:alert(1)"}
	d := discovery.Devices([]status.Network{unseen()}, o)
	if d[0].Topic != "ha/device/z2mha_home/config" || strings.Contains(string(d[0].Payload(nil)), "javascript") {
		t.Errorf("%s %s", d[0].Topic, d[0].Payload(nil))
	}
	if got := o.BirthTopics(); !slices.Equal(got, []string{"homeassistant/status", "ha/status"}) {
		t.Errorf("births %q", got)
	}
	if w := discovery.Will(o.Base); w.Topic != "top/zigbee/status" || string(w.Payload) != "offline" {
		t.Errorf("will %s %s", w.Topic, w.Payload)
	}
	target, ok := discovery.Locate([]status.Network{unseen()}, o, "top/zigbee/home/nuc/cmd/activate")
	if !ok || !target.OfNode || target.Node.Name != "nuc" || target.Command != discovery.Activate {
		t.Errorf("%+v %v", target, ok)
	}
}
