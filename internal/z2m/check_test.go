package z2m_test

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/generation"
	"z2mha/internal/z2m"
)

// dir is a data directory in memory.
type dir map[string]string

func (d dir) get(path string) ([]byte, error) {
	text, ok := d[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

// with returns a copy with one file changed; "" removes it.
func (d dir) with(path, text string) dir {
	c := maps.Clone(d)
	c[path] = text
	if text == "" {
		delete(c, path)
	}
	return c
}

// home is a small network as Zigbee2MQTT 2.14 writes it, with ids of our own.
var home = dir{
	"configuration.yaml": `version: 5
mqtt:
  base_topic: zigbee2mqtt
  server: mqtt://192.0.2.1:1883
  user: z2m
  password: '!secret mqtt_password'
serial:
  port: /dev/serial/by-id/usb-attic
  adapter: zstack
advanced:
  channel: 15
  pan_id: 0x4a21
  ext_pan_id: [1, 2, 3, 4, 5, 6, 7, 8]
  network_key: '!secret network_key'
frontend:
  enabled: true
  port: 8080
devices: devices.yaml
`,
	"secret.yaml": "mqtt_password: hunter2\nnetwork_key: [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]\n",
	"devices.yaml": `'0x0000000000000a01':
  friendly_name: lamp
`,
	"database.db": `{"id":1,"type":"Coordinator","ieeeAddr":"0x00124b0000000001","nwkAddr":0}
{"id":2,"type":"Router","ieeeAddr":"0x0000000000000a01","nwkAddr":4711}
{"id":3,"type":"Group","groupID":1,"members":[]}
{"id":4,"type":"EndDevice","ieeeAddr":"0x0000000000000a02","nwkAddr":4712}`,
	"coordinator_backup.json": `{"metadata":{"format":"zigpy/open-coordinator-backup","version":1},
 "coordinator_ieee":"00124b0000000001","pan_id":"4a21","extended_pan_id":"0102030405060708","channel":15,
 "network_key":{"key":"100f0e0d0c0b0a090807060504030201","sequence_number":0,"frame_counter":5250},"devices":[]}`,
	"state.json": `{"0x0000000000000a01":{"state":"ON"}}`,
}

func check(d dir) (generation.Summary, error) {
	return z2m.Check(d.get, slices.Sorted(maps.Keys(d)))
}

func TestCheckTellsWhoTheNetworkIs(t *testing.T) {
	got, err := check(home)
	if err != nil {
		t.Fatal(err)
	}
	got.KeyFingerprint = strings.Repeat("x", len(got.KeyFingerprint))
	want := generation.Summary{
		PanID: "0x4a21", ExtPanID: "0x0102030405060708", Channel: 15, Coordinator: "0x00124b0000000001",
		KeyFingerprint: "xxxxxxxx", Devices: 2, BackupCounter: 5250, Named: 1,
		Members: []generation.Member{{IEEE: 0xa01, Name: "lamp"}, {IEEE: 0xa02}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a capture says of its devices, wherever their names and keys stand.
func TestCheckListsMembers(t *testing.T) {
	keyed := edit(`"devices":[]`, `"devices":[{"ieee_address":"0000000000000a02","link_key":{"key":"000102030405060708090a0b0c0d0e0f","tx_counter":1}},`+
		`{"ieee_address":"0000000000000a01"},{"ieee_address":"0000000000000b01","link_key":{"key":"000102030405060708090a0b0c0d0e0f"}}]`)
	for _, c := range []struct {
		name          string
		d             dir
		want          []generation.Member
		backup, keyed int
		named         int
	}{
		{"takes names from configuration.yaml itself", edit("devices: devices.yaml", "devices:\n  '0x0000000000000a02': {friendly_name: plug}\n  '0x0000000000000c01': {}")(home, "configuration.yaml"),
			[]generation.Member{{IEEE: 0xa01}, {IEEE: 0xa02, Name: "plug"}}, 0, 0, 2},
		{"takes them from all files of a list", edit("devices: devices.yaml", "devices: [devices.yaml, more.yaml]")(home, "configuration.yaml").
			with("more.yaml", "'0x0000000000000a02': {friendly_name: plug, description: in the hall}\n"),
			[]generation.Member{{IEEE: 0xa01, Name: "lamp"}, {IEEE: 0xa02, Name: "plug"}}, 0, 0, 2},
		{"leaves out what is no address in Zigbee2MQTT's form", home.with("devices.yaml", "0x0000000000000a01: {friendly_name: a}\n'0000000000000a02': {friendly_name: b}\n"),
			[]generation.Member{{IEEE: 0xa01}, {IEEE: 0xa02}}, 0, 0, 0},
		{"sorts by address", dir(home).with("database.db", `{"id":1,"type":"Coordinator","ieeeAddr":"0x00124b0000000001"}
{"id":2,"type":"Router","ieeeAddr":"0x0000000000000a02"}
{"id":4,"type":"EndDevice","ieeeAddr":"0x0000000000000a01"}`), []generation.Member{{IEEE: 0xa01, Name: "lamp"}, {IEEE: 0xa02}}, 0, 0, 1},
		{"notes link keys, and counts also those of strangers", keyed(home, "coordinator_backup.json"),
			[]generation.Member{{IEEE: 0xa01, Name: "lamp"}, {IEEE: 0xa02, LinkKey: true}}, 3, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := check(c.d)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, s.Members); diff != "" {
				t.Error(diff)
			}
			if s.BackupDevices != c.backup || s.BackupKeys != c.keyed || s.Named != c.named {
				t.Errorf("%d devices and %d keys in the backup, %d named", s.BackupDevices, s.BackupKeys, s.Named)
			}
		})
	}
}

func edit(old, new string) func(dir, string) dir {
	return func(d dir, file string) dir {
		if !strings.Contains(d[file], old) {
			panic("test edits what is not there: " + old)
		}
		return d.with(file, strings.Replace(d[file], old, new, 1))
	}
}

func TestCheckRefuses(t *testing.T) {
	torn := home["database.db"][:len(home["database.db"])-20]
	for _, c := range []struct {
		name string
		d    dir
		want string
	}{
		{"no configuration", home.with("configuration.yaml", ""), "configuration.yaml: does not exist"},
		{"an empty configuration", home.with("configuration.yaml", "\n"), "configuration.yaml: is empty"},
		{"a torn configuration", home.with("configuration.yaml", "mqtt:\n  server: 'mqtt://x"), "configuration.yaml: cannot be used: line"},
		{"a list", home.with("configuration.yaml", "- a\n"), "want keys and values"},
		{"GENERATE for the key", edit("'!secret network_key'", "GENERATE")(home, "configuration.yaml"), "advanced.network_key is GENERATE"},
		{"GENERATE for the PAN", edit("0x4a21", "GENERATE")(home, "configuration.yaml"), "start Zigbee2MQTT once on the active node"},
		{"GENERATE in the secret file", edit("[16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]", "GENERATE")(home, "secret.yaml"), "advanced.network_key is GENERATE"},
		{"a PAN in quotes", edit("0x4a21", "'0x4a21'")(home, "configuration.yaml"), "advanced.pan_id is 0x4a21; write a number from 1 to 65534 without quotes"},
		{"a channel that does not exist", edit("channel: 15", "channel: 27")(home, "configuration.yaml"), "advanced.channel is 27; write a number from 11 to 26"},
		{"a short extended PAN id", edit("7, 8]", "7]")(home, "configuration.yaml"), "advanced.ext_pan_id is not a list of 8 numbers"},
		{"a key that is a word", edit("[16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]", "hunter2")(home, "secret.yaml"), "advanced.network_key is not a list of 16 numbers"},
		{"a reference without quotes", edit("'!secret mqtt_password'", "!secret mqtt_password")(home, "configuration.yaml"), "put the value in quotes"},
		{"a missing secret file", home.with("secret.yaml", ""), "mqtt.password refers to secret.yaml, which does not exist"},
		{"a missing secret", edit("mqtt_password: hunter2\n", "")(home, "secret.yaml"), "secret.yaml: mqtt_password is missing; mqtt.password refers to it"},
		{"a secret file elsewhere", edit("!secret mqtt", "!../secret mqtt")(home, "configuration.yaml"), "move that file into the data directory"},
		{"a missing file of devices", home.with("devices.yaml", ""), "devices names devices.yaml, which does not exist"},
		{"a torn file of devices", home.with("devices.yaml", "'0x1: {"), "devices.yaml: cannot be used"},
		{"an unfinished set-up", edit("version: 5", "onboarding: true")(home, "configuration.yaml"), "onboarding is true"},
		{"no database", home.with("database.db", ""), "database.db: does not exist"},
		{"an empty database", home.with("database.db", "\n"), "database.db: is empty"},
		{"a torn last line", home.with("database.db", torn), "database.db line 4: (the last) is torn"},
		{"a broken line", edit(`{"id":2`, `{"id:2`)(home, "database.db"), "database.db line 2: is not a JSON object"},
		{"zero bytes in the database", home.with("database.db", home["database.db"]+"\n\x00\x00"), "database.db line 5"},
		{"an id given twice", edit(`"id":4`, `"id":2`)(home, "database.db"), "database.db line 4: has the id 2 of line 2"},
		{"an entry without id", edit(`"id":4,`, ``)(home, "database.db"), "database.db line 4: has no id"},
		{"a database without coordinator", edit("Coordinator", "Router")(home, "database.db"), "has 0 coordinators"},
		{"two coordinators", edit("Router", "Coordinator")(home, "database.db"), "has 2 coordinators"},
		{"no backup", home.with("coordinator_backup.json", ""), "coordinator_backup.json: does not exist"},
		{"a torn backup", home.with("coordinator_backup.json", home["coordinator_backup.json"][:100]), "coordinator_backup.json: cannot be used"},
		{"a backup of another PAN", edit("4a21", "4a22")(home, "coordinator_backup.json"), "pan_id 0x4a22 is not that of configuration.yaml (0x4a21)"},
		{"a backup of another extended PAN", edit("0102030405060708", "0102030405060709")(home, "coordinator_backup.json"), "extended_pan_id 0x0102030405060709 is not that"},
		{"a backup with another key", edit("100f0e", "100f0f")(home, "coordinator_backup.json"), "network_key key#"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := check(c.d)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v\nwant %q", err, c.want)
			}
			if len(z2m.Problems(err)) == 0 {
				t.Errorf("%T lists no problem", err)
			}
			for _, secret := range []string{"hunter2", "100f0", "16, 15", "16 15"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells a secret: %v", err)
				}
			}
		})
	}
}

