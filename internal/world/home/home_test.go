package home_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"z2mha/internal/config"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/world/home"
	"z2mha/internal/world/z2msim"
)

// TestMain makes the test program the simulated Zigbee2MQTT when it is started as
// one, so that it runs as a process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "simulated-zigbee2mqtt" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		code := z2msim.Run(ctx, z2msim.Options{DataDir: os.Getenv("ZIGBEE2MQTT_DATA"), Stdout: os.Stdout})
		stop()
		fmt.Println("exit code", code)
		os.Exit(code)
	}
	os.Exit(m.Run())
}

const patience = 20 * time.Second

func newHome(t *testing.T) *home.Home {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, err := home.New(context.Background(), home.Options{Dir: t.TempDir(), Program: []string{self, "simulated-zigbee2mqtt"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// running is a home whose attic serves the lamp.
func running(t *testing.T) (*home.Home, *home.Watch) {
	t.Helper()
	h := newHome(t)
	w, err := h.Watch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	service(t, h.Attic, "start")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.Await(ctx, "attic"); err != nil {
		t.Fatalf("%v\n%s", err, h.Attic.Log())
	}
	return h, w
}

func service(t *testing.T, n *home.Node, verb string) {
	t.Helper()
	if err := n.Service(t.Context(), verb); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("never came true: " + what)
		}
	}
}

func TestControllerConfigurationIsValid(t *testing.T) {
	h := newHome(t)
	c, err := config.Load(h.Config)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Networks) != 1 || len(c.Networks[0].Nodes) != 2 || len(c.Warnings) > 0 {
		t.Errorf("configuration %+v, want one network of two nodes and no warning", c)
	}
}

func TestHomeBeginsWithOneFormedAndOneEmptyStick(t *testing.T) {
	h := newHome(t)
	got, err := h.Attic.Dongle.Image().Identity()
	if err != nil {
		t.Fatal(err)
	}
	if diff := home.Identity.Differences(got); len(diff) > 0 {
		t.Error(diff)
	}
	if h.Cellar.Dongle.Image().Configured() {
		t.Error("the cellar's stick is configured already")
	}
	if _, ok := h.Cellar.Dongle.Image().Get(nvimage.OSAL(nvimage.Nib)); ok {
		t.Error("the cellar's stick holds a network already")
	}
	if on := h.OnAir(); on != "" {
		t.Errorf("%s is on air before anything was started", on)
	}
}

// TestStoppedZigbee2MQTTLeavesTheRadioOn is the reason for fencing.
func TestStoppedZigbee2MQTTLeavesTheRadioOn(t *testing.T) {
	h, w := running(t)
	old := stat(t, h.Attic, "database.db")
	service(t, h.Attic, "stop")
	if got := h.OnAir(); got != "attic" {
		t.Errorf("on air: %q, want attic still", got)
	}
	if got := string(w.Last("bridge/state")); got != `{"state":"offline"}` {
		t.Errorf("bridge/state %s, want offline", got)
	}
	for _, file := range []string{"database.db", "state.json", "coordinator_backup.json"} {
		if !stat(t, h.Attic, file).ModTime().After(old.ModTime()) && file != "state.json" {
			t.Errorf("%s was not saved at the stop", file)
		}
	}
	if !strings.Contains(h.Attic.Log(), "exit code 0") {
		t.Errorf("the log does not end with exit code 0:\n%s", h.Attic.Log())
	}
	if faults := h.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}

func stat(t *testing.T, n *home.Node, file string) os.FileInfo {
	t.Helper()
	fi, err := os.Stat(filepath.Join(n.Data, file))
	if err != nil {
		t.Fatal(err)
	}
	return fi
}

func TestKilledZigbee2MQTTLeavesItsLastWill(t *testing.T) {
	h, w := running(t)
	if err := h.Attic.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "bridge/state is offline", func() bool { return string(w.Last("bridge/state")) == `{"state":"offline"}` })
	if got := h.OnAir(); got != "attic" {
		t.Errorf("on air: %q, want attic still", got)
	}
}

