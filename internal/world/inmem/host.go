package inmem

import (
	"context"
	"errors"
	"maps"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
)

// framesPerSecond is a busy home, where Home.FramesPerSecond says nothing.
const framesPerSecond = 2

// restartDelay is systemd's RestartSec in the unit that Zigbee2MQTT's guide gives.
const restartDelay = 10 * time.Second

// Host is one Zigbee2MQTT host with its stick. It implements engine.Node.
type Host struct {
	home   *Home
	name   string
	stick  nvimage.Stick
	hostID string
	tty    string

	running  bool
	stuck    bool // ignores stop
	restart  bool // the service manager starts again what ended by itself
	wanted   bool // the service manager was told to run it
	ended    time.Time
	endWait  time.Duration // a stop takes that long
	endAt    time.Time
	saveWait time.Duration // it takes that long to save
	ours     time.Time     // until then our own helper holds the stick
	gone     bool          // cannot be reached
	off      bool          // has no power, and neither has its stick
	boot     string        // starts at boot: "yes", "no", "masked"
	unmasked string        // what boot is without the mask
	dieAt    time.Time
	dieWait  time.Duration // dies that long after it goes on air
	trouble  Trouble
	write    *badWrite // what the next write to the stick comes to
	willAt   time.Time // until then the broker believes it online although it is gone
	waits    bool      // Zigbee2MQTT was started on a mute stick and gives up soon

	unplugged bool // the stick's USB device is away
	pulled    bool // and so is its power, since a person has pulled it
	noUSB     bool // the stick is not on USB
	farAway   bool // the stick hears nobody

	nv      *nvimage.Image
	onAir   bool
	counter zigbee.FrameCounter
	saved   zigbee.FrameCounter // in nv
	since   time.Time

	yields bool // its flag was taken off on purpose, so that Zigbee2MQTT restores its backup

	atBoot     map[nvimage.ID]sender // link keys as the stack has read them at its boot
	links      map[nvimage.ID]sender // while on air
	linksSince time.Time

	data, staging, previous map[string]string
	mark                    string
	filed                   *nvimage.Image    // what the data tells of, when the stick was swapped
	editedKey               string            // fingerprint of a key edited in the configuration since
	promoted                string            // run of the last promotion
	loads                   map[string]string // image hash by run
	odometers               map[string]odometer.Odometer
}

var _ engine.Node = (*Host)(nil)

func (x *Host) clone(home *Home) *Host {
	y := *x
	y.home, y.nv = home, x.nv.Clone()
	y.atBoot, y.links, y.loads, y.odometers = maps.Clone(x.atBoot), maps.Clone(x.links), maps.Clone(x.loads), maps.Clone(x.odometers)
	y.data, y.staging, y.previous = maps.Clone(x.data), maps.Clone(x.staging), maps.Clone(x.previous)
	return &y
}

// Name is the node's name.
func (x *Host) Name() string { return x.name }

// Close does nothing.
func (x *Host) Close() error { return nil }

// Flash gives the stick a firmware of another revision, and leaves its memory.
func (x *Host) Flash(revision uint32) { x.stick.Revision = revision }

// DieAfter makes the next Zigbee2MQTT on this host die that long after its start.
// Its stick stays on air.
func (x *Host) DieAfter(d time.Duration) { x.locked(func() { x.dieWait = d }) }

// RestartAlways makes the service manager start Zigbee2MQTT again ten seconds after
// it ended without a stop.
func (x *Host) RestartAlways() { x.locked(func() { x.restart, x.wanted = true, x.running }) }

// SlowStop makes a stop take that long.
func (x *Host) SlowStop(d time.Duration) { x.locked(func() { x.endWait = d }) }

// SlowSave makes the saving at a stop take that long.
func (x *Host) SlowSave(d time.Duration) { x.locked(func() { x.saveWait = d }) }

// HelperBusy lets a helper of a lost controller hold the stick for that long.
func (x *Host) HelperBusy(d time.Duration) { x.locked(func() { x.ours = time.Now().Add(d) }) }

// PowerCycleStick boots the stick: it is silent until somebody starts it.
func (x *Host) PowerCycleStick() { x.locked(x.resetLocked) }

