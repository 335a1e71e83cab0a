package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// missing skips the test because the machine lacks something, or fails it where
// nothing may be missing.
func missing(t *testing.T, what, remedy string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing; %s", what, remedy)
	}
	t.Skipf("%s is missing; %s", what, remedy)
}

const installTools = "run: make test-deps"

// program finds a program in $PATH or where servers are kept.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	missing(t, name, installTools)
	return ""
}

// zigbee2mqtt is the command line of the real Zigbee2MQTT.
func zigbee2mqtt(t *testing.T) []string {
	t.Helper()
	node := program(t, "node")
	index := filepath.Join(zigbee2mqttDir(t), "index.js")
	if _, err := os.Stat(index); err != nil {
		missing(t, "Zigbee2MQTT ("+index+")", installTools)
	}
	return []string{node, index}
}

func zigbee2mqttDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("Z2MHA_ZIGBEE2MQTT"); dir != "" {
		return dir
	}
	cache := os.Getenv("Z2MHA_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			missing(t, "a cache directory", "set Z2MHA_CACHE")
		}
		cache = filepath.Join(dir, "z2mha")
	}
	return filepath.Join(cache, "zigbee2mqtt-2.14.1", "node_modules", "zigbee2mqtt")
}

// A server is a process that the test started, with what it printed.
type server struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// serve starts a program and ends it with the test, by its own process id.
func serve(t *testing.T, dir, name string, args ...string) *server {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return started(t, cmd, filepath.Join(dir, filepath.Base(name)+".log"))
}

// started is serve for a command of one's own; what it prints is added to the file.
func started(t *testing.T, cmd *exec.Cmd, file string) *server {
	t.Helper()
	log, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s := &server{cmd: cmd, log: log.Name(), done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	go func() {
		_ = s.cmd.Wait() // its end is all that matters
		close(s.done)
	}()
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *server) stop(t *testing.T) {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("end %s: %v", s.cmd.Path, err)
	}
	<-s.done
}

// listens waits until something answers at address.
func (s *server) listens(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-tick.C:
		case <-s.done:
			t.Fatalf("%s ended at once:\n%s", s.cmd.Path, s.printed())
		case <-ctx.Done():
			t.Fatalf("%s does not listen on %s:\n%s", s.cmd.Path, address, s.printed())
		}
	}
}

func (s *server) printed() string {
	raw, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(raw))
}

// freeAddress is an address that nothing listens on, with a port that the system
// does not hand out by itself.
func freeAddress(t *testing.T, ip string) (address, port string) {
	t.Helper()
	for range 100 {
		port = strconv.Itoa(20_000 + rand.IntN(12_000))
		address = net.JoinHostPort(ip, port)
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address, port
		}
	}
	t.Fatalf("no free port on %s", ip)
	return "", ""
}

func writeFile(t *testing.T, path, format string, args ...any) string {
	t.Helper()
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
