package inmem

import (
	"context"
	"errors"
	"maps"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/health"
)

const (
	// deviceEvery is how often each device says something by itself.
	deviceEvery = 30 * time.Second
	// giveUp is how long Zigbee2MQTT waits for its stick.
	giveUp = 6 * time.Second
)

var errNoBroker = errors.New("the broker does not answer")

// signs are what is on the broker, and what a listener there has heard.
type signs struct {
	broker   bool
	brokerAt time.Time
	online   bool // the kept bridge/state
	onlineAt time.Time
	speaker  *Host
	asked    time.Time
	spoke    time.Time
	node     string
	heard    map[zigbee.IEEE]time.Time
}

// note follows who speaks: somebody who starts says online, the last will says offline
// for one who is gone.
func (s *signs) note(speaker *Host, now time.Time) {
	if speaker == s.speaker {
		return
	}
	s.speaker, s.online, s.onlineAt = speaker, speaker != nil, now
}

// hearDevicesLocked notes what the devices have said by themselves through x.
func (h *Home) hearDevicesLocked(x *Host, now time.Time) {
	if !x.running || !h.signs.broker {
		return
	}
	at := now.Truncate(deviceEvery)
	for _, d := range h.Devices {
		if !h.Deaf[d.IEEE] && h.reachesLocked(x, d.IEEE) && at.After(x.since) {
			h.signs.heard[d.IEEE] = at
		}
	}
}

// SetBroker takes the broker away or brings it back; what it had kept stays.
func (h *Home) SetBroker(up bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.speakerLocked()
	if h.signs.broker != up {
		h.signs.broker, h.signs.brokerAt = up, time.Now()
	}
}

// SetKept makes the broker keep another bridge/state, as a last will that comes late.
func (h *Home) SetKept(online bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.speakerLocked()
	h.signs.online, h.signs.onlineAt = online, time.Now()
}

// Signs is what was heard so far.
func (b bridge) Signs() engine.Signs {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	b.h.speakerLocked()
	s := b.h.signs
	out := engine.Signs{HeardFrom: maps.Clone(s.heard), Broker: health.Broker{Connected: s.broker, Since: s.brokerAt},
		Bridge: health.Bridge{Online: s.online, At: s.onlineAt, Spoke: s.spoke, Node: s.node, Asked: s.asked}}
	if !s.broker {
		out.Broker.Why, out.Bridge.Online, out.Bridge.At = errNoBroker.Error(), false, time.Time{}
	}
	for _, at := range out.HeardFrom {
		if at.After(out.Heard) {
			out.Heard = at
		}
	}
	return out
}

// AskStick asks the stick of the host that runs; a mute one is waited for, twice.
func (b bridge) AskStick(ctx context.Context) error {
	var mute bool
	if err := b.with(ctx, "ask-stick", func(x *Host) error { mute = x.mute; return nil }); err != nil || !mute {
		return err
	}
	select {
	case <-ctx.Done():
		return engine.ErrBridgeSilent
	case <-time.After(2 * giveUp):
		return engine.ErrStickSilent
	}
}

// Correct changes what the broker keeps.
func (b bridge) Correct(ctx context.Context, online bool) error {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	switch err := b.h.failLocked("bridge.correct"); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case !b.h.signs.broker:
		return errNoBroker
	}
	b.h.speakerLocked()
	b.h.signs.online, b.h.signs.onlineAt = online, time.Now()
	return nil
}
