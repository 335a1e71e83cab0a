package bridge_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/z2m/bridge"
)

// A witness hears what a bridge tells of the network.
type witness struct {
	mu    sync.Mutex
	heard []engine.Membership
}

func watching(t *testing.T, b *bridge.Bridge) *witness {
	t.Helper()
	w := &witness{}
	t.Cleanup(b.Watch(func(m engine.Membership) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.heard = append(w.heard, m)
	}))
	return w
}

// took is what was heard since, as "kind address name".
func (w *witness) took() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, m := range w.heard {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %x %s", m.Kind, uint64(m.IEEE), m.Name)))
	}
	w.heard = nil
	return out
}

// device is an entry of bridge/devices.
func device(ieee zigbee.IEEE, name, rest string) string {
	return fmt.Sprintf(`{"ieee_address":%q,"type":"Router","friendly_name":%q,"network_address":4711,"interview_completed":true%s}`, ieee, name, rest)
}

const coordinator = `{"ieee_address":"0x00124b0000000001","type":"Coordinator","friendly_name":"Coordinator"}`

func devices(list ...string) string {
	return "[" + strings.Join(append([]string{coordinator}, list...), ",") + "]"
}

func (z *zigbee2mqtt) list(list ...string) { z.publish("bridge/devices", devices(list...), true) }

