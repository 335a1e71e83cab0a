package z2m_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"z2mha/internal/z2m"
)

// cellar is the stand-by of home: an older copy, edited by hand.
var cellar = dir{
	"configuration.yaml": `# The cellar's Zigbee2MQTT. Do not touch!
version: 5
z2mha: {node: cellar}

frontend:
    port: 8081          # 8080 is taken here
    host: 192.0.2.7
serial:
    # the second stick
    port: "/dev/serial/by-id/usb-cellar"
    rtscts: false
mqtt:
    server: 'mqtt://localhost:1883'	# broker on this host
    user: cellar
    password: '!secret mqtt_password'
    base_topic: zigbee2mqtt
    client_id: pair
advanced:
    log_directory: /var/log/z2m
    channel: 11   # old
    network_key: [1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13]
    last_seen: ISO_8601
# names
devices:
    '0x0000000000000a01': {friendly_name: old lamp}
`,
	"secret.yaml": "mqtt_password: swordfish # cellar\nunused: 1\n",
}

func merge(t testing.TB, in z2m.MergeInput) z2m.MergeOutput {
	t.Helper()
	out, err := z2m.Merge(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMergeKeepsTheTextOfTheTarget(t *testing.T) {
	out := merge(t, z2m.MergeInput{Active: home.get, Target: cellar.get})
	want := `# The cellar's Zigbee2MQTT. Do not touch!
version: 5
z2mha: {node: cellar}

frontend:
    port: 8081          # 8080 is taken here
    host: 192.0.2.7
    enabled: true
serial:
    # the second stick
    port: "/dev/serial/by-id/usb-cellar"
    rtscts: false
mqtt:
    server: 'mqtt://localhost:1883'	# broker on this host
    user: cellar
    password: '!secret mqtt_password'
    base_topic: zigbee2mqtt
    client_id: pair
advanced:
    log_directory: /var/log/z2m
    channel: 15   # old
    network_key: '!secret network_key'
    pan_id: 0x4a21
    ext_pan_id: [1, 2, 3, 4, 5, 6, 7, 8]
# names
devices: devices.yaml
`
	if diff := cmp.Diff(want, string(out.Configuration)); diff != "" {
		t.Error(diff)
	}
	secrets := "mqtt_password: swordfish # cellar\nunused: 1\nnetwork_key: [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]\n"
	if diff := cmp.Diff(secrets, string(out.Secrets["secret.yaml"])); diff != "" {
		t.Error(diff)
	}
	kept := []string{"z2mha", "serial", "frontend.host", "frontend.port", "mqtt.server", "mqtt.user", "mqtt.password", "mqtt.client_id", "advanced.log_directory"}
	if diff := cmp.Diff(kept, out.Kept); diff != "" {
		t.Error(diff)
	}
}

func TestMergeAgainChangesNoByte(t *testing.T) {
	for _, c := range []struct {
		name   string
		target dir
	}{{"with a configuration", cellar}, {"without", dir{}}} {
		t.Run(c.name, func(t *testing.T) {
			own := map[string]any{"serial.port": "/dev/ttyUSB0", "z2mha.node": "cellar"}
			first := merge(t, z2m.MergeInput{Active: home.get, Target: c.target.get, Own: own})
			result := dir{"configuration.yaml": string(first.Configuration), "secret.yaml": string(first.Secrets["secret.yaml"])}
			second := merge(t, z2m.MergeInput{Active: home.get, Target: result.get, Own: own})
			if diff := cmp.Diff(string(first.Configuration), string(second.Configuration)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(first.Secrets, second.Secrets); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMergeWithoutTargetStartsFromTheActivesText(t *testing.T) {
	active := edit("serial:\n", "# the stick\nserial:\n")(home, "configuration.yaml")
	active = edit("mqtt://192.0.2.1:1883", "mqtt://localhost:1883")(active, "configuration.yaml")
	out := merge(t, z2m.MergeInput{Active: active.get, Own: map[string]any{"serial.port": "/dev/ttyUSB0", "z2mha.node": "cellar"}})
	want := strings.Replace(active["configuration.yaml"], "/dev/serial/by-id/usb-attic", "/dev/ttyUSB0", 1)
	want = strings.Replace(want, "  port: 8080\n", "", 1) + "z2mha:\n  node: cellar\n"
	if diff := cmp.Diff(want, string(out.Configuration)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(home["secret.yaml"], string(out.Secrets["secret.yaml"])); diff != "" {
		t.Error(diff)
	}
	if len(out.Kept) > 0 || len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "mqtt://localhost:1883, which means another machine") {
		t.Errorf("kept %q, warnings %q", out.Kept, out.Warnings)
	}
}

func TestMergeWritesTheIdentityOut(t *testing.T) {
	active := dir{"configuration.yaml": "mqtt:\n  server: mqtt://x\nserial:\n  port: /dev/a\n"}
	target := dir{"configuration.yaml": "# mine\nmqtt:\n  server: mqtt://y\nserial:\n  port: /dev/b\nadvanced:\n  pan_id: 1\n"}
	out := merge(t, z2m.MergeInput{Active: active.get, Target: target.get})
	want := `# mine
mqtt:
  server: mqtt://y
  base_topic: zigbee2mqtt
serial:
  port: /dev/b
advanced:
  pan_id: 6754
  ext_pan_id:
    - 221
    - 221
    - 221
    - 221
    - 221
    - 221
    - 221
    - 221
  channel: 11
`
	if !strings.HasPrefix(string(out.Configuration), want) {
		t.Error(cmp.Diff(want, string(out.Configuration)))
	}
	warnings := strings.Join(out.Warnings, "\n")
	for _, w := range []string{"well-known key", "advanced.ext_pan_id is Zigbee2MQTT's own", "z2mha.node is missing"} {
		if !strings.Contains(warnings, w) {
			t.Errorf("no warning of %q in %q", w, warnings)
		}
	}
}

func TestMergeKeepsWhatTheUserNames(t *testing.T) {
	active := edit("port: 8080", "auth_token: '!secret token'")(home, "configuration.yaml").with("secret.yaml", home["secret.yaml"]+"token: attic's\n")
	target := edit("host: 192.0.2.7", "auth_token: '!mine.yaml token'")(cellar, "configuration.yaml").with("mine.yaml", "token: cellar's\n")
	out := merge(t, z2m.MergeInput{Active: active.get, Target: target.get, Keep: []string{"frontend.auth_token"}})
	if !strings.Contains(string(out.Configuration), "auth_token: '!mine.yaml token'") {
		t.Errorf("lost the token:\n%s", out.Configuration)
	}
	if got := string(out.Secrets["mine.yaml"]); got != "token: cellar's\n" {
		t.Errorf("mine.yaml is %q", got)
	}
}

func TestMergeRefuses(t *testing.T) {
	port := map[string]any{"serial.port": "/dev/a"}
	for _, c := range []struct {
		name string
		in   z2m.MergeInput
		want string
	}{
		{"to keep the PAN", z2m.MergeInput{Active: home.get, Target: cellar.get, Keep: []string{"advanced.pan_id"}}, "must be equal on all nodes"},
		{"to keep all of advanced", z2m.MergeInput{Active: home.get, Target: cellar.get, Keep: []string{"advanced"}}, "must be equal on all nodes"},
		{"to keep one device", z2m.MergeInput{Active: home.get, Target: cellar.get, Keep: []string{"devices.0x01"}}, "must be equal on all nodes"},
		{"GENERATE", z2m.MergeInput{Active: edit("0x4a21", "GENERATE")(home, "configuration.yaml").get, Target: cellar.get}, "active: configuration.yaml: advanced.pan_id is GENERATE"},
		{"a target without a stick", z2m.MergeInput{Active: home.get}, "serial.port is missing on the target"},
		{"a torn configuration of the target", z2m.MergeInput{Active: home.get, Target: cellar.with("configuration.yaml", "a: [").get}, "target: configuration.yaml: cannot be used"},
		{"anchors in the target", z2m.MergeInput{Active: home.get, Target: cellar.with("configuration.yaml", "a: &x 1\n").get}, "anchors"},
		{"a lost secret file of the target", z2m.MergeInput{Active: home.get, Target: cellar.with("secret.yaml", "").get}, "target: secret.yaml: mqtt_password is missing"},
		{"a secret used twice", z2m.MergeInput{Active: edit("port: 8080", "auth_token: '!secret mqtt_password'")(home, "configuration.yaml").get, Target: cellar.get}, "use two keys in secret.yaml"},
		{"no active configuration", z2m.MergeInput{Active: dir{}.get, Own: port}, "active: configuration.yaml: does not exist"},
		{"a value where a group belongs", z2m.MergeInput{Active: edit("frontend:\n  enabled: true\n  port: 8080", "frontend: true")(home, "configuration.yaml").get, Target: cellar.get}, "frontend is a single value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := z2m.Merge(c.in)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
		})
	}
}

// The same rules, said a second time in the plainest way, on random pairs.
func TestMergeSaysWhatItShould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		active, target := drawConfiguration(t, "active"), drawConfiguration(t, "target")
		out, err := z2m.Merge(z2m.MergeInput{
			Active: dir{"configuration.yaml": encode(t, active)}.get,
			Target: dir{"configuration.yaml": encode(t, target)}.get,
			Own:    map[string]any{"serial.port": "/dev/own"},
		})
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := yaml.Unmarshal(out.Configuration, &got); err != nil {
			t.Fatal(err)
		}
		for key, v := range flat(got) {
			want, from := flat(active)[key], "active"
			if ofOneNode[key] {
				want, from = flat(target)[key], "target"
			}
			if key == "serial.port" {
				want, from = "/dev/own", "own"
			}
			if fmt.Sprint(want) != fmt.Sprint(v) {
				t.Fatalf("%s is %v, want %v of %s", key, v, want, from)
			}
		}
		for key := range flat(active) {
			if _, ok := flat(got)[key]; !ok && !ofOneNode[key] {
				t.Fatalf("%s of the active is lost", key)
			}
		}
		for key := range flat(target) {
			if _, ok := flat(got)[key]; !ok && ofOneNode[key] {
				t.Fatalf("%s of the target is lost", key)
			}
		}
	})
}

var ofOneNode = map[string]bool{
	"serial.port": true, "serial.adapter": true, "frontend.port": true, "mqtt.server": true, "mqtt.client_id": true,
	"advanced.log_file": true, "advanced.transmit_power": true, "z2mha.node": true,
}

func drawConfiguration(t *rapid.T, who string) map[string]any {
	c := map[string]any{
		"mqtt":     map[string]any{"server": "mqtt://" + who, "base_topic": "z"},
		"advanced": map[string]any{"pan_id": 77, "channel": 12, "ext_pan_id": []any{1, 1, 1, 1, 1, 1, 1, 1}, "network_key": []any{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}},
	}
	for _, key := range []string{"serial.port", "serial.adapter", "frontend.port", "frontend.enabled", "mqtt.client_id", "mqtt.version",
		"advanced.log_file", "advanced.log_level", "advanced.transmit_power", "z2mha.node", "devices.0x01", "devices.0x02", "groups.1", "ota.x", "plain.a", "plain.b"} {
		if group, name, _ := strings.Cut(key, "."); rapid.Bool().Draw(t, who+" "+key) {
			if c[group] == nil {
				c[group] = map[string]any{}
			}
			c[group].(map[string]any)[name] = rapid.SampledFrom([]any{1, "x", true, who}).Draw(t, "value")
		}
	}
	return c
}

func encode(t *rapid.T, c map[string]any) string {
	raw, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func flat(c map[string]any) map[string]any {
	out := map[string]any{}
	for group, values := range c {
		for name, v := range values.(map[string]any) {
			out[group+"."+name] = v
		}
	}
	return out
}
