package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/bus"
	"z2mha/internal/bus/bustest"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/z2m/bridge"
)

const (
	lamp  = zigbee.IEEE(0xa01)
	gangs = zigbee.IEEE(0xa02)
)

var (
	theLamp  = engine.BridgeDevice{IEEE: lamp, FriendlyName: "attic/lamp", Askable: true, AskProperty: "state"}
	theGangs = engine.BridgeDevice{IEEE: gangs, FriendlyName: "zwei Schalter ü", Askable: true, AskProperty: "state_left"}
)

// zigbee2mqtt is a scripted Zigbee2MQTT.
type zigbee2mqtt struct {
	t      testing.TB
	broker *bustest.Broker
	conn   *bus.Conn
	node   string

	deaf       atomic.Bool // takes no requests
	permitJoin atomic.Bool
	stuck      atomic.Bool // goes on saying that joining is open
	mute       map[string]bool
	gets       map[string]int
	old        bool   // passes nothing on to its stick
	stickSays  string // status of the answer to permit_join; "" says ok
	quiet      bool   // log_level warning: does not say that it started

	backups     atomic.Int32 // requests for one
	backupTakes time.Duration
	backupSays  string // status and error of the answer; "" says ok
	backupLost  bool   // the answer does not come
}

func (z *zigbee2mqtt) publish(topic, payload string, retain bool) {
	if err := z.conn.Publish(context.Background(), bus.Message{Topic: "z2m/" + topic, Payload: []byte(payload), Retained: retain}); err != nil && z.t.Context().Err() == nil {
		z.t.Errorf("zigbee2mqtt: %v", err)
	}
}

func (z *zigbee2mqtt) publishInfo() {
	z.publish("bridge/info", fmt.Sprintf(`{"version":"2.14.1","coordinator":{"ieee_address":"0x00124b0000000001","meta":{"revision":20240710}},
		"network":{"channel":15,"pan_id":18977,"extended_pan_id":"0x0102030405060708"},"permit_join":%v,"config":{"z2mha":{"node":%q}},
		"config_schema":%q}`, z.permitJoin.Load(), z.node, strings.Repeat("x", 27_000)), true)
}

// run starts it: online, deaf for the blink in which commands are lost, info,
// devices, cached states a while later, started.
func (z *zigbee2mqtt) run() {
	z.publish("bridge/state", `{"state":"online"}`, true)
	time.Sleep(30 * time.Millisecond)
	for _, filter := range []string{"z2m/bridge/request/#", "z2m/+/get", "z2m/+/+/get"} {
		if _, err := z.conn.Subscribe(context.Background(), filter, z.handle); err != nil {
			z.t.Error(err)
		}
	}
	z.publishInfo()
	z.publish("bridge/devices", `[{"ieee_address":"0x00124b0000000001","type":"Coordinator","friendly_name":"Coordinator"},
		{"ieee_address":"0x0000000000000a01","type":"Router","friendly_name":"attic/lamp","power_source":"Mains (single phase)","definition":{"exposes":[{"type":"binary","name":"state","property":"state","access":7}]}}]`, true)
	time.Sleep(3 * time.Second)
	z.publish("attic/lamp", `{"state":"ON","linkquality":1}`, false)
	z.publish("zwei Schalter ü", `{"state_left":"ON"}`, false)
	if !z.quiet {
		z.publish("bridge/logging", `{"level":"info","message":"Zigbee2MQTT started!"}`, false)
	}
}

func (z *zigbee2mqtt) handle(m bus.Message) {
	topic := strings.TrimPrefix(m.Topic, "z2m/")
	if name, ok := strings.CutSuffix(topic, "/get"); ok {
		z.get(name, m.Payload)
		return
	}
	if z.deaf.Load() {
		return
	}
	var request struct{ Transaction string }
	_ = json.Unmarshal(m.Payload, &request)
	name := strings.TrimPrefix(topic, "bridge/request/")
	if name == "action" && z.old {
		return
	}
	if name == "permit_join" && z.stickSays != "" {
		z.permitJoin.Store(false)
		go z.publish("bridge/response/permit_join", fmt.Sprintf(`{"data":{},%s,"transaction":%q}`, z.stickSays, request.Transaction), false)
		return
	}
	if name == "permit_join" && !z.stuck.Load() {
		z.permitJoin.Store(false)
	}
	if name == "backup" {
		z.backups.Add(1)
		go z.backUp(request.Transaction)
		return
	}
	z.publishInfo()
	z.publish("bridge/response/"+name, fmt.Sprintf(`{"data":{},"status":"ok","transaction":%q}`, request.Transaction), false)
}

