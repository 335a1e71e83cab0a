package recorded

import (
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
)

var zigbee = []network.Process{{PID: 812, Command: "node index.js"}}

// grammar is all that may be said, by subject.
var grammar map[string][]clause

func init() {
	grammar = map[string][]clause{
		"controller": controller, "broker": broker, "bridge": bridge, "radio": radio, "record": record,
		"node": node, "standby": standby, "policy": policy, "state": append(state, undone...),
	}
}

var controller = []clause{
	{"started AGE", func(h *home, a args) { h.in.Health.Controller.Started = h.ago(a.age()) }},
	{"jumped AGE", func(h *home, a args) { h.in.Health.Controller.Jumped = h.ago(a.age()) }},
	{"alone TEXT", func(h *home, a args) { h.in.Health.Controller.Alone = a.text[0] }},
	{"not alone", func(h *home, _ args) { h.in.Health.Controller.Alone = "" }},
}

var broker = []clause{
	{"connected AGE", func(h *home, a args) { h.in.Health.Broker = health.Broker{Connected: true, Since: h.ago(a.age())} }},
	{"lost AGE TEXT", func(h *home, a args) { h.in.Health.Broker = health.Broker{Since: h.ago(a.age()), Why: a.text[0]} }},
	{"taken over AGE", func(h *home, a args) {
		h.in.Health.Broker.TakeOvers = append(h.in.Health.Broker.TakeOvers, h.ago(a.age()))
	}},
}

var bridge = []clause{
	{"online AGE", func(h *home, a args) { h.state(true, a.age()) }},
	{"offline AGE", func(h *home, a args) { h.state(false, a.age()) }},
	{"kept", func(h *home, _ args) { h.in.Health.Bridge.Kept = true }},
	{"unheard", func(h *home, _ args) { h.in.Health.Bridge = health.Bridge{} }},
	{"spoke AGE as NAME", func(h *home, a args) { h.spoke(a.age(), a.text[0]) }},
	{"spoke AGE without mark", func(h *home, a args) { h.spoke(a.age(), "") }},
	{"asked AGE", func(h *home, a args) { h.in.Health.Bridge.Asked = h.ago(a.age()) }},
	{"unanswered AGE", func(h *home, a args) {
		h.in.Health.Bridge.Unanswered = h.ago(a.age())
		h.nothingSince(a.age())
	}},
	{"answers", func(h *home, _ args) { h.in.Health.Bridge.Unanswered = time.Time{} }},
}

func (h *home) state(online bool, age time.Duration) {
	b := &h.in.Health.Bridge
	b.Online, b.At, b.Kept = online, h.ago(age), false
	if !online {
		h.nothingSince(age)
	}
}

// nothingSince: neither Zigbee2MQTT nor a device was heard since, unless a later clause
// says so.
func (h *home) nothingSince(age time.Duration) {
	before := h.ago(age + time.Second)
	for _, t := range []*time.Time{&h.in.Health.Bridge.Spoke, &h.in.Health.Radio.Heard} {
		if t.After(before) {
			*t = before
		}
	}
}

func (h *home) spoke(age time.Duration, mark string) {
	b := &h.in.Health.Bridge
	b.Spoke, b.Node, b.Unanswered = h.ago(age), mark, time.Time{}
}

var radio = []clause{
	{"heard AGE", func(h *home, a args) { h.in.Health.Radio.Heard = h.ago(a.age()) }},
	{"never heard", func(h *home, _ args) { h.in.Health.Radio.Heard = time.Time{} }},
	{"pace SPAN", func(h *home, a args) { h.in.Health.Radio.Pace = a.age() }},
	{"devices N", func(h *home, a args) { h.in.Health.Radio.Devices = a.n }},
	{"devices asked AGE", func(h *home, a args) { h.in.Health.Radio.DevicesAsked = h.ago(a.age()) }},
	{"devices silent AGE", func(h *home, a args) { h.in.Health.Radio.DevicesSilent = h.ago(a.age()) }},
	{"devices answer", func(h *home, _ args) {
		h.in.Health.Radio.DevicesSilent, h.in.Health.Radio.Heard = time.Time{}, h.in.Health.Now
	}},
	{"stick asked AGE", func(h *home, a args) { h.in.Health.Radio.StickAsked = h.ago(a.age()) }},
	{"stick silent AGE", func(h *home, a args) { h.in.Health.Radio.StickSilent = h.ago(a.age()) }},
	{"stick answered AGE", func(h *home, a args) {
		h.in.Health.Radio.StickSilent, h.in.Health.Radio.StickAnswered = time.Time{}, h.ago(a.age())
	}},
}

