// Package coverage says which failures a home survives: what goes on by itself, what a
// person brings back, and what nothing helps against. It is pure, and judges by what is
// seen now: a stand-by that is not ready covers nothing.
package coverage

import (
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
)

// A Failure is one thing that may break.
type Failure string

const (
	Process       Failure = "process"        // Zigbee2MQTT on the active node ends and stays away
	Stick         Failure = "stick"          // the active stick breaks
	Host          Failure = "host"           // the active node's machine dies or is cut off
	HomeAssistant Failure = "home-assistant" // the machine of this controller dies
	Broker        Failure = "broker"         // the MQTT broker dies
)

// What says in a few words what breaks.
func (f Failure) What() string {
	switch f {
	case Process:
		return "Zigbee2MQTT crashes"
	case Stick:
		return "The stick breaks"
	case Host:
		return "The active host dies"
	case HomeAssistant:
		return "Home Assistant's host dies"
	case Broker:
		return "The broker dies"
	}
	return string(f)
}

// An Answer is whether Zigbee comes back.
type Answer string

const (
	Yes    Answer = "yes"     // it goes on, or comes back by itself
	ByHand Answer = "by hand" // a person brings it back
	No     Answer = "no"
)

// A Line is the answer for one failure.
type Line struct {
	Failure  Failure `json:"failure"`
	Survives Answer  `json:"survives"`
	Why      string  `json:"why"`           // one plain sentence
	Fix      string  `json:"fix,omitempty"` // what a person does then, or now so that it is survived
}

// Of answers for every failure, in this order. It is empty before anything was seen.
func Of(in readiness.Input) []Line {
	if len(in.Views) == 0 {
		return nil
	}
	h := homeOf(in)
	return []Line{h.process(), h.stick(), h.host(), h.homeAssistant(), h.broker()}
}

// A home is what the answers are made of.
type home struct {
	in     readiness.Input
	active string
	air    network.Observation // of the active node
	spares []spare
}

// A spare is a stand-by.
type spare struct {
	name   string
	apart  bool   // on another machine than the active node
	loaded bool   // the network's memory is at hand for it, without the active's stick
	why    string // why it could not take over, "" when it could
	fix    string
}

func homeOf(in readiness.Input) home {
	in.To = ""
	h := home{in: in}
	a := readiness.Assess(in)
	h.active = a.Active
	for _, v := range in.Views {
		if v.Name == h.active && v.Observed != nil {
			h.air = *v.Observed
		}
	}
	for _, v := range in.Views {
		if v.Name != h.active {
			h.spares = append(h.spares, h.spareOf(v, a))
		}
	}
	return h
}

// spareOf asks what speaks against the stand-by alone: the active node is what fails.
func (h home) spareOf(v readiness.View, a readiness.Assessment) spare {
	warm, _ := readiness.Warm(h.in, v.Name)
	s := spare{name: v.Name, loaded: warm || h.in.Newest.StickImage != "",
		apart: v.Observed != nil && (v.Observed.HostID == "" || v.Observed.HostID != h.air.HostID)}
	for _, c := range a.Blocking() {
		if c.Node == v.Name || c.ID == readiness.Distinct {
			s.why, s.fix = c.Evidence, c.Fix
			break
		}
	}
	return s
}
