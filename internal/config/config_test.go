package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"z2mha/internal/config"
)

func TestExample(t *testing.T) {
	got, err := config.Load("../../docs/z2mha.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Config{
		State: "/var/lib/z2mha-controller",
		MQTT: config.MQTT{
			Server:   config.Server{Address: "localhost:1883"},
			User:     "z2mha",
			Password: config.NewSecret("a broker password"),
			ClientID: "z2mha",
		},
		Networks: []config.Network{{
			Name:      "home",
			BaseTopic: "zigbee2mqtt",
			Nodes: []config.Node{{
				Name:    "attic",
				Host:    config.Host{Name: "192.0.2.10", Port: 22},
				User:    "root",
				Become:  config.BecomeNone,
				Dongle:  "/dev/serial/by-id/usb-Example_Stick_0001-if00-port0",
				Data:    "/opt/zigbee2mqtt/data",
				Service: config.Service{Kind: config.ServiceSystemd, Unit: "zigbee2mqtt"},
				Fences: []config.Fence{
					{Kind: config.FenceHomeAssistant, Timeout: 30 * time.Second, OffTime: 5 * time.Second,
						Entity: "switch.attic_plug", Power: "sensor.attic_plug_power", Below: 2},
					{Kind: config.FenceMQTT, Timeout: 30 * time.Second, OffTime: 5 * time.Second,
						Topic: "plugs/attic/set", Payload: "OFF", ConfirmTopic: "plugs/attic", Expect: "OFF"},
					{Kind: config.FenceHTTP, Timeout: 30 * time.Second, OffTime: 5 * time.Second,
						URL: config.NewSecret("http://192.0.2.30/rpc/Switch.Set?id=0&on=false"), Method: "GET", ContentType: "application/json",
						ConfirmURL: config.NewSecret("http://192.0.2.30/rpc/Switch.GetStatus?id=0"), Expect: "false", ExpectKey: "output"},
					{Kind: config.FenceCommand, Timeout: 30 * time.Second, OffTime: 5 * time.Second,
						Run: "/usr/local/bin/poe off 3", Confirm: "/usr/local/bin/poe state 3", Expect: "off"},
				},
			}, {
				Name:   "cellar",
				Host:   config.Host{Name: "2001:db8::20", Port: 2222},
				User:   "pi",
				Become: config.BecomeSudo,
				Dongle: "tcp://192.0.2.21:6638",
				Data:   "/home/pi/zigbee2mqtt/data",
				Service: config.Service{
					Kind:   config.ServiceCommands,
					Start:  "/home/pi/bin/zigbee2mqtt-start",
					Stop:   "/home/pi/bin/zigbee2mqtt-stop",
					Status: "/home/pi/bin/zigbee2mqtt-status",
					Kill:   "pkill -KILL -f zigbee2mqtt/index.js",
				},
				Keep:   []string{"frontend", "advanced.log_level"},
				Fences: []config.Fence{{Kind: config.FencePerson, Timeout: 30 * time.Second, OffTime: 5 * time.Second}},
			}},
			Policy: config.DefaultPolicy,
		}},
		Policy:        config.DefaultPolicy,
		Timing:        config.DefaultTiming,
		Capture:       config.DefaultCapture,
		HomeAssistant: config.HomeAssistant{Discovery: true, Prefix: "homeassistant", BaseTopic: "z2mha"},
		Page:          config.Page{Listen: "127.0.0.1:8099"},
		Shelf:         config.DefaultShelf,
	}
	ignore := cmpopts.IgnoreFields(config.Config{}, "Path", "Warnings")
	reveal := cmp.Comparer(func(a, b config.Secret) bool { return a.Reveal() == b.Reveal() })
	if d := cmp.Diff(want, got, ignore, reveal); d != "" {
		t.Errorf("example (-want +got):\n%s", d)
	}
}

// The commented-out keys of the example must be known too.
func TestExampleComments(t *testing.T) {
	data, err := os.ReadFile("../../docs/z2mha.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("# ca:", "ca:", "# staging:", "staging:", "# previous:", "previous:",
		"# action:", "action:", "# expect_key:", "expect_key:", "# ask_topic:", "ask_topic:",
		"# ask_payload:", "ask_payload:", "# body:", "body:", "# content_type:", "content_type:", "# authorization: !env PLUG_LOGIN", "authorization: a login",
		"# helper_dir:", "helper_dir:", "# key_file:", "key_file:", "mqtt://localhost:1883", "mqtts://localhost").Replace(string(data))
	c, err := config.Parse("z2mha.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.MQTT.Server.String(); got != "mqtts://localhost:8883" {
		t.Errorf("server %s", got)
	}
	cellar := c.Networks[0].Nodes[1]
	if cellar.Staging == "" || cellar.Previous == "" || cellar.HelperDir == "" || cellar.KeyFile == "" || c.MQTT.CA == "" {
		t.Errorf("an optional key was lost: %+v", cellar)
	}
	f := c.Networks[0].Nodes[0].Fences
	if f[0].Action == "" || f[1].ExpectKey == "" || f[1].AskTopic == "" || f[2].Body == "" || f[2].Authorization.Reveal() != "a login" {
		t.Errorf("an optional key of a fence was lost: %+v", f)
	}
}

