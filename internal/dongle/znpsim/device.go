package znpsim

import (
	"fmt"
	"time"

	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
)

// A Kind is what a device is.
type Kind string

const (
	Lamp        Kind = "lamp"   // mains, routes, on/off
	Sensor      Kind = "sensor" // battery, temperature; reports every ReportEvery; sleeps below a router
	SleepyChild Kind = "sleepy" // battery, child of the coordinator itself; polls it and rejoins when it is gone
)

// DeviceSpec describes a device. Name and Kind must be given; a Network without
// extended PAN id is a device fresh from the factory, which joins the first network
// that permits it.
type DeviceSpec struct {
	Name        string
	Kind        Kind
	IEEE        zigbee.IEEE    // made from Name when zero
	Nwk         zigbee.NwkAddr // made from Name when zero
	Network     zigbee.Identity
	LastCounter zigbee.FrameCounter // highest counter it has heard; 0: none yet
	PollEvery   time.Duration       // sleeping devices; 0: 5 s
	ReportEvery time.Duration       // sensors; 0: 60 s
}

// A Device is a virtual device on a medium.
type Device struct {
	m    *Medium
	spec DeviceSpec

	// Guarded by the medium's lock.
	off         bool
	joined      bool
	net         zigbee.Identity
	heardAny    bool
	last        zigbee.FrameCounter
	heardAt     time.Time
	on          bool
	temperature int16 // hundredths of a degree
	seq         byte
	mailbox     []held
	missed      int // polls in a row that nobody acknowledged
	rejoins     int
	commands    int
	reports     int
}

// DeviceStatus is what a device is doing now.
type DeviceStatus struct {
	Name        string              `json:"name"`
	Kind        Kind                `json:"kind"`
	IEEE        zigbee.IEEE         `json:"ieee"`
	Nwk         zigbee.NwkAddr      `json:"nwk"`
	Powered     bool                `json:"powered"`
	Joined      bool                `json:"joined"`
	PanID       zigbee.PanID        `json:"pan_id"`
	ExtPanID    zigbee.ExtPanID     `json:"ext_pan_id"`
	Channel     zigbee.Channel      `json:"channel"`
	On          bool                `json:"on"`
	Temperature float64             `json:"temperature"`
	LastCounter zigbee.FrameCounter `json:"last_counter"`
	HeardAt     time.Time           `json:"heard_at,omitzero"`
	Commands    int                 `json:"commands"` // requests that it believed and carried out
	Reports     int                 `json:"reports"`  // sent, whether or not anybody listened
	Rejoins     int                 `json:"rejoins"`
}

// AddDevice puts a device on the air, switched on. A name that is taken panics.
func (m *Medium) AddDevice(s DeviceSpec) *Device {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range m.devices {
		if other.spec.Name == s.Name {
			panic(fmt.Sprintf("znpsim: two devices named %q on one medium", s.Name))
		}
	}
	dev := &Device{m: m, spec: s.withDefaults(), temperature: 2100}
	dev.net = s.Network
	dev.joined = s.Network.ExtPanID != 0
	dev.last, dev.heardAny = s.LastCounter, s.LastCounter > 0
	m.devices = append(m.devices, dev)
	dev.live()
	return dev
}

func (s DeviceSpec) withDefaults() DeviceSpec {
	if s.IEEE == 0 {
		const oui = 0x00158d0000000000
		s.IEEE = oui | addressFor("device "+s.Name)&0xFFFFFFFF
	}
	if s.Nwk == 0 {
		s.Nwk = zigbee.NwkAddr(1 + uint16(s.IEEE)%0xFFF0)
	}
	if s.PollEvery == 0 {
		s.PollEvery = 5 * time.Second
	}
	if s.ReportEvery == 0 {
		s.ReportEvery = time.Minute
	}
	return s
}

