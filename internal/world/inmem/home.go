// Package inmem is a home in memory: nodes, sticks, radio and broker as plain
// values, for tests that run thousands of switchovers through the real controller.
// Time comes from the time package, so it belongs inside a synctest bubble.
//
// It is as strict as the real parts in what the safety rules speak of: a stick
// stays on air when its Zigbee2MQTT dies, starts from what its memory holds plus
// 1250, saves its counter every 1000 frames, and every device remembers the highest
// counter it has heard, that of its link key too.
package inmem

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/odometer"
)

// Home is one home. All of its parts share one lock.
type Home struct {
	mu         sync.Mutex
	hosts      []*Host
	heard      zigbee.FrameCounter             // highest counter any device has heard
	linkHeard  map[linkKey]zigbee.FrameCounter // the same for each device and link key
	joined     map[zigbee.IEEE]bool            // devices that joined since the home was made
	formed     *nvimage.Image                  // what a stick holds when Zigbee2MQTT has formed the network
	violations []Breach
	cause      Cause // who starts Zigbee2MQTT just now
	fault      func(op string) error
	watchers   []*watcher
	signs      signs
	answered   int // how often somebody said who it is

	// Devices is what Zigbee2MQTT tells of, Deaf the ones that no longer answer.
	Devices []engine.BridgeDevice
	Deaf    map[zigbee.IEEE]bool
	Joining bool
	// FramesPerSecond is how busy the radio is; 0: two.
	FramesPerSecond float64
}

// New makes a home with the named hosts. The first one is active with img on its
// stick, the others have what blank returns for them.
func New(img *nvimage.Image, stick nvimage.Stick, blank func(i int) *nvimage.Image, names ...string) *Home {
	h := &Home{formed: img.Clone(), Deaf: map[zigbee.IEEE]bool{}, linkHeard: map[linkKey]zigbee.FrameCounter{}, joined: map[zigbee.IEEE]bool{},
		signs: signs{broker: true, brokerAt: time.Now(), heard: map[zigbee.IEEE]time.Time{}}}
	for i, name := range names {
		x := &Host{home: h, name: name, boot: map[bool]string{true: "yes", false: "no"}[i == 0], stick: stick, data: map[string]string{}, loads: map[string]string{}, odometers: map[string]odometer.Odometer{}, hostID: "boot-" + name, tty: "/dev/" + name}
		if i == 0 {
			x.nv = img.Clone()
			x.data = map[string]string{"configuration.yaml": "network", "database.db": wholeHome}
			if raw, err := backupOf(img); err == nil {
				x.data["coordinator_backup.json"] = raw
			}
		} else {
			x.nv = blank(i)
		}
		x.atBoot = sendersOf(x.nv)
		h.hosts = append(h.hosts, x)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hosts[0].startLocked()
	return h
}

// Clone is a home that shares nothing with h, with the same past. Nobody watches it, and no
// fault is put in. It lives at the time at which it was made, or later.
func (h *Home) Clone() *Home {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &Home{heard: h.heard, linkHeard: maps.Clone(h.linkHeard), joined: maps.Clone(h.joined), formed: h.formed,
		violations: slices.Clone(h.violations), answered: h.answered,
		Devices: slices.Clone(h.Devices), Deaf: maps.Clone(h.Deaf), Joining: h.Joining}
	for _, x := range h.hosts {
		c.hosts = append(c.hosts, x.clone(c))
	}
	c.signs = h.signs.clone(c)
	return c
}

// Host returns the host of that name; it panics when there is none.
func (h *Home) Host(name string) *Host {
	for _, x := range h.hosts {
		if x.name == name {
			return x
		}
	}
	panic("inmem: no host " + name)
}

// Nodes returns all hosts as the engine sees them.
func (h *Home) Nodes() []engine.Node {
	var out []engine.Node
	for _, x := range h.hosts {
		out = append(out, x)
	}
	return out
}

// SetFault installs f, which is asked before every operation, named such as
// "cellar.load-stick" or "bridge.ask"; what it returns is what the operation
// returns instead of acting.
func (h *Home) SetFault(f func(op string) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = f
}

// Fault returns what SetFault installed.
func (h *Home) Fault() func(op string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fault
}

// Violations lists every breach of I1 and I2 so far.
func (h *Home) Violations() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return texts(h.violations)
}