var record = []clause{
	{"active NAME AGE", func(h *home, a args) {
		h.in.Health.Recorded, h.in.Health.Since, h.in.State.LastActive = a.text[0], h.ago(a.age()), a.text[0]
	}},
	{"nobody", func(h *home, _ args) { h.in.Health.Recorded, h.in.Health.Since = "", time.Time{} }},
}

var node = []clause{
	{"new", func(h *home, a args) {
		if h.node(a.name) == nil {
			h.in.Health.Nodes = append(h.in.Health.Nodes, health.Node{Name: a.name})
		}
	}},
	{"runs", func(h *home, a args) { h.see(a.name, network.ServiceRunning, zigbee, zigbee) }},
	{"starts", func(h *home, a args) { h.see(a.name, network.ServiceRunning, nil, zigbee) }},
	{"stopped", func(h *home, a args) { h.see(a.name, network.ServiceStopped, nil, nil) }},
	{"crashed", func(h *home, a args) { h.see(a.name, network.ServiceFailed, nil, nil) }},
	{"service runs without process", func(h *home, a args) { h.see(a.name, network.ServiceRunning, nil, nil) }},
	{"stick taken by NAME", func(h *home, a args) {
		h.see(a.name, network.ServiceStopped, []network.Process{{PID: 77, Command: a.text[0]}}, nil)
	}},
	{"stick read by us", func(h *home, a args) {
		h.see(a.name, network.ServiceStopped, []network.Process{{PID: 78, Command: "znp-helper", Ours: true}}, nil)
	}},
	{"stick gone", func(h *home, a args) { h.plugged(a.name, false) }},
	{"stick there", func(h *home, a args) { h.plugged(a.name, true) }},
	{"lost AGE TEXT", func(h *home, a args) {
		n := h.node(a.name)
		n.Failed, n.FailingSince, n.Looked = a.text[0], h.ago(a.age()), h.ago(0)
		if before := h.ago(a.age() + 15*time.Second); n.Seen != nil && n.Seen.At.After(before) {
			n.Seen.At = before
		}
	}},
	{"never looked", func(h *home, a args) {
		n := h.node(a.name)
		n.Failed, n.FailingSince, n.Looked, n.Seen = "", time.Time{}, time.Time{}, nil
	}},
	{"looked AGE", func(h *home, a args) {
		n := h.node(a.name)
		n.Looked = h.ago(a.age())
		if n.Failed == "" && n.Seen != nil {
			n.Seen.At = n.Looked
		}
	}},
	{"silent AGE", func(h *home, a args) { h.node(a.name).Silent = h.ago(a.age()) }},
	{"fenced TEXT", func(h *home, a args) { h.node(a.name).Fenced = a.text[0] }},
	{"not silent", func(h *home, a args) { h.node(a.name).Silent = time.Time{} }},
	{"stick NAME AGE", func(h *home, a args) {
		h.node(a.name).Stick = &health.Stick{At: h.ago(a.age()), State: a.text[0], Silent: a.text[0] == "HOLD"}
	}},
	{"stick mute AGE TEXT", func(h *home, a args) {
		h.node(a.name).Stick = &health.Stick{At: h.ago(a.age()), Failed: a.text[0]}
	}},
}

func (h *home) plugged(name string, there bool) {
	if n := h.node(name); n.Seen != nil {
		seen := *n.Seen
		seen.TTYPresent = there
		n.Seen = &seen
	}
}

