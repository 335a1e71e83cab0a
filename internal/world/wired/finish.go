package wired

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
	"z2mha/internal/world/home"
	"z2mha/internal/world/memnet"
)

// bound is how long the controller may take once nothing is wrong any more, and rounds how
// often a person then does what it says.
const (
	bound  = 8 * time.Minute
	rounds = 6
)

// finish mends what a person would mend, and waits until the home is served. It returns
// how it ended, and notes it as a breach when it is neither served nor is it said why.
func (w *World) finish() string {
	if len(w.Wrong()) > 0 {
		return "broken"
	}
	w.mend()
	w.boot()
	w.pass(time.Minute) // what was asked for at the very end has begun by then
	ended := "served"
	for round := range rounds + 1 {
		long := bound / 2
		if round == 0 {
			long = bound
		}
		if len(w.Wrong()) > 0 {
			return "broken"
		}
		if w.Served(long) {
			w.complete()
			return ended
		}
		ended = "served, after a person " + w.person()
	}
	n, _ := w.shown()
	w.breaks("liveness", "nobody serves the home: on air %v, running %v, shown %s, active %q, recorded %q, run %v: %s; %s",
		w.OnAir(), w.running(), n.Protection, n.Active, n.Recorded, n.Run != nil, reasons(n), ended)
	return "not served"
}

// mend ends every fault: power is back, sticks are plugged in anew, lines work.
func (w *World) mend() {
	w.mu.Lock()
	w.bomb, w.full = nil, false
	w.mu.Unlock()
	w.log("-- everything is mended")
	w.setBroker(true)
	w.toBroker.Suffer(memnet.Trouble{})
	for _, h := range w.hosts {
		h.mend()
	}
}

func (h *Host) mend() {
	h.mu.Lock()
	h.full, h.hung = false, nil
	h.mu.Unlock()
	h.ssh.Suffer(memnet.Trouble{Delay: usualDelay})
	h.broker.Suffer(memnet.Trouble{})
	h.setFrozen(false)
	if f := h.stick.Fault(); f != (znpsim.Fault{}) || !h.stick.Plugged() {
		h.stick.SetFault(znpsim.Fault{})
		h.stick.Unplug()
		h.stick.Replug()
	}
	h.powerOn()
}

// shown is what the desk that runs shows; false while none does.
func (w *World) shown() (status.Network, bool) {
	if d := w.desk(); d != nil {
		return d.Networks()[0], true
	}
	return status.Network{}, false
}

func (w *World) desk() *desk.Desk {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now == nil {
		return nil
	}
	return w.now.desk
}

// Ask brings a request before the desk; it is journaled as a person's.
func (w *World) Ask(r desk.Request) error {
	d := w.desk()
	if d == nil {
		return errDied
	}
	r.By = "Owner"
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, err := d.Ask(ctx, r)
	w.log("-- asked for %s %s: %v", r.Verb, r.To, err)
	return err
}

// OnAir names those whose sticks speak now.
func (w *World) OnAir() []string {
	var names []string
	for _, h := range w.hosts {
		if h.stick.State() == znpsim.StateCoordinator {
			names = append(names, h.name)
		}
	}
	return names
}

func (w *World) running() []string {
	var names []string
	for _, h := range w.hosts {
		if h.unit.process() != nil {
			names = append(names, h.name)
		}
	}
	return names
}

// answers says that the lamp does what it is told.
func (w *World) answers() bool {
	want, payload := !w.lamp.On(), `{"state":"ON"}`
	if !want {
		payload = `{"state":"OFF"}`
	}
	w.broker.publish("zigbee2mqtt/"+home.LampName+"/set", payload, false)
	w.pass(3 * time.Second)
	return w.lamp.On() == want
}

// Served waits until one node serves the home and the desk knows it.
func (w *World) Served(long time.Duration) bool {
	for until := time.Now().Add(long); time.Now().Before(until) && len(w.Wrong()) == 0; w.pass(10 * time.Second) {
		n, ok := w.shown()
		on := w.OnAir()
		if ok && len(on) == 1 && n.Active == on[0] && n.Run == nil && n.LookErr == nil && w.answers() {
			return true
		}
	}
	return false
}

// complete is I4 at the end: whoever serves knows every device.
func (w *World) complete() {
	h := w.host(w.OnAir()[0])
	database, err := os.ReadFile(filepath.Join(h.data, "database.db"))
	for _, d := range w.medium.Devices() {
		if err != nil || !bytes.Contains(database, []byte(d.IEEE().String())) {
			w.breaks("I4", "%s serves the home without %s (%v)", h.name, d.Name(), err)
		}
	}
}

// person does what the page says to somebody who has come home.
func (w *World) person() (did string) {
	n, ok := w.shown()
	running, on := w.running(), w.OnAir()
	other := func(of []string, but string) string {
		return slices.DeleteFunc(slices.Clone(of), func(s string) bool { return s == but })[0]
	}
	switch {
	case !ok:
		w.boot()
		return "started the controller"
	case n.Hold.On:
		_ = w.Ask(desk.Request{Verb: desk.Release})
		return "released the hold"
	case len(running) > 1:
		return w.silence(other(running, w.heeded()))
	case len(running) == 1 && len(on) > 1:
		return w.silence(other(on, running[0]))
	case len(running) == 0 && n.Recorded == "":
		w.host(w.voice()).unit.start(io.Discard, byPerson)
		return "started " + w.voice() + " by hand"
	case len(running) == 0:
		_ = w.Ask(desk.Request{Verb: desk.Start, AcceptChange: true})
		return "asked for a start: " + reasons(n)
	case n.Run == nil:
		_ = w.Ask(desk.Request{Verb: desk.Switchover, To: w.standby(0).name, AcceptChange: true})
		return "asked for a switchover: " + reasons(n)
	}
	return "only waited: " + reasons(n)
}

// silence asks the controller for a stop; when that is refused, somebody goes to the host.
func (w *World) silence(name string) (did string) {
	err := w.Ask(desk.Request{Verb: desk.Stop, To: name})
	if err == nil {
		return "stopped " + name
	}
	h := w.host(name)
	h.unit.stop(true)
	h.stick.Unplug()
	h.stick.Replug()
	w.log("-- a person stops %s by hand and pulls its stick for a moment", name)
	return fmt.Sprintf("stopped %s by hand: %v", name, err)
}

// heeded is the coordinator on air that devices answer: it began with the highest counter.
func (w *World) heeded() string {
	var name string
	var highest zigbee.FrameCounter
	for _, s := range w.medium.Record().OnAir {
		if s.To.IsZero() && s.First >= highest {
			name, highest = s.Dongle, s.First
		}
	}
	return name
}

func reasons(n status.Network) string {
	var out []string
	for _, r := range n.Reasons {
		out = append(out, fmt.Sprintf("%s (%s)", r.What, r.Fix))
	}
	return strings.Join(out, "; ")
}
