package inmem

import (
	"errors"
	"fmt"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
)

// Trouble is what is wrong with a host and its stick, for as long as it is.
type Trouble struct {
	Frozen bool // the host stands still; its stick goes on
	Hangs  bool // Zigbee2MQTT stands still, and a stop takes as long as a service manager waits
	Mute   bool // the stick answers nobody and has no radio, until it boots
	Dead   bool // the same, until it is without power for a moment
	NoLine bool // the stick is not to be seen by the host, and has power
	Full   bool // the disk is full
}

var (
	errFull = errors.New("no space left on the disk")
	errMute = errors.New("the stick does not answer")
)

// killAfter is how long a service manager waits for an end before it kills.
const killAfter = 90 * time.Second

// keepAlive is when a broker gives up a connection from which nothing comes.
const keepAlive = 90 * time.Second

// Trouble is what is wrong now.
func (x *Host) Trouble() (t Trouble) {
	x.locked(func() { t = x.trouble })
	return t
}

// Suffer changes what is wrong. Zigbee2MQTT ends when its stick goes; a stick without
// power forgets what it did.
func (x *Host) Suffer(change func(*Trouble)) {
	x.locked(func() {
		was := x.trouble
		change(&x.trouble)
		now := x.trouble
		if x.running && !x.stickThere() {
			x.running, x.ended = false, time.Now()
		}
		if now.Frozen && !was.Frozen && x.running {
			x.willAt = time.Now().Add(keepAlive)
		}
		if now.Hangs && x.running {
			x.endWait = killAfter
		}
	})
}

// goneLocked: nobody tells the broker that a host has lost its power.
func (x *Host) goneLocked() {
	if x.running {
		x.willAt = time.Now().Add(keepAlive)
	}
	x.trouble.Frozen, x.trouble.Hangs, x.trouble.Dead = false, false, false
}

// Crash ends Zigbee2MQTT at once. Its stick stays on air.
func (x *Host) Crash() {
	x.locked(func() {
		if x.running {
			x.running, x.ended, x.trouble.Hangs, x.endAt, x.endWait = false, time.Now(), false, time.Time{}, 0
		}
	})
}

// Powered says whether the host has power.
func (x *Host) Powered() (yes bool) {
	x.locked(func() { yes = !x.off })
	return yes
}

// StickThere says that the host sees its stick.
func (x *Host) StickThere() (yes bool) {
	x.locked(func() { yes = x.stickThere() })
	return yes
}

func (x *Host) stickThere() bool { return !x.unplugged && !x.trouble.NoLine }

func (x *Host) stickAnswersLocked() bool {
	return x.stickThere() && !x.muteLocked()
}

func (x *Host) muteLocked() bool { return x.trouble.Mute || x.trouble.Dead }

// speaksLocked says that Zigbee2MQTT goes on.
func (x *Host) speaksLocked() bool { return x.running && !x.trouble.Frozen && !x.trouble.Hangs }

// stickErrLocked is why a stick cannot be asked. A reset helps one that is mute.
func (x *Host) stickErrLocked(op engine.Op) error {
	switch {
	case !x.stickThere():
		return errNoTTY
	case x.trouble.Dead || x.trouble.Mute && op != engine.OpReset:
		return errMute
	case x.trouble.Full && (op == engine.OpLoadStick || op == engine.OpPatchStick):
		return errFull // what is on the stick is kept on the host first
	}
	return nil
}

func (x *Host) freeBytes() int64 {
	if x.trouble.Full {
		return 0
	}
	return 1 << 30
}

// What the next write to a stick may come to.
const (
	TornWrite    = "it ended half-way"             // everything is there but the mark of a whole memory
	IgnoredWrite = "what was written is not there" // reading back finds it
	FailingWrite = "the stick refused an item"     // after the mark was taken off
	LostWrite    = "its answer was lost"           // and it was done
)

type badWrite struct {
	how string
	met func()
}

// SpoilWrite lets the next write to the stick go wrong, and calls met when it does; ""
// ends that.
func (x *Host) SpoilWrite(how string, met func()) {
	x.locked(func() {
		if x.write = nil; how != "" {
			x.write = &badWrite{how, met}
		}
	})
}

func (x *Host) wentWrongLocked(how string) error {
	w := x.write
	if w == nil || w.how != how {
		return nil
	}
	x.write = nil
	w.met()
	return fmt.Errorf("the stick of %s was written: %s", x.name, how)
}

// failedWriteLocked is a write after which the old memory is there still, whole or not.
func (x *Host) failedWriteLocked() error {
	if err := x.wentWrongLocked(IgnoredWrite); err != nil {
		return err
	}
	err := x.wentWrongLocked(FailingWrite)
	if err != nil {
		x.nv.Delete(nvimage.OSAL(nvimage.HasConfiguredZStack3))
	}
	return err
}

func (x *Host) liveBackUpLocked() error {
	switch {
	case x.trouble.Full:
		return errFull
	case !x.stickAnswersLocked():
		return engine.ErrStickSilent
	}
	x.backUpLocked()
	return nil
}

// onlineLocked is whom the broker believes online: a host that stands still or is without
// power is so until its connection is given up.
func (h *Home) onlineLocked(speaker *Host) *Host {
	now := time.Now()
	if speaker != nil && (!speaker.trouble.Frozen || now.Before(speaker.willAt)) {
		return speaker
	}
	for _, x := range h.hosts {
		if now.Before(x.willAt) {
			return x
		}
	}
	return nil
}

func (h *Home) framesPerSecond() float64 {
	if h.FramesPerSecond == 0 {
		return framesPerSecond
	}
	return h.FramesPerSecond
}

// A Cause is who started a Zigbee2MQTT.
type Cause string

const (
	ByController Cause = ""
	ByBoot       Cause = "boot"
	ByManager    Cause = "service manager"
	ByHand       Cause = "by hand"
)

// A Breach is a safety rule that was broken, and by whom.
type Breach struct {
	Text  string
	Cause Cause
}

// Breaches lists what Violations does, after the first n of them.
func (h *Home) Breaches(n int) []Breach {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n >= len(h.violations) {
		return nil
	}
	return append([]Breach(nil), h.violations[n:]...)
}

func texts(breaches []Breach) []string {
	var out []string
	for _, b := range breaches {
		out = append(out, b.Text)
	}
	return out
}

// startBy starts Zigbee2MQTT on somebody's account.
func (x *Host) startBy(c Cause) {
	x.home.cause = c
	x.startLocked()
	x.home.cause = ByController
}

// SetDeaf makes all devices stop answering, or answer again.
func (h *Home) SetDeaf(yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Deaf = map[zigbee.IEEE]bool{}
	for _, d := range h.Devices {
		h.Deaf[d.IEEE] = yes
	}
}

// Members are the devices of the home now.
func (h *Home) Members() []engine.BridgeDevice {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Devices
}

// Serves says that Zigbee2MQTT runs on one host, whose stick is on air with a counter that
// devices accept, and on no other.
func (h *Home) Serves() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	on, x := h.onAirLocked(), h.speakerLocked()
	return len(on) == 1 && x != nil && x.name == on[0] && h.reachesLocked(x, 0)
}