// live starts what the device does by itself, for ever.
func (dev *Device) live() {
	if dev.sleeps() {
		dev.every(dev.spec.PollEvery, dev.poll)
	}
	if dev.spec.Kind == Sensor {
		dev.every(dev.spec.ReportEvery, dev.reportState)
	}
}

func (dev *Device) every(period time.Duration, fn func()) {
	dev.m.after(period, func() {
		if dev.alive() {
			fn()
		}
		dev.every(period, fn)
	})
}

func (dev *Device) alive() bool  { return dev.joined && !dev.off }
func (dev *Device) sleeps() bool { return dev.spec.Kind != Lamp }
func (dev *Device) routes() bool { return dev.spec.Kind == Lamp }

// Joined is how the stick's tables list the device.
func (dev *Device) Joined() Joined {
	return Joined{IEEE: dev.spec.IEEE, Nwk: dev.spec.Nwk, Child: dev.spec.Kind == SleepyChild, LinkKey: true}
}

// Name is the device's name.
func (dev *Device) Name() string { return dev.spec.Name }

// IEEE is the device's address.
func (dev *Device) IEEE() zigbee.IEEE { return dev.spec.IEEE }

// On says whether a lamp is lit.
func (dev *Device) On() bool {
	dev.m.mu.Lock()
	defer dev.m.mu.Unlock()
	return dev.on
}

// Status returns what the device is doing now.
func (dev *Device) Status() DeviceStatus {
	dev.m.mu.Lock()
	defer dev.m.mu.Unlock()
	return DeviceStatus{
		Name: dev.spec.Name, Kind: dev.spec.Kind, IEEE: dev.spec.IEEE, Nwk: dev.spec.Nwk,
		Powered: !dev.off, Joined: dev.joined, PanID: dev.net.PanID, ExtPanID: dev.net.ExtPanID, Channel: dev.net.Channel,
		On: dev.on, Temperature: float64(dev.temperature) / 100, LastCounter: dev.last, HeardAt: dev.heardAt,
		Commands: dev.commands, Reports: dev.reports, Rejoins: dev.rejoins,
	}
}

// Toggle is a person at the lamp's own switch; the lamp reports it.
func (dev *Device) Toggle() {
	dev.m.mu.Lock()
	defer dev.m.mu.Unlock()
	if !dev.off {
		dev.set(!dev.on)
	}
}

// Report makes the device report its state now.
func (dev *Device) Report() {
	dev.m.mu.Lock()
	defer dev.m.mu.Unlock()
	if dev.alive() {
		dev.reportState()
	}
}

// SetTemperature changes what a sensor measures, in degrees Celsius, and reports it.
func (dev *Device) SetTemperature(celsius float64) {
	dev.m.mu.Lock()
	defer dev.m.mu.Unlock()
	dev.temperature = int16(celsius * 100)
	if dev.alive() {
		dev.reportState()
	}
}

// SetPower switches the device on or off. What it heard survives, as in devices that
// keep the counter in flash.
func (dev *Device) SetPower(on bool) {
	dev.m.mu.Lock()
	defer dev.m.mu.Unlock()
	dev.off = !on
	dev.mailbox = nil
}

func (dev *Device) set(on bool) {
	changed := dev.on != on
	dev.on = on
	if changed && dev.alive() {
		dev.m.after(2*airTime, func() {
			if dev.alive() {
				dev.reportState()
			}
		})
	}
}

// announce tells the coordinators that the device is there.
func (dev *Device) announce() {
	for _, d := range dev.m.listeners(dev) {
		data := le16(le16(nil, uint16(dev.spec.Nwk)), uint16(dev.spec.Nwk))
		data = append(data, dev.spec.IEEE.LE()...)
		d.indicate(unpi.ZDO, 0xC1, append(data, dev.capability()))
	}
}

// capability is the MAC capability: router, mains and receiver on, or a plain child.
func (dev *Device) capability() byte {
	if dev.routes() {
		return 0x8E
	}
	return 0x80
}

func now() time.Time { return time.Now() }
