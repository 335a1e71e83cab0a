package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/config"
)

func TestProblems(t *testing.T) {
	const attic, cellar = "networks[home].nodes[attic].", "networks[home].nodes[cellar]."
	const secondNetwork = "service: openrc\n  - name: barn\n    nodes:\n" +
		"      - {name: a, host: a, dongle: tcp://x:1, data: /a, service: openrc}\n" +
		"      - {name: b, host: b, dongle: tcp://x:2, data: /b, service: openrc}\n"
	for _, tt := range []struct {
		name     string
		old, new string
		want     string // the only problem
	}{
		{"names the nearest known key", "host: attic", "hots: attic",
			"line 6: " + attic + "host: missing; say where the host is reached over SSH\n" +
				"line 7: " + attic + "hots: not a known key; did you mean host?"},
		{"lists the known keys when none is near", "mqtt:", "xyzzyxyzzy: 1\nmqtt:",
			"line 1: xyzzyxyzzy: not a known key; known here: state, policy, mqtt, networks, timing, capture, any_revision, homeassistant, snmp, page, shelf"},
		{"refuses a relative path", "/srv/attic", "srv/attic",
			"line 9: " + attic + `data is "srv/attic": a relative path; write it from the root, for example /opt/zigbee2mqtt/data`},
		{"refuses ~ in a path", "/srv/attic", "~pi/data",
			"line 9: " + attic + `data is "~pi/data": ~ is not expanded here; write the whole path`},
		{"refuses ~ in a device", "/dev/ttyAttic", "~/stick",
			"line 8: " + attic + `dongle is "~/stick": ~ is not expanded here; write the whole path`},
		{"refuses the root as data", "/srv/attic", "/",
			"line 9: " + attic + `data is "/": the root directory; name Zigbee2MQTT's own data directory`},
		{"refuses a name with capitals", "name: attic", "name: Attic",
			"line 6: networks[home].nodes[Attic].name" + ` is "Attic": not usable as a name; use only a-z, 0-9, _ and -`},
		{"refuses a reserved name", "name: home", "name: blobs",
			`line 4: networks[blobs].name is "blobs": a name that is used inside the state directory; choose another name`},
		{"refuses an IPv6 address without brackets", "host: attic.example", "host: 2001:db8::1",
			"line 7: " + attic + `host is "2001:db8::1": an IPv6 address without brackets; write [2001:db8::1]`},
		{"refuses a user inside the host", "host: attic.example", "host: root@attic",
			"line 7: " + attic + `host is "root@attic": not a host name; write NAME, NAME:PORT, [IPv6] or [IPv6]:PORT; the user goes into user:`},
		{"refuses a port out of range", "host: attic.example", "host: attic:70000",
			"line 7: " + attic + `host is "attic:70000": not a port from 1 to 65535; write NAME, NAME:PORT, [IPv6] or [IPv6]:PORT`},
		{"refuses a dongle without port", "/dev/ttyAttic", "tcp://192.0.2.1",
			"line 8: " + attic + `dongle is "tcp://192.0.2.1": host or port is missing; write tcp://HOST:PORT, for example tcp://192.0.2.21:6638`},
		{"refuses an unknown service", "service: systemd", "service: runit",
			"line 10: " + attic + `service is "runit": not one of the choices; write one of: systemd, openrc, docker`},
		{"refuses a container beside commands", "service: systemd", "service: {start: a, stop: b}\n        container: x",
			"line 11: " + attic + `container is "x": a container beside commands of your own; remove it, or write service: docker`},
		{"refuses a container of a unit", "service: systemd", "service: systemd\n        container: x",
			"line 11: " + attic + `container is "x": a container of a service that is none; write unit:, or service: docker`},
		{"refuses a unit of a container", "service: systemd", "service: docker\n        unit: x",
			"line 11: " + attic + `unit is "x": a unit of a docker container; write container: with the container's name`},
		{"refuses what cannot be a container's name", "service: systemd", "service: docker\n        container: --all",
			"line 11: " + attic + `container is "--all": not the name of a container; write the name that "docker ps -a" shows`},
		{"wants stop beside start", "service: systemd", "service: {start: /bin/start}",
			"line 10: " + attic + "service.stop: missing; write the command that stops Zigbee2MQTT"},
		{"refuses a unit beside commands", "service: systemd", "service: {start: a, stop: b}\n        unit: x",
			"line 11: " + attic + `unit is "x": a unit beside commands of your own; remove it, or write service: systemd`},
		{"refuses GENERATE", "/dev/ttyAttic", "GENERATE",
			"line 8: " + attic + `dongle is "GENERATE": nothing can be generated here; GENERATE is a word of Zigbee2MQTT's own configuration.yaml; write the value`},
		{"refuses a tag elsewhere", "/srv/attic", "!env DATA",
			"line 9: " + attic + `data is "DATA": the tag !env has no meaning here; only a password or a community may be !env NAME or !file PATH`},
		{"refuses a list for a value", "/srv/attic", "[/srv/attic]",
			"line 9: " + attic + "data: one value is wanted here, not a list or a group; write data: VALUE"},
		{"refuses a value for a group", "mqtt:\n  server: mqtt://broker", "mqtt: localhost",
			`line 1: mqtt: a group of keys is wanted here; write one KEY: VALUE a line, indented`},
		{"refuses two nodes of one name", "name: cellar", "name: attic",
			`line 11: networks[home].nodes[attic].name is "attic": a second node of this name, the first is in line 6; give each node of a network a name of its own`},
		{"refuses the same coordinator on one host", "host: cellar.example\n        dongle: /dev/ttyCellar", "host: ATTIC.example\n        dongle: /dev/ttyAttic",
			"line 13: " + cellar + `dongle is "/dev/ttyAttic": the same coordinator as node attic of network home; every node needs a coordinator of its own`},
		{"refuses the same data on one host", "host: cellar.example\n        dongle: /dev/ttyCellar\n        data: /srv/cellar", "host: attic.example:22\n        dongle: /dev/ttyCellar\n        data: /srv/attic/",
			"line 14: " + cellar + `data is "/srv/attic/": the same host and data directory as node attic of network home; every node needs a data directory of its own`},
		{"refuses staging inside data", "/srv/attic", "/srv/attic\n        staging: /srv/attic/staging",
			"line 10: " + attic + `staging is "/srv/attic/staging": inside data, around it or equal (/srv/attic); choose a directory beside it`},
		{"refuses one base topic for two networks", "service: openrc\n", secondNetwork,
			"line 16: networks[barn].base_topic: the base topic zigbee2mqtt is the one of network home too; give each Zigbee2MQTT a base topic of its own, here and in its configuration.yaml"},
		{"refuses a base topic with a wildcard", "nodes:", "base_topic: zigbee/#\n    nodes:",
			`line 5: networks[home].base_topic is "zigbee/#": not a base topic; write mqtt.base_topic of Zigbee2MQTT, for example zigbee2mqtt`},
		{"refuses our own base topic", "nodes:", "base_topic: z2mha\n    nodes:",
			`line 5: networks[home].base_topic is "z2mha": our own base topic; write mqtt.base_topic of Zigbee2MQTT, for example zigbee2mqtt`},
		{"refuses a number without unit", "mqtt:", "timing: {stop: 60}\nmqtt:",
			`line 1: timing.stop is "60": a number without a unit; write 60s for seconds`},
		{"refuses a duration of zero", "mqtt:", "timing: {stop: 0s}\nmqtt:",
			`line 1: timing.stop is "0s": not above zero; write for example 500ms, 90s or 2m`},
		{"refuses a negative duration", "mqtt:", "timing: {stop: -1m}\nmqtt:",
			`line 1: timing.stop is "-1m": not above zero; write for example 500ms, 90s or 2m`},
		{"refuses yes for true", "mqtt:", "any_revision: yes\nmqtt:",
			`line 1: any_revision is "yes": neither true nor false; write true or false`},
		{"refuses another scheme", "mqtt://broker", "http://broker",
			`line 2: mqtt.server is "http://broker": only mqtt:// and mqtts:// are spoken; write mqtt://HOST, mqtt://HOST:PORT or mqtts://HOST:PORT`},
		{"refuses a certificate without TLS", "mqtt://broker", "mqtt://broker\n  ca: /ca.pem",
			`line 3: mqtt.ca is "/ca.pem": a certificate without TLS; write mqtts:// in mqtt.server, or remove ca`},
		{"refuses a bad key to keep", "service: systemd", "service: systemd\n        keep: [a b]",
			"line 11: " + attic + `keep[0] is "a b": not a key of configuration.yaml; write it with dots, for example advanced.log_level`},
		{"refuses to keep what must be equal", "service: systemd", "service: systemd\n        keep: [frontend, groups]",
			"line 11: " + attic + `keep[1] is "groups": groups must be equal on all nodes; take it out of the list`},
		{"refuses to keep what is below or around it", "service: systemd", "service: systemd\n        keep:\n        - advanced\n        - devices.x",
			"line 12: " + attic + `keep[0] is "advanced": advanced.network_key must be equal on all nodes; take it out of the list` + "\n" +
				"line 13: " + attic + `keep[1] is "devices.x": devices must be equal on all nodes; take it out of the list`},
		{"refuses two networks of one name", "service: openrc\n", strings.Replace(secondNetwork, "barn", "home\n    base_topic: b", 1),
			`line 16: networks[home].name is "home": a second network of this name, the first is in line 4; give each network a name of its own`},
		{"refuses to turn captures off", "mqtt:", "capture: {backup: 0s}\nmqtt:",
			`line 1: capture.backup is "0s": not above zero; write for example 500ms, 90s or 2m`},
		{"protects the stick from being asked all the time", "mqtt:", "capture: {backup: 4m, files: 1m}\nmqtt:",
			`line 1: capture.backup is "4m": too often: every capture is work for the hosts and the stick; write a time from 5m to 8h`},
		{"refuses files that are captured all the time", "mqtt:", "capture: {files: 59s}\nmqtt:",
			`line 1: capture.files is "59s": too often: every capture is work for the hosts and the stick; write a time from 1m to 1h`},
		{"refuses backups once a day", "mqtt:", "capture: {backup: 24h}\nmqtt:",
			`line 1: capture.backup is "24h": too rare: what happens between two captures is lost with the host; write a time from 5m to 8h`},
		{"refuses files that are rarer than backups", "mqtt:", "capture: {backup: 10m, files: 20m}\nmqtt:",
			`line 1: capture.files is "20m": rarer than backup; each backup captures the files too; write a shorter time here, or a longer one for backup`},
		{"knows the keys of capture", "mqtt:", "capture: {stick: 20m}\nmqtt:",
			`line 1: capture.stick: not a known key; known here: backup, files`},
		{"refuses to watch for longer than an hour", "mqtt:", "timing: {watch: 61m}\nmqtt:",
			`line 1: timing.watch is "61m": longer than an hour; every switchover lasts that long; write for example 10s`},
		{"refuses a page that others reach without a password", "mqtt:", "page: {listen: '0.0.0.0:8099'}\nmqtt:",
			`line 1: page.listen is "0.0.0.0:8099": reachable from other machines without a password; add password:, or write 127.0.0.1 and put a proxy with a login in front of it`},
		{"refuses a trap receiver without an address", "mqtt:", "snmp:\n- community: x\nmqtt:",
			"line 2: snmp[0].address: missing; say where traps go, for example 192.0.2.9 or 192.0.2.9:162"},
		{"refuses an unknown trap format", "mqtt:", "snmp:\n- {address: a, format: v3}\nmqtt:",
			`line 2: snmp[0].format is "v3": not one of the choices; write one of: z2mha, prototype`},
		{"refuses our topics within discovery", "mqtt:", "homeassistant: {base_topic: homeassistant}\nmqtt:",
			`line 1: homeassistant: base_topic is the discovery prefix; give our own topics another base, for example z2mha`},
		{"refuses our topics within those of Zigbee2MQTT", "mqtt:", "homeassistant: {base_topic: zigbee2mqtt/ha}\nmqtt:",
			`line 1: homeassistant: base_topic zigbee2mqtt/ha and that of network home lie within one another; give our own topics another base, for example z2mha`},
		{"refuses a second document", "mqtt:", "a: 1\n---\nmqtt:",
			"line 2: a second document begins here; keep everything in one; remove the line ---"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantProblems(t, file(t, map[string]string{tt.old: tt.new}), tt.want)
		})
	}
}