func TestWatchHears(t *testing.T) {
	for _, tt := range []struct {
		name  string
		topic string
		say   string
		want  []string
	}{
		{"a join", "bridge/event", `{"type":"device_joined","data":{"friendly_name":"0x0000000000000a09","ieee_address":"0x0000000000000a09"}}`,
			[]string{"joined a09 0x0000000000000a09"}},
		{"the begin of an interview", "bridge/event", `{"type":"device_interview","data":{"friendly_name":"lamp","status":"started","ieee_address":"0x0000000000000a01"}}`,
			[]string{"interviewing a01 lamp"}},
		{"its end", "bridge/event", `{"type":"device_interview","data":{"friendly_name":"lamp","status":"successful","ieee_address":"0x0000000000000a01","definition":{}}}`,
			[]string{"interviewed a01 lamp"}},
		{"its bad end", "bridge/event", `{"type":"device_interview","data":{"friendly_name":"lamp","status":"failed","ieee_address":"0x0000000000000a01"}}`,
			[]string{"interviewed a01 lamp"}},
		{"a leave", "bridge/event", `{"type":"device_leave","data":{"ieee_address":"0x0000000000000a01","friendly_name":"lamp"}}`, []string{"left a01 lamp"}},
		{"no announcement", "bridge/event", `{"type":"device_announce","data":{"ieee_address":"0x0000000000000a01","friendly_name":"lamp"}}`, nil},
		{"nothing unknown", "bridge/event", `{"type":"lights_out","data":[1]}`, nil},
		{"no leave of nobody", "bridge/event", `{"type":"device_leave","data":{"friendly_name":"lamp"}}`, nil},
		{"nothing torn", "bridge/event", `{"type":"device_leave","da`, nil},
		{"a rename", "bridge/response/device/rename", `{"data":{"from":"lamp","to":"two gangs","homeassistant_rename":false},"status":"ok"}`,
			[]string{"renamed a02 two gangs"}},
		{"a removal by name", "bridge/response/device/remove", `{"data":{"id":"lamp","block":false,"force":true},"status":"ok","transaction":"x-1"}`,
			[]string{"removed a01 lamp"}},
		{"a removal by address", "bridge/response/device/remove", `{"data":{"id":"0x0000000000000a07"},"status":"ok"}`, []string{"removed a07 0x0000000000000a07"}},
		{"a removal of one that nobody knows", "bridge/response/device/remove", `{"data":{"id":"ghost"},"status":"ok"}`, []string{"removed 0 ghost"}},
		{"no removal that did not work", "bridge/response/device/remove", `{"data":{},"status":"error","error":"Failed to remove device 'lamp'"}`, nil},
		{"options of a device", "bridge/response/device/options", `{"data":{"from":{},"to":{"retain":true},"id":"lamp","restart_required":false},"status":"ok"}`,
			[]string{"options a01 lamp"}},
		{"options of Zigbee2MQTT", "bridge/response/options", `{"data":{"restart_required":true},"status":"ok","transaction":"page-7"}`, []string{"options 0"}},
		{"not our own question", "bridge/response/options", `{"data":{"restart_required":false},"status":"ok","transaction":"z2mha-AAAA"}`, nil},
		{"a new group", "bridge/response/group/add", `{"data":{"friendly_name":"hall","id":7},"status":"ok"}`, []string{"group 0 hall"}},
		{"a group that is gone", "bridge/response/group/remove", `{"data":{"id":7,"force":false},"status":"ok"}`, []string{"group 0 7"}},
		{"a renamed group", "bridge/response/group/rename", `{"data":{"from":"hall","to":"stairs"},"status":"ok"}`, []string{"group 0 stairs"}},
		{"a member of a group", "bridge/response/group/members/add", `{"data":{"device":"lamp","endpoint":"default","group":"hall"},"status":"ok"}`, []string{"group 0 hall"}},
		{"nothing of other answers", "bridge/response/permit_join", `{"data":{"time":0},"status":"ok"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				z, b := world(t)
				z.list(device(lamp, "lamp", ""), device(gangs, "two gangs", ""))
				synctest.Wait()
				w := watching(t, b)
				z.publish(tt.topic, tt.say, false)
				if diff := cmp.Diff(tt.want, w.took()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestWatchIgnoresWhatTheBrokerKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		w := watching(t, b)
		z.broker.Stop()
		synctest.Wait()
		z.broker.Start()
		z.broker.Publish("z2m/bridge/event", `{"type":"device_leave","data":{"ieee_address":"0x0000000000000a01","friendly_name":"lamp"}}`, true)
		z.broker.Publish("z2m/bridge/response/device/remove", `{"data":{"id":"0x0000000000000a01"},"status":"ok"}`, true)
		time.Sleep(time.Minute)
		if got := w.took(); got != nil {
			t.Errorf("heard %v", got)
		}
	})
}

// An answer to a removal comes after the list that has the device no longer.
func TestWatchKnowsWhoWasRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.list(device(lamp, "lamp", ""), device(gangs, "two gangs", ""))
		synctest.Wait()
		w := watching(t, b)
		z.list(device(gangs, "two gangs", ""))
		z.list(device(gangs, "two gangs", ""))
		z.publish("bridge/response/device/remove", `{"data":{"id":"lamp"},"status":"ok"}`, false)
		if diff := cmp.Diff([]string{"changed a01 lamp", "removed a01 lamp"}, w.took()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWatchComparesLists(t *testing.T) {
	type message struct{ topic, text string }
	lists := func(list ...string) message { return message{"bridge/devices", devices(list...)} }
	groups := func(text string) message { return message{"bridge/groups", text} }
	for _, tt := range []struct {
		name string
		next message
		want []string
	}{
		{"and says nothing when they are equal", lists(device(gangs, "two gangs", ""), device(lamp, "lamp", "")), nil},
		{"and says nothing of what a device tells all day", lists(device(lamp, "lamp", `,"last_seen":9,"definition":{"model":"X"},"software_build_id":"2"`), device(gangs, "two gangs", "")), nil},
		{"and sees a device that is gone", lists(device(lamp, "lamp", "")), []string{"changed a02 two gangs"}},
		{"and sees a new one", lists(device(lamp, "lamp", ""), device(gangs, "two gangs", ""), device(7, "seven", "")), []string{"changed 7 seven"}},
		{"and sees another name", lists(device(lamp, "light", ""), device(gangs, "two gangs", "")), []string{"changed a01 light"}},
		{"and sees a binding", lists(device(lamp, "lamp", `,"endpoints":{"1":{"bindings":[{"cluster":"genOnOff"}]}}`), device(gangs, "two gangs", "")), []string{"changed a01 lamp"}},
		{"and proves no leave when all are gone", lists(), []string{"changed 0 2 devices"}},
		{"and says nothing of equal groups", groups(`[{"id":1,"friendly_name":"hall","members":[],"scenes":[]}]`), nil},
		{"and sees a member of a group", groups(`[{"id":1,"friendly_name":"hall","members":[{"ieee_address":"0xa01","endpoint":1}],"scenes":[]}]`), []string{"changed 0 hall"}},
		{"and sees a group that is gone", groups(`[]`), []string{"changed 0 hall"}},
	} {
		t.Run("it compares lists "+tt.name, func(t *testing.T) {
			for _, away := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					z, b := world(t)
					w := watching(t, b)
					z.list(device(lamp, "lamp", ""), device(gangs, "two gangs", ""))
					z.publish("bridge/groups", `[{"id":1,"friendly_name":"hall","members":[],"scenes":[]}]`, true)
					if got := w.took(); got != nil {
						t.Fatalf("the first lists are no change: %v", got)
					}
					if away { // the change is missed, and seen in what the broker has kept
						z.broker.Stop()
						synctest.Wait()
						z.broker.Start()
						z.broker.Publish("z2m/"+tt.next.topic, tt.next.text, true)
					} else {
						z.publish(tt.next.topic, tt.next.text, true)
					}
					time.Sleep(time.Minute)
					if diff := cmp.Diff(tt.want, w.took()); diff != "" {
						t.Errorf("away %v: %s", away, diff)
					}
				})
			}
		})
	}
}
