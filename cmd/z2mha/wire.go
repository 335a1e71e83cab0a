package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/config"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/host/helperbin"
	"z2mha/internal/host/node"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/holds"
	"z2mha/internal/storage/journal"
	"z2mha/internal/storage/memory"
	"z2mha/internal/storage/shelf"
	"z2mha/internal/z2m/bridge"
)

// brokerPatience is how long the broker may take to answer before a command gives up.
const brokerPatience = 15 * time.Second

// An app is a controller with everything it stands on.
type app struct {
	controller *engine.Controller
	bus        *bus.Conn
	// tidier removes what is old on the shelf and in the journal. It may be asked at any
	// time and refuses while a run of the network has not ended.
	tidier  tidier
	closers []func() error // in the order in which they were opened
}

func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

// close releases everything, last first.
func (a *app) close() error {
	var err error
	for i := len(a.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, a.closers[i]())
	}
	return err
}

// A wiring is what a command and the server do differently.
type wiring struct {
	lock    bool // it will act, and must be alone in its state directory
	connect func(context.Context, config.MQTT) (*bus.Conn, error)
	// opened looks at the state before anything else does; may be nil.
	opened func(state string, m *memory.Memory) error
}

// once is the wiring of a command, which ends when the broker cannot be reached. One
// that will act recognises a state that came out of a backup, as the server does.
func once(cfg *config.Config, lock bool, log *slog.Logger) wiring {
	opened := func(state string, m *memory.Memory) error {
		if !lock {
			return nil
		}
		_, err := takeUpRestored(cfg, state, m)
		return err
	}
	return wiring{lock: lock, opened: opened, connect: func(ctx context.Context, m config.MQTT) (*bus.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, brokerPatience)
		defer cancel()
		c := busConfig(m, log)
		c.ClientID = fmt.Sprintf("%s-cli-%d", m.ClientID, os.Getpid())
		return bus.Dial(ctx, c)
	}}
}

// wire builds the controller that cfg describes.
func wire(ctx context.Context, cfg *config.Config, w wiring, log *slog.Logger) (_ *app, err error) {
	a := &app{}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if err := a.openState(cfg.State, w.lock); err != nil {
		return nil, err
	}
	var disk durable.Disk
	kept, err := shelf.Open(filepath.Join(cfg.State, "shelf"), shelf.Options{Disk: disk, Beside: !w.lock})
	if err != nil {
		return nil, err
	}
	records := memory.New(filepath.Join(cfg.State, "records"), disk)
	if w.opened != nil {
		if err := w.opened(cfg.State, records); err != nil {
			return nil, err
		}
	}
	a.tidier = newTidier(cfg, kept, records)
	parts := engine.Parts{
		Journal: journal.New(filepath.Join(cfg.State, "runs"), disk),
		Shelf:   kept,
		Memory:  records,
		Held:    holds.New(filepath.Join(cfg.State, "holds"), disk).Held,
		HostID:  bootID(),
		Log:     log,
	}
	if err := makeKeys(cfg); err != nil { // shown before anything that may fail needs it
		return nil, err
	}
	if a.bus, err = w.connect(ctx, cfg.MQTT); err != nil {
		return nil, err
	}
	a.onClose(a.bus.Close)
	for _, n := range cfg.Networks {
		opened, err := a.openNetwork(ctx, cfg, n, log)
		if err != nil {
			return nil, err
		}
		parts.Networks = append(parts.Networks, opened)
	}
	a.controller = engine.New(parts)
	return a, nil
}

func (a *app) openState(dir string, lock bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	if !lock {
		return nil
	}
	held, err := durable.Lock(dir)
	if err != nil {
		return err
	}
	a.onClose(held.Unlock)
	return nil
}

func busConfig(m config.MQTT, log *slog.Logger) bus.Config {
	return bus.Config{Server: m.Server.String(), User: m.User, Password: m.Password.Reveal(), CAFile: m.CA, Log: log}
}

func (a *app) openNetwork(ctx context.Context, cfg *config.Config, n config.Network, log *slog.Logger) (engine.Network, error) {
	out := engine.Network{Name: n.Name, AnyRevision: cfg.AnyRevision, Timing: plan.Timing(cfg.Timing)}
	br, err := bridge.New(ctx, a.bus, n.BaseTopic, log)
	if err != nil {
		return out, err
	}
	a.onClose(func() error { br.Close(); return nil })
	out.Bridge = br
	for _, x := range n.Nodes {
		built, err := buildNode(cfg, x, log)
		if err != nil {
			return out, err
		}
		a.onClose(built.Close)
		out.Nodes = append(out.Nodes, built)
	}
	out.ByPerson, out.Policy = byPerson(n), n.Policy.Policy
	out.Fences, err = a.openFences(ctx, n, log)
	return out, err
}

func buildNode(cfg *config.Config, x config.Node, log *slog.Logger) (*node.Node, error) {
	signer, _, err := remote.LoadOrCreateKey(keyFile(cfg, x))
	if err != nil {
		return nil, err
	}
	return node.New(node.Config{
		Name: x.Name,
		SSH: remote.Config{Address: x.Host.String(), User: x.User, Signer: signer, Become: remote.Become(x.Become),
			KnownHosts: filepath.Join(cfg.State, "known_hosts"), Log: log},
		Dongle: string(x.Dongle), Data: x.Data, Service: serviceOf(x.Service), Helper: helperFor,
		Staging: x.Staging, Previous: x.Previous, HelperDir: x.HelperDir, Keep: x.Keep, Log: log,
		Broker: brokerElsewhere(cfg.MQTT.Server),
	})
}

// brokerElsewhere is the broker as other machines reach it too; "" when its address may
// mean another machine there: this very one, or a container beside ours, as
// core-mosquitto is, whose names have no dot.
func brokerElsewhere(s config.Server) string {
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		return ""
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.IsLoopback() || a.IsUnspecified() {
			return ""
		}
		return s.Address
	}
	if !strings.Contains(strings.Trim(host, "."), ".") || strings.HasSuffix(host, ".localhost") {
		return ""
	}
	return s.Address
}

func serviceOf(s config.Service) service.Config {
	return service.Config{Kind: service.Kind(s.Kind), Unit: s.Unit, Start: s.Start, Stop: s.Stop, Status: s.Status, Kill: s.Kill}
}

func helperFor(machine string) ([]byte, error) {
	b, err := helperbin.For(machine)
	if err != nil {
		return nil, err
	}
	return b.Data, nil
}
