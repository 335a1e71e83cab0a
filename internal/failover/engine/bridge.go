package engine

import (
	"context"
	"time"

	"z2mha/internal/dongle/zigbee"
)

// A Bridge is what Zigbee2MQTT tells over MQTT, whichever node it runs on.
type Bridge interface {
	// State is the last bridge/state heard: online, when, and whether the broker
	// had merely kept it. An error means the broker cannot be reached.
	State(ctx context.Context) (BridgeState, error)

	// Refresh makes Zigbee2MQTT publish bridge/info and returns that fresh one.
	// It fails with ErrBridgeSilent when nothing fresh comes before ctx ends.
	Refresh(ctx context.Context) (BridgeInfo, error)

	// Devices is the last bridge/devices without the coordinator, waiting until ctx
	// ends for one that was published after since. The zero time takes what the
	// broker kept.
	Devices(ctx context.Context, since time.Time) ([]BridgeDevice, error)

	// Ask sends a harmless get to each of the devices and returns the IEEE
	// addresses of those that answered before ctx ends; it returns early once
	// enough have. Cached states do not count.
	Ask(ctx context.Context, devices []BridgeDevice, enough int) ([]zigbee.IEEE, error)

	// CloseJoining ends permit join and reports what bridge/info says then.
	CloseJoining(ctx context.Context) error
}

// BridgeState is a retained or fresh bridge/state.
type BridgeState struct {
	Known    bool
	Online   bool
	Retained bool // kept by the broker from before our subscription
	At       time.Time
}

// BridgeInfo is the part of bridge/info that identifies who speaks.
type BridgeInfo struct {
	At          time.Time
	Node        string // our marker z2mha.node; "" when absent
	Version     string
	Coordinator zigbee.IEEE
	PanID       zigbee.PanID
	ExtPanID    zigbee.ExtPanID
	Channel     zigbee.Channel
	Revision    uint32 // firmware of the stick it drives, 0 when it does not say
	PermitJoin  bool
}

// BridgeDevice is one entry of bridge/devices.
type BridgeDevice struct {
	IEEE         zigbee.IEEE
	FriendlyName string
	Type         string // Router, EndDevice
	Interviewing bool
	Askable      bool // mains powered and has a property that can be read with get
	AskProperty  string
}
