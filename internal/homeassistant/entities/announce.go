package entities

import (
	"context"
	"maps"
	"slices"
	"time"

	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
)

// announce publishes everything and takes back what is gone. What is to be published
// is written down first and what was taken back is forgotten last, so a crash in
// between leaves nothing behind that nobody knows of.
func (p *publisher) announce(ctx context.Context, networks []status.Network) {
	p.last, p.due = time.Now(), time.Time{}
	devices := discovery.Devices(networks, p.e.cfg.Options)
	documents := p.documents(networks)
	want := publishedBy(devices, documents)
	p.remember(p.memory.with(want))
	p.sent = map[string]string{}
	if !p.takeBack(ctx, want) {
		return
	}
	partly := false // some components were taken back; the next message leaves them out
	for _, d := range devices {
		gone := p.memory.gone(d)
		if !p.send(ctx, discovery.Message{Topic: d.Topic, Payload: d.Payload(gone)}) {
			return
		}
		partly = partly || len(gone) > 0
	}
	for _, m := range documents {
		if !p.send(ctx, m) {
			return
		}
	}
	p.remember(want)
	p.announced = payloads(devices)
	p.e.log.Debug("announced to Home Assistant", "devices", len(devices))
	if partly {
		p.schedule(quiet)
		return
	}
	p.update(ctx, networks) // the events that have waited
}

// takeBack removes the devices and topics that are no longer wanted.
func (p *publisher) takeBack(ctx context.Context, want memory) bool {
	gone := slices.Sorted(maps.Keys(p.memory.Devices))
	slices.Reverse(gone) // nodes before their network
	for _, topic := range slices.Concat(gone, p.memory.Topics) {
		_, device := want.Devices[topic]
		if device || slices.Contains(want.Topics, topic) {
			continue
		}
		if !p.send(ctx, discovery.Message{Topic: topic}) {
			return false
		}
		p.e.log.Info("taken back from Home Assistant", "topic", topic)
	}
	return true
}

func (p *publisher) remember(m memory) {
	if p.memory.equal(m) {
		return
	}
	p.memory = m
	if err := m.save(p.e.cfg.Shelf); err != nil {
		p.e.log.Warn("what was published is not written down", "err", err)
	}
}
