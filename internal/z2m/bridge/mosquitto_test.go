package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"z2mha/internal/bus"
	"z2mha/internal/failover/engine"
	"z2mha/internal/z2m/bridge"
)

// mosquitto is the real broker on a loopback port, gone with the test. allowed are lines of
// its access list; everything is without.
func mosquitto(t *testing.T, allowed ...string) (server string) {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/mosquitto")
	}
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal("mosquitto is missing; run make test-deps")
	case err != nil:
		t.Skip("mosquitto is missing; run make test-deps")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	dir := t.TempDir()
	conf, text := filepath.Join(dir, "mosquitto.conf"), fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nuser root\n", port)
	if len(allowed) > 0 {
		list := filepath.Join(dir, "access")
		text += "acl_file " + list + "\n"
		if err := os.WriteFile(list, []byte(strings.Join(allowed, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	server = fmt.Sprintf("127.0.0.1:%d", port)
	soonOrFail(t, 10*time.Second, "the broker is there", func() bool {
		conn, err := net.Dial("tcp", server)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return server
}

// A speaker is a Zigbee2MQTT as far as the broker can tell: a last will, and an answer to
// whoever asks who it is.
type speaker struct {
	t      *testing.T
	client mqtt.Client
	conn   *freezable // to cut
}

func speak(t *testing.T, server, clientID, node string, keepAlive time.Duration) *speaker {
	t.Helper()
	s := &speaker{t: t}
	o := mqtt.NewClientOptions().AddBroker("tcp://"+server).SetClientID(clientID).SetKeepAlive(keepAlive).SetPingTimeout(time.Minute).
		SetAutoReconnect(false).SetConnectRetry(false).SetWill("z2m/bridge/state", `{"state":"offline"}`, 1, true)
	o.SetCustomOpenConnectionFn(s.open(server))
	s.client = mqtt.NewClient(o)
	for range 50 {
		token := s.client.Connect()
		if token.Wait(); token.Error() == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.publish("bridge/state", `{"state":"online"}`)
	token := s.client.Subscribe("z2m/bridge/request/options", 1, func(mqtt.Client, mqtt.Message) {
		go s.publish("bridge/info", fmt.Sprintf(`{"version":"2.14.1","coordinator":{"ieee_address":"0x00124b0000000001"},
			"network":{"channel":15,"pan_id":18977,"extended_pan_id":"0x0102030405060708"},"config":{"z2mha":{"node":%q}}}`, node))
	})
	if token.Wait(); token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(s.leave)
	return s
}

func (s *speaker) publish(topic, payload string) {
	if token := s.client.Publish("z2m/"+topic, 1, true, payload); token.Wait() && token.Error() != nil && s.client.IsConnected() {
		s.t.Error(token.Error())
	}
}

func (s *speaker) leave() { s.client.Disconnect(0) }

func listenAt(t *testing.T, server string) *bridge.Bridge {
	t.Helper()
	conn, err := bus.Dial(t.Context(), bus.Config{Server: "mqtt://" + server})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	b, err := bridge.New(t.Context(), conn, "z2m", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func soonOrFail(t *testing.T, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not so: %s", limit, what)
		}
	}
}

// The last will of a host that was cut off comes after the next node has said "online",
// and stays on the broker. It is put right once that node has spoken since.
func TestLateLastWill(t *testing.T) {
	server := mosquitto(t)
	old := speak(t, server, "attic", "attic", time.Second)
	b := listenAt(t, server)
	soonOrFail(t, 5*time.Second, "attic is online", func() bool { return b.Signs().Bridge.Online })
	if got, err := engine.CorrectState(t.Context(), b, "attic"); err == nil {
		t.Errorf("what is right was put right: %s", got)
	}
	old.conn.frozen.Store(true) // the broker waits one and a half keep-alives
	speak(t, server, "cellar", "cellar", time.Minute)
	soonOrFail(t, 10*time.Second, "the late last will", func() bool {
		s := b.Signs().Bridge
		return !s.At.IsZero() && !s.Online
	})
	if got, err := engine.CorrectState(t.Context(), b, "attic"); err == nil {
		t.Errorf("put right for attic, which does not speak: %s", got)
	}
	if b.Signs().Bridge.Online {
		t.Error("bridge/state was changed by a refusal")
	}
	got, err := engine.CorrectState(t.Context(), b, "cellar")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(got)
	fresh := listenAt(t, server) // whoever comes now
	soonOrFail(t, 5*time.Second, "the broker keeps online", func() bool { return fresh.Signs().Bridge.Online })
	if n := len(b.Signs().Broker.TakeOvers); n != 0 {
		t.Errorf("%d take-overs were seen", n)
	}
}

// Two with one client id throw each other out: the broker says offline and online within
// a moment, each time. One that ends and starts does not.
func TestTakeOvers(t *testing.T) {
	server := mosquitto(t)
	first := speak(t, server, "same", "attic", time.Minute)
	b := listenAt(t, server)
	soonOrFail(t, 5*time.Second, "online", func() bool { return b.Signs().Bridge.Online })
	first.conn.Close()
	soonOrFail(t, 5*time.Second, "offline", func() bool { return !b.Signs().Bridge.Online })
	time.Sleep(1100 * time.Millisecond) // what a start takes at least
	speak(t, server, "same", "attic", time.Minute)
	soonOrFail(t, 5*time.Second, "online again", func() bool { return b.Signs().Bridge.Online })
	if got := b.Signs().Broker.TakeOvers; len(got) != 0 {
		t.Fatalf("a restart counts as take-over: %v", got)
	}
	speak(t, server, "same", "cellar", time.Minute)
	speak(t, server, "same", "attic", time.Minute)
	soonOrFail(t, 5*time.Second, "two take-overs", func() bool { return len(b.Signs().Broker.TakeOvers) == 2 })
	at := b.Signs().Broker.TakeOvers
	if d := at[1].Sub(at[0]); d > 5*time.Second || d < 0 {
		t.Errorf("take-overs at %v", at)
	}
}

// A broker drops what a user may not write without a word. That is found out by reading it
// back, and does not make the next start of Zigbee2MQTT be taken for our own word.
func TestCorrectReadsBack(t *testing.T) {
	b := listenAt(t, mosquitto(t, "topic read z2m/#"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := b.Correct(ctx, true); err == nil || !strings.Contains(err.Error(), "may write that topic") {
		t.Errorf("what nobody keeps was taken for kept: %v", err)
	}
}

// A question that nobody answers is on record, and no broker is blamed.
func TestNobodyAnswers(t *testing.T) {
	server := mosquitto(t)
	b := listenAt(t, server)
	soonOrFail(t, 5*time.Second, "connected", func() bool { return b.Signs().Broker.Connected })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := b.Refresh(ctx); !errors.Is(err, engine.ErrBridgeSilent) {
		t.Errorf("nobody is there: %v", err)
	}
	if s := b.Signs().Bridge; s.Unanswered.IsZero() || s.Asked.IsZero() {
		t.Errorf("it was asked in vain: %+v", s)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := b.AskStick(ctx); !errors.Is(err, engine.ErrBridgeSilent) {
		t.Errorf("nobody asks the stick: %v", err)
	}
	if s := b.Signs().Broker; !s.Connected || s.Why != "" {
		t.Errorf("the broker is there: %+v", s)
	}
}

// open remembers the connection.
func (s *speaker) open(server string) mqtt.OpenConnectionFunc {
	return func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		conn, err := net.Dial("tcp", server)
		if err != nil {
			return nil, err
		}
		s.conn = &freezable{Conn: conn}
		return s.conn, nil
	}
}

// A freezable connection can be made to send nothing more, as that of a frozen host.
type freezable struct {
	net.Conn
	frozen atomic.Bool
}

func (f *freezable) Write(b []byte) (int, error) {
	if f.frozen.Load() {
		return len(b), nil
	}
	return f.Conn.Write(b)
}