func TestCheckAccepts(t *testing.T) {
	for _, c := range []struct {
		name string
		d    dir
		warn string
	}{
		{"a backup with the extended PAN id the other way round", edit("0102030405060708", "0807060504030201")(home, "coordinator_backup.json"), ""},
		{"no state.json", home.with("state.json", ""), ""},
		{"a torn state.json", home.with("state.json", "{\"a\":"), "state.json is torn"},
		{"a database with a final newline", home.with("database.db", home["database.db"]+"\n"), ""},
		{"a backup of another coordinator", edit("00124b0000000001", "00124b0000000002")(home, "coordinator_backup.json"), "is of coordinator 0x00124b0000000002"},
		{"a leftover of a failed write", home.with("database.db.tmp.2024-01-01", "x"), "failed write"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := check(c.d)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(s.Warnings, "\n"); (c.warn == "") != (got == "") || !strings.Contains(got, c.warn) {
				t.Errorf("warns %q, want %q", got, c.warn)
			}
		})
	}
}

func TestNetworkInEffect(t *testing.T) {
	d := dir{"configuration.yaml": "mqtt:\n  server: mqtt://x\nadvanced:\n  channel: 20\n"}
	n, err := z2m.ReadNetwork(d.get)
	if err != nil {
		t.Fatal(err)
	}
	if n.PanID != 0x1A62 || n.ExtPanID != 0xDDDDDDDDDDDDDDDD || n.Channel != 20 || n.BaseTopic != "zigbee2mqtt" || n.Key[15] != 13 {
		t.Errorf("got %v", n)
	}
	want := []string{"mqtt.base_topic", "advanced.pan_id", "advanced.ext_pan_id", "advanced.network_key"}
	if diff := cmp.Diff(want, n.Defaulted); diff != "" {
		t.Error(diff)
	}
}