// ViolationsUnlocked is Violations for use inside a fault.
func (h *Home) ViolationsUnlocked() []string { return texts(h.violations) }

// OnAir names the hosts whose sticks are on air.
func (h *Home) OnAir() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.onAirLocked()
}

// OnAirUnlocked is OnAir for use inside a fault, where the home is locked already.
func (h *Home) OnAirUnlocked() []string { return h.onAirLocked() }

func (h *Home) onAirLocked() []string {
	var out []string
	for _, x := range h.hosts {
		x.tickLocked()
		if x.onAir {
			out = append(out, x.name)
		}
	}
	return out
}

// AtBoot names the hosts that start Zigbee2MQTT at boot.
func (h *Home) AtBoot() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, x := range h.hosts {
		if x.boot == "yes" {
			out = append(out, x.name)
		}
	}
	return out
}

// PowerCut reboots every host with its stick.
func (h *Home) PowerCut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.PowerCutUnlocked()
}

// PowerCutUnlocked is PowerCut for use inside a fault, where the home is locked already.
func (h *Home) PowerCutUnlocked() {
	for _, x := range h.hosts {
		x.tickLocked()
		x.running, x.unplugged = false, x.pulled
		x.trouble.Frozen, x.trouble.Hangs, x.trouble.Dead = false, false, false
		x.resetLocked()
	}
	for _, x := range h.hosts {
		if x.boot == "yes" && !x.off {
			x.startBy(ByBoot)
		}
	}
}

// Works says whether devices hear and are heard: a host runs, alone, with a counter
// that devices accept, and its stick and its database know every device that has joined.
func (h *Home) Works() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	on := h.onAirLocked()
	x := h.speakerLocked()
	return len(on) == 1 && x != nil && x.speaksLocked() && x.onAir && !x.muteLocked() && x.counter >= h.heard && len(h.lostLocked(x)) == 0
}

// Lost are the devices that joined and that the host which runs does not know.
func (h *Home) Lost() []zigbee.IEEE {
	h.mu.Lock()
	defer h.mu.Unlock()
	if x := h.speakerLocked(); x != nil {
		return h.lostLocked(x)
	}
	return nil
}

func (h *Home) lostLocked(x *Host) []zigbee.IEEE {
	var out []zigbee.IEEE
	members := h.members(x.data)
	for ieee := range h.joined {
		listed := slices.ContainsFunc(members, func(m generation.Member) bool { return m.IEEE == ieee })
		if !listed || !x.knowsLocked(ieee) {
			out = append(out, ieee)
		}
	}
	slices.Sort(out)
	return out
}

// reachesLocked says that a device answers x.
func (h *Home) reachesLocked(x *Host, ieee zigbee.IEEE) bool {
	return x.onAir && !x.muteLocked() && x.counter >= h.heard && (!h.joined[ieee] || x.knowsLocked(ieee))
}

func (h *Home) speakerLocked() *Host {
	var out *Host
	for _, x := range h.hosts {
		x.tickLocked()
		if x.running && !x.waits && (out == nil || !out.speaksLocked()) {
			out = x
		}
	}
	h.signs.note(h.onlineLocked(out), time.Now())
	return out
}

// answersLocked is who answers over MQTT: of several that run, one after the other.
func (h *Home) answersLocked() *Host {
	var running []*Host
	for _, x := range h.hosts {
		if x.speaksLocked() && !x.waits {
			running = append(running, x)
		}
	}
	h.answered++
	return running[h.answered%len(running)]
}

func (h *Home) failLocked(op string) error {
	if h.fault == nil {
		return nil
	}
	return h.fault(op)
}

func (h *Home) violateLocked(format string, args ...any) {
	h.violations = append(h.violations, Breach{Text: time.Now().Format(time.TimeOnly) + " " + fmt.Sprintf(format, args...), Cause: h.cause})
}