func (z *zigbee2mqtt) get(name string, payload []byte) {
	z.gets[name]++
	if z.mute[name] {
		return
	}
	var wanted map[string]string
	_ = json.Unmarshal(payload, &wanted)
	for property := range wanted {
		z.publish(name, fmt.Sprintf(`{%q:"OFF","linkquality":99}`, property), false)
	}
}

// world is a broker with a Zigbee2MQTT that is connected and silent, and a Bridge.
func world(t *testing.T) (*zigbee2mqtt, *bridge.Bridge) {
	t.Helper()
	broker := bustest.New(t)
	connect := func() *bus.Conn {
		c, err := bus.Dial(t.Context(), bus.Config{Server: "mqtt://test", Dialer: broker.Dial})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	z := &zigbee2mqtt{t: t, broker: broker, conn: connect(), node: "attic", mute: map[string]bool{}, gets: map[string]int{}}
	b, err := bridge.New(t.Context(), connect(), "z2m", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return z, b
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		s, err := b.State(t.Context())
		if err != nil || s.Known {
			t.Errorf("nothing was said: %+v, %v", s, err)
		}
		z.publish("bridge/state", "online", true)
		synctest.Wait()
		s, err = b.State(t.Context())
		if err != nil || !s.Online || s.Retained || !s.At.Equal(time.Now()) {
			t.Errorf("fresh online: %+v, %v", s, err)
		}
		z.broker.Stop()
		synctest.Wait()
		if s, err := b.State(t.Context()); err == nil {
			t.Errorf("no broker: %+v", s)
		}
		z.broker.Start()
		z.broker.Publish("z2m/bridge/state", `{"state":"offline"}`, true)
		time.Sleep(time.Minute)
		s, err = b.State(t.Context())
		if err != nil || !s.Known || s.Online || !s.Retained {
			t.Errorf("kept offline: %+v, %v", s, err)
		}
	})
}

func TestRefreshReturnsWhatIsFreshOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.node = "cellar"
		z.publishInfo()
		synctest.Wait()
		_, err := b.Refresh(within(t, 5*time.Second))
		if !errors.Is(err, engine.ErrBridgeSilent) {
			t.Errorf("an info from before the call counts: %v", err)
		}
		z.node = "attic"
		go z.run()
		got, err := b.Refresh(within(t, 5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		want := engine.BridgeInfo{At: time.Now(), Node: "attic", Version: "2.14.1", Coordinator: 0x00124b0000000001, PanID: 0x4a21,
			ExtPanID: 0x0102030405060708, Channel: 15, Revision: 20240710}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		time.Sleep(5 * time.Second)
	})
}

func TestRefreshAsksAgainUntilItIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.run()
		z.deaf.Store(true)
		go func() {
			time.Sleep(10 * time.Second)
			z.deaf.Store(false)
		}()
		start := time.Now()
		if _, err := b.Refresh(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestRefreshWithoutBrokerSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.broker.Stop()
		_, err := b.Refresh(within(t, 5*time.Second))
		var gone *bus.UnreachableError
		if !errors.As(err, &gone) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		if _, err := b.Devices(t.Context(), time.Time{}); err == nil || !strings.Contains(err.Error(), "check mqtt.base_topic") {
			t.Errorf("nothing was said: %v", err)
		}
		z.run()
		got, err := b.Devices(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		want := []engine.BridgeDevice{{IEEE: lamp, FriendlyName: "attic/lamp", Type: "Router", Askable: true, AskProperty: "state"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if _, err := b.Devices(within(t, time.Minute), time.Now()); !errors.Is(err, engine.ErrBridgeSilent) {
			t.Errorf("an old list is taken for a new one: %v", err)
		}
		since := time.Now()
		go z.run()
		if _, err := b.Devices(within(t, time.Minute), since); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Second)
	})
}

