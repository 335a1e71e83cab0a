package znpsim

import "z2mha/internal/dongle/zigbee"

// DongleStatus is what a stick is doing now. Network is nil unless it is on air.
type DongleStatus struct {
	Name     string              `json:"name"`
	Hardware zigbee.IEEE         `json:"hardware"`
	IEEE     zigbee.IEEE         `json:"ieee"` // in effect
	State    State               `json:"state"`
	Plugged  bool                `json:"plugged"`
	Powered  bool                `json:"powered"`
	Network  *zigbee.Identity    `json:"network"`
	Counter  zigbee.FrameCounter `json:"counter"` // of the next frame, when on air
	Fault    Fault               `json:"fault"`
	Stats    Stats               `json:"stats"`
}

// Status returns what the stick is doing now.
func (d *Dongle) Status() DongleStatus {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	s := DongleStatus{
		Name: d.o.Name, Hardware: d.o.Hardware, IEEE: d.ieee(), State: d.state,
		Plugged: d.plugged, Powered: d.powered, Fault: d.fault, Stats: d.stats,
	}
	s.Stats.Unknown = copyCounts(d.stats.Unknown)
	if d.onAir() {
		id := d.net.id
		s.Network, s.Counter = &id, d.net.counter
	}
	return s
}
