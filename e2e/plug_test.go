package e2e_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"z2mha/internal/bus"
	"z2mha/internal/world/home"
)

// A plug has the power of something in the home, and a web interface and a topic of its
// own by which it is switched off and asked.
type plug struct {
	cut func() // what lies behind it has no power from now on

	mu  sync.Mutex
	off bool
	at  int // how often it was switched off
}

func (p *plug) switchOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.off {
		p.cut()
	}
	p.off = true
	p.at++
}

// switchOn gives the power back; what happens then is up to what lies behind it.
func (p *plug) switchOn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = false
}

func (p *plug) says() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return map[bool]string{true: "OFF", false: "ON"}[p.off]
}

// used is how often it was switched off.
func (p *plug) used() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

func (p *plug) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		p.switchOff()
	}
	_, _ = io.WriteString(w, p.says())
}

// webPlug puts a plug with a web interface before a node, as its fence.
func (g *guarded) webPlug(n *home.Node, cut func()) *plug {
	g.Helper()
	p := &plug{cut: cut}
	s := httptest.NewServer(p)
	g.Cleanup(s.Close)
	g.reconfigureNode(n.Name, "fence", fmt.Sprintf(`[{kind: http, url: "%s/off", confirm_url: "%s/", expect: "off", off_time: 1s, timeout: 20s}]`, s.URL, s.URL))
	return p
}

// topicPlug is the same with a topic.
func (g *guarded) topicPlug(n *home.Node, cut func()) *plug {
	g.Helper()
	p := &plug{cut: cut}
	c, err := bus.Dial(g.Context(), bus.Config{Server: "mqtt://" + g.home.Broker()})
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() { c.Close() })
	topic := "plugs/" + n.Name
	hear := func(m bus.Message) {
		if string(m.Payload) == "OFF" {
			p.switchOff()
		}
		go c.Publish(context.Background(), bus.Message{Topic: topic, Payload: []byte(p.says())}) //nolint:errcheck // it is asked again
	}
	for _, ask := range []string{"/set", "/get"} {
		if _, err := c.Subscribe(g.Context(), topic+ask, hear); err != nil {
			g.Fatal(err)
		}
	}
	g.reconfigureNode(n.Name, "fence", fmt.Sprintf(`[{kind: mqtt, topic: %[1]s/set, payload: "OFF", confirm_topic: %[1]s, ask_topic: %[1]s/get, ask_payload: "", expect: "OFF", off_time: 1s, timeout: 20s}]`, topic))
	return p
}

// powerCut takes the power of a host with its stick.
func (g *guarded) powerCut(n *home.Node) {
	g.cutOff(n)
	for _, pid := range g.processes(n) {
		_ = syscall.Kill(pid, syscall.SIGCONT) // a frozen one ends, too
	}
	if err := n.Kill(); err != nil {
		g.Errorf("cut the power of %s: %v", n.Name, err)
	}
	n.Dongle.SetPower(false)
}

// powerUp gives it back: the stick boots, and so does the host, on which nothing starts
// Zigbee2MQTT.
func (g *guarded) powerUp(n *home.Node) {
	g.Helper()
	writeBoot(g.T, n.Dir)
	n.Dongle.SetPower(true)
	g.reachable(n)
}

// freeze stops a host with everything that runs on it, as a kernel does that hangs. Its
// stick, which has a processor of its own, goes on.
func (g *guarded) freeze(n *home.Node) { g.each(n, syscall.SIGSTOP) }

// thaw has it go on as if nothing had happened.
func (g *guarded) thaw(n *home.Node) { g.each(n, syscall.SIGCONT) }

func (g *guarded) each(n *home.Node, sig syscall.Signal) {
	g.Helper()
	pids := g.processes(n)
	if len(pids) == 0 {
		g.Fatalf("nothing runs on %s", n.Name)
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig) // one may have ended
	}
	if h, ok := n.Host.(gated).Host.(interface {
		Freeze()
		Thaw()
	}); ok {
		map[syscall.Signal]func(){syscall.SIGSTOP: h.Freeze, syscall.SIGCONT: h.Thaw}[sig]()
	}
}

// processes are those of a host: its SSH server with all sessions, and Zigbee2MQTT.
func (g *guarded) processes(n *home.Node) []int {
	var out []int
	if h, ok := n.Host.(gated).Host.(realHost); ok {
		out = family(h.proc.cmd.Process.Pid)
	}
	if pid := n.PID(); pid != 0 {
		out = append(out, family(pid)...)
	}
	return out
}

// family is a process with all that descend from it.
func family(pid int) []int {
	out := []int{pid}
	for i := 0; i < len(out); i++ {
		children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", out[i]))
		for _, file := range children {
			raw, _ := os.ReadFile(file) // it may have ended
			for _, word := range strings.Fields(string(raw)) {
				if child, err := strconv.Atoi(word); err == nil {
					out = append(out, child)
				}
			}
		}
	}
	return out
}

// machinesOfTheirOwn gives each real host a boot of its own, as far as whoever asks the
// kernel there can tell. It needs root; without it all of them are one machine, of which the
// controller merely warns.
func machinesOfTheirOwn(t *testing.T) func(home.HostSpec) []string {
	if os.Getuid() != 0 {
		return func(home.HostSpec) []string { return nil }
	}
	unshare := program(t, "unshare")
	return func(s home.HostSpec) []string {
		boot := writeBoot(t, s.Dir)
		return []string{unshare, "-m", "sh", "-ec", `mount --bind "$1" /proc/sys/kernel/random/boot_id; shift; exec "$@"`, "sh", boot}
	}
}

// writeBoot gives a host another boot, and returns the file that says which.
func writeBoot(t *testing.T, dir string) string {
	t.Helper()
	return writeFile(t, filepath.Join(dir, "boot_id"), "%s\n", rand.Text())
}
