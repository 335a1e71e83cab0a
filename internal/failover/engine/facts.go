package engine

import (
	"fmt"
	"slices"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
)

// Facts are what steps hand to later steps. They are journaled with every step
// that is done, so that a run can be taken up by another process.
type Facts struct {
	Before     *Baseline      `json:"before,omitempty"`
	Witnesses  []BridgeDevice `json:"witnesses,omitempty"` // answered through the old active
	Generation int            `json:"generation,omitempty"`

	KeptImage string `json:"kept_image,omitempty"` // blob: what was on the target's stick
	KeptHash  string `json:"kept_hash,omitempty"`  // the same image's own hash

	StickImage string        `json:"stick_image,omitempty"` // blob: the network's memory
	Stick      nvimage.Stick `json:"stick,omitzero"`        // the stick it was read from

	// KeyFingerprint is that of the network key on the stick.
	KeyFingerprint string `json:"key_fingerprint,omitempty"`

	// Data is what the data directory of a node tells that is to start on its own.
	Data *generation.Summary `json:"data,omitempty"`

	// TargetImage is the blob of what the target's stick held after it was silenced
	// again; "" when it was not, or could not be read.
	TargetImage string `json:"target_image,omitempty"`

	// Alone says that nobody but the active can have spoken since it was started.
	Alone bool `json:"alone,omitempty"`
	// Behind is which counter of the active is not above those that a second speaker has
	// used; "" when all are.
	Behind string `json:"behind,omitempty"`

	Loaded   time.Time      `json:"loaded,omitzero"`
	Floors   nvimage.Floors `json:"floors,omitzero"`    // what was put onto the target
	Started  time.Time      `json:"started,omitzero"`   // the target was asked to start
	Unproven string         `json:"unproven,omitempty"` // what could not be proven in the end

	// Fenced is how the old active of a failover was silenced, nil when its stick said so
	// itself. Risk says that it was not, and that somebody wanted to go on.
	Fenced *network.Fenced `json:"fenced,omitempty"`
	Risk   string          `json:"risk,omitempty"`
}

// unproven is all that could not be proven, in a sentence.
func (f Facts) unproven() string {
	if f.Risk == "" || f.Unproven == "" {
		return f.Risk + f.Unproven
	}
	return f.Risk + "; " + f.Unproven
}

// A Baseline is the network as Zigbee2MQTT told it while the old active ran. The
// new one must tell the same.
type Baseline struct {
	Coordinator zigbee.IEEE     `json:"coordinator"`
	PanID       zigbee.PanID    `json:"pan_id"`
	ExtPanID    zigbee.ExtPanID `json:"ext_pan_id"`
	Channel     zigbee.Channel  `json:"channel"`
	Devices     []zigbee.IEEE   `json:"devices"` // sorted
}

func baseline(info BridgeInfo, devices []BridgeDevice) *Baseline {
	b := &Baseline{Coordinator: info.Coordinator, PanID: info.PanID, ExtPanID: info.ExtPanID, Channel: info.Channel}
	for _, d := range devices {
		b.Devices = append(b.Devices, d.IEEE)
	}
	slices.Sort(b.Devices)
	return b
}

// identity names how the network itself differs: never to be excused.
func (b *Baseline) identity(now *Baseline) []string {
	var out []string
	diff := func(what string, was, is any) {
		if was != is {
			out = append(out, fmt.Sprintf("%s was %v and is %v", what, was, is))
		}
	}
	diff("coordinator address", b.Coordinator, now.Coordinator)
	diff("PAN id", b.PanID, now.PanID)
	diff("extended PAN id", b.ExtPanID, now.ExtPanID)
	diff("channel", b.Channel, now.Channel)
	return out
}

func (b *Baseline) devices(now *Baseline) []string {
	var out []string
	if missing := lacking(b.Devices, now.Devices); len(missing) > 0 {
		out = append(out, fmt.Sprintf("%d of %d devices are missing (%v)", len(missing), len(b.Devices), missing))
	}
	if extra := lacking(now.Devices, b.Devices); len(extra) > 0 {
		out = append(out, fmt.Sprintf("%d devices are new (%v)", len(extra), extra))
	}
	return out
}

func lacking(want, have []zigbee.IEEE) []zigbee.IEEE {
	var out []zigbee.IEEE
	for _, x := range want {
		if !slices.Contains(have, x) {
			out = append(out, x)
		}
	}
	return out
}

// ofStick compares the network in a stick's memory with the one that was on air.
func (b *Baseline) ofStick(id zigbee.Identity) []string {
	return b.identity(&Baseline{Coordinator: id.IEEE, PanID: id.PanID, ExtPanID: id.ExtPanID, Channel: id.Channel})
}

// inData says how a data directory tells of another network than b.
func (b *Baseline) inData(s generation.Summary) []string {
	rest := *b
	rest.Devices = nil // nobody has told of any
	return rest.unlike(s)
}

// unlike says how a capture does not fit the network that ran.
func (b *Baseline) unlike(s generation.Summary) []string {
	var out []string
	if s.Devices < len(b.Devices) {
		out = append(out, fmt.Sprintf("database.db holds %d devices, Zigbee2MQTT told of %d", s.Devices, len(b.Devices)))
	}
	if s.PanID != "" && s.PanID != b.PanID.String() {
		out = append(out, fmt.Sprintf("its PAN id is %s, on air it was %s", s.PanID, b.PanID))
	}
	if s.Coordinator != "" && s.Coordinator != b.Coordinator.String() {
		out = append(out, fmt.Sprintf("its coordinator address is %s, on air it was %s", s.Coordinator, b.Coordinator))
	}
	return out
}
