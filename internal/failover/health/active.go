package health

import (
	"fmt"
	"slices"
	"time"
)

// Limits of what is said of the active node.
const (
	// Idle is how long after the last message of a device, or the last answer of the stick,
	// the radio still counts as proven.
	Idle = 3 * time.Minute
	// Young is how long after an activation Zigbee2MQTT may still be starting.
	Young = 90 * time.Second
)

// active says how the node serves that is on record as the active one. When only another
// one runs, it is that one whose service matters to the home.
func (p picture) active() []Condition {
	n := p.node(p.Recorded)
	if s := p.speaking(); len(s) == 1 {
		n = s[0]
	}
	if !slices.ContainsFunc(p.Nodes, func(known Node) bool { return known.Name == n.Name }) {
		return nil
	}
	sight := n.Sight(p.Now)
	switch n.Stance(p.Now) {
	case Unseen:
		return one(NotKnown, n.Name, sight, p.bridge.says)
	case Lost:
		return p.lost(n)
	}
	switch {
	case !n.Seen.TTYPresent:
		return one(DongleMissing, n.Name, fmt.Sprintf("looked at %s %s: %s is not there", n.Name, Ago(p.Now, n.Seen.At), n.Seen.TTY), p.bridge.says)
	case !n.Stance(p.Now).Speaks():
		return p.gone(n)
	}
	return p.serves(n)
}

// lost: only what is heard over MQTT says whether Zigbee works.
func (p picture) lost(n Node) []Condition {
	sight := n.Sight(p.Now)
	switch other := p.Bridge.Node; {
	case !p.Broker.Connected:
		return one(NotKnown, n.Name, sight, p.noBroker())
	case p.bridge.speaks() && other != "" && other != n.Name && after(p.Bridge.Spoke, n.FailingSince):
		return one(NotKnown, n.Name, sight, fmt.Sprintf("somebody answered over MQTT %s with the mark of %s", Ago(p.Now, p.Bridge.Spoke), other))
	case p.bridge.speaks():
		return one(HostLostBridgeOnline, n.Name, sight, p.bridge.says)
	case p.bridge.tone == unheard:
		return one(NotKnown, n.Name, sight, p.bridge.says)
	}
	return one(HostLostBridgeOffline, n.Name, sight, p.bridge.says)
}

// gone: SSH outranks MQTT, but for a word that came after the look.
func (p picture) gone(n Node) []Condition {
	if p.bridge.speaks() && p.Bridge.Node == n.Name && after(p.Bridge.Spoke, n.Seen.At) {
		return one(NotKnown, n.Name, n.Sight(p.Now), fmt.Sprintf("%s answered over MQTT after that, %s", n.Name, Ago(p.Now, p.Bridge.Spoke)))
	}
	return one(ProcessGone, n.Name, n.Sight(p.Now), p.bridge.says)
}

// serves: its Zigbee2MQTT runs.
func (p picture) serves(n Node) []Condition {
	sight := n.Sight(p.Now)
	young := n.Name == p.Recorded && Within(p.Now, p.Since, Young)
	switch {
	case n.Stance(p.Now) == Begins:
		return one(Starting, n.Name, sight, p.bridge.says)
	case p.bridge.tone == offline && !p.owesLong(), p.bridge.tone == unheard, young && !p.bridge.speaks():
		// "Offline" alone may be the last will of an old connection: it must be asked.
		return one(Starting, n.Name, sight, p.bridge.says)
	case !p.Broker.Connected:
		return one(NotKnown, n.Name, sight, p.noBroker())
	case p.bridge.tone == offline:
		return one(BridgeOffline, n.Name, sight, p.bridge.says, fmt.Sprintf("it was asked over MQTT and has not answered %s", For(p.Now, p.Bridge.Unanswered)))
	case p.bridge.tone == silent:
		return one(BridgeSilent, n.Name, sight, p.bridge.says)
	}
	return p.radio(n)
}

// owesLong says that it was asked, and long enough ago.
func (p picture) owesLong() bool {
	return !p.Bridge.Unanswered.IsZero() && Age(p.Now, p.Bridge.Unanswered) >= Patience
}

// radio: Zigbee2MQTT runs and answers.
func (p picture) radio(n Node) []Condition {
	sight, heard := n.Sight(p.Now), p.heard()
	switch {
	case p.mute():
		return one(RadioDead, n.Name, sight, fmt.Sprintf("the stick does not answer Zigbee2MQTT %s, last asked %s", For(p.Now, p.Radio.StickSilent), Ago(p.Now, p.Radio.StickAsked)), heard)
	case Within(p.Now, p.Radio.Heard, Idle):
		return one(Healthy, n.Name, sight, p.bridge.says, heard)
	}
	return one(Unproven, n.Name, append([]string{sight, p.bridge.says, heard}, p.asked()...)...)
}

// mute: the stick was asked and has not answered for a while, nor was a device heard
// through it.
func (p picture) mute() bool {
	r := p.Radio
	return !r.StickSilent.IsZero() && Age(p.Now, r.StickSilent) >= again && !after(r.Heard, r.StickSilent) && !after(r.StickAnswered, r.StickSilent)
}

func (p picture) heard() string {
	if p.Radio.Heard.IsZero() {
		return "no device was heard yet"
	}
	return "a device was heard " + Ago(p.Now, p.Radio.Heard)
}

// asked is what came of the probes.
func (p picture) asked() (out []string) {
	r := p.Radio
	switch {
	case r.Devices == 0:
		out = append(out, "no mains device has answered within a day: all devices may be asleep")
	case !r.DevicesSilent.IsZero():
		out = append(out, fmt.Sprintf("the devices that were asked are silent %s", For(p.Now, r.DevicesSilent)))
	}
	switch {
	case !r.StickSilent.IsZero():
		out = append(out, fmt.Sprintf("the stick does not answer %s; it is asked once more", For(p.Now, r.StickSilent)))
	case !r.StickAnswered.IsZero():
		out = append(out, "the stick answered "+Ago(p.Now, r.StickAnswered)+", so what is silent is the devices")
	}
	return out
}