func TestWholeFileProblems(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"refuses an empty file", "# nothing\n", "the file is empty; write one after docs/z2mha.example.yaml"},
		{"wants a broker and networks", "state: /s\n",
			"line 1: mqtt: missing; say which broker Zigbee2MQTT uses, as in mqtt: {server: mqtt://localhost:1883}\n" +
				"line 1: networks: missing; describe at least one network with two nodes; see docs/z2mha.example.yaml"},
		{"wants two nodes", "mqtt: {server: mqtt://b}\nnetworks:\n- name: home\n  nodes:\n  - {name: a, host: a, dongle: /d, data: /e, service: openrc}\n",
			"line 5: networks[home].nodes: fewer than two nodes; a network that survives its host needs a second one; add it"},
		{"refuses a key given twice", "state: /s\nmqtt: {server: mqtt://b, server: mqtt://c}\nnetworks: []\n",
			"line 2: mqtt.server: given twice, first in line 2; keep one of them"},
		{"says where the YAML breaks", "mqtt: {server\nstate: /x\n  y: 1\n",
			"line 1: not valid YAML: did not find expected ',' or '}'; look at indentation, colons and quotes there and in the line before; text with @ * & ! % # wants quotes"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantProblems(t, tt.text, tt.want) })
	}
}

// No problem may show a password, however it was misspelt.
func TestProblemsHideSecrets(t *testing.T) {
	for _, password := range []string{
		"user: u\n  password: [hunter2]", "user: u\n  password: {hunter2: x}", "user: u\n  password: !hunter2", "user: u\n  password: *hunter2",
		"user: u\n  pasword: hunter2", "password: hunter2", "user: u\n  password: \"\\hunter2\"", "user: u\n  password: a\n  password: hunter2",
		"user: u\n  server: mqtt://u:hunter2@broker", "user: u\n  password: @hunter2",
	} {
		_, err := config.Parse("z2mha.yaml", []byte(file(t, map[string]string{"mqtt://broker": "mqtt://broker\n  " + password})))
		if err == nil {
			t.Errorf("%s: no error", password)
			continue
		}
		if strings.Contains(strings.ReplaceAll(err.Error(), "{hunter2", ""), "hunter2") {
			t.Errorf("%s: %v", password, err)
		}
	}
}