func TestUnpluggedStickEndsZigbee2MQTT(t *testing.T) {
	h, w := running(t)
	h.Attic.Dongle.Unplug()
	eventually(t, "Zigbee2MQTT has ended", func() bool { return h.Attic.PID() == 0 })
	if !strings.Contains(h.Attic.Log(), "exit code 2") {
		t.Errorf("want exit code 2:\n%s", h.Attic.Log())
	}
	eventually(t, "bridge/state is offline", func() bool { return string(w.Last("bridge/state")) == `{"state":"offline"}` })
}

// TestStandbyRefusesToStart: a stick without network and no backup would be formed
// anew, and database.db emptied.
func TestStandbyRefusesToStart(t *testing.T) {
	h := newHome(t)
	service(t, h.Cellar, "start")
	eventually(t, "Zigbee2MQTT has ended", func() bool { return strings.Contains(h.Cellar.Log(), "exit code") })
	if want := fmt.Sprint("exit code ", z2msim.ExitWouldReset); !strings.Contains(h.Cellar.Log(), want) {
		t.Errorf("want %s:\n%s", want, h.Cellar.Log())
	}
	if on := h.OnAir(); on != "" {
		t.Errorf("%s went on air", on)
	}
}

func TestHeldStickCannotBeLocked(t *testing.T) {
	h, _ := running(t)
	if err := os.RemoveAll(h.Cellar.Data); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(h.Cellar.Data, os.DirFS(h.Attic.Data)); err != nil { // names the attic's tty
		t.Fatal(err)
	}
	service(t, h.Cellar, "start")
	eventually(t, "Zigbee2MQTT has ended", func() bool { return strings.Contains(h.Cellar.Log(), "exit code 1") })
	if !strings.Contains(h.Cellar.Log(), "cannot lock port") {
		t.Errorf("it does not say why:\n%s", h.Cellar.Log())
	}
}

// TestBridgeRequests asks what the controller asks.
func TestBridgeRequests(t *testing.T) {
	h, w := running(t)
	before, err := os.ReadFile(filepath.Join(h.Attic.Data, "configuration.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		request, payload string
		want             map[string]any
	}{
		{"options", `{"options":{},"transaction":"7"}`, map[string]any{"data": map[string]any{"restart_required": false}, "status": "ok", "transaction": "7"}},
		{"health_check", `{}`, map[string]any{"data": map[string]any{"healthy": true}, "status": "ok"}},
		{"permit_join", `{"time":0}`, map[string]any{"data": map[string]any{"time": 0.0}, "status": "ok"}},
		{"coordinator_check", `{}`, map[string]any{"data": map[string]any{"missing_routers": []any{}}, "status": "ok"}},
	} {
		t.Run(tc.request, func(t *testing.T) {
			publish(t, h, "bridge/request/"+tc.request, tc.payload)
			answer := "bridge/response/" + tc.request
			eventually(t, "an answer comes", func() bool { return w.Last(answer) != nil })
			var got map[string]any
			if err := json.Unmarshal(w.Last(answer), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	after, _ := os.ReadFile(filepath.Join(h.Attic.Data, "configuration.yaml"))
	if !bytes.Equal(before, after) {
		t.Error("requests that change nothing rewrote configuration.yaml")
	}
	var info struct {
		Config struct{ Z2MHA struct{ Node string } }
	}
	if err := json.Unmarshal(w.Last("bridge/info"), &info); err != nil || info.Config.Z2MHA.Node != "attic" {
		t.Errorf("bridge/info carries the mark %q, want attic (%v)", info.Config.Z2MHA.Node, err)
	}
	for _, secret := range h.Secrets() {
		if strings.Contains(string(w.Last("bridge/info")), secret) {
			t.Error("bridge/info shows a secret")
		}
	}
}

func publish(t *testing.T, h *home.Home, topic, payload string) {
	t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + h.Broker()))
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer c.Disconnect(100)
	c.Publish("zigbee2mqtt/"+topic, 0, false, payload).Wait()
}

// TestDeviceReportsArePublished: the radio is heard without being asked.
func TestDeviceReportsArePublished(t *testing.T) {
	h, w := running(t)
	for _, d := range h.Medium.Devices() {
		if d.Name() == "hall sensor" {
			d.SetTemperature(23.5)
		}
	}
	eventually(t, "the temperature arrives", func() bool {
		return strings.Contains(string(w.Last("hall sensor")), `"temperature":23.5`)
	})
}
