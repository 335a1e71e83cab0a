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

	// Backup makes Zigbee2MQTT save its database and write coordinator_backup.json from
	// the stick while it runs, which takes 5 to 20 s, and returns when both are written.
	// Calls at the same time share one backup, which may have begun before a change
	// that came just before the later call.
	Backup(ctx context.Context) error

	// Signs is what was heard so far. It answers at once, from memory.
	Signs() Signs

	// AskStick has Zigbee2MQTT ask its stick for something harmless that the stick itself
	// must answer, and returns nil when it did. The error wraps ErrStickSilent when
	// Zigbee2MQTT has said, each time it was asked, that no answer came; ErrBridgeSilent when
	// Zigbee2MQTT has said nothing, and ErrJoiningOpen when it must not be asked because that
	// would close joining. A silent stick takes some 14 s.
	AskStick(ctx context.Context) error

	// CheckCoordinator has Zigbee2MQTT read all tables of its stick, 946 requests in 5 s, and
	// returns nil when the stick has answered. Its errors are those of AskStick.
	CheckCoordinator(ctx context.Context) error

	// Correct publishes the retained bridge/state anew and returns nil when the broker has
	// been seen to keep it. It says so whatever is true: only the caller knows.
	Correct(ctx context.Context, online bool) error

	// Stirs calls tell when bridge/state or our connection to the broker has changed, from any
	// goroutine, until cancel is called. tell must return at once, and asks Signs what it is.
	Stirs(tell func()) (cancel func())

	// Watch calls tell with every change of the network that is heard from now on, in
	// order, until cancel is called. tell must return quickly.
	Watch(tell func(Membership)) (cancel func())
}

// A Membership is something that changed who belongs to the network, or what its
// database or configuration holds of it.
type Membership struct {
	Kind MembershipKind
	IEEE zigbee.IEEE // 0 when it is not about one device, or when that is not known
	Name string      // friendly name of the device or group, as far as it is known
	At   time.Time   // when it was heard
}

// A MembershipKind is what kind of change it was.
type MembershipKind string

const (
	MemberJoined       MembershipKind = "joined"
	MemberInterviewing MembershipKind = "interviewing" // an interview has begun; nothing is written yet
	MemberInterviewed  MembershipKind = "interviewed"  // it has ended, well or not
	// MemberLeft and MemberRemoved are the only evidence that a device is gone for good:
	// the device said so itself, or somebody asked for it and Zigbee2MQTT agreed.
	MemberLeft    MembershipKind = "left"
	MemberRemoved MembershipKind = "removed"
	MemberRenamed MembershipKind = "renamed"
	MemberGroup   MembershipKind = "group"   // one was made, changed, renamed or removed
	MemberOptions MembershipKind = "options" // of a device or of Zigbee2MQTT
	// MemberChanged says that a list is not the one that was heard before. It comes beside
	// the events above, and alone when they were missed. It proves no leave: an emptied
	// database looks just like it.
	MemberChanged MembershipKind = "changed"
)

// Gone says that m proves that a device is gone for good.
func (m Membership) Gone() bool {
	return (m.Kind == MemberLeft || m.Kind == MemberRemoved) && m.IEEE != 0
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