func TestAFileWithoutANetworkYet(t *testing.T) {
	for _, list := range []string{"networks:\n", "networks: # none\n", "networks: ~\n", "networks: []\n"} {
		c, err := config.Parse("/x/z2mha.yaml", []byte("mqtt: {server: mqtt://b}\n"+list))
		if err != nil {
			t.Errorf("%q: %v", list, err)
			continue
		}
		if got := joined(c.Warnings); len(c.Networks) > 0 || !strings.Contains(got, "no network yet; add two hosts on the page") {
			t.Errorf("%q: %v, %s", list, c.Networks, got)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"speaks of nodes that share fate", "cellar.example", "attic.example:2222",
			"line 12: networks[home].nodes[cellar].host" + ` is "attic.example:2222": the same machine as node attic of network home; they share fate: when it fails, both do`},
		{"speaks of a name that changes", "/dev/ttyAttic", "/dev/ttyUSB0",
			"line 8: networks[home].nodes[attic].dongle" + ` is "/dev/ttyUSB0": a name that may change at the next boot; use the stick's name under /dev/serial/by-id/ if it has one`},
		{"speaks of a long watch", "mqtt:", "timing: {watch: 11m}\nmqtt:",
			`line 1: timing.watch is "11m": longer than 10 minutes; every switchover lasts that long; the default is 10s`},
		{"allows a watch of ten minutes", "mqtt:", "timing: {watch: 10m}\nmqtt:", ""},
		{"allows one log level of its own", "service: systemd", "service: systemd\n        keep: [advanced.log_level, homeassistant_x]", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Parse("/etc/z2mha.yaml", []byte(file(t, map[string]string{tt.old: tt.new})))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, joined(c.Warnings)); d != "" {
				t.Errorf("warnings (-want +got):\n%s", d)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(file(f, nil))
	f.Add("networks: [{nodes: [{}, 1, [], null]}]\nmqtt: &a {server: *a}\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse("/etc/z2mha.yaml", []byte(text))
		if err == nil && (len(c.Networks) == 0 || len(c.Networks[0].Nodes) < 2) {
			t.Errorf("accepted: %+v", c)
		}
	})
}

func wantProblems(t testing.TB, text, want string) {
	t.Helper()
	_, err := config.Parse("/etc/z2mha.yaml", []byte(text))
	problems, ok := errors.AsType[*config.Problems](err)
	if !ok {
		t.Fatalf("error %v, want problems", err)
	}
	if d := cmp.Diff(want, joined(problems.List)); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
}

func joined(list []config.Problem) string {
	lines := make([]string, len(list))
	for i, p := range list {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// TestMisplacedSecrets: a password one level too high is no part of a problem, which is
// shown on the page and logged.
func TestMisplacedSecrets(t *testing.T) {
	const secret = "correct-horse"
	for _, file := range []string{"mqtt: " + secret, "page: " + secret, "snmp: " + secret, "snmp: [" + secret + "]", secret, "[" + secret + "]"} {
		_, err := config.Parse("/etc/z2mha.yaml", []byte(file))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
