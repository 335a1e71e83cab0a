package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/world/home"
)

// Exit codes of z2mha.
const (
	exitOK         = 0
	exitFailed     = 1
	exitUsage      = 2
	exitRefused    = 3
	exitRolledBack = 4
	exitNeedsHelp  = 5
)

// A bench is a home with the attic's Zigbee2MQTT running and somebody at the lamp.
type bench struct {
	*testing.T
	home  *home.Home
	watch *home.Watch
}

// simulated is a home with everything but z2mha simulated: the fast one, of which
// several may stand side by side.
func simulated(t *testing.T, change ...func(*home.Options)) *bench {
	t.Helper()
	t.Parallel()
	o := simulatedParts()
	for _, c := range change {
		if c != nil {
			c(&o)
		}
	}
	return assemble(t, o)
}

func simulatedParts() home.Options {
	return home.Options{Program: []string{z2mhaBinary, "simulated-zigbee2mqtt"}}
}

// genuine is a home of real programs on emulated sticks. With Z2MHA_PACED set in the
// environment to what a stick takes for a request, such as 5ms, the sticks are as slow as
// that, on a line of real speed.
func genuine(t *testing.T) *bench {
	t.Helper()
	return assemble(t, realParts(t))
}

func realParts(t *testing.T) home.Options {
	t.Helper()
	o := home.Options{Program: zigbee2mqtt(t), Broker: mosquitto(t), NewHost: sshd(t)}
	if paced := os.Getenv("Z2MHA_PACED"); paced != "" {
		latency, err := time.ParseDuration(paced)
		if err != nil {
			t.Fatalf("Z2MHA_PACED: %v", err)
		}
		o.Stick = func(_ string, d *znpsim.DongleOptions) {
			d.Latency, d.BytesPerSecond = latency, znpsim.WireSpeed
		}
	}
	return o
}

// assemble builds the home, without starting any Zigbee2MQTT.
func assemble(t *testing.T, o home.Options) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "z2mha-home-") // short: PTY links and sockets lie below
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	o.Dir = dir
	h, err := home.New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close the home: %v", err)
		}
	})
	return &bench{T: t, home: h}
}

// start starts the attic's Zigbee2MQTT and waits for the lamp.
func (b *bench) start() *bench {
	b.Helper()
	b.observe()
	if err := b.home.Attic.Service(b.Context(), "start"); err != nil {
		b.Fatal(err)
	}
	b.lampAnswersThrough(b.home.Attic)
	return b
}

// observe sends somebody to the lamp.
func (b *bench) observe() {
	b.Helper()
	w, err := b.home.Watch(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.watch = w
	b.Cleanup(w.Close)
}

const lampPatience = 40 * time.Second

func (b *bench) lampAnswersThrough(n *home.Node) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), lampPatience)
	defer cancel()
	if err := b.watch.Await(ctx, n.Name); err != nil {
		b.Fatalf("%v; on air: %s; Zigbee2MQTT on %s said:\n%s", err, b.home.OnAir(), n.Name, n.Log())
	}
}

// A result is what a run of z2mha left.
type result struct {
	exit int
	out  string // both outputs, in order
}

// z2mha runs the program with the home's configuration.
func (b *bench) z2mha(args ...string) result {
	b.Helper()
	cmd, out := b.command(args...)
	return b.finish(cmd, out, cmd.Run())
}

// command prepares a run, for tests that interfere with it.
func (b *bench) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(z2mhaBinary, append([]string{"--config", b.home.Config}, args...)...)
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

func (b *bench) finish(cmd *exec.Cmd, out *bytes.Buffer, err error) result {
	b.Helper()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		b.Fatalf("run z2mha: %v", err)
	}
	r := result{exit: cmd.ProcessState.ExitCode(), out: out.String()}
	b.Logf("z2mha %s: exit %d\n%s", strings.Join(cmd.Args[3:], " "), r.exit, r.out)
	b.keepsSecrets(r.out)
	return r
}

// keepsSecrets fails the test when a key shows in what a person reads.
func (b *bench) keepsSecrets(text string) {
	b.Helper()
	for _, secret := range b.home.Secrets() {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			b.Error("the output contains a secret")
		}
	}
}

// ends checks exit code and words of a run.
func (b *bench) ends(r result, exit int, words ...string) {
	b.Helper()
	if r.exit != exit {
		b.Errorf("exit code %d, want %d", r.exit, exit)
	}
	for _, w := range words {
		if !strings.Contains(r.out, w) {
			b.Errorf("the output does not say %q", w)
		}
	}
}

// mediumIsClean fails the test when the radio saw what must never happen.
func (b *bench) mediumIsClean() {
	b.Helper()
	for _, fault := range b.home.Faults() {
		b.Errorf("radio medium: %s", fault)
	}
}

// bridgeDevices is the retained bridge/devices.
func (b *bench) bridgeDevices() any {
	b.Helper()
	var out any
	if err := json.Unmarshal(b.watch.Last("bridge/devices"), &out); err != nil {
		b.Fatalf("bridge/devices: %v", err)
	}
	return out
}

func (b *bench) read(n *home.Node, file string) string {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join(n.Data, file))
	if err != nil {
		b.Fatal(err)
	}
	return string(raw)
}
