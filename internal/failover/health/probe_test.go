package health_test

import (
	"testing"
	"time"

	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
)

var start = time.Date(2026, 3, 4, 3, 0, 0, 0, time.UTC)

// A home is one in which everything works until the radio dies.
type home struct {
	now     time.Time
	in      health.Input
	traffic time.Duration // a device speaks this often, 0 never
	answers bool          // the stick does
	busy    time.Time     // until when a probe waits for its answer
	asked   []health.Probe
}

func newHome(traffic time.Duration) *home {
	held := []network.Process{{PID: 1}}
	h := &home{now: start, traffic: traffic, answers: true}
	h.in = health.Input{Recorded: "attic", Since: start.Add(-time.Hour), Broker: health.Broker{Connected: true},
		Bridge:     health.Bridge{Online: true, At: start, Spoke: start, Node: "attic", Asked: start},
		Radio:      health.Radio{Heard: start, Devices: 3, Pace: traffic},
		Controller: health.Controller{Started: start},
		Nodes:      []health.Node{{Name: "attic", Seen: &network.Observation{TTY: "/dev/ttyA", TTYPresent: true, TTYHolders: held, DataHolders: held}}}}
	return h
}

// second lets a second pass, and asks what is to be asked, as the watcher does.
func (h *home) second() health.Kind {
	h.now = h.now.Add(time.Second)
	h.in.Now, h.in.Nodes[0].Looked, h.in.Nodes[0].Seen.At = h.now, h.now, h.now
	if h.answers && h.traffic != 0 && h.now.Sub(start)%h.traffic == 0 {
		h.in.Radio.Heard = h.now
	}
	if what, when := health.NextProbe(h.in); what != health.ProbeNone && !when.After(h.now) && !h.now.Before(h.busy) {
		h.ask(what)
	}
	return health.Assess(h.in)[0].Kind
}

func (h *home) ask(what health.Probe) {
	h.asked = append(h.asked, what)
	r := &h.in.Radio
	switch {
	case what == health.ProbeDevices && h.answers:
		r.DevicesAsked, r.Heard, r.DevicesSilent = h.now, h.now, time.Time{}
	case what == health.ProbeDevices:
		r.DevicesAsked, r.DevicesSilent, h.busy = h.now, h.now.Add(10*time.Second), h.now.Add(10*time.Second)
	case what == health.ProbeStick && h.answers:
		r.StickAsked, r.StickAnswered, r.StickSilent = h.now, h.now, time.Time{}
	case what == health.ProbeStick:
		r.StickAsked, r.StickSilent, h.busy = h.now, h.now.Add(14*time.Second), h.now.Add(14*time.Second)
	case what == health.ProbeCoordinatorCheck:
		r.StickAsked, h.busy = h.now, h.now.Add(14*time.Second)
	}
}

func TestADeadRadioIsFoundInTime(t *testing.T) {
	for _, tt := range []struct {
		name    string
		traffic time.Duration
		asleep  bool
		within  time.Duration
	}{
		{"under traffic", 5 * time.Second, false, time.Minute},
		{"under little traffic", 20 * time.Second, false, time.Minute},
		{"when idle", 0, false, 3 * time.Minute},
		{"when all devices sleep", 0, true, 3 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(tt.traffic)
			if tt.asleep {
				h.in.Radio.Devices = 0
			}
			for range 600 {
				if k := h.second(); k == health.RadioDead {
					t.Fatalf("%s after start: dead, although it works; asked %v", h.now.Sub(start), h.asked)
				}
			}
			died := h.now
			h.answers, h.asked = false, nil
			for h.second() != health.RadioDead {
				if h.now.Sub(died) > tt.within {
					t.Fatalf("not found within %s; asked %v", tt.within, h.asked)
				}
			}
			t.Logf("found after %s; asked %v", h.now.Sub(died), h.asked)
		})
	}
}

// What works is hardly ever asked: the probes are for silence.
func TestAskingIsCheap(t *testing.T) {
	for name, tt := range map[string]struct {
		traffic time.Duration
		devices int
		max     int // probes in an hour
	}{
		"busy":    {5 * time.Second, 3, 0},
		"idle":    {0, 3, 40},
		"asleep":  {0, 0, 40},
		"talking": {time.Minute, 3, 0},
	} {
		h := newHome(tt.traffic)
		h.in.Radio.Devices = tt.devices
		for range 3600 {
			h.second()
		}
		if len(h.asked) > tt.max {
			t.Errorf("%s: asked %d times in an hour", name, len(h.asked))
		}
		for _, p := range h.asked {
			if p == health.ProbeCoordinatorCheck {
				t.Errorf("%s: the dear check was asked for although all works", name)
			}
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 4 * time.Second: "4 s", 59*time.Second + 600*time.Millisecond: "1 min", 125 * time.Second: "2 min 5 s",
		3*time.Hour + 10*time.Minute: "3 h 10 min", 12 * 24 * time.Hour: "12 d", 26 * time.Hour: "1 d 2 h",
	} {
		if got := health.Span(d); got != want {
			t.Errorf("%s: %q, not %q", d, got, want)
		}
	}
}
