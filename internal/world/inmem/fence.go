package inmem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
)

var (
	errNoTTY = errors.New("there is no such tty")
)

// SetFarAway puts the stick where it hears nobody, or brings it back.
func (x *Host) SetFarAway(yes bool) { x.locked(func() { x.farAway = yes }) }

// SetNoUSB makes the stick one that is not plugged into USB.
func (x *Host) SetNoUSB() { x.locked(func() { x.noUSB = true }) }

// PullStick is a person who pulls the stick; PlugStick one who puts it back.
func (x *Host) PullStick() {
	x.locked(func() { x.running, x.unplugged, x.pulled, x.trouble.Dead = false, true, true, false; x.resetLocked() })
}

// PlugStick plugs the stick in again: it has power, and is silent.
func (x *Host) PlugStick() {
	x.locked(func() {
		if x.pulled {
			x.unplugged, x.pulled = false, false
			x.resetLocked()
		}
	})
}

// Unplug takes the stick's USB device away. As with a real one the port keeps its power,
// so that a stick on air goes on; Zigbee2MQTT ends for want of it.
func (x *Host) Unplug(ctx context.Context) (u network.Unplugged, err error) {
	err = x.do(ctx, engine.OpUnplug, func() error {
		if x.noUSB || x.pulled {
			return &network.RefusedError{What: "unplug " + x.tty, Why: "it is no USB device", Remedy: "pull it by hand"}
		}
		x.running, x.unplugged = false, true
		u = network.Unplugged{Device: "1-" + x.name}
		return nil
	})
	return u, err
}

// Replug gives it back.
func (x *Host) Replug(ctx context.Context) error {
	return x.do(ctx, engine.OpReplug, func() error {
		if x.pulled {
			return errNoTTY
		}
		x.unplugged = false
		return nil
	})
}

// Listen hears the sticks on air, and the home's routers.
func (x *Host) Listen(ctx context.Context, who zigbee.Identity) (heard network.Heard, err error) {
	err = x.stickOp(ctx, engine.OpListen, func() error {
		if x.onAir {
			return errors.New("the stick is on air, park it first")
		}
		heard = network.Heard{State: "HOLD"}
		if x.farAway {
			return nil
		}
		for _, other := range x.home.hosts {
			other.tickLocked()
			if other == x || !other.onAir {
				continue
			}
			if id, err := other.nv.Identity(); err == nil && id.ExtPanID == who.ExtPanID && id.Channel == who.Channel {
				heard.Coordinator = true
			}
		}
		for i, d := range x.home.Devices {
			if d.Type == "Router" && !x.home.Deaf[d.IEEE] {
				heard.Neighbours = append(heard.Neighbours, zigbee.NwkAddr(0x2000+i))
			}
		}
		return nil
	})
	return heard, err
}

// A Plug is what the host and its stick have their power from.
type Plug struct {
	host *Host
	// Lies: it says that it is off, and cuts nothing; its confirmation sees that it is on.
	// Broken: it says so, and its confirmation too, which nobody could notice.
	Lies, Broken bool
	Unreachable  bool
	Slow         time.Duration // it takes that long
	Cuts         int           // how often it was asked to cut
}

var _ engine.Fence = (*Plug)(nil)

// Plug puts one between the host and its power.
func (x *Host) Plug() *Plug { return &Plug{host: x} }

func (p *Plug) String() string { return "the plug of " + p.host.name }

// Rung is that of power.
func (p *Plug) Rung() decide.Rung { return decide.RungPower }

// Cut takes the power from host and stick.
func (p *Plug) Cut(ctx context.Context) (string, error) {
	p.Cuts++
	if err := p.Check(ctx); err != nil {
		return "", err
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(p.Slow):
	}
	if p.Lies {
		return "", errors.New("it was switched off, and is on still")
	}
	if !p.Broken {
		p.host.PowerOff()
	}
	return fmt.Sprintf("%s says off", p), nil
}

// Check says whether the plug can be reached. A fault is named such as "attic.plug".
func (p *Plug) Check(context.Context) error {
	if p.Unreachable {
		return errors.New("the plug does not answer")
	}
	var err error
	p.host.locked(func() { err = p.host.home.failLocked(p.host.name + ".plug") })
	return err
}

// ThawUnlocked lets a host that had frozen, Zigbee2MQTT and all, go on. For use inside a
// fault.
func (x *Host) ThawUnlocked() { x.gone = false }

// StrangerUnlocked puts the network on air on this host without its Zigbee2MQTT, as a
// clone of its stick somewhere else would be. For use inside a fault.
func (x *Host) StrangerUnlocked() { x.onAir, x.since = true, time.Now() }
