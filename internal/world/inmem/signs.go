package inmem

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/health"
)

const (
	// deviceEvery is how often each device says something by itself.
	deviceEvery = 10 * time.Second
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
	stirs    []*stir
}

// clone is the same broker in another home; nobody listens to it yet.
func (s signs) clone(h *Home) signs {
	s.heard, s.stirs = maps.Clone(s.heard), nil
	if s.speaker != nil {
		s.speaker = h.Host(s.speaker.name)
	}
	return s
}

type stir struct{ tell func() }

// stir tells whoever listens that something is to be asked for. They must not ask at once.
func (s *signs) stir() {
	for _, w := range s.stirs {
		w.tell()
	}
}

// note follows who speaks: somebody who starts says online, the last will says offline
// for one who is gone.
func (s *signs) note(speaker *Host, now time.Time) {
	if speaker == s.speaker {
		return
	}
	s.speaker, s.online, s.onlineAt = speaker, speaker != nil, now
	s.stir()
}

// hearDevicesLocked notes what the devices have said by themselves through x.
func (h *Home) hearDevicesLocked(x *Host, now time.Time) {
	if !x.speaksLocked() || !h.signs.broker {
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
		h.signs.stir()
	}
}

// SetKept makes the broker keep another bridge/state, as a last will that comes late.
func (h *Home) SetKept(online bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.speakerLocked()
	h.signs.online, h.signs.onlineAt = online, time.Now()
	h.signs.stir()
}

// Stirs calls tell when what the broker keeps of the speaker has changed, or the broker.
// A host that dies by itself is seen when somebody looks.
func (b bridge) Stirs(tell func()) (cancel func()) {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	w := &stir{tell}
	b.h.signs.stirs = append(b.h.signs.stirs, w)
	return func() {
		b.h.mu.Lock()
		defer b.h.mu.Unlock()
		b.h.signs.stirs = slices.DeleteFunc(slices.Clone(b.h.signs.stirs), func(x *stir) bool { return x == w })
	}
}

// Signs is what was heard so far.
func (b bridge) Signs() engine.Signs {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	b.h.speakerLocked()
	s := b.h.signs
	out := engine.Signs{HeardFrom: maps.Clone(s.heard), Devices: slices.Clone(b.h.Devices), Broker: health.Broker{Connected: s.broker, Since: s.brokerAt},
		Bridge: health.Bridge{Online: s.online, At: s.onlineAt, Spoke: s.spoke, Node: s.node, Asked: s.asked}}
	if !s.broker {
		out.Broker.Why, out.Bridge.Online, out.Bridge.At = errNoBroker.Error(), false, time.Time{}
	}
	if len(out.HeardFrom) > 0 {
		out.Pace = deviceEvery
	}
	for _, at := range out.HeardFrom {
		if at.After(out.Heard) {
			out.Heard = at
		}
	}
	return out
}

// AskStick asks the stick of the host that runs; a mute one is waited for, twice.
func (b bridge) AskStick(ctx context.Context) error { return b.askStick(ctx, "ask-stick", 2*giveUp) }

// CheckCoordinator asks it for everything.
func (b bridge) CheckCoordinator(ctx context.Context) error {
	return b.askStick(ctx, "check-coordinator", giveUp)
}

func (b bridge) askStick(ctx context.Context, op string, patience time.Duration) error {
	var mute bool
	if err := b.with(ctx, op, func(x *Host) error { mute = x.muteLocked(); return nil }); err != nil || !mute {
		return err
	}
	select {
	case <-ctx.Done():
		return engine.ErrBridgeSilent
	case <-time.After(patience):
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
