package wired

import (
	"context"
	"time"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
	"z2mha/internal/world/home"
)

// shown is what the desk that runs shows; false while none does.
func (w *World) shown() (status.Network, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now == nil || w.now.desk == nil {
		return status.Network{}, false
	}
	return w.now.desk.Networks()[0], true
}

// Ask brings a request before the desk; it is journaled as a person's.
func (w *World) Ask(r desk.Request) error {
	w.mu.Lock()
	c := w.now
	w.mu.Unlock()
	if c == nil || c.desk == nil {
		return errDied
	}
	r.By = "a person"
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, err := c.desk.Ask(ctx, r)
	w.log("asked for %s %s: %v", r.Verb, r.To, err)
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

// answers says that the lamp does what it is told.
func (w *World) answers() bool {
	want, payload := !w.lamp.On(), `{"state":"ON"}`
	if !want {
		payload = `{"state":"OFF"}`
	}
	w.broker.publish("zigbee2mqtt/"+home.LampName+"/set", payload, false)
	time.Sleep(3 * time.Second)
	return w.lamp.On() == want
}

// Served waits until one node serves the home and the desk knows it.
func (w *World) Served(long time.Duration) bool {
	for until := time.Now().Add(long); time.Now().Before(until); time.Sleep(10 * time.Second) {
		n, ok := w.shown()
		on := w.OnAir()
		if ok && len(on) == 1 && n.Active == on[0] && n.Run == nil && n.LookErr == nil && w.answers() {
			return true
		}
	}
	return false
}
