package bus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"z2mha/internal/bus"
)

// mosquitto is the real broker on a loopback port.
type mosquitto struct {
	t    testing.TB
	dir  string
	port int
	cmd  *exec.Cmd
}

// need names what is missing; on CI that is a failure.
func need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program)
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is missing; run make test-deps", program)
	default:
		t.Skipf("%s is missing; run make test-deps", program)
	}
	return path
}

func startMosquitto(t testing.TB) *mosquitto {
	t.Helper()
	m := &mosquitto{t: t, dir: t.TempDir(), port: freePort(t)}
	need(t, "mosquitto")
	passwords := filepath.Join(m.dir, "passwords")
	if out, err := exec.Command(need(t, "mosquitto_passwd"), "-c", "-b", passwords, "z2mha", "right").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v\n%s", err, out)
	}
	if err := os.Chmod(passwords, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(m.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous false\npassword_file %s\nuser root\n", m.port, passwords)
	if err := os.WriteFile(filepath.Join(m.dir, "mosquitto.conf"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.stop)
	return m
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command(need(m.t, "mosquitto"), "-c", filepath.Join(m.dir, "mosquitto.conf"))
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mosquitto) stop() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
}

func (m *mosquitto) config() bus.Config {
	return bus.Config{Server: fmt.Sprintf("mqtt://127.0.0.1:%d", m.port), User: "z2mha", Password: "right"}
}

// open connects as soon as the broker listens.
func (m *mosquitto) open(cfg bus.Config) *bus.Conn {
	m.t.Helper()
	c, err := bus.Open(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(m.t.Context(), 30*time.Second)
	defer cancel()
	if err := c.Wait(ctx); err != nil {
		m.t.Fatal(err)
	}
	return c
}

func expect(t testing.TB, heard <-chan string, want string) {
	t.Helper()
	select {
	case got := <-heard:
		if got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("heard nothing, want %q", want)
	}
}

func TestMosquitto(t *testing.T) {
	m := startMosquitto(t)
	c := m.open(m.config())

	wrong := m.config()
	wrong.Password = "wrong"
	_, err := bus.Dial(t.Context(), wrong)
	var login *bus.LoginError
	if !errors.As(err, &login) || login.User != "z2mha" {
		t.Errorf("a wrong password: %v", err)
	}

	heard := listen(t, c, "z/#")
	mortal := m.config()
	var link net.Conn
	mortal.Dialer = func(ctx context.Context) (conn net.Conn, err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", m.port))
		link = conn
		return conn, err
	}
	mortal.Will = &bus.Message{Topic: "z/will", Payload: []byte("gone"), Retained: true}
	d := m.open(mortal)
	if err := d.Publish(t.Context(), bus.Message{Topic: "z/a", Payload: []byte("1"), Retained: true}); err != nil {
		t.Fatal(err)
	}
	expect(t, heard, "z/a=1")
	link.Close()
	expect(t, heard, "z/will=gone")
	expect(t, listen(t, m.open(m.config()), "z/will"), "z/will=gone (kept)")

	m.stop()
	m.start()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for c.Publish(ctx, bus.Message{Topic: "z/b", Payload: []byte("2")}) != nil {
		if ctx.Err() != nil {
			t.Fatal("it does not come back")
		}
		_ = c.Wait(ctx)
	}
	expect(t, heard, "z/b=2")
}
