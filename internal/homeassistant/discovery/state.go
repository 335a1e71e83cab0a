package discovery

import (
	"slices"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/status"
)

// networkState is the document behind the entities of a network; nil is unknown.
type networkState struct {
	Protection       *string  `json:"protection"`
	ActiveNode       *string  `json:"active_node"`
	ActiveNodeSelect *string  `json:"active_node_select"`
	Problem          *string  `json:"problem"`
	StandbyReady     *string  `json:"standby_ready"`
	Condition        *string  `json:"condition"`
	Decision         *string  `json:"decision"`
	Question         *string  `json:"question"`
	Switching        *string  `json:"switching"`
	LastSync         *string  `json:"last_sync"`
	SyncAge          *int64   `json:"sync_age"` // seconds, in steps of a minute
	LastMove         *string  `json:"last_switchover"`
	LastMoveReason   *string  `json:"last_switchover_reason"`
	LastMoveDuration *float64 `json:"last_switchover_duration"` // seconds
	Switchovers      int      `json:"switchovers"`
	Devices          *int     `json:"devices"`
	AutoFailover     string   `json:"auto_failover"`
	Hold             string   `json:"hold"`
}

// nodeState is the document behind the entities of a node.
type nodeState struct {
	Role        *string `json:"role"`
	Host        *string `json:"host"`
	Zigbee2MQTT *string `json:"zigbee2mqtt"`
	Coordinator *string `json:"coordinator"`
	OutOfSync   *string `json:"out_of_sync"`
	Problem     *string `json:"problem"`
	Version     *string `json:"version"`
	Firmware    *string `json:"firmware"`
	LastSeen    *string `json:"last_seen"` // in steps of a minute
	Latency     *int64  `json:"latency"`   // milliseconds
}

// States is every state and attributes document. The age of the last copy and the
// time a node was last seen move in steps of a minute, to spare Home Assistant's
// recorder.
func States(networks []status.Network, o Options, now time.Time) []Message {
	var out []Message
	for _, n := range networks {
		add := func(last string, doc any) { out = append(out, Message{o.topic(n.Name, last), encode(doc)}) }
		add("attributes", networkAttributes(n))
		add("last_switchover_attributes", moveAttributes(n.Last))
		add("auto_failover_attributes", map[string]string{"reason": policyIsAFile})
		add("condition_attributes", conditionAttributes(n))
		add("decision_attributes", decisionAttributes(n))
		add("state", stateOf(n, now))
		for _, node := range n.Nodes {
			add(level(node.Name)+"/attributes", nodeAttributes(n, node))
			add(level(node.Name)+"/state", nodeStateOf(n, node))
		}
	}
	return out
}

// Availability says that we are there, and which controls may be used.
func Availability(networks []status.Network, o Options) []Message {
	out := []Message{{o.Status(), []byte(online)}}
	for _, n := range networks {
		_, can := Standby(n)
		out = append(out,
			Message{o.topic(n.Name, "switchover_available"), available(can)},
			Message{o.topic(n.Name, "auto_failover_available"), available(false)})
		for _, node := range n.Nodes {
			out = append(out, Message{o.nodeTopic(n.Name, node.Name, "activatable"), available(node.CanTake)})
		}
	}
	return out
}

// Standby is the node that the button "Switch over" moves n to: the first one in the
// order of the configuration that could take over.
func Standby(n status.Network) (status.Node, bool) {
	for _, node := range n.Nodes {
		if node.CanTake {
			return node, true
		}
	}
	return status.Node{}, false
}

func available(yes bool) []byte {
	if yes {
		return []byte(online)
	}
	return []byte(offline)
}

