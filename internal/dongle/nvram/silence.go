package nvram

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
)

// ErrNotHold is wrapped when a stick's radio is, or may be, on.
var ErrNotHold = errors.New("the stick is not in HOLD")

// A Silence is proof that a stick's radio was off at the time At: its state, read
// from the stick itself.
type Silence struct {
	State   string        `json:"state"`   // HOLD
	Reset   bool          `json:"reset"`   // the stick announced a boot before the state was read
	Address zigbee.IEEE   `json:"address"` // in effect; a copied one after a load
	Stick   nvimage.Stick `json:"stick"`
	At      time.Time     `json:"at"`
}

// StateName is a device state as results show it: "HOLD", "COORDINATOR".
func StateName(s znp.DeviceState) string { return strings.ToUpper(s.String()) }

// Park proves the stick silent. It resets the stick only when it is not in HOLD
// already: every boot rewrites 5 KB of its flash.
func Park(ctx context.Context, c *znp.Client) (Silence, error) {
	s, err := hold(ctx, c)
	if errors.Is(err, ErrNotHold) {
		return Reset(ctx, c)
	}
	return s, err
}

// Reset boots the stick and proves it silent. The announcement of the boot is no
// proof, and its absence proves nothing either: what counts is the state read back.
// A stick that is in HOLD without having announced a boot has Silence.Reset false.
func Reset(ctx context.Context, c *znp.Client) (Silence, error) {
	info, announced, err := reboot(ctx, c)
	if err != nil {
		return Silence{}, err
	}
	s, err := silent(ctx, c, info)
	s.Reset = announced
	return s, err
}

// reboot boots the stick and reads its state, which is HOLD without an error.
func reboot(ctx context.Context, c *znp.Client) (info znp.DeviceInfo, announced bool, err error) {
	_, err = c.Reset(ctx)
	if err != nil && (!errors.Is(err, znp.ErrTimeout) || ctx.Err() != nil) {
		return info, false, err
	}
	info, holdErr := held(ctx, c)
	switch {
	case holdErr != nil && err != nil:
		return info, false, fmt.Errorf("%w; after it: %w", err, holdErr)
	case holdErr != nil:
		return info, false, fmt.Errorf("after a reset: %w", holdErr)
	}
	return info, err == nil, nil
}

// hold reads the stick's state. The error wraps ErrNotHold for any state but HOLD.
func hold(ctx context.Context, c *znp.Client) (Silence, error) {
	info, err := held(ctx, c)
	if err != nil {
		return Silence{}, err
	}
	return silent(ctx, c, info)
}

func held(ctx context.Context, c *znp.Client) (znp.DeviceInfo, error) {
	info, err := c.DeviceInfo(ctx)
	if err == nil && info.State != znp.StateHold {
		err = fmt.Errorf("%w but says %s (%d)", ErrNotHold, info.State, info.State)
	}
	return info, err
}

// silent completes the proof with who it is that is silent.
func silent(ctx context.Context, c *znp.Client, info znp.DeviceInfo) (Silence, error) {
	at := time.Now()
	stick, err := c.Version(ctx)
	if err != nil {
		return Silence{}, err
	}
	return Silence{State: StateName(info.State), Address: info.IEEE, Stick: stick, At: at}, nil
}
