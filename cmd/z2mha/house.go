package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"z2mha/internal/backup"
	"z2mha/internal/bus"
	"z2mha/internal/config"
	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
	"z2mha/internal/homeassistant/entities"
	"z2mha/internal/notify/snmp"
	"z2mha/internal/storage/decisions"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/events"
	"z2mha/internal/storage/holds"
	"z2mha/internal/storage/journal"
	"z2mha/internal/storage/memory"
	"z2mha/internal/storage/notes"
	"z2mha/internal/version"
)

// A house is everything that one configuration describes, while the server runs.
type house struct {
	app      *app
	cfg      *config.Config
	desk     *desk.Desk
	entities *entities.Entities
	traps    *snmp.Sender
	restored *backup.Marker // the state came out of a backup; nil when not
	resumed  bool           // this process has worked in that state before
	panel    string         // path of our page that Home Assistant was told
}

// build puts a house together. Nothing acts before run.
func (s *server) build(ctx context.Context, cfg *config.Config) (_ *house, err error) {
	var disk durable.Disk
	log := s.log
	h := &house{cfg: cfg, restored: s.restored[cfg.State], panel: s.panelPath()}
	_, h.resumed = s.restored[cfg.State]
	topic, payload := entities.Will(cfg.HomeAssistant.BaseTopic)
	connect := func(_ context.Context, m config.MQTT) (*bus.Conn, error) {
		c := busConfig(m, log)
		c.ClientID = m.ClientID
		if cfg.HomeAssistant.Discovery { // otherwise nothing of ours may stay at the broker
			c.Will = &bus.Message{Topic: topic, Payload: payload, Retained: true}
		}
		return bus.Open(c)
	}
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	h.app, err = wire(ctx, cfg, wiring{lock: true, connect: connect, opened: h.afterRestore}, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.app.close())
		}
	}()
	kept := events.New(filepath.Join(cfg.State, "events"), disk, log)
	h.app.onClose(kept.Close)
	decided := decisions.New(filepath.Join(cfg.State, "decisions"), version.Version, disk, log)
	h.app.onClose(decided.Close)
	h.desk = desk.New(desk.Parts{
		Engine: h.app.controller, History: journal.New(filepath.Join(cfg.State, "runs"), disk),
		Events: kept, Holds: holds.New(filepath.Join(cfg.State, "holds"), disk), Nodes: nodesOf(cfg), Log: log,
		Decide: decide.Decide, Rungs: h.app.controller.Rungs, Decisions: decided, Policy: policies(cfg), Notes: notes.New(filepath.Join(cfg.State, "notes"), disk),
		Capture: captureRule(cfg), Membership: h.app.controller.Membership,
		Bridge: h.app.controller.Bridge, Sighted: h.app.controller.Sighted,
		Tidy: func(net string) { h.app.tidier.tidyQuietly(net, log) },
	})
	h.entities = entities.New(entities.Config{
		Bus: h.app.bus, Desk: h.desk, Log: log, Off: !cfg.HomeAssistant.Discovery,
		Options: discovery.Options{
			Prefix: cfg.HomeAssistant.Prefix, Base: cfg.HomeAssistant.BaseTopic, Version: version.Version, ConfigurationURL: configurationURL(h.panel),
			Origin: discovery.Origin{Name: "Zigbee2MQTT High Availability", Version: version.Version, SupportURL: "https://github.com/z2mha/z2mha"},
		},
		Shelf: file{filepath.Join(cfg.State, "entities.json"), disk},
	})
	h.traps = trapsOf(cfg, log)
	s.restored[cfg.State] = h.restored
	return h, nil
}

// afterRestore recognises a state directory that came out of a backup.
func (h *house) afterRestore(state string, records *memory.Memory) error {
	if h.resumed { // a backup may be being packed just now
		return nil
	}
	marker, err := takeUpRestored(h.cfg, state, records)
	if err != nil {
		return err
	}
	h.restored = marker
	return backup.Dir{State: state}.Clear()
}

func captureRule(cfg *config.Config) cadence.Rule {
	r := cadence.Default()
	r.Backup, r.Files = cfg.Capture.Backup, cfg.Capture.Files
	return r
}

func policies(cfg *config.Config) map[string]desk.Policy {
	out := map[string]desk.Policy{}
	for _, n := range cfg.Networks {
		out[n.Name] = desk.Policy(n.Policy)
	}
	return out
}

func nodesOf(cfg *config.Config) map[string][]desk.Node {
	out := map[string][]desk.Node{}
	for _, n := range cfg.Networks {
		for _, x := range n.Nodes {
			out[n.Name] = append(out[n.Name], desk.Node{Name: x.Name, Kind: string(x.Service.Kind), Address: x.Host.String()})
		}
	}
	return out
}

func trapsOf(cfg *config.Config, log *slog.Logger) *snmp.Sender {
	var to []snmp.Receiver
	for _, r := range cfg.SNMP {
		to = append(to, snmp.Receiver{Address: r.Address, Community: snmp.NewCommunity(r.Community.Reveal()), Format: snmp.Format(r.Format)})
	}
	name, err := os.Hostname()
	if err != nil {
		log.Warn("this machine does not know its name; traps call it z2mha", "err", err)
		name = "z2mha"
	}
	return snmp.New(snmp.Config{Receivers: to, Host: name, Log: log})
}

// run is the house's life. It returns when everything in it has ended. The desk ends
// first, which brings a run that is under way to a safe point: the others tell of that.
func (h *house) run(ctx context.Context, tell func(status.Event)) error {
	cancelTraps := h.desk.Listen(h.traps.Tell)
	defer cancelTraps()
	cancelTell := h.desk.Listen(tell)
	defer cancelTell()
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var g errgroup.Group
	g.Go(func() error { return h.traps.Run(lasting) })
	g.Go(func() error { return h.entities.Run(lasting) })
	g.Go(func() error { defer end(); return h.desk.Run(ctx) })
	return g.Wait()
}

// busy says that a plan is being carried out.
func (h *house) busy() bool {
	for _, n := range h.desk.Networks() {
		if n.Run != nil {
			return true
		}
	}
	return false
}

// A file is an entities.Shelf.
type file struct {
	path string
	disk durable.Disk
}

func (f file) Load() ([]byte, error) {
	data, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (f file) Save(data []byte) error { return f.disk.WriteFile(f.path, data, 0o600) }