func stateOf(n status.Network, now time.Time) networkState {
	looked := !n.At.IsZero()
	s := networkState{
		Protection:   oneOf(n.Protection, status.Protections),
		Problem:      onOff(n.Problem(), looked && n.Protection != ""),
		StandbyReady: onOff(len(n.Ready) > 0, looked),
		Switching:    onOff(n.Run != nil && n.Run.Plan.Kind.Moves(), true),
		LastSync:     timestamp(n.LastSync),
		Switchovers:  n.Moves,
		AutoFailover: *onOff(n.Policy.Automatic && n.Decision != nil, true),
		Condition:    condition(n),
		Hold:         *onOff(n.Hold.On, true),
	}
	if d := n.Decision; d != nil {
		s.Decision, s.Question = oneOf(d.Action, decide.Actions), onOff(d.Question != nil, true)
	}
	if node, ok := n.Node(n.Active); ok {
		s.ActiveNode, s.ActiveNodeSelect = ptr(Label(node.Name)), ptr(Label(node.Name))
	} else if looked && n.Active == "" {
		s.ActiveNode = ptr(noNode)
	}
	if age, ok := n.SyncAge(now); ok {
		s.SyncAge = ptr(int64(age.Truncate(time.Minute) / time.Second))
	}
	if n.Devices >= 0 && looked {
		s.Devices = ptr(n.Devices)
	}
	s.LastMoveReason = ptr(string(status.CauseNone))
	if n.Last != nil {
		s.lastMove(*n.Last)
	}
	return s
}

// condition is the one that weighs most: the first.
func condition(n status.Network) *string {
	switch {
	case n.Decision == nil && n.At.IsZero():
		return nil
	case n.Decision == nil || len(n.Conditions) == 0:
		return ptr(notAssessed)
	}
	return oneOf(n.Conditions[0].Kind, health.Kinds())
}

func (s *networkState) lastMove(m status.Move) {
	s.LastMove = timestamp(m.At)
	s.LastMoveReason = oneOf(m.Cause, status.Causes)
	if m.Duration > 0 {
		s.LastMoveDuration = ptr(seconds(m.Duration))
	}
}

func nodeStateOf(n status.Network, node status.Node) nodeState {
	looked := !n.At.IsZero()
	s := nodeState{
		Role:        oneOf(node.Role, roles),
		Host:        lit(node.Host),
		Zigbee2MQTT: running(node.Service),
		Coordinator: lit(node.Dongle),
		OutOfSync:   onOff(node.OutOfSync, looked),
		Problem:     onOff(troubled(n, node), looked),
		Version:     word(node.Version),
		Firmware:    word(node.Firmware),
		LastSeen:    timestamp(node.Seen.Truncate(time.Minute)),
	}
	if node.Latency > 0 {
		s.Latency = ptr(node.Latency.Milliseconds())
	}
	return s
}

// troubled says that a person should look at this node.
func troubled(n status.Network, node status.Node) bool {
	for _, light := range []status.Light{node.Host, node.Service, node.Dongle, node.Radio} {
		if light.State == status.LightBad {
			return true
		}
	}
	return slices.ContainsFunc(n.Reasons, func(r status.Reason) bool { return r.Node == node.Name })
}

// lit is a light that says whether something is there.
func lit(l status.Light) *string {
	return onOff(l.State != status.LightBad, l.State != status.LightUnknown && l.State != "")
}

// running reads what the service's light says, because on a stand-by a good light
// means stopped. A service that is neither running nor stopped is unknown.
func running(service status.Light) *string {
	known := service.State != status.LightUnknown && slices.Contains([]string{"running", "stopped"}, service.Text)
	return onOff(service.Text == "running", known)
}

func onOff(on, known bool) *string {
	switch {
	case !known:
		return nil
	case on:
		return ptr("ON")
	}
	return ptr("OFF")
}

func oneOf[T ~string](v T, all []T) *string {
	if !slices.Contains(all, v) {
		return nil
	}
	return ptr(string(v))
}

func word(s string) *string {
	if s = line(s, maxLabel); s == "" {
		return nil
	}
	return &s
}

// timestamp is RFC 3339 with an offset, as Home Assistant wants it.
func timestamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return ptr(t.UTC().Format("2006-01-02T15:04:05-07:00"))
}

func seconds(d time.Duration) float64 { return d.Round(100 * time.Millisecond).Seconds() }

func ptr[T any](v T) *T { return &v }
