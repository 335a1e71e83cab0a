package z2mtest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	broker "z2mha/internal/bus"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/engine"
	"z2mha/internal/z2m/bridge"
)

// A listener is our own bridge at the broker, and what it tells of the network.
type listener struct {
	*bridge.Bridge
	t     *testing.T
	mu    sync.Mutex
	heard []engine.Membership
}

func listen(t *testing.T, address, base string) *listener {
	t.Helper()
	conn, err := broker.Dial(t.Context(), broker.Config{Server: "mqtt://" + address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	b, err := bridge.New(t.Context(), conn, base, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	l := &listener{Bridge: b, t: t}
	t.Cleanup(b.Watch(func(m engine.Membership) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.heard = append(l.heard, m)
	}))
	return l
}

// hears waits for changes of these kinds, in any order, each as "kind name"; those of
// lists come beside them. It returns all that was told since, and forgets it.
func (l *listener) hears(want ...string) []string {
	l.t.Helper()
	told := func() (out []string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, m := range l.heard {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", m.Kind, m.IEEE, m.Name)))
		}
		return out
	}
	if !within(30*time.Second, func() bool {
		got := told()
		return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(got, w) })
	}) {
		l.t.Fatalf("heard %q, want %q", told(), want)
	}
	got := told()
	l.mu.Lock()
	l.heard = nil
	l.mu.Unlock()
	return got
}

// TestMembership lets things happen to the network of a real Zigbee2MQTT, and makes live
// backups in between.
func TestMembership(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	dir, address := program(t), startBroker(t)
	medium := znpsim.NewMedium(znpsim.MediumOptions{})
	t.Cleanup(func() { medium.Close() })
	stick := znpsim.NewDongle(znpsim.DongleOptions{Name: "members", Medium: medium, Image: znpsim.FormedImage(identity)})
	device := medium.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp})
	second := medium.AddDevice(znpsim.DeviceSpec{Name: "second", Kind: znpsim.Lamp})
	lamp, other := device.IEEE().String(), second.IEEE().String()
	n := newNode(t, dir, address, "members", t.TempDir(), onTCP, stick, device)
	n.run()
	l := listen(t, address, "members")

	began := time.Now()
	if err := l.Backup(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("a live backup took %s", time.Since(began).Round(time.Millisecond))
	n.saved(lamp, false)

	n.bus.publish("bridge/request/permit_join", `{"time":60}`)
	l.hears("joined "+lamp+" lamp", "interviewing "+lamp+" lamp", "interviewed "+lamp+" lamp",
		"joined "+other+" "+other, "interviewed "+other+" "+other)
	if err := l.Backup(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.saved(lamp, true)
	n.saved(other, true)
	n.bus.publish("bridge/request/permit_join", `{"time":0}`)

	n.bus.publish("bridge/request/device/rename", `{"from":"lamp","to":"light"}`)
	l.hears("renamed " + lamp + " light")
	n.bus.publish("bridge/request/device/options", `{"id":"light","options":{"retain":true}}`)
	l.hears("options " + lamp + " light")
	n.bus.publish("bridge/request/group/add", `{"friendly_name":"hall"}`)
	l.hears("group 0x0000000000000000 hall")
	n.bus.publish("bridge/request/options", `{"options":{"advanced":{"last_seen":"ISO_8601"}},"transaction":"other"}`)
	l.hears("options 0x0000000000000000")
	if _, err := l.Refresh(t.Context()); err != nil { // our own question is no change
		t.Fatal(err)
	}
	if got := l.hears(); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "options") }) {
		t.Errorf("our own question was heard as %q", got)
	}
	second.Leave()
	l.hears("left "+other+" "+other, "changed "+other+" "+other)
	n.bus.publish("bridge/request/device/remove", `{"id":"light","force":true}`)
	l.hears("removed "+lamp+" light", "changed "+lamp+" light")
	n.process.stop()
	n.noUnknownCommands()
}

// saved looks whether database and backup of the data directory have a device, and that
// the backup is a new one.
func (n *node) saved(device string, want bool) {
	n.t.Helper()
	db, err := os.ReadFile(filepath.Join(n.data, "database.db"))
	if err != nil {
		n.t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(n.data, "coordinator_backup.json"))
	if err != nil {
		n.t.Fatal(err)
	}
	var backup struct {
		Metadata struct {
			Internal struct {
				Date time.Time `json:"date"`
			} `json:"internal"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &backup); err != nil {
		n.t.Fatal(err)
	}
	if age := time.Since(backup.Metadata.Internal.Date); age > 30*time.Second {
		n.t.Errorf("the backup is %s old", age)
	}
	short := strings.TrimPrefix(device, "0x")
	if inDB, inBackup := strings.Contains(string(db), device), strings.Contains(string(raw), short); inDB != want || inBackup != want {
		n.t.Errorf("%s is in the database: %v, in the backup: %v; want %v", device, inDB, inBackup, want)
	}
}
