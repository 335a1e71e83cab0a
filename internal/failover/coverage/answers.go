package coverage

import (
	"fmt"
	"slices"
	"strings"

	"z2mha/internal/failover/readiness"
)

// move is how a person brings the network to a spare.
func move(s spare) string { return "run `z2mha failover --to " + s.name + "`" }

// find returns a spare that could take over and is as it should be, or else the line
// that says why there is none.
func (h home) find(f Failure, fits func(spare) (why, fix string)) (spare, *Line) {
	none := &Line{Failure: f, Survives: No, Why: "there is no stand-by", Fix: "add a second host"}
	if h.active == "" {
		none.Why, none.Fix = "no node is active", "bring one node on air first"
		return spare{}, none
	}
	for i, s := range h.spares {
		why, fix := s.why, s.fix
		if why == "" {
			why, fix = fits(s)
		}
		if why == "" {
			return s, nil
		}
		if i == 0 {
			none.Why, none.Fix = fmt.Sprintf("%s could not take over: %s", s.name, why), fix
		}
	}
	return spare{}, none
}

// loaded asks for a spare that needs nothing of the stick that was on air.
func loaded(s spare) (why, fix string) {
	if s.loaded {
		return "", ""
	}
	return "its stick does not hold this network, and nothing else does if the active one is lost",
		"run `z2mha seed` (“Make ready …” on the page), which restarts Zigbee2MQTT once and reads what the active stick holds"
}

func (h home) process() Line {
	s, none := h.find(Process, func(spare) (string, string) { return "", "" })
	if none != nil {
		return *none
	}
	l := Line{Failure: Process, Survives: ByHand, Why: s.name + " is ready, and takes over when you say so", Fix: move(s)}
	if h.in.Automatic {
		l = Line{Failure: Process, Survives: Yes, Why: s.name + " is ready, and takes over by itself"}
	}
	if h.restarts() {
		l.Why = fmt.Sprintf("%s starts it again by itself; if that does not help, %s is ready", h.active, s.name)
	}
	return l
}

// restarts says that the service manager starts again what has ended.
func (h home) restarts() bool {
	return !slices.Contains([]string{"", "no", "none", "never"}, h.air.Restart)
}

func (h home) stick() Line {
	s, none := h.find(Stick, loaded)
	if none != nil {
		return *none
	}
	if l, ok := h.alone(Stick, s, "its stick"); ok {
		return l
	}
	return Line{Failure: Stick, Survives: ByHand, Why: s.name + " takes over with what was read from the stick, when you say so",
		Fix: "unplug the broken stick, then " + move(s)}
}

// alone is about what must be silenced without its own word, and whether that goes without
// a person: by what cuts its power, or without proof.
func (h home) alone(f Failure, s spare, what string) (Line, bool) {
	fences := h.in.Fences[h.active]
	switch {
	case h.in.Automatic && h.in.AcceptRisk:
		return Line{Failure: f, Survives: Yes, Why: fmt.Sprintf("%s takes over by itself, and nobody proves that %s is silent: you have accepted that two coordinators may speak at once", s.name, h.active)}, true
	case h.in.Automatic && len(fences) > 0:
		return Line{Failure: f, Survives: Yes, Why: fmt.Sprintf("%s takes over by itself, once %s is silent or %s has cut its power", s.name, what, strings.Join(fences, " or "))}, true
	case len(fences) > 0:
		return Line{Failure: f, Survives: ByHand, Why: fmt.Sprintf("%s takes over when you say so: %s cuts the power of %s", s.name, strings.Join(fences, " or "), h.active), Fix: move(s)}, true
	}
	return Line{}, false
}

// host is about a machine that cannot be asked any more: nothing here proves its stick
// silent, so a person must.
func (h home) host() Line {
	if h.active != "" && h.air.BrokerHere {
		return Line{Failure: Host, Survives: No, Why: fmt.Sprintf("the broker dies with %s", h.active), Fix: "run the broker on a machine without a node"}
	}
	s, none := h.find(Host, func(s spare) (string, string) {
		if !s.apart {
			return "it is the same machine", "put the stand-by on another machine"
		}
		return loaded(s)
	})
	if none != nil {
		return *none
	}
	if l, ok := h.alone(Host, s, h.active); ok {
		return l
	}
	return Line{Failure: Host, Survives: ByHand, Why: fmt.Sprintf("%s is ready, but whether %s is silent only you can make sure", s.name, h.active),
		Fix: fmt.Sprintf("unplug %s or its stick, then %s", h.active, move(s))}
}

func (h home) homeAssistant() Line {
	l := Line{Failure: HomeAssistant, Survives: Yes, Why: "Zigbee goes on without it; nothing watches over it meanwhile"}
	own := h.in.HostID
	switch {
	case h.active == "":
		l.Survives, l.Why, l.Fix = No, "no node is active", "bring one node on air first"
	case own != "" && own == h.air.HostID:
		l.Survives, l.Why = No, h.active+" is the same machine, and nothing is left to move the network"
		l.Fix = "switch over to another machine"
	case own != "" && slices.ContainsFunc(h.in.Views, h.isHere):
		l.Why = "Zigbee goes on; a stand-by on the same machine is gone meanwhile"
	}
	return l
}

// isHere says that a node is on the machine of this controller.
func (h home) isHere(v readiness.View) bool {
	return v.Observed != nil && v.Observed.HostID == h.in.HostID
}

func (h home) broker() Line {
	l := Line{Failure: Broker, Survives: No, Why: "nobody hears Zigbee until the broker is back", Fix: "let its machine start it again by itself"}
	for _, v := range h.in.Views {
		if v.Observed != nil && v.Observed.BrokerHere {
			l.Why = fmt.Sprintf("it runs on the machine of %s and dies with it", v.Name)
			l.Fix = "run the broker on a machine without a node"
		}
	}
	return l
}
