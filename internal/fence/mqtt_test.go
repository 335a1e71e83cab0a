package fence_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/fence"
)

// mosquitto is the real broker on a loopback port.
func mosquitto(t *testing.T) (server string, stop func()) {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/mosquitto")
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal("mosquitto is missing; run make test-deps")
	default:
		t.Skip("mosquitto is missing; run make test-deps")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	file := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, "listener %d 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n", port), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() }
	t.Cleanup(stop)
	return fmt.Sprintf("mqtt://127.0.0.1:%d", port), stop
}

func connected(t *testing.T, server string) *bus.Conn {
	t.Helper()
	c, err := bus.Open(bus.Config{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// socket is a plug on the broker: it obeys, says what it is, and answers when it is asked.
type socket struct {
	says string // what it says when it was switched, "" for nothing
	kept bool   // as a retained message
	mute bool   // it does not answer questions
}

func (s socket) plugIn(t *testing.T, c *bus.Conn) {
	t.Helper()
	state := "ON"
	say := func(text string) {
		if err := c.Publish(context.Background(), bus.Message{Topic: "plug/state", Payload: fmt.Appendf(nil, `{"state":%q}`, text), Retained: s.kept}); err != nil {
			t.Log(err)
		}
	}
	for topic, do := range map[string]func(){
		"plug/set": func() {
			if state = s.says; s.says != "" {
				say(s.says)
			}
		},
		"plug/get": func() {
			if !s.mute {
				say(state)
			}
		},
	} {
		cancel, err := c.Subscribe(t.Context(), topic, func(bus.Message) { go do() })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cancel)
	}
}

func TestMQTT(t *testing.T) {
	topics := fence.Topics{Topic: "plug/set", Payload: "OFF", ConfirmTopic: "plug/state", Expect: fence.Expectation{Key: "state", Text: "off"}}
	asked := topics
	asked.AskTopic = "plug/get"
	for _, tt := range []struct {
		name   string
		socket socket
		topics fence.Topics
		before string // kept by the broker since yesterday
		want   string
		check  string // what Check says
	}{
		{name: "cuts", socket: socket{says: "OFF"}, topics: topics},
		{name: "cuts and asks", socket: socket{says: "OFF"}, topics: asked},
		{name: "believes one that keeps its state", socket: socket{says: "OFF", kept: true}, topics: topics},
		{name: "does not believe one that lies", socket: socket{says: "ON"}, topics: topics, want: "state is ON"},
		{name: "does not believe what the broker has kept", topics: topics, before: `{"state":"OFF"}`, want: "nothing fresh came on plug/state"},
		{name: "does not believe one that says nothing", socket: socket{mute: true}, topics: asked, want: "nothing fresh", check: "does not answer on plug/state"},
		{name: "does not believe what it does not understand", socket: socket{says: "OFF"}, topics: func() fence.Topics {
			other := topics
			other.Expect.Key = "output"
			return other
		}(), want: "the answer has no output"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, _ := mosquitto(t)
			if tt.before != "" {
				if err := connected(t, server).Publish(t.Context(), bus.Message{Topic: "plug/state", Payload: []byte(tt.before), Retained: true}); err != nil {
					t.Fatal(err)
				}
			}
			tt.socket.plugIn(t, connected(t, server))
			m, err := fence.NewMQTT(t.Context(), connected(t, server), tt.topics)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			err = fence.New(m, quick).Check(t.Context())
			if (err == nil) != (tt.check == "") {
				t.Errorf("check: %v, want %q", err, tt.check)
			}
			proves(t, m, tt.want)
		})
	}
}

func TestMQTTWithoutABroker(t *testing.T) {
	server, stop := mosquitto(t)
	c := connected(t, server)
	m, err := fence.NewMQTT(t.Context(), c, fence.Topics{Topic: "plug/set", Payload: "OFF", ConfirmTopic: "plug/state", Expect: fence.Expectation{Text: "OFF"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	stop()
	if saw, err := fence.New(m, quick).Cut(t.Context()); err == nil {
		t.Errorf("without a broker it is proven: %s", saw)
	}
	if err := fence.New(m, quick).Check(t.Context()); err == nil {
		t.Error("without a broker it is found good")
	}
}
