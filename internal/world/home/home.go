// Package home puts a whole home together in one directory: a broker, a radio
// medium with a lamp and two sensors, two emulated sticks, two hosts with a
// Zigbee2MQTT service each, and the controller's configuration. The attic carries
// the network; the cellar has a fresh installation and an empty stick.
//
// Everything is real except the hardware: sticks are PTYs, hosts are reached over
// SSH, Zigbee2MQTT is a process of its own. Broker, SSH servers and Zigbee2MQTT can
// be replaced by the real programs.
package home

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/host/remote"
	"z2mha/internal/world/sshhost"
)

// A Host is an SSH server.
type Host interface {
	Addr() string
	io.Closer
}

// A HostSpec says what the SSH server of a host must be like.
type HostSpec struct {
	Name  string
	Dir   string        // of the host; what it has lies below
	IP    string        // loopback address of its own
	Admit ssh.PublicKey // the only key admitted, for whoever runs this
}

// Options replace parts of the home; only Dir and Program must be given.
type Options struct {
	Dir     string   // everything lies below it; must be empty or absent
	Program []string // what the hosts start as Zigbee2MQTT, with arguments

	Broker string // host:port of a broker that runs already; "" starts an embedded one
	Login  Login  // what the broker asks for

	// NewHost starts the SSH server of a host; nil starts one inside this process.
	NewHost func(HostSpec) (Host, error)

	// Stick changes what the stick of a node is before it is plugged in; may be nil.
	Stick func(node string, o *znpsim.DongleOptions)

	More string // appended to the controller's configuration file

	Log *slog.Logger // nil: silent
}

// A Home is running when New returns it: sticks plugged in, hosts up, nobody's
// Zigbee2MQTT started.
type Home struct {
	Dir    string
	Config string // path of the controller's configuration file
	Medium *znpsim.Medium
	Lamp   *znpsim.Device
	Attic  *Node
	Cellar *Node

	login  Login
	broker *Broker // nil when it is not ours
	addr   string
	cancel context.CancelFunc
	work   sync.WaitGroup

	exchanged []context.CancelFunc // of sticks that were plugged in later

	mu   sync.Mutex
	errs []error // of what runs beside; told by Close
}

// A Node is one host with its stick and its Zigbee2MQTT.
type Node struct {
	Name   string
	Dir    string // of the host; what it has lies below
	Data   string // Zigbee2MQTT's data directory
	TTY    string // the stick's device
	Host   Host
	Dongle *znpsim.Dongle

	ip       string      // loopback address
	frontend int         // port that its configuration names
	hardware zigbee.IEEE // factory address of the stick
}

// New builds the home. ctx bounds the life of its sticks; Close ends all of it.
func New(ctx context.Context, o Options) (*Home, error) {
	ctx, cancel := context.WithCancel(ctx)
	h := &Home{Dir: o.Dir, login: o.Login, addr: o.Broker, cancel: cancel}
	h.Attic, h.Cellar = h.node("attic", "127.0.0.1", 8080, atticIEEE), h.node("cellar", "127.0.0.2", 8081, cellarIEEE)
	for _, build := range []func(context.Context, Options) error{h.startBroker, h.startRadio, h.furnish, h.startHosts, h.writeController} {
		if err := build(ctx, o); err != nil {
			return nil, errors.Join(fmt.Errorf("build the home: %w", err), h.Close())
		}
	}
	return h, nil
}

func (h *Home) node(name, ip string, frontend int, hardware zigbee.IEEE) *Node {
	dir := filepath.Join(h.Dir, name)
	return &Node{
		Name: name, Dir: dir, Data: filepath.Join(dir, "zigbee2mqtt", "data"), TTY: filepath.Join(dir, "ttyUSB0"),
		ip: ip, frontend: frontend, hardware: hardware,
	}
}

// Nodes are both, the attic first.
func (h *Home) Nodes() []*Node { return []*Node{h.Attic, h.Cellar} }

// Broker is the address of the broker.
func (h *Home) Broker() string { return h.addr }

func (h *Home) startBroker(_ context.Context, o Options) (err error) {
	if o.Broker != "" {
		return nil
	}
	if h.broker, err = StartBroker(o.Login); err != nil {
		return err
	}
	h.addr = h.broker.Addr()
	return nil
}

func (h *Home) startHosts(_ context.Context, o Options) error {
	key, _, err := remote.LoadOrCreateKey(h.keyFile())
	if err != nil {
		return err
	}
	newHost := o.NewHost
	if newHost == nil {
		newHost = InProcess
	}
	for _, n := range h.Nodes() {
		if n.Host, err = newHost(HostSpec{Name: n.Name, Dir: n.Dir, IP: n.ip, Admit: key.PublicKey()}); err != nil {
			return fmt.Errorf("start host %s: %w", n.Name, err)
		}
	}
	return nil
}

// InProcess starts the SSH server of a host inside this process.
func InProcess(s HostSpec) (Host, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(s.IP, "0"))
	if err != nil {
		return nil, err
	}
	return sshhost.Start(sshhost.Options{
		Home: s.Dir, Path: []string{filepath.Join(s.Dir, "bin")}, User: userName(),
		Authorized: []ssh.PublicKey{s.Admit}, Listener: l,
	})
}

// furnish writes the data directories and the services.
func (h *Home) furnish(_ context.Context, o Options) error {
	now := time.Now()
	if err := h.Attic.WriteActive(h.addr, o.Login, h.Attic.Dongle.Image(), now); err != nil {
		return err
	}
	if err := h.Cellar.WriteStandby(h.addr, o.Login); err != nil {
		return err
	}
	for _, n := range h.Nodes() {
		if err := n.writeService(o.Program); err != nil {
			return err
		}
	}
	return nil
}

// Watch starts to press the lamp's switch.
func (h *Home) Watch(ctx context.Context) (*Watch, error) {
	return NewWatch(ctx, h.addr, "zigbee2mqtt", h.login, h.Lamp.On, h.OnAir)
}

// Close ends what the home started, and nothing else: Zigbee2MQTT processes by
// their ids, then sticks, hosts and broker.
func (h *Home) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	for _, n := range h.Nodes() {
		errs = append(errs, n.halt(ctx))
	}
	h.cancel()
	for _, pull := range h.exchanged {
		pull()
	}
	h.work.Wait()
	for _, n := range slices.Backward(h.Nodes()) {
		if n.Host != nil {
			errs = append(errs, n.Host.Close())
		}
	}
	if h.broker != nil {
		errs = append(errs, h.broker.Close())
	}
	if h.Medium != nil {
		errs = append(errs, h.Medium.Close())
	}
	return errors.Join(append(errs, h.errs...)...)
}

// failed remembers what went wrong in the background.
func (h *Home) failed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.errs = append(h.errs, err)
	}
}
