package z2mtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
)

var identity = zigbee.Identity{
	PanID: 0x2b5c, ExtPanID: 0x0badcafe12345678, Channel: 20, IEEE: 0x00124b00facade01,
	Key: zigbee.Key{9, 1, 8, 2, 7, 3, 6, 4, 5, 11, 22, 33, 44, 55, 66, 77},
}

// A node is one Zigbee2MQTT with a stick.
type node struct {
	t       *testing.T
	program string
	data    string
	stick   *znpsim.Dongle
	bus     *bus
	process *process
}

// newNode serves the stick and writes a configuration beside what the data directory
// holds.
func newNode(t *testing.T, program, broker, base, data string, serve func(*testing.T, *znpsim.Dongle) string, stick *znpsim.Dongle, lamp *znpsim.Device) *node {
	t.Helper()
	port := serve(t, stick)
	text := fmt.Sprintf(configuration, base, broker, port, identity.PanID, list(identity.ExtPanID.LE(), true), list(identity.Key[:], false), identity.Channel, lamp.IEEE())
	if err := os.WriteFile(filepath.Join(data, "configuration.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return &node{t: t, program: program, data: data, stick: stick, bus: subscribe(t, broker, base)}
}

// onPTY serves the stick as a serial device.
func onPTY(t *testing.T, stick *znpsim.Dongle) string {
	tty := filepath.Join(t.TempDir(), "ttyUSB0")
	pty, err := stick.OpenPTY(tty)
	if err != nil {
		t.Fatal(err)
	}
	during(t, pty.Serve)
	return tty
}

// onTCP serves it as a network coordinator.
func onTCP(t *testing.T, stick *znpsim.Dongle) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	during(t, func(ctx context.Context) error { return stick.ServeTCP(ctx, l) })
	return "tcp://" + l.Addr().String()
}

// during runs serve until the test ends.
func during(t *testing.T, serve func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

const configuration = `version: 5
homeassistant: {enabled: false}
frontend: {enabled: false}
mqtt: {base_topic: %s, server: 'mqtt://%s'}
serial: {port: %s, adapter: zstack}
advanced:
  log_output: [console]
  log_level: info
  pan_id: %d
  ext_pan_id: [%s]
  network_key: [%s]
  channel: %d
devices:
  '%v': {friendly_name: lamp}
`

// list writes bytes as YAML numbers, reversed when they are little-endian.
func list(b []byte, reversed bool) string {
	var out []string
	for i := range b {
		if reversed {
			i = len(b) - 1 - i
		}
		out = append(out, fmt.Sprint(b[i]))
	}
	return strings.Join(out, ", ")
}

// run starts Zigbee2MQTT and waits until it is online; how tells which of resumed,
// restored and reset it said it did.
func (n *node) run() (how string) {
	n.t.Helper()
	n.process = start(n.t, n.t.TempDir(), []string{"ZIGBEE2MQTT_DATA=" + n.data, "Z2M_ONBOARD_NO_SERVER=1"}, "node", filepath.Join(n.program, "index.js"))
	await(n.t, 60*time.Second, "zigbee2mqtt online", func() bool {
		if n.process.ended() {
			n.t.Fatal("zigbee2mqtt ended")
		}
		return strings.Contains(n.process.out.String(), "Zigbee2MQTT started!")
	})
	_, rest, _ := strings.Cut(n.process.out.String(), "zigbee-herdsman started (")
	how, _, _ = strings.Cut(rest, ")")
	return how
}

// switches says that the lamp follows Zigbee2MQTT.
func (n *node) switches(lamp *znpsim.Device, limit time.Duration) bool {
	want := !lamp.On()
	state := map[bool]string{true: "ON", false: "OFF"}[want]
	n.bus.publish("lamp/set", fmt.Sprintf(`{"state":%q}`, state))
	return within(limit, func() bool {
		return lamp.On() == want && strings.Contains(n.bus.get("lamp"), fmt.Sprintf(`"state":%q`, state))
	})
}

func (n *node) noUnknownCommands() {
	n.t.Helper()
	if u := n.stick.Stats().Unknown; len(u) > 0 {
		n.t.Errorf("stick %s was asked what it does not know: %v", n.stick.Name(), u)
	}
}

// A pairing is what the first node leaves behind.
type pairing struct {
	data  string
	image *nvimage.Image
	lamp  znpsim.DeviceSpec
}

// TestZigbee2MQTT pairs a lamp through a real Zigbee2MQTT, then starts it on other
// sticks, each in a copy of the world.
func TestZigbee2MQTT(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	dir, broker := program(t), ""
	broker = startBroker(t)
	p := pair(t, dir, broker)
	t.Run("its backup is the one that is taken from the stick's memory", func(t *testing.T) { checkBackup(t, p) })
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, dir, broker, p)
		})
	}
	t.Run("a backup that is laid over is a backup restored", func(t *testing.T) {
		t.Parallel()
		compareRestores(t, dir, broker)
	})
	t.Run("a backup that forgot a key behind a gap takes it from nobody", func(t *testing.T) {
		t.Parallel()
		forgetKey(t, dir, broker)
	})
}

