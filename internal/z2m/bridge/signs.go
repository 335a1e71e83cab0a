package bridge

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/health"
	"z2mha/internal/z2m"
)

const (
	// takeOver is how soon after its "offline" a Zigbee2MQTT is back when another one with
	// its client id has thrown it out, or it that one. One that starts needs longer, and
	// one that lost its connection waits a second first.
	takeOver = 500 * time.Millisecond
	// keptTakeOvers are remembered.
	keptTakeOvers = 10
	// paceOf is from how many messages the pace of a network is told.
	paceOf = 20
)

// signs is what was heard without asking. The Bridge's mu guards it.
type signs struct {
	heard     map[zigbee.IEEE]time.Time
	last      map[zigbee.IEEE]uint64 // fingerprint of each device's last state
	seed      maphash.Seed
	counted   map[zigbee.IEEE]int // messages, as the last bridge/health counted them
	countedAt time.Time
	takeOvers []time.Time
	asked     time.Time
	asking    time.Time   // since when an answer is waited for, zero when none is
	silent    time.Time   // since when nothing came although it was asked
	times     []time.Time // of the last messages of devices
	noRaw     bool        // this Zigbee2MQTT passes nothing on to its stick
	owed      int         // answers that the stick owes to others, as the log says
	echoes    int         // our own bridge/state, on its way back to us
}

// Signs is what was heard so far.
func (b *Bridge) Signs() engine.Signs {
	s := b.bus.Status()
	out := engine.Signs{Broker: health.Broker{Connected: s.Connected, Since: s.Since}}
	if s.Err != nil && !s.Connected {
		out.Broker.Why = s.Err.Error()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out.Broker.TakeOvers = slices.Clone(b.signs.takeOvers)
	out.Bridge = health.Bridge{Spoke: b.info.At, Node: b.info.Node, Asked: b.signs.asked, Unanswered: b.signs.silent}
	if b.state.Known {
		out.Bridge.Online, out.Bridge.At, out.Bridge.Kept = b.state.Online, b.state.At, b.state.Retained
	}
	if a := b.signs.asking; out.Bridge.Unanswered.IsZero() && !a.IsZero() && s.Connected && time.Since(a) >= leastPatience {
		out.Bridge.Asked, out.Bridge.Unanswered = a, a
	}
	out.HeardFrom, out.Pace, out.Devices = maps.Clone(b.signs.heard), pace(b.signs.times), b.devices
	for _, at := range out.HeardFrom {
		if at.After(out.Heard) {
			out.Heard = at
		}
	}
	return out
}

type stir struct{ tell func() }

// Stirs calls tell at each change of bridge/state and of the connection.
func (b *Bridge) Stirs(tell func()) (cancel func()) {
	w := &stir{tell}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stirs = append(slices.Clone(b.stirs), w)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.stirs = slices.DeleteFunc(slices.Clone(b.stirs), func(x *stir) bool { return x == w })
	}
}

func (b *Bridge) stirred() {
	b.mu.Lock()
	stirs := b.stirs
	b.mu.Unlock()
	for _, w := range stirs {
		w.tell()
	}
}

// onDevice takes a message on a device's own topic. A fresh one has come over the radio,
// with two exceptions: when it starts, and when Home Assistant does, Zigbee2MQTT repeats
// what it remembers of each device. So a state that is word for word the one before, and
// any that comes during a start, proves nothing here; see Ask for what proves more.
func (b *Bridge) onDevice(m bus.Message) error {
	name := b.topics.FriendlyName(m.Topic)
	b.note(func() {
		for _, q := range b.questions {
			if q.device.FriendlyName == name {
				b.hear(q, m)
			}
		}
		if ieee, ok := b.members.names[name]; ok {
			b.heardOf(ieee, m)
		}
	})
	return nil
}

// heardOf notes a message of a device. mu is held.
func (b *Bridge) heardOf(ieee zigbee.IEEE, m bus.Message) {
	print := maphash.Bytes(b.signs.seed, m.Payload)
	before, known := b.signs.last[ieee]
	b.signs.last[ieee] = print
	if !m.Retained && known && before != print && b.proof() == 1 {
		b.noteHeard(ieee, time.Now())
	}
}

// noteHeard notes that the radio was proven. mu is held.
func (b *Bridge) noteHeard(ieee zigbee.IEEE, now time.Time) {
	b.signs.heard[ieee] = now
	b.signs.times = append(b.signs.times, now)
	if n := len(b.signs.times); n > paceOf {
		b.signs.times = b.signs.times[n-paceOf:]
	}
}

// pace is the longest pause between the last messages.
func pace(times []time.Time) (longest time.Duration) {
	if len(times) < paceOf {
		return 0
	}
	for i := range times[1:] {
		longest = max(longest, times[i+1].Sub(times[i]))
	}
	return longest
}

// listenTo makes sure that the topic of a device is listened to. No two of our filters
// match one topic: a broker may deliver a message once for each, and an answer that is
// heard twice would prove what it does not.
func (b *Bridge) listenTo(ctx context.Context, friendlyName string) error {
	if !strings.Contains(friendlyName, "/") || strings.HasPrefix(friendlyName, "bridge/") {
		return nil // AllDevices has it, or it is none
	}
	topic := b.topics.Device(friendlyName)
	b.mu.Lock()
	known := b.listened[topic] || b.closed
	b.listened[topic] = true
	b.mu.Unlock()
	if known {
		return nil
	}
	cancel, err := b.bus.Subscribe(ctx, topic, b.noting(b.onDevice))
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		delete(b.listened, topic)
		return fmt.Errorf("listen to %q: %w", friendlyName, err)
	}
	b.cancel = append(b.cancel, cancel)
	return nil
}

// listenTime is how long the broker may take to agree to a subscription.
const listenTime = 5 * time.Second

// listenToAll listens to the devices whose names hold a slash.
func (b *Bridge) listenToAll(list []z2m.Device) {
	ctx, cancel := context.WithTimeout(context.Background(), listenTime)
	defer cancel()
	for _, d := range list {
		if !z2m.Addressable(d.FriendlyName) {
			continue
		}
		if err := b.listenTo(ctx, d.FriendlyName); err != nil {
			b.log.Warn("a device is not listened to", "device", d.IEEE, "err", err)
		}
	}
}

// onHealth takes the counters that Zigbee2MQTT publishes every few minutes. A device whose
// counter has grown was heard since the last time, nobody knows when: at least then.
func (b *Bridge) onHealth(m bus.Message) error {
	counted, err := z2m.ParseHealth(m.Payload)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for ieee, n := range counted {
		if was, known := b.signs.counted[ieee]; known && n > was && !m.Retained && b.signs.heard[ieee].Before(b.signs.countedAt) {
			b.signs.heard[ieee] = b.signs.countedAt
		}
	}
	b.signs.counted, b.signs.countedAt = counted, time.Now()
	return nil
}

// cameBack notes a take-over. mu is held, b.state is still the one before.
func (b *Bridge) cameBack(now time.Time) {
	if !b.state.Known || b.state.Retained || b.state.Online || now.Sub(b.state.At) > takeOver {
		return
	}
	b.signs.takeOvers = append(b.signs.takeOvers, now)
	if n := len(b.signs.takeOvers); n > keptTakeOvers {
		b.signs.takeOvers = b.signs.takeOvers[n-keptTakeOvers:]
	}
}
