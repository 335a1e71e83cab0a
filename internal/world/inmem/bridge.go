package inmem

import (
	"context"
	"maps"
	"slices"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
)

// Bridge returns what the home says over MQTT.
func (h *Home) Bridge() engine.Bridge { return bridge{h} }

type bridge struct{ h *Home }

func (b bridge) with(ctx context.Context, op string, f func(x *Host) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	if err := b.h.failLocked("bridge." + op); err != nil {
		return err
	}
	if !b.h.signs.broker {
		return errNoBroker
	}
	x := b.h.speakerLocked()
	if x == nil || !x.speaksLocked() {
		return engine.ErrBridgeSilent
	}
	b.h.signs.asked = time.Now()
	return f(x)
}

// State is online while somebody runs.
func (b bridge) State(context.Context) (engine.BridgeState, error) {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	if !b.h.signs.broker {
		return engine.BridgeState{}, errNoBroker
	}
	b.h.speakerLocked()
	return engine.BridgeState{Known: true, Online: b.h.signs.online, At: b.h.signs.onlineAt}, nil
}

// Refresh answers for the host that runs, in the name its data carries.
func (b bridge) Refresh(ctx context.Context) (info engine.BridgeInfo, err error) {
	err = b.with(ctx, "refresh", func(*Host) error {
		x := b.h.answersLocked()
		id, err := x.nv.Identity()
		if err != nil {
			return err
		}
		info = engine.BridgeInfo{At: time.Now(), Node: x.mark, Version: "2.14.1", Coordinator: id.IEEE, PanID: id.PanID,
			ExtPanID: id.ExtPanID, Channel: id.Channel, Revision: x.stick.Revision, PermitJoin: b.h.Joining}
		b.h.signs.spoke, b.h.signs.node = info.At, info.Node
		return nil
	})
	return info, err
}

// Devices is the home's list.
func (b bridge) Devices(ctx context.Context, _ time.Time) (out []engine.BridgeDevice, err error) {
	err = b.with(ctx, "devices", func(*Host) error {
		out = append(out, b.h.Devices...)
		return nil
	})
	return out, err
}

// Ask lets the devices that hear the speaker answer.
func (b bridge) Ask(ctx context.Context, devices []engine.BridgeDevice, enough int) (out []zigbee.IEEE, err error) {
	err = b.with(ctx, "ask", func(x *Host) error {
		for _, d := range devices {
			if !b.h.Deaf[d.IEEE] && b.h.reachesLocked(x, d.IEEE) && len(out) < enough {
				out = append(out, d.IEEE)
			}
		}
		return nil
	})
	return out, err
}

// CloseJoining closes it.
func (b bridge) CloseJoining(ctx context.Context) error {
	return b.with(ctx, "close-joining", func(x *Host) error {
		if x.muteLocked() {
			return engine.ErrStickSilent
		}
		b.h.Joining = false
		return nil
	})
}

// Backup lets the host that runs write down what its stick has saved.
func (b bridge) Backup(ctx context.Context) error {
	return b.with(ctx, "backup", func(x *Host) error { return x.liveBackUpLocked() })
}

// Watch tells of Join and Leave.
func (b bridge) Watch(tell func(engine.Membership)) (cancel func()) {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	w := &watcher{tell}
	b.h.watchers = append(b.h.watchers, w)
	return func() {
		b.h.mu.Lock()
		defer b.h.mu.Unlock()
		b.h.watchers = slices.DeleteFunc(slices.Clone(b.h.watchers), func(x *watcher) bool { return x == w })
	}
}

type watcher struct{ tell func(engine.Membership) }

// Join makes a device join through the host that runs, whose stick and database have it
// at once.
func (h *Home) Join(d engine.BridgeDevice) {
	h.change(engine.Membership{Kind: engine.MemberJoined, IEEE: d.IEEE, Name: d.FriendlyName}, func(x *Host) {
		h.Devices = append(slices.Clone(h.Devices), d)
		h.joined[d.IEEE] = true
		if x != nil {
			x.joinLocked(d.IEEE)
		}
	})
}

// Leave makes a device leave, as a factory reset at the device does.
func (h *Home) Leave(ieee zigbee.IEEE) {
	h.change(engine.Membership{Kind: engine.MemberLeft, IEEE: ieee}, func(x *Host) {
		h.Devices = slices.DeleteFunc(slices.Clone(h.Devices), func(d engine.BridgeDevice) bool { return d.IEEE == ieee })
		delete(h.joined, ieee)
		if x != nil {
			x.leaveLocked(ieee)
		}
	})
}

func (h *Home) change(m engine.Membership, devices func(speaker *Host)) {
	h.mu.Lock()
	x := h.speakerLocked()
	devices(x)
	if x != nil {
		x.data = maps.Clone(x.data)
		x.data["database.db"] = databaseOf(h.Devices)
	}
	m.At = time.Now()
	watchers := h.watchers
	if !h.signs.broker {
		watchers = nil
	}
	h.mu.Unlock()
	for _, w := range watchers {
		w.tell(m)
	}
}
