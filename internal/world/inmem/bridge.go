package inmem

import (
	"context"
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
	x := b.h.speakerLocked()
	if x == nil {
		return engine.ErrBridgeSilent
	}
	return f(x)
}

// State is online while somebody runs.
func (b bridge) State(context.Context) (engine.BridgeState, error) {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	return engine.BridgeState{Known: true, Online: b.h.speakerLocked() != nil, At: time.Now()}, nil
}

// Refresh answers for the host that runs, in the name its data carries.
func (b bridge) Refresh(ctx context.Context) (info engine.BridgeInfo, err error) {
	err = b.with(ctx, "refresh", func(x *Host) error {
		id, err := x.nv.Identity()
		if err != nil {
			return err
		}
		info = engine.BridgeInfo{At: time.Now(), Node: x.mark, Version: "2.14.1", Coordinator: id.IEEE, PanID: id.PanID,
			ExtPanID: id.ExtPanID, Channel: id.Channel, PermitJoin: b.h.Joining}
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
			if !b.h.Deaf[d.IEEE] && x.onAir && x.counter >= b.h.heard && len(out) < enough {
				out = append(out, d.IEEE)
			}
		}
		return nil
	})
	return out, err
}

// CloseJoining closes it.
func (b bridge) CloseJoining(ctx context.Context) error {
	return b.with(ctx, "close-joining", func(*Host) error { b.h.Joining = false; return nil })
}
