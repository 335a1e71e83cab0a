package wired

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/engine"
	"z2mha/internal/world/memnet"
)

// bootTime is from the power to the first program.
const bootTime = 15 * time.Second

// powerOff takes the power from a host and its stick. Nobody is told.
func (h *Host) powerOff() {
	h.mu.Lock()
	was := h.powered
	h.powered = false
	h.mu.Unlock()
	if !was {
		return
	}
	h.w.log("%s loses its power", h.name)
	h.keepRecords()
	h.ssh.SetUp(false)
	h.broker.Lose()
	h.stick.SetPower(false)
	h.unit.gone()
	for _, p := range h.all() {
		p.kill()
	}
	h.serial.Cut()
	h.setFrozen(false)
}

func (h *Host) all() []*process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.processes))
}

// powerOn gives it back. The host boots, and starts what is enabled.
func (h *Host) powerOn() {
	h.mu.Lock()
	was := h.powered
	h.powered = true
	if !was {
		h.boots++
	}
	boot := h.boots
	h.mu.Unlock()
	if was {
		return
	}
	h.w.log("%s has power", h.name)
	h.restoreRecords()
	h.stick.SetPower(true)
	h.w.later(bootTime, func() {
		h.mu.Lock()
		same := h.powered && h.boots == boot
		h.mu.Unlock()
		if !same {
			return
		}
		h.ssh.SetUp(true)
		if h.unit.starts() {
			h.unit.start(io.Discard, byBoot)
		}
	})
}

// on says that the host has power.
func (h *Host) on() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.powered
}

func (u *unit) starts() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.enabled && !u.masked
}

// keepRecords copies what the helper has on record: what its processes write in their last
// moment, on losing the stick, they would not have written.
func (h *Host) keepRecords() {
	kept := h.state() + ".kept"
	_ = os.RemoveAll(kept)
	if err := os.CopyFS(kept, os.DirFS(h.state())); err != nil && !errors.Is(err, os.ErrNotExist) {
		panic(err) // the test's own disk
	}
}

func (h *Host) restoreRecords() {
	_ = os.RemoveAll(h.state())
	if err := os.CopyFS(h.state(), os.DirFS(h.state()+".kept")); err != nil && !errors.Is(err, os.ErrNotExist) {
		panic(err) // the test's own disk
	}
}

// setFrozen has a whole host stand still, but for its stick; or go on.
func (h *Host) setFrozen(frozen bool) {
	h.mu.Lock()
	h.frozen = frozen
	h.mu.Unlock()
	h.ssh.Change(func(t *memnet.Trouble) { t.Frozen = frozen })
	h.standStill()
}

// standStill holds up what Zigbee2MQTT says when the host or the process stands still.
func (h *Host) standStill() {
	h.mu.Lock()
	still := h.frozen || h.hung != nil
	h.mu.Unlock()
	h.serial.Change(func(t *memnet.Trouble) { t.Frozen = still })
	h.broker.Change(func(t *memnet.Trouble) { t.Frozen = still })
}

// hang has the Zigbee2MQTT that runs stand still until it is killed, or for that long.
func (h *Host) hang(p *process, long time.Duration) {
	h.mu.Lock()
	h.hung = p
	h.mu.Unlock()
	p.hang(true)
	h.standStill()
	h.w.work.Go(func() {
		t := time.NewTimer(long)
		defer t.Stop()
		select {
		case <-p.done:
		case <-t.C:
		}
		h.mu.Lock()
		if h.hung == p {
			h.hung = nil
		}
		h.mu.Unlock()
		h.standStill()
		p.hang(false)
	})
}

// A plug is what a host has its power from.
type plug struct {
	h *Host
	c *controller
}

// fences are the plugs of the hosts, when the story has any.
func (c *controller) fences() map[string][]engine.Fence {
	out := map[string][]engine.Fence{}
	for _, h := range c.w.hosts {
		if c.w.plugs {
			out[h.name] = []engine.Fence{plug{h, c}}
		}
	}
	return out
}

func (p plug) String() string { return "the plug of " + p.h.name }

func (plug) Rung() decide.Rung { return decide.RungPower }

// Cut takes the power.
func (p plug) Cut(ctx context.Context) (evidence string, err error) {
	if err := p.Check(ctx); err != nil {
		return "", err
	}
	p.h.powerOff()
	return p.String() + " says off, and that it carries no current", nil
}

// Check asks the plug.
func (p plug) Check(ctx context.Context) error {
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.c.isDead() {
		return errDied
	}
	return nil
}
