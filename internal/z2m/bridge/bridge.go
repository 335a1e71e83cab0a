// Package bridge is engine.Bridge over MQTT: what the Zigbee2MQTT of one network
// says, whichever node it runs on.
//
// Two things on the broker look like life and are not. Retained messages may be
// of a process that died long ago; they never count as fresh. And Zigbee2MQTT
// publishes every device's last known state once when it starts, without any
// radio; see Ask.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/z2m"
)

// A Bus is the part of *bus.Conn that is used here.
type Bus interface {
	Publish(ctx context.Context, m bus.Message) error
	Subscribe(ctx context.Context, filter string, handle func(bus.Message)) (cancel func(), err error)
	Watch(tell func(bus.Status)) (cancel func())
	Status() bus.Status
}

// settle is how long after a subscription the broker's kept messages may take.
const settle = time.Second

// A Bridge listens to one network's Zigbee2MQTT. It is safe for concurrent use.
type Bridge struct {
	bus    Bus
	topics z2m.Topics
	log    *slog.Logger
	cancel []func()
	opened time.Time

	mu      sync.Mutex // guards what follows
	changed chan struct{}
	since   time.Time // when the present connection began to listen
	state   engine.BridgeState
	starts  int       // fresh "online" heard
	start   time.Time // of the last of them
	settled bool      // that start has ended: cached states are out

	info      engine.BridgeInfo // the last fresh one
	infos     int               // fresh ones heard
	devices   []engine.BridgeDevice
	known     bool      // devices were heard, kept or fresh
	refreshed time.Time // when fresh devices were heard last

	signs     signs
	questions []*question
	listened  map[string]bool // topics of devices that are listened to one by one
	members   members         // as the lists told it last
	watchers  []*watcher
	stirs     []*stir

	flight  *flight // the backup under way, nil when none
	closed  bool
	flights sync.WaitGroup
}

var _ engine.Bridge = (*Bridge)(nil)

// New begins to listen below baseTopic and returns when the broker has agreed.
func New(ctx context.Context, b Bus, baseTopic string, log *slog.Logger) (*Bridge, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	br := &Bridge{bus: b, topics: z2m.Topics(baseTopic), log: log.With("base_topic", baseTopic),
		opened: time.Now(), changed: make(chan struct{}), listened: map[string]bool{}}
	br.signs = signs{heard: map[zigbee.IEEE]time.Time{}, last: map[zigbee.IEEE]uint64{}, seed: maphash.MakeSeed()}
	br.cancel = append(br.cancel, b.Watch(br.onStatus))
	topics := map[string]func(bus.Message) error{
		br.topics.State(): br.onState, br.topics.Info(): br.onInfo, br.topics.Devices(): br.onDevices, br.topics.Logging(): br.onLog,
		br.topics.Groups(): br.onGroups, br.topics.Event(): br.onEvent,
		br.topics.Health(): br.onHealth, br.topics.AllDevices(): br.onDevice,
	}
	for _, name := range changing {
		topics[br.topics.Response(name)] = br.onDone
	}
	for topic, handle := range topics {
		cancel, err := b.Subscribe(ctx, topic, br.noting(handle))
		if err != nil {
			br.Close()
			return nil, fmt.Errorf("listen to Zigbee2MQTT: %w", err)
		}
		br.mu.Lock()
		br.cancel = append(br.cancel, cancel)
		br.mu.Unlock()
	}
	return br, nil
}

// Close stops listening and waits until no backup is awaited any more. The bus stays
// open.
func (b *Bridge) Close() {
	b.mu.Lock()
	b.closed = true
	if b.flight != nil {
		b.flight.cancel()
	}
	b.mu.Unlock()
	b.flights.Wait()
	b.mu.Lock()
	cancels := b.cancel
	b.mu.Unlock()
	for _, cancel := range cancels {
		cancel()
	}
}

// State is the last bridge/state heard on the present connection.
func (b *Bridge) State(ctx context.Context) (engine.BridgeState, error) {
	if err := b.reachable(); err != nil {
		return engine.BridgeState{}, err
	}
	b.wait(ctx, settle, func() bool { return b.state.Known })
	if err := b.reachable(); err != nil {
		return engine.BridgeState{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state, nil
}

// Devices is the newest bridge/devices without the coordinator; with a since, only
// once Zigbee2MQTT has published one at or after it.
func (b *Bridge) Devices(ctx context.Context, since time.Time) ([]engine.BridgeDevice, error) {
	if err := b.reachable(); err != nil {
		return nil, err
	}
	patience, enough := settle, func() bool { return b.known }
	if !since.IsZero() {
		patience, enough = forever, func() bool { return b.known && !b.refreshed.Before(since) }
	}
	if !b.wait(ctx, patience, enough) {
		if since.IsZero() {
			return nil, errors.New("the broker has kept no bridge/devices: check mqtt.base_topic, and that the broker keeps retained messages")
		}
		return nil, fmt.Errorf("wait for bridge/devices: %w", engine.ErrBridgeSilent)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.devices, nil
}

// reachable is the broker's error when we are not connected.
func (b *Bridge) reachable() error {
	s := b.bus.Status()
	switch {
	case s.Connected:
		return nil
	case s.Err != nil:
		return s.Err
	}
	return errors.New("not connected to the broker yet")
}

const forever = time.Duration(1<<63 - 1)

// wait returns true as soon as ok, which may read what mu guards, says so; false
// when ctx ends or patience has run out since the connection began.
func (b *Bridge) wait(ctx context.Context, patience time.Duration, ok func() bool) bool {
	b.mu.Lock()
	left := patience
	if patience != forever {
		left -= time.Since(b.since)
	}
	b.mu.Unlock()
	timer := time.NewTimer(left)
	defer timer.Stop()
	for {
		b.mu.Lock()
		met, changed := ok(), b.changed
		b.mu.Unlock()
		if met {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
