package znpsim

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

// DefaultRevision is the firmware build a stick reports unless told otherwise.
const DefaultRevision uint32 = 20250321

// WireSpeed is what 115200 baud, 8N1, carries: DongleOptions.BytesPerSecond for a
// stick as slow as the real one.
const WireSpeed = 11520

// DongleOptions describe a stick. Only Name need be given.
type DongleOptions struct {
	Name     string
	Hardware zigbee.IEEE    // factory address; made from Name when zero
	Image    *nvimage.Image // copied; nil is a stick that never was on a network
	Path     string         // for OpenDongle: the image file
	Medium   *Medium        // nil: one of its own
	Revision uint32         // 0: DefaultRevision

	Latency        time.Duration // before each answer
	BytesPerSecond int           // of the line, 0 unlimited; see WireSpeed
	FrameRate      float64       // frames per second that the stick sends beside its own, as if relaying

	Log *slog.Logger
}

// A State is the ZDO device state of a stick.
type State uint8

const (
	StateHold        State = 0 // booted, silent
	StateStarting    State = 8
	StateCoordinator State = 9 // on air
)

// A Dongle is one emulated stick. It powers on in HOLD.
type Dongle struct {
	o    DongleOptions
	m    *Medium
	link link

	// Guarded by the medium's lock.
	image     *nvimage.Image
	epoch     int // counts boots; what was planned in an earlier one does not happen
	powered   bool
	booting   bool
	plugged   bool
	restored  bool // the +1250 of this boot is spent
	net       *network
	state     State
	endpoints []endpoint
	groups    map[uint32]string // endpoint<<16 | group
	primary   uint32            // BDB channel mask
	fault     Fault
	stats     Stats
	dirty     bool
}

// Stats counts what went over the line since power-on of the emulator.
type Stats struct {
	Requests int            `json:"requests"` // SREQ and AREQ received
	Answers  int            `json:"answers"`
	Unknown  map[string]int `json:"unknown,omitempty"` // "25/99" for each request answered with an RPC error
	Writes   int            `json:"writes"`            // NV items written or deleted by the host
	Boots    int            `json:"boots"`
	BytesIn  int            `json:"bytes_in"`
	BytesOut int            `json:"bytes_out"`
}

// NewDongle makes a stick and powers it on. A stick with the name of one on the same
// medium is a programmer's mistake and panics.
func NewDongle(o DongleOptions) *Dongle {
	o = o.withDefaults()
	d := &Dongle{o: o, m: o.Medium, image: o.Image.Clone(), plugged: true, powered: true}
	d.image.Delete(nvimage.OSAL(nvimage.PollRateOld16))
	d.stats.Unknown = make(map[string]int)
	d.link = newLink()
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	for _, other := range d.m.dongles {
		if other.o.Name == o.Name {
			panic(fmt.Sprintf("znpsim: two sticks named %q on one medium", o.Name))
		}
	}
	d.m.dongles = append(d.m.dongles, d)
	d.boot()
	return d
}

// OpenDongle is NewDongle with the image in the file o.Path, which need not exist
// yet: then o.Image is what it begins with. Changes reach the file within 50 ms.
func OpenDongle(o DongleOptions) (*Dongle, error) {
	b, err := os.ReadFile(o.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("image of stick %s: %w", o.Name, err)
	}
	if err == nil {
		if o.Image, err = nvimage.Parse(b); err != nil {
			return nil, fmt.Errorf("image of stick %s, %s: %w", o.Name, o.Path, err)
		}
	}
	d := NewDongle(o)
	return d, d.save()
}

func (o DongleOptions) withDefaults() DongleOptions {
	if o.Hardware == 0 {
		o.Hardware = addressFor(o.Name)
	}
	if o.Image == nil {
		o.Image = ResetImage(o.Hardware)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Medium == nil {
		o.Medium = NewMedium(MediumOptions{Log: o.Log})
	}
	if o.Revision == 0 {
		o.Revision = DefaultRevision
	}
	return o
}

// Name is the stick's name.
func (d *Dongle) Name() string { return d.o.Name }

// Medium is the air the stick is on.
func (d *Dongle) Medium() *Medium { return d.m }

// State is the ZDO device state; an unpowered stick is in HOLD.
func (d *Dongle) State() State {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return d.state
}

// Stats returns the counts so far.
func (d *Dongle) Stats() Stats {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	s := d.stats
	s.Unknown = copyCounts(s.Unknown)
	return s
}

// Image returns what a read of all items would give now, POLL_RATE_OLD16 included.
func (d *Dongle) Image() *nvimage.Image {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	c := d.image.Clone()
	c.Set(nvimage.OSAL(nvimage.PollRateOld16), d.pollRateOld())
	return c
}

// Counter is the frame counter in RAM that the next frame will carry; false when the
// stick is not on air.
func (d *Dongle) Counter() (zigbee.FrameCounter, bool) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	if !d.onAir() {
		return 0, false
	}
	return d.net.counter, true
}

// SetLatency changes the delay before each answer.
func (d *Dongle) SetLatency(l time.Duration) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.o.Latency = l
}

// after runs fn in this boot only. The caller holds the lock, as everywhere below.
func (d *Dongle) after(wait time.Duration, fn func()) {
	epoch := d.epoch
	d.m.after(wait, func() {
		if d.epoch == epoch {
			fn()
		}
	})
}

func (d *Dongle) onAir() bool { return d.state == StateCoordinator && d.net != nil }

// ieee is the address in effect: NV EXTADDR, at once when it is written.
func (d *Dongle) ieee() zigbee.IEEE {
	if v, ok := d.osal(nvimage.ExtAddr); ok && len(v) >= 8 {
		return zigbee.IEEEFromLE(v)
	}
	return d.o.Hardware
}