// pair starts on a formed stick, lets the lamp join, switches it, and stops.
func pair(t *testing.T, dir, broker string) pairing {
	medium := znpsim.NewMedium(znpsim.MediumOptions{})
	t.Cleanup(func() { medium.Close() })
	stick := znpsim.NewDongle(znpsim.DongleOptions{Name: "first", Medium: medium, Image: znpsim.FormedImage(identity)})
	lamp := medium.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp})
	n := newNode(t, dir, broker, "first", t.TempDir(), onPTY, stick, lamp)
	if how := n.run(); how != "resumed" {
		t.Fatalf("first start: %s, want resumed", how)
	}
	n.bus.publish("bridge/request/permit_join", `{"time":60}`)
	await(t, 30*time.Second, "the lamp's interview", func() bool {
		var devices []struct {
			Name      string `json:"friendly_name"`
			Completed bool   `json:"interview_completed"`
			Supported bool
			Model     string `json:"model_id"`
		}
		_ = json.Unmarshal([]byte(n.bus.get("bridge/devices")), &devices)
		return len(devices) == 2 && devices[1].Completed && devices[1].Model == "sim-lamp"
	})
	if !n.switches(lamp, 10*time.Second) {
		t.Fatalf("the lamp does not follow: %q", n.bus.get("lamp"))
	}
	lamp.Toggle()
	await(t, 5*time.Second, "the report of the lamp's own switch", func() bool {
		return strings.Contains(n.bus.get("lamp"), fmt.Sprintf(`"state":%q`, map[bool]string{true: "ON", false: "OFF"}[lamp.On()]))
	})
	n.process.stop()
	n.noUnknownCommands()
	if stick.State() != znpsim.StateCoordinator {
		t.Error("the stick fell silent when zigbee2mqtt stopped")
	}
	spec := lamp.Status()
	return pairing{data: n.data, image: stick.Image(), lamp: znpsim.DeviceSpec{
		Name: "lamp", Kind: znpsim.Lamp, IEEE: spec.IEEE, Nwk: spec.Nwk, Network: identity, LastCounter: spec.LastCounter,
	}}
}

// cases are what the stick of another node may hold when Zigbee2MQTT starts there.
var cases = []secondNode{
	{name: "a clone is resumed", image: clone, serve: onPTY, want: "resumed", works: true, leap: 1250},
	{name: "a clone with an old counter is resumed and ignored", image: stale, serve: onPTY, want: "resumed"},
	{name: "a clone with its own address is resumed and ignored", image: ownAddress, serve: onPTY, want: "resumed"},
	{name: "an early clone with the backup laid over it is resumed", image: overlaid, serve: onPTY, want: "resumed", works: true, leap: 1250},
	{name: "an empty stick is restored from the backup", image: empty, serve: onTCP, want: "restored", works: true},
	{name: "an empty stick without a backup forms a new network", image: empty, serve: onPTY, noBackup: true, want: "reset", lost: true},
}

type secondNode struct {
	name     string
	image    func(*testing.T, pairing) *nvimage.Image
	serve    func(*testing.T, *znpsim.Dongle) string
	noBackup bool
	want     string
	works    bool
	lost     bool // the database is emptied
	leap     zigbee.FrameCounter
}

func clone(_ *testing.T, p pairing) *nvimage.Image { return p.image }

func empty(*testing.T, pairing) *nvimage.Image { return znpsim.ResetImage(0x00124b0000000b0b) }

func stale(_ *testing.T, p pairing) *nvimage.Image {
	c := p.image.Clone()
	id := nvimage.Entry(nvimage.NwkSecMaterialTable, 0)
	v, _ := c.Get(id)
	c.Set(id, append([]byte{100, 0, 0, 0}, v[4:]...))
	return c
}

func ownAddress(_ *testing.T, p pairing) *nvimage.Image {
	c := p.image.Clone()
	c.Set(nvimage.OSAL(nvimage.ExtAddr), zigbee.IEEE(0x00124b0000000b0b).LE())
	return c
}

func (c secondNode) run(t *testing.T, dir, broker string, p pairing) {
	medium := znpsim.NewMedium(znpsim.MediumOptions{})
	t.Cleanup(func() { medium.Close() })
	lamp := medium.AddDevice(p.lamp)
	stick := znpsim.NewDongle(znpsim.DongleOptions{Name: "second", Medium: medium, Image: c.image(t, p)})
	data := t.TempDir()
	if err := os.CopyFS(data, os.DirFS(p.data)); err != nil {
		t.Fatal(err)
	}
	if c.noBackup {
		if err := os.Remove(filepath.Join(data, "coordinator_backup.json")); err != nil {
			t.Fatal(err)
		}
	}
	n := newNode(t, dir, broker, "second-"+strings.ReplaceAll(c.name, " ", "-"), data, c.serve, stick, lamp)
	if how := n.run(); how != c.want {
		t.Errorf("start said %q, want %q", how, c.want)
	}
	c.check(t, n, lamp, p)
	n.process.kill()
	n.noUnknownCommands()
}

func (c secondNode) check(t *testing.T, n *node, lamp *znpsim.Device, p pairing) {
	record := n.stick.Medium().Record()
	if c.lost {
		if got := len(record.Formed); got != 1 {
			t.Errorf("formed %d networks, want 1", got)
		}
		if b, _ := os.ReadFile(filepath.Join(n.data, "database.db")); strings.Contains(string(b), "sim-lamp") {
			t.Error("the lamp is still in the database")
		}
		return
	}
	if counters, err := p.image.Counters(); c.leap > 0 && err == nil && record.OnAir[0].First != counters.NWK+c.leap {
		t.Errorf("first counter %d, want stored %d + %d", record.OnAir[0].First, counters.NWK, c.leap)
	}
	limit := 8 * time.Second
	if got := n.switches(lamp, limit); got != c.works {
		t.Errorf("lamp follows: %v, want %v; it says %+v", got, c.works, lamp.Status())
	}
	record = n.stick.Medium().Record()
	if ignored := record.ReplaysDropped + record.ForeignIgnored; (ignored > 0) == c.works {
		t.Errorf("the lamp ignored %d frames", ignored)
	}
}