func TestAsk(t *testing.T) {
	for _, c := range []struct {
		name   string
		wait   time.Duration // after the start
		mute   string
		enough int
		want   []zigbee.IEEE
	}{
		{"it hears all", 5 * time.Minute, "", 2, []zigbee.IEEE{lamp, gangs}},
		{"it leaves the mute one out", 5 * time.Minute, "attic/lamp", 2, []zigbee.IEEE{gangs}},
		{"it hears all during the start", time.Millisecond, "", 2, []zigbee.IEEE{lamp, gangs}},
		{"it does not take cached states for answers", time.Millisecond, "attic/lamp", 2, []zigbee.IEEE{gangs}},
		{"it asks no more than it needs to", 5 * time.Minute, "", 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				z, b := world(t)
				z.mute[c.mute] = true
				go z.run()
				time.Sleep(c.wait)
				got, err := b.Ask(within(t, time.Minute), []engine.BridgeDevice{theLamp, theGangs, {FriendlyName: "a sensor"}}, c.enough)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestAskReturnsAsSoonAsEnoughAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.mute["attic/lamp"] = true
		z.run()
		start := time.Now()
		got, err := b.Ask(within(t, time.Minute), []engine.BridgeDevice{theLamp, theGangs}, 1)
		if err != nil || len(got) != 1 || got[0] != gangs || time.Since(start) > time.Second {
			t.Errorf("got %v, %v after %v", got, err, time.Since(start))
		}
	})
}

func TestAskIgnoresWhatTheBrokerKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.mute["attic/lamp"] = true
		z.run()
		z.publish("attic/lamp", `{"state":"ON"}`, true)
		time.Sleep(5 * time.Minute)
		if got, err := b.Ask(within(t, time.Minute), []engine.BridgeDevice{theLamp}, 1); err != nil || len(got) > 0 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestAskIsNotFooledByAStartInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.mute["attic/lamp"] = true
		z.run()
		time.Sleep(5 * time.Minute)
		go func() {
			time.Sleep(10 * time.Second)
			z.run()
		}()
		if got, err := b.Ask(within(t, time.Minute), []engine.BridgeDevice{theLamp}, 1); err != nil || len(got) > 0 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestAskAtAStartThatDoesNotTellItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.quiet = true
		z.run()
		synctest.Wait() // what it remembers was heard before it is asked
		before := z.gets["attic/lamp"]
		got, err := b.Ask(within(t, time.Minute), []engine.BridgeDevice{theLamp}, 1)
		if err != nil || len(got) != 1 || z.gets["attic/lamp"] != before+2 {
			t.Errorf("got %v, %v after %d questions", got, err, z.gets["attic/lamp"]-before)
		}
	})
}

func TestAskWithoutBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.broker.Stop()
		synctest.Wait()
		_, err := b.Ask(within(t, 5*time.Second), []engine.BridgeDevice{theLamp}, 1)
		var gone *bus.UnreachableError
		if !errors.As(err, &gone) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCloseJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.permitJoin.Store(true)
		z.run()
		if err := b.CloseJoining(within(t, time.Minute)); err != nil || z.permitJoin.Load() {
			t.Errorf("joining open: %v, %v", z.permitJoin.Load(), err)
		}
		z.permitJoin.Store(true)
		z.stuck.Store(true)
		if err := b.CloseJoining(within(t, time.Minute)); err == nil || !strings.Contains(err.Error(), "still says permit_join") {
			t.Errorf("got %v", err)
		}
		z.deaf.Store(true)
		if err := b.CloseJoining(within(t, time.Minute)); !errors.Is(err, engine.ErrBridgeSilent) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWhatCannotBeReadChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, b := world(t)
		z.run()
		for _, topic := range []string{"state", "info", "devices", "logging"} {
			z.publish("bridge/"+topic, `{"torn`, false)
		}
		synctest.Wait()
		if s, err := b.State(t.Context()); err != nil || !s.Online {
			t.Errorf("%+v, %v", s, err)
		}
		if d, err := b.Devices(t.Context(), time.Time{}); err != nil || len(d) != 1 {
			t.Errorf("%v, %v", d, err)
		}
	})
}