var standby = []clause{
	{"ready", func(h *home, a args) { s := h.standby(a.name); s.Ready, s.Why = true, nil }},
	{"not ready TEXT", func(h *home, a args) {
		s := h.standby(a.name)
		s.Ready, s.Why = false, append(s.Why, a.text[0])
	}},
	{"warm", func(h *home, a args) { h.standby(a.name).Warm = true }},
	{"cold", func(h *home, a args) { h.standby(a.name).Warm = false }},
	{"generation N", func(h *home, a args) { h.standby(a.name).Generation = a.n }},
	{"age SPAN", func(h *home, a args) { h.standby(a.name).Age = a.age() }},
	{"none", func(h *home, a args) {
		kept := h.in.Standbys[:0]
		for _, s := range h.in.Standbys {
			if s.Node != a.name {
				kept = append(kept, s)
			}
		}
		h.in.Standbys = kept
	}},
}

var policy = []clause{
	{"by hand", func(h *home, _ args) { h.in.Policy.Automatic = false }},
	{"settle SPAN", func(h *home, a args) { h.in.Policy.Settle = a.age() }},
	{"confirm SPAN", func(h *home, a args) { h.in.Policy.Confirm = a.age() }},
	{"respawn SPAN", func(h *home, a args) { h.in.Policy.Respawn = a.age() }},
	{"cool-down SPAN", func(h *home, a args) { h.in.Policy.CoolDown = a.age() }},
	{"per day N", func(h *home, a args) { h.in.Policy.PerDay = a.n }},
	{"repairs N", func(h *home, a args) { h.in.Policy.Repairs = a.n }},
	{"no return", func(h *home, _ args) { h.in.Policy.Return = false }},
	{"fail back to NAME", func(h *home, a args) { h.in.Policy.FailBack = a.text[0] }},
	{"accept risk TEXT", func(h *home, a args) { h.in.Policy.AcceptRisk = a.text[0] }},
}

var state = []clause{
	{"held TEXT", func(h *home, a args) { h.in.State.Held = a.text[0] }},
	{"busy TEXT", func(h *home, a args) { h.in.State.Busy = a.text[0] }},
	{"open TEXT", func(h *home, a args) { h.in.State.Open = a.text[0] }},
	{"stopped TEXT", func(h *home, a args) { h.in.State.Stopped = a.text[0] }},
	{"failover AGE", func(h *home, a args) { h.in.State.Failovers = append(h.in.State.Failovers, h.ago(a.age())) }},
	{"repair AGE", func(h *home, a args) { h.in.State.Repairs = append(h.in.State.Repairs, h.ago(a.age())) }},
	{"start AGE", func(h *home, a args) { h.in.State.Starts = append(h.in.State.Starts, h.ago(a.age())) }},
	{"acknowledged AGE", func(h *home, a args) { h.in.State.Acknowledged = h.ago(a.age()) }},
	{"fence NAME NAME", func(h *home, a args) {
		if h.in.State.Fences == nil {
			h.in.State.Fences = map[string][]decide.Rung{}
		}
		h.in.State.Fences[a.text[0]] = append(h.in.State.Fences[a.text[0]], decide.Rung(a.text[1]))
	}},
	{"fence failed NAME AGE TEXT", func(h *home, a args) {
		if h.in.State.FenceFailed == nil {
			h.in.State.FenceFailed = map[string]decide.Failed{}
		}
		h.in.State.FenceFailed[a.text[0]] = decide.Failed{At: h.ago(a.age()), Why: a.text[1]}
	}},
	{"restarts NAME", func(h *home, a args) {
		if h.in.State.Restarts == nil {
			h.in.State.Restarts = map[string]bool{}
		}
		h.in.State.Restarts[a.text[0]] = true
	}},
	{"rehearsal TEXT", func(h *home, a args) { h.in.State.Rehearsal = a.text[0] }},
	{"joining", func(h *home, _ args) { h.in.State.Joining = true }},
	{"interviewing NAME", func(h *home, a args) { h.in.State.Interviewing = append(h.in.State.Interviewing, a.text[0]) }},
	{"tried TEXT NAME AGE TEXT", func(h *home, a args) {
		h.in.State.Tried = append(h.in.State.Tried, decide.Tried{Action: decide.Action(a.text[0]), Node: a.text[1], At: h.ago(a.age()), Why: a.text[2]})
	}},
}

var undone = []clause{
	{"not held", func(h *home, _ args) { h.in.State.Held = "" }},
	{"not busy", func(h *home, _ args) { h.in.State.Busy = "" }},
	{"joining closed", func(h *home, _ args) { h.in.State.Joining, h.in.State.Interviewing = false, nil }},
}
