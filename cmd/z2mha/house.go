package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"z2mha/internal/backup"
	"z2mha/internal/bus"
	"z2mha/internal/config"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
	"z2mha/internal/homeassistant/entities"
	"z2mha/internal/notify/snmp"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/events"
	"z2mha/internal/storage/holds"
	"z2mha/internal/storage/journal"
	"z2mha/internal/storage/memory"
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
}

// build puts a house together. Nothing acts before run.
func (s *server) build(ctx context.Context, cfg *config.Config) (_ *house, err error) {
	var disk durable.Disk
	log := s.log
	h := &house{cfg: cfg, restored: s.restored[cfg.State]}
	_, h.resumed = s.restored[cfg.State]
	topic, payload := entities.Will(cfg.HomeAssistant.BaseTopic)
	connect := func(_ context.Context, m config.MQTT) (*bus.Conn, error) {
		c := busConfig(m, log)
		c.ClientID, c.Will = m.ClientID, &bus.Message{Topic: topic, Payload: payload, Retained: true}
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
	h.desk = desk.New(desk.Parts{
		Engine: h.app.controller, History: journal.New(filepath.Join(cfg.State, "runs"), disk),
		Events: kept, Holds: holds.New(filepath.Join(cfg.State, "holds"), disk), Nodes: nodesOf(cfg), Log: log,
	})
	h.entities = entities.New(entities.Config{
		Bus: h.app.bus, Desk: h.desk, Log: log, Off: !cfg.HomeAssistant.Discovery,
		Options: discovery.Options{
			Prefix: cfg.HomeAssistant.Prefix, Base: cfg.HomeAssistant.BaseTopic, Version: version.Version, ConfigurationURL: s.configurationURL(),
			Origin: discovery.Origin{Name: "Zigbee2MQTT High Availability", Version: version.Version, SupportURL: "https://github.com/z2mha/z2mha"},
		},
		Shelf: file{filepath.Join(cfg.State, "entities.json"), disk},
	})
	h.traps = trapsOf(cfg, log)
	s.restored[cfg.State] = h.restored
	return h, nil
}

// afterRestore makes a state directory that came out of a backup safe to work with:
// its counters are doubted, a run that was open then is set aside, and its networks
// are held until a person has looked.
func (h *house) afterRestore(state string, records *memory.Memory) error {
	if h.resumed { // a backup may be being packed just now
		return nil
	}
	d := backup.Dir{State: state}
	yes, marker, err := d.Restored()
	if err != nil {
		return err
	}
	if !yes {
		return d.Clear()
	}
	if err := d.Adopt(); err != nil {
		return err
	}
	for _, n := range h.cfg.Networks {
		if err := doubt(n.Name, state, marker, records); err != nil {
			return fmt.Errorf("take up network %s after a restore: %w", n.Name, err)
		}
	}
	h.restored = &marker
	return d.Clear()
}

func doubt(net, state string, marker backup.Marker, records *memory.Memory) error {
	var disk durable.Disk
	r, err := records.Load(net)
	if err != nil {
		return err
	}
	r.Network, r.Odometer, r.Silent = net, r.Odometer.Doubted(), nil
	if err := records.Save(r); err != nil {
		return err
	}
	if err := setAside(net, journal.New(filepath.Join(state, "runs"), disk)); err != nil {
		return err
	}
	return holds.New(filepath.Join(state, "holds"), disk).Save(net,
		status.Hold{On: true, Since: time.Now(), By: "z2mha, because its data came out of " + whichBackup(marker)})
}

func whichBackup(m backup.Marker) string {
	if m.At.IsZero() {
		return "a backup"
	}
	return "a backup of " + m.At.Format(time.DateTime)
}

// setAside ends the run that was open when the backup was made: what it was about to
// do belongs to another day.
func setAside(net string, j engine.Journal) error {
	runs, err := j.Runs(net)
	if err != nil {
		return err
	}
	for _, id := range runs {
		entries, err := j.Load(net, id)
		if err != nil {
			return err
		}
		prog, err := plan.Replay(entries)
		if err != nil || prog.Ended() {
			continue
		}
		run, err := j.Open(net, id)
		if err != nil {
			return err
		}
		err = run.Append(plan.Entry{Seq: prog.Seq + 1, At: time.Now(), Run: id, Event: plan.EventEnded, Note: string(plan.GivenUp)})
		if err = errors.Join(err, run.Close()); err != nil {
			return err
		}
	}
	return nil
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

// run is the house's life. It returns when everything in it has ended.
func (h *house) run(ctx context.Context, tell func(status.Event)) error {
	cancelTraps := h.desk.Listen(h.traps.Tell)
	defer cancelTraps()
	cancelTell := h.desk.Listen(tell)
	defer cancelTell()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.traps.Run(ctx) })
	g.Go(func() error { return h.entities.Run(ctx) })
	g.Go(func() error { return h.desk.Run(ctx) })
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