func TestShelf(t *testing.T) {
	c, err := config.Parse("z2mha.yaml", []byte(file(t, nil)+"shelf: {generations: 10, days: 7}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (config.Shelf{Generations: 10, Age: 7 * 24 * time.Hour, Bytes: 500 << 20}); c.Shelf != want {
		t.Errorf("got %+v", c.Shelf)
	}
	for wrong, want := range map[string]string{
		"generations: 1": "from 2 to 10000", "generations: 0": "from 2", "days: 1.5": "whole number", "days: 90d": "whole number",
		"size_mb: -1": "from 10 to 1000000", "size: 5": "not a known key",
	} {
		if _, err := config.Parse("z2mha.yaml", []byte(file(t, nil)+"shelf: {"+wrong+"}\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

func TestDocker(t *testing.T) {
	for _, tt := range []struct{ name, service, want string }{
		{"takes the usual name", "service: docker", "zigbee2mqtt"},
		{"takes a name", "service: docker\n        container: z2m.attic-1", "z2m.attic-1"},
	} {
		c, err := config.Parse("z2mha.yaml", []byte(strings.Replace(file(t, nil), "service: systemd", tt.service, 1)))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		want := config.Service{Kind: config.ServiceDocker, Unit: tt.want}
		if got := c.Networks[0].Nodes[0].Service; got != want {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
}

func TestDefaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "z2mha.yaml")
	if err := os.WriteFile(path, []byte(file(t, nil)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(path), "state"); c.State != want {
		t.Errorf("state %s, want %s", c.State, want)
	}
	if c.Networks[0].BaseTopic != "zigbee2mqtt" || c.MQTT.ClientID != "z2mha" || c.AnyRevision {
		t.Errorf("defaults: %+v", c)
	}
	n, _ := c.Network("home")
	attic, ok := n.Node("attic")
	if !ok || attic.User != "root" || attic.Become != config.BecomeNone || attic.Service.Unit != "zigbee2mqtt" {
		t.Errorf("node defaults: %+v", attic)
	}
	if c.Timing.Stop != time.Minute {
		t.Errorf("timing %+v", c.Timing)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings %v", c.Warnings)
	}
}

// An add-on learns its broker from Home Assistant, and keeps its state beside it.
func TestDefaultsOfTheSurroundings(t *testing.T) {
	text := strings.Replace(file(t, nil), "mqtt:\n  server: mqtt://broker\n", "", 1)
	d := config.Defaults{MQTT: &config.MQTT{User: "addons"}, State: "/data/state"}
	c, err := config.ParseWith("/data/z2mha.yaml", []byte(text), d)
	if err != nil || c.MQTT.User != "addons" || c.State != "/data/state" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := config.Parse("/data/z2mha.yaml", []byte(text)); err == nil {
		t.Error("a file without mqtt was accepted without such a default")
	}
	c, err = config.ParseWith("/data/z2mha.yaml", []byte(file(t, nil)+"state: /elsewhere\n"), d)
	if err != nil || c.MQTT.Server.Address != "broker:1883" || c.State != "/elsewhere" {
		t.Errorf("the file does not win: %+v, %v", c, err)
	}
}

func TestTrapReceivers(t *testing.T) {
	c, err := config.Parse("/z.yaml", []byte(file(t, nil)+"snmp:\n- address: 192.0.2.9\n- {address: 'nms:1162', community: hush, format: prototype}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []config.TrapReceiver{
		{Address: "192.0.2.9:162", Community: config.NewSecret("public"), Format: config.TrapOwn},
		{Address: "nms:1162", Community: config.NewSecret("hush"), Format: config.TrapPrototype},
	}
	reveal := cmp.Comparer(func(a, b config.Secret) bool { return a.Reveal() == b.Reveal() })
	if diff := cmp.Diff(want, c.SNMP, reveal); diff != "" {
		t.Error(diff)
	}
}

func TestLoadUnreadable(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name, path, want string
		is               error
	}{
		{"nothing there", filepath.Join(dir, "z2mha.yaml"), "; write one after docs/z2mha.example.yaml, or name another file", os.ErrNotExist},
		{"a directory", dir, "is a directory; name the file in it", syscall.EISDIR},
	} {
		_, err := config.Load(tt.path)
		unread, ok := errors.AsType[*config.ReadError](err)
		if !ok || unread.Path != tt.path || !errors.Is(err, tt.is) || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%s: error %v", tt.name, err)
			continue
		}
		if strings.Count(err.Error(), tt.path) != 1 {
			t.Errorf("%s: the path is not said once: %v", tt.name, err)
		}
	}
}

// What the example calls required is enough, and each of it is needed.
func TestMinimal(t *testing.T) {
	minimal := file(t, nil)
	example, err := os.ReadFile("../../docs/z2mha.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const said = "# Required: mqtt.server, and for each network its name and two nodes with name, host,\n# dongle, data and service.\n"
	if !strings.Contains(string(example), said) {
		t.Error("the example does not say what is required")
	}
	if _, err := config.Parse("/etc/z2mha.yaml", []byte(minimal)); err != nil {
		t.Error(err)
	}
	for _, line := range []string{"host: attic.example", "dongle: /dev/ttyAttic", "data: /srv/attic", "service: systemd", "server: mqtt://broker"} {
		key, _, _ := strings.Cut(line, ":")
		_, err := config.Parse("/etc/z2mha.yaml", []byte(strings.Replace(minimal, line, "", 1)))
		if err == nil || !strings.Contains(err.Error(), "missing") {
			t.Errorf("without %s: %v", key, err)
		}
	}
}

func TestPasswordSources(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("Z2MHA_TEST_PASSWORD", "from environment")
	for written, want := range map[string]string{
		"plain":                    "plain",
		"007":                      "007",
		"'!quoted'":                "!quoted",
		"!env Z2MHA_TEST_PASSWORD": "from environment",
		"!file " + secret:          "from file",
	} {
		c, err := config.Parse("/etc/z2mha.yaml", []byte(file(t, map[string]string{"mqtt://broker": "mqtt://broker\n  user: u\n  password: " + written})))
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		if got := c.MQTT.Password.Reveal(); got != want {
			t.Errorf("%s: %q, want %q", written, got, want)
		}
	}
}

func TestSecretNeverPrints(t *testing.T) {
	m := config.MQTT{User: "u", Password: config.NewSecret("hunter2")}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("broker", "mqtt", m, "password", m.Password)
	asJSON, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{log.String(), string(asJSON), m.Password.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, m), fmt.Sprintf(verb, &m), fmt.Sprintf(verb, m.Password))
	}
	for _, s := range shown {
		if strings.Contains(s, "hunter2") || strings.Contains(s, "68756e746572") {
			t.Errorf("shown: %s", s)
		}
	}
}

// file is the smallest valid file with some text replaced.
func file(t testing.TB, replace map[string]string) string {
	t.Helper()
	text := `mqtt:
  server: mqtt://broker
networks:
  - name: home
    nodes:
      - name: attic
        host: attic.example
        dongle: /dev/ttyAttic
        data: /srv/attic
        service: systemd
      - name: cellar
        host: cellar.example
        dongle: /dev/ttyCellar
        data: /srv/cellar
        service: openrc
`
	for old, fresh := range replace {
		if !strings.Contains(text, old) {
			t.Fatalf("the file does not contain %q", old)
		}
		text = strings.Replace(text, old, fresh, 1)
	}
	return text
}

// TestThePageOfAFileWithProblems: a password stays one, whatever is misspelt elsewhere.
func TestThePageOfAFileWithProblems(t *testing.T) {
	path := filepath.Join(t.TempDir(), "z2mha.yaml")
	for _, tt := range []struct {
		name, text       string
		listen, password string
		ok               bool
	}{
		{"other things are wrong", "networks: {}\nxyzzy: 1\npage: {listen: '0.0.0.0:1', password: horse}", "0.0.0.0:1", "horse", true},
		{"there is no page", "networks: 1", "127.0.0.1:8099", "", true},
		{"the page is wrong", "page: {password: [horse]}", "", "", false},
		{"the page is open", "page: {listen: '0.0.0.0:1'}", "", "", false},
		{"it is no YAML", "page: {password: horse", "", "", false},
		{"it is a list", "[1]", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := config.LoadPage(path)
			if p.Listen != tt.listen || p.Password.Reveal() != tt.password || (err == nil) != tt.ok {
				t.Errorf("%+v %q, %v", p, p.Password.Reveal(), err)
			}
		})
	}
	if _, err := config.LoadPage(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
