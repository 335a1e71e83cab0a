// Package wired lives stories of a home over the real code of every connection: desk,
// engine, decisions and stores; x/crypto/ssh, pkg/sftp and the helper's own verbs; paho and
// an MQTT broker; Zigbee2MQTT's behaviour towards its stick, and emulated sticks on one
// radio medium. Connections are in memory, files in a directory, processes are goroutines,
// and everything is in one synctest bubble, so that half an hour takes a second.
//
// It lives fewer stories than package sim, which leaves all of that out.
//
// What it does not show: that a kernel, sshd, systemd or Zigbee2MQTT behaves like this. A
// process that loses its power is over at its next word to a stick or to the broker, not
// in the middle of a file.
//
// A seed draws the same story each time. It is not lived the same to the bit: goroutines
// that are ready at the same moment run in any order, and run ids and keys are drawn anew.
package wired

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/status"
	"z2mha/internal/host/remote"
	"z2mha/internal/world/home"
	"z2mha/internal/world/memnet"
	"z2mha/internal/world/sshhost"
)

// A World is one home with its controller, while its story is lived.
type World struct {
	dir      string
	hosts    []*Host
	medium   *znpsim.Medium
	lamp     *znpsim.Device
	broker   broker
	toBroker *memnet.Line // of the controller
	key      ssh.Signer
	work     sync.WaitGroup
	began    time.Time
	logged   bool
	seed     uint64
	plugs    bool // every host has its power from a plug that can be switched
	cancel   context.CancelFunc

	mu       sync.Mutex // guards what follows
	now      *controller
	ended    bool
	full     bool // the controller's disk
	bomb     *bomb
	coverage map[Kind]int
	open     map[string]bool // runs that are under way
	noBroker time.Time       // since when it is down
	lines    []string
	timers   map[*time.Timer]bool
	wrong    []string
	seen     map[string]bool // breaches of the medium
}

// stickDelay is before each answer of a stick.
const stickDelay = time.Millisecond

// New builds a home below dir. The first of the names carries the network.
func New(dir string, logged bool, names ...string) (*World, error) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &World{dir: dir, toBroker: memnet.NewLine("broker:1883"), began: time.Now(), logged: logged, cancel: cancel, timers: map[*time.Timer]bool{}, seen: map[string]bool{}, open: map[string]bool{}, coverage: map[Kind]int{}}
	if err := os.MkdirAll(w.state(), 0o700); err != nil {
		return nil, err
	}
	var err error
	if w.key, _, err = remote.LoadOrCreateKey(filepath.Join(dir, "id_ed25519")); err != nil {
		return nil, err
	}
	if err := w.broker.start(); err != nil {
		return nil, err
	}
	w.broker.serve(w.toBroker)
	w.medium = znpsim.NewMedium(znpsim.MediumOptions{})
	joined, lamp := home.Inhabit(w.medium)
	w.lamp = lamp
	for i, name := range names {
		h := newHost(w, name)
		w.hosts = append(w.hosts, h)
		o := znpsim.DongleOptions{Name: name, Medium: w.medium, Latency: stickDelay}
		if i == 0 {
			o.Hardware, o.Image = home.Identity.IEEE, znpsim.FormedImage(home.Identity, joined...)
		}
		if err := w.furnish(ctx, h, o); err != nil {
			return nil, fmt.Errorf("build host %s: %w", name, err)
		}
	}
	return w, nil
}

// Begin starts Zigbee2MQTT on the first host, and the controller.
func (w *World) Begin() {
	w.hosts[0].unit.start(io.Discard, byPerson)
	w.boot()
}

// Kill ends the Zigbee2MQTT of a host as an operating system does that has no memory left.
func (w *World) Kill(host string) bool {
	p := w.host(host).unit.process()
	if p == nil {
		return false
	}
	p.kill()
	return true
}

// Log is what has happened so far.
func (w *World) Log() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.lines...)
}

func (w *World) state() string { return filepath.Join(w.dir, "controller") }

func (w *World) furnish(ctx context.Context, h *Host, o znpsim.DongleOptions) error {
	h.stick = znpsim.NewDongle(o)
	w.work.Go(func() { h.serveStick(ctx) })
	w.broker.serve(h.broker)
	n := &home.Node{Name: h.name, Data: h.data, TTY: h.tty}
	write := func() error { return n.WriteStandby("broker:1883", home.Login{}) }
	if o.Image != nil {
		h.unit.enabled = true
		write = func() error { return n.WriteActive("broker:1883", home.Login{}, h.stick.Image(), time.Now()) }
	}
	if err := write(); err != nil {
		return err
	}
	server, err := sshhost.Start(sshhost.Options{Home: h.dir, User: "pi", Authorized: []ssh.PublicKey{w.key.PublicKey()},
		Listener: h.ssh, Run: h.shell})
	h.server = server
	return err
}

// Close ends everything and waits for it.
func (w *World) Close() error {
	w.mu.Lock()
	w.ended = true
	c := w.now
	w.now = nil
	for t := range w.timers {
		t.Stop()
	}
	w.mu.Unlock()
	if c != nil {
		c.die()
		<-c.gone
	}
	for _, h := range w.hosts {
		h.unit.gone()
	}
	w.cancel()
	var errs []error
	for _, h := range w.hosts {
		errs = append(errs, h.serial.Close(), h.server.Close())
	}
	errs = append(errs, w.broker.close(), w.medium.Close())
	w.work.Wait()
	return errors.Join(errs...)
}

func (w *World) host(name string) *Host {
	for _, h := range w.hosts {
		if h.name == name {
			return h
		}
	}
	return nil
}

// later has something done after a while.
func (w *World) later(after time.Duration, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(after, func() {
		w.mu.Lock()
		over := w.ended
		delete(w.timers, t)
		w.mu.Unlock()
		if !over {
			do()
		}
	})
	w.timers[t] = true
}

// log writes a line of what happened, when somebody wants to read it.
func (w *World) log(format string, args ...any) {
	if !w.logged {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%9s ", time.Since(w.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

func (w *World) told(ev status.Event) {
	w.secrets(ev.Text + ev.Fix)
	w.log("told %s %s: %s %s", ev.Type, ev.Node, ev.Text, ev.Fix)
}

// logs is where the controller's log goes. It is looked through in one home of eight.
func (w *World) logs() slog.Handler {
	if !w.logged && w.seed%8 != 0 {
		return slog.DiscardHandler
	}
	return slog.NewTextHandler(&output{w: w, who: "log"}, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
}

// output is where a program of a host writes.
func (w *World) output(who string) io.Writer {
	if !w.logged {
		return io.Discard
	}
	return &output{w: w, who: who}
}

type output struct {
	w   *World
	who string
}

func (o *output) Write(p []byte) (int, error) {
	if o.who == "log" {
		o.w.secrets(string(p))
	}
	if !bytes.Contains(p, []byte("MQTT publish: ")) {
		o.w.log("%s: %s", o.who, strings.TrimSpace(string(p)))
	}
	return len(p), nil
}
