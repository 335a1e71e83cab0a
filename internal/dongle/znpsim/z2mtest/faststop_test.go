package z2mtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/host/ending"
	"z2mha/internal/host/helperapi"
)

// TestBudgetFastStop ends a real Zigbee2MQTT as a switchover does, and measures it. What
// it has saved must be whole and new, and joining closed, though it is killed.
func TestBudgetFastStop(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	dir := program(t)
	broker := startBroker(t)
	medium := znpsim.NewMedium(znpsim.MediumOptions{})
	t.Cleanup(func() { medium.Close() })
	stick := znpsim.NewDongle(znpsim.DongleOptions{Name: "first", Medium: medium, Image: znpsim.FormedImage(identity),
		Latency: 2 * time.Millisecond})
	lamp := medium.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp})
	n := newNode(t, dir, broker, "fast", t.TempDir(), onPTY, stick, lamp)
	n.run()
	n.bus.publish("bridge/request/permit_join", `{"time":60}`)
	await(t, 30*time.Second, "the lamp's interview", func() bool {
		return strings.Contains(n.bus.get("bridge/devices"), `"interview_completed":true`) &&
			strings.Contains(n.bus.get("bridge/devices"), "sim-lamp")
	})
	if !n.switches(lamp, 10*time.Second) {
		t.Fatal("the lamp does not follow")
	}
	state, database := filepath.Join(n.data, "state.json"), filepath.Join(n.data, "database.db")
	before := time.Now()
	r, err := ending.End(t.Context(), ending.Here{}, helperapi.EndArgs{
		TTY: ttyOf(t, n), Data: n.data, Budget: 5 * time.Second,
		Ask: fmt.Sprintf("kill -TERM %d", n.process.cmd.Process.Pid),
	})
	if err != nil || !r.Saved || !r.Gone || len(r.Killed) != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	t.Logf("real Zigbee2MQTT, stick at 2 ms a request: TERM to saved %d ms, to killed and released %d ms", r.SaveMS, r.TookMS)
	if saved, ended := mtime(t, state), mtime(t, database); saved.Before(before.Add(-20*time.Millisecond)) || ended.Before(saved) {
		t.Errorf("asked %v, state %v, database %v", before, saved, ended)
	}
	if raw := read(t, state); !json.Valid(raw) || !bytes.Contains(raw, []byte(fmt.Sprintf(`"state": %q`, map[bool]string{true: "ON", false: "OFF"}[lamp.On()]))) {
		t.Errorf("state.json holds %s", raw)
	}
	for line := range bytes.Lines(read(t, database)) {
		if !json.Valid(line) {
			t.Errorf("database.db holds %q", line)
		}
	}
	if !bytes.Contains(read(t, database), []byte("sim-lamp")) {
		t.Error("the lamp is not in the database")
	}
	if left, _ := filepath.Glob(filepath.Join(n.data, "*.tmp*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if n.bus.get("bridge/state") != `{"state":"offline"}` {
		t.Errorf("bridge/state is %s", n.bus.get("bridge/state"))
	}
	if strings.Contains(n.process.out.String(), "Stopped zigbee-herdsman") {
		t.Error("it came to the end of its own stop")
	}
}

// ttyOf is the port in the node's configuration.
func ttyOf(t *testing.T, n *node) string {
	t.Helper()
	_, rest, _ := strings.Cut(string(read(t, filepath.Join(n.data, "configuration.yaml"))), "port: ")
	tty := strings.TrimRight(strings.Fields(rest)[0], ",}")
	return tty
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func mtime(t *testing.T, path string) time.Time {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}
