package network

import (
	"errors"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

// ErrStickChanged is wrapped when a stick holds something else than what is known of it.
// Nothing was written. Its whole memory must be read before it can be relied on.
var ErrStickChanged = errors.New("the stick is not what is known of it")

// A StickPatch brings a parked stick from one known memory to another, without reading
// all of it. Known is what it is believed to hold: a patch refuses a stick whose
// identity, flag or counters tell of anything else, and writes nothing then.
type StickPatch struct {
	Run   string         // id under which a lost connection finds the patch again
	Known *nvimage.Image // what the stick holds, as last read back from it
	Want  *nvimage.Image // what it shall hold; may equal Known
	From  nvimage.Stick  // firmware that Want is of; must be the stick's own
	// Reset boots the stick once everything is written and read back, so that it starts
	// on what is in its memory.
	Reset bool
}

// A PatchReport is what a patch did, read back from the stick.
type PatchReport struct {
	Written   int           `json:"written"`
	Deleted   int           `json:"deleted"`
	Bytes     int           `json:"bytes"` // of the values written
	Boots     int           `json:"boots"`
	Exchanges int           `json:"exchanges"`
	State     string        `json:"state"` // HOLD
	Stick     nvimage.Stick `json:"stick"`
	// Now is Want with every counter that the stick was ahead with, and, after a reset,
	// with what a boot is known to add.
	Now *nvimage.Image `json:"-"`
}

// A StickRecord is what is known of a stand-by's stick. A node whose Zigbee2MQTT was
// started since is not known any more.
type StickRecord struct {
	Image      string              `json:"image"` // SHA-256 on the shelf of what it holds, "" when not known
	Stick      nvimage.Stick       `json:"stick,omitzero"`
	Generation int                 `json:"generation,omitempty"` // whose coordinator state it holds
	Reserved   zigbee.FrameCounter `json:"reserved,omitempty"`   // network counter written for its next start
	Verified   time.Time           `json:"verified,omitzero"`    // when it was read back in HOLD last
	// Writing: it was about to be written, so it may hold less or more than Image tells.
	Writing    bool   `json:"writing,omitempty"`
	Trouble    string `json:"trouble,omitempty"`     // why it could not be kept current, "" when it is
	TroubleFix string `json:"trouble_fix,omitempty"` // what to do about it
}

// A StickLedger counts what was done to a stick since Since: its flash wears.
type StickLedger struct {
	Since time.Time `json:"since,omitzero"`
	Loads int       `json:"loads"` // loads and patches that wrote something
	Items int       `json:"items"` // written or deleted
	Bytes int64     `json:"bytes"` // of the values written
	Boots int       `json:"boots"` // each rewrites 5 KB of flash
}

// A StagedRecord is what lies ready in a node's staging directory.
type StagedRecord struct {
	Generation int       `json:"generation"`
	At         time.Time `json:"at"` // when every file was compared last
}

// A Leaving is a device that has left the network, or was removed from it.
type Leaving struct {
	IEEE zigbee.IEEE `json:"ieee"`
	At   time.Time   `json:"at"`
}