// SetMute makes the stick answer nobody, while it stays on air if it is.
func (x *Host) SetMute(yes bool) { x.locked(func() { x.trouble.Dead = yes }) }

// EditKey makes the configuration name another network key than the stick holds.
func (x *Host) EditKey(fingerprint string) { x.locked(func() { x.editedKey = fingerprint }) }

// SetAtBoot is a person who changes whether Zigbee2MQTT starts at boot.
func (x *Host) SetAtBoot(yes bool) {
	x.locked(func() { x.boot = map[bool]string{true: "yes", false: "no"}[yes] })
}

// Mask masks the service; what it said of the boot before comes back when the mask is
// taken off, as a start does.
func (x *Host) Mask() {
	x.locked(func() {
		if x.boot != masked {
			x.unmasked, x.boot = x.boot, masked
		}
	})
}

const masked = "masked"

// SetReachable cuts the host off or brings it back.
func (x *Host) SetReachable(yes bool) { x.locked(func() { x.gone = !yes }) }

// PowerOff takes the power from host and stick.
func (x *Host) PowerOff() {
	x.locked(func() { x.goneLocked(); x.running, x.off = false, true; x.resetLocked() })
}

// PowerOn gives it back: the host starts Zigbee2MQTT if it does so at boot.
func (x *Host) PowerOn() {
	x.locked(func() {
		x.off, x.unplugged = false, x.pulled
		if x.boot == "yes" {
			x.startBy(ByBoot)
		}
	})
}

// CutOffUnlocked is SetReachable(false) for use inside a fault.
func (x *Host) CutOffUnlocked() { x.gone = true }

// RunUnlocked is SetRunning(true) for use inside a fault.
func (x *Host) RunUnlocked() { x.startBy(ByHand) }

// DieUnlocked ends Zigbee2MQTT for use inside a fault. Its stick stays on air.
func (x *Host) DieUnlocked() { x.running = false }

// SetStuck makes Zigbee2MQTT ignore stops.
func (x *Host) SetStuck(yes bool) { x.locked(func() { x.stuck = yes }) }

// SetRunning starts or ends Zigbee2MQTT as a person would by hand.
func (x *Host) SetRunning(yes bool) {
	x.locked(func() {
		if yes {
			x.startBy(ByHand)
		} else {
			x.running = false
		}
	})
}

// Running says that Zigbee2MQTT runs here.
func (x *Host) Running() (yes bool) {
	x.locked(func() { yes = x.running })
	return yes
}

// Data is a copy of the data directory.
func (x *Host) Data() map[string]string {
	var out map[string]string
	x.locked(func() { out = maps.Clone(x.data) })
	return out
}

// Stick is a copy of the stick's memory.
func (x *Host) Stick() *nvimage.Image {
	var out *nvimage.Image
	x.locked(func() { out = x.nv.Clone() })
	return out
}

// SetSwapped swaps the stick, and the data directory goes on telling of the old one.
func (x *Host) SetSwapped(nv *nvimage.Image) {
	x.locked(func() { x.filed, x.nv, x.atBoot = x.nv, nv, sendersOf(nv) })
}

// SetNV swaps the stick for one with another memory.
func (x *Host) SetNV(nv *nvimage.Image) { x.locked(func() { x.nv, x.atBoot = nv, sendersOf(nv) }) }

func (x *Host) locked(f func()) {
	x.home.mu.Lock()
	defer x.home.mu.Unlock()
	x.tickLocked()
	f()
	x.home.speakerLocked() // whoever listens at the broker hears of it
}

var errGone = errors.New("the host does not answer")

// do runs f under the home's lock unless the operation is made to fail, the host is
// cut off or ctx has ended.
func (x *Host) do(ctx context.Context, op engine.Op, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	x.home.mu.Lock()
	defer x.home.mu.Unlock()
	x.tickLocked()
	if err := x.home.failLocked(x.name + "." + string(op)); err != nil {
		return err
	}
	if x.gone || x.off || x.trouble.Frozen {
		return errGone
	}
	return f()
}

