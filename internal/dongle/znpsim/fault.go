package znpsim

import "time"

// A Fault is what is wrong with a stick. The zero Fault is none. Counts begin when
// the fault is set: 1 is the next one.
type Fault struct {
	Silent       bool   `json:"silent,omitempty"`        // mute and deaf towards the host; the radio goes on
	LoseAnswer   int    `json:"lose_answer,omitempty"`   // the n-th answer never comes
	FailWrite    int    `json:"fail_write,omitempty"`    // the n-th write of an item fails with 0x0A (NV_* commands: 1)
	FailWrites   bool   `json:"fail_writes,omitempty"`   // every write of an item fails
	CutAtWrite   int    `json:"cut_at_write,omitempty"`  // power goes in the middle of the n-th write of an item; then the stick boots
	TornItem     bool   `json:"torn_item,omitempty"`     // that item is left with half its bytes instead of being absent
	DeafReceiver bool   `json:"deaf_receiver,omitempty"` // a dead radio behind a live processor: sends nothing, hears nothing
	Note         string `json:"note,omitempty"`
}

func (f *Fault) losesAnswer() bool { return countdown(&f.LoseAnswer) }

func (f *Fault) failsWrite() bool { return countdown(&f.FailWrite) || f.FailWrites }

// countdown is true when n reaches zero by this call.
func countdown(n *int) bool {
	if *n == 0 {
		return false
	}
	*n--
	return *n == 0
}

// SetFault replaces what is wrong with the stick.
func (d *Dongle) SetFault(f Fault) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.fault = f
}

// Fault tells what is wrong now, counts being what is left of them.
func (d *Dongle) Fault() Fault {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return d.fault
}

// PowerCut takes the power for a moment: RAM is lost, the stick boots into HOLD.
func (d *Dongle) PowerCut() {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	if d.powered {
		d.reset()
	}
}

// SetPower switches the stick on or off without taking its port away, as with a
// coordinator that has a supply of its own.
func (d *Dongle) SetPower(on bool) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.setPower(on)
}

func (d *Dongle) setPower(on bool) {
	if d.powered == on {
		return
	}
	d.silence()
	d.powered = on
	if on {
		d.reset()
	}
}

// Unplug takes the stick out: power and port are gone until Replug. A PTY's device
// node disappears, a TCP connection is cut and new ones are refused.
func (d *Dongle) Unplug() {
	d.m.mu.Lock()
	d.setPower(false)
	d.plugged = false
	d.m.mu.Unlock()
	d.link.setPlugged(false)
}

// Replug puts it back; it boots into HOLD.
func (d *Dongle) Replug() {
	d.m.mu.Lock()
	d.plugged = true
	d.setPower(true)
	d.m.mu.Unlock()
	d.link.setPlugged(true)
}

// Plugged says that the stick is in its socket.
func (d *Dongle) Plugged() bool {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return d.plugged
}

// bootTime is how long a stick is away after a reset.
const bootTime = 200 * time.Millisecond
