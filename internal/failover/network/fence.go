package network

import (
	"fmt"
	"time"

	"z2mha/internal/dongle/zigbee"
)

// Unplugged is a stick whose USB device its host has taken away. Nothing on the host can
// drive it any more. It may have power still: what it does by itself only Heard can tell.
type Unplugged struct {
	Device string `json:"device"`          // as sysfs names it: "1-1.4"
	Stick  string `json:"stick,omitempty"` // what USB says: maker, product, serial
}

func (u Unplugged) String() string {
	if u.Stick == "" {
		return "USB device " + u.Device
	}
	return fmt.Sprintf("USB device %s (%s)", u.Device, u.Stick)
}

// Heard is what a parked stick heard on the channel of a network when it asked who is
// there, without joining.
type Heard struct {
	// Coordinator says that 0x0000 of the network has answered: somebody is on air.
	Coordinator bool `json:"coordinator"`
	// Neighbours are the routers of the network that have answered. Where none has,
	// silence says nothing.
	Neighbours []zigbee.NwkAddr `json:"neighbours,omitempty"`
	Others     int              `json:"others,omitempty"` // beacons of other networks
	State      string           `json:"state"`            // HOLD, read back at the end
}

// Quiet says that the stick could hear, and heard no coordinator of the network.
func (h Heard) Quiet() bool { return !h.Coordinator && len(h.Neighbours) > 0 }

// ByUnplug is the rung of a stick whose USB device was taken away.
const ByUnplug = "unplug"

// ByRisk is in place of a rung for a node that nothing has silenced, as far as is known:
// somebody wanted to go on without proof.
const ByRisk = "risk"

// A Fenced node was silenced by something else than its stick's own word. It counts as
// silent no longer than that holds, until its stick is read in HOLD again.
type Fenced struct {
	At   time.Time `json:"at"`
	Rung string    `json:"rung"` // of the ladder, see package decide; or ByRisk
	By   string    `json:"by"`   // in words: "the plug switch.attic of Home Assistant"
	Saw  string    `json:"saw,omitempty"`
}

// Fence notes how a node was silenced.
func (r *Record) Fence(node string, f Fenced) {
	if r.Fenced == nil {
		r.Fenced = map[string]Fenced{}
	}
	r.Fenced[node] = f
	delete(r.Silent, node)
}

// TakeOff notes that a node's stick is about to be taken off its USB bus.
func (r *Record) TakeOff(node string, at time.Time) {
	if r.Off == nil {
		r.Off = map[string]time.Time{}
	}
	r.Off[node] = at
}

// Hush notes that a node's stick was read in HOLD: nothing else has to silence it.
func (r *Record) Hush(node string, at time.Time) {
	if r.Silent == nil {
		r.Silent = map[string]time.Time{}
	}
	r.Silent[node] = at
	delete(r.Fenced, node)
}

// QuietSince is when the node was silenced, by its stick's word or by a fence; zero when
// it was not.
func (r *Record) QuietSince(node string) time.Time {
	at := r.Silent[node]
	if f := r.Fenced[node]; f.At.After(at) {
		at = f.At
	}
	return at
}

// Speaks notes that a node was started, or seen to run. It reports whether that is news.
func (r *Record) Speaks(node string) bool {
	_, silent := r.Silent[node]
	_, fenced := r.Fenced[node]
	delete(r.Silent, node)
	delete(r.Fenced, node)
	return silent || fenced
}

// MayBeAhead notes that a node may have used counters that the one which serves is behind,
// and reports whether that is news.
func (r *Record) MayBeAhead(node string) bool {
	if r.Spoken[node] {
		return false
	}
	if r.Spoken == nil {
		r.Spoken = map[string]bool{}
	}
	r.Spoken[node] = true
	return true
}

// Serves notes that a node serves the home although the controller has not started it. What
// the one on record has used may be ahead of it.
func (r *Record) Serves(node string, at time.Time) {
	if r.Active != "" && r.Active != node {
		r.MayBeAhead(r.Active)
	}
	r.Active, r.Since, r.Unproven = node, at, ""
}

// Beside notes that a node was seen to run at that time although another is the active one,
// and reports whether that is news.
func (r *Record) Beside(node string, at time.Time) bool {
	if r.Active == "" || r.Active == node || r.Since.After(at) || r.Spoken[node] {
		return false
	}
	return r.MayBeAhead(node)
}
