package z2mtest_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// program is the folder of Zigbee2MQTT. Without it, or without the other programs,
// the test is skipped, or fails where CI promises them.
func program(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("Z2MHA_ZIGBEE2MQTT")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			missing(t, "a cache folder", err)
		}
		dir = filepath.Join(cache, "z2mha", "zigbee2mqtt-2.14.1", "node_modules", "zigbee2mqtt")
	}
	if _, err := os.Stat(filepath.Join(dir, "index.js")); err != nil {
		missing(t, "zigbee2mqtt (make test-deps, or set Z2MHA_ZIGBEE2MQTT)", err)
	}
	for _, p := range []string{"node", "mosquitto"} {
		if _, err := exec.LookPath(p); err != nil {
			missing(t, p, err)
		}
	}
	return dir
}

func missing(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: %v", what, err)
	}
	t.Skipf("%s is missing: %v", what, err)
}

// start runs a program until stop, or the end of the test.
func start(t *testing.T, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{tb: t, cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.out.String())
		}
	})
	return p
}

type process struct {
	tb   testing.TB
	cmd  *exec.Cmd
	out  output
	done chan struct{}
}

// stop ends the process the way a service manager does.
func (p *process) stop() {
	p.tb.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		p.tb.Error("zigbee2mqtt did not stop within 30 s")
		p.kill()
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// output is what a process has said so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// startBroker runs mosquitto on loopback and returns its address.
func startBroker(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n", port)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, t.TempDir(), nil, "mosquitto", "-c", conf)
	await(t, 10*time.Second, "the broker", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return addr
}

// A bus is one base topic on the broker.
type bus struct {
	tb     testing.TB
	base   string
	client mqtt.Client

	mu   sync.Mutex
	last map[string]string // payload by topic below base
}

func subscribe(t *testing.T, broker, base string) *bus {
	t.Helper()
	b := &bus{tb: t, base: base, last: make(map[string]string)}
	b.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("watch-" + base))
	if tok := b.client.Connect(); tok.Wait() && tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	t.Cleanup(func() { b.client.Disconnect(100) })
	tok := b.client.Subscribe(base+"/#", 1, func(_ mqtt.Client, m mqtt.Message) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.last[strings.TrimPrefix(m.Topic(), base+"/")] = string(m.Payload())
	})
	if tok.Wait() && tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	return b
}

func (b *bus) publish(topic, payload string) {
	b.tb.Helper()
	if tok := b.client.Publish(b.base+"/"+topic, 1, false, payload); tok.Wait() && tok.Error() != nil {
		b.tb.Fatal(tok.Error())
	}
}

func (b *bus) get(topic string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last[topic]
}

func await(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	if !within(limit, ok) {
		t.Fatalf("waited %v in vain for %s", limit, what)
	}
}

func within(limit time.Duration, ok func() bool) bool {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout.C:
			return ok()
		}
	}
	return true
}