// tickLocked lets frames be sent and processes die up to now.
func (x *Host) tickLocked() {
	now := time.Now()
	if x.running && !x.dieAt.IsZero() && !now.Before(x.dieAt) {
		x.running, x.dieAt, x.ended = false, time.Time{}, now
	}
	if x.running && !x.endAt.IsZero() && !now.Before(x.endAt) {
		x.running, x.endAt = false, time.Time{}
	}
	if x.restart && x.wanted && !x.running && !x.trouble.Frozen && now.Sub(x.ended) >= restartDelay {
		x.ended = now
		x.startBy(ByManager)
	}
	if !x.onAir || x.muteLocked() {
		return
	}
	x.tickLinksLocked(now)
	x.home.hearDevicesLocked(x, now)
	sent := uint64(now.Sub(x.since).Seconds() * x.home.framesPerSecond())
	if sent == 0 {
		return
	}
	x.since = now
	x.counter = x.counter.Add(sent)
	x.home.heard = max(x.home.heard, x.counter)
	x.saveLocked(1000)
}

// saveLocked writes the counter to flash when it has moved by more than lag.
func (x *Host) saveLocked(lag uint64) {
	if uint64(x.counter-min(x.saved, x.counter)) > lag && x.nv.Raise(nvimage.Floors{NWK: x.counter}) == nil {
		x.saved = x.counter
	}
}

// startWait is how long Zigbee2MQTT waits for a stick that does not answer before it ends.
const startWait = 20 * time.Second

// startLocked is Zigbee2MQTT coming up on this host.
func (x *Host) startLocked() {
	if x.running || x.off || !x.stickThere() { // Zigbee2MQTT ends when it finds no stick
		return
	}
	x.running, x.trouble.Hangs, x.willAt = true, false, time.Time{}
	if x.dieWait > 0 {
		x.dieAt, x.dieWait = time.Now().Add(x.dieWait), 0
	}
	if x.waits = x.muteLocked(); x.waits {
		x.dieAt = time.Now().Add(startWait)
		return
	}
	if x.onAir {
		return
	}
	x.goOnAirLocked()
}

func (x *Host) goOnAirLocked() {
	if x.yields && !x.nv.Configured() {
		x.restoreLocked()
	}
	if err := x.nv.Resumable(); err != nil {
		x.home.violateLocked("I6: %s was started on a stick that cannot resume: %v", x.name, err)
		x.running = false
		return
	}
	for _, other := range x.home.onAirLocked() {
		x.home.violateLocked("I1: %s went on air while %s is", x.name, other)
	}
	c, _ := x.nv.Counters()
	x.onAir, x.since = true, time.Now()
	x.counter = c.NWK.Add(1250)
	_ = x.nv.Raise(nvimage.Floors{NWK: x.counter})
	x.saved = x.counter
	if x.counter <= x.home.heard {
		x.home.violateLocked("I2: %s starts at %d, devices have heard %d", x.name, x.counter, x.home.heard)
	}
	x.home.heard = max(x.home.heard, x.counter)
	x.linksOnAirLocked()
}

// resetLocked is a boot of the stick.
func (x *Host) resetLocked() {
	x.onAir, x.counter, x.links, x.trouble.Mute = false, 0, nil, false
	x.bootStickLocked()
}

func (x *Host) observeLocked() network.Observation {
	o := network.Observation{Node: x.name, At: time.Now(), Service: network.ServiceStopped, TTY: "/dev/" + x.name,
		TTYPresent: x.stickThere(), DataExists: true, FreeBytes: x.freeBytes(), Version: "2.14.1",
		HostID: x.hostID, TTYDevice: x.tty, DataID: x.name, Enabled: x.boot}
	if x.restart && x.wanted {
		o.Service = network.ServiceRunning
	}
	if x.running {
		p := []network.Process{{PID: 1, Command: "node"}}
		o.Service, o.TTYHolders, o.DataHolders = network.ServiceRunning, p, p
	} else if time.Now().Before(x.ours) {
		o.TTYHolders = []network.Process{{PID: 7, Command: "znp-helper write", Ours: true}}
	}
	return o
}

// SetData makes this host run too, with a clone of another's stick and data, as a
// person would who starts the wrong machine.
func (x *Host) SetData(from *Host) {
	x.locked(func() {
		x.nv, x.data, x.running = from.nv.Clone(), maps.Clone(from.data), true
	})
}

// SameMachine makes this host report the machine and stick of another.
func (x *Host) SameMachine(as *Host) { x.locked(func() { x.hostID, x.tty = as.hostID, as.tty }) }
