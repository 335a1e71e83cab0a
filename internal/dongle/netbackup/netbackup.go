// Package netbackup is the Open Coordinator Backup (zigpy/open-coordinator-backup) that
// Zigbee2MQTT keeps as coordinator_backup.json: read, written, taken from the memory of
// a stick, and laid over one.
//
// All hex in it is big-endian, as people write it. Zigbee2MQTT writes short numbers
// without leading zeros, which the format forbids; Parse takes both, ParseStrict does
// not. The counters in it are the last ones that the stick had saved: the network's is
// about 1000 behind what was sent.
//
// It tells less than a stick's memory. Bindings, children's rows, groups and whatever
// else the stack keeps are not in it, so that it cannot make a coordinator out of
// nothing; see Apply.
package netbackup

import (
	"fmt"
	"log/slog"
	"time"

	"z2mha/internal/dongle/zigbee"
)

// Format is what a backup's metadata calls itself.
const Format = "zigpy/open-coordinator-backup"

// A Backup is what the file says. It prints without its keys.
type Backup struct {
	Source        string    // program that wrote it, such as "zigbee-herdsman@10.9.0"
	Date          time.Time // zero when the file does not tell
	FrameCounter  zigbee.FrameCounter
	SecurityLevel uint8 // 5 in every network known; 0 when the file does not tell
	ChannelMask   []zigbee.Channel
	Seed          *zigbee.Key // of the trust-centre link keys; nil when the file does not tell
	Devices       []Device

	identity   zigbee.Identity
	znpVersion *int // Zigbee2MQTT's note of the stack, kept for Encode
}

// A Device is one device of a backup.
type Device struct {
	IEEE     zigbee.IEEE
	Nwk      zigbee.NwkAddr
	NwkKnown bool
	Child    bool
	LinkKey  *LinkKey // nil when it has none
}

// A LinkKey is a device's own key with the trust centre, and the counters of both sides.
type LinkKey struct {
	Key zigbee.Key
	Tx  zigbee.FrameCounter // of frames to the device
	Rx  zigbee.FrameCounter // the lowest that the coordinator takes from the device
}

// Identity is the network and coordinator that the backup restores, the key's sequence
// number and the update id included.
func (b Backup) Identity() zigbee.Identity { return b.identity }

// String tells what the backup is of, without keys.
func (b Backup) String() string {
	return fmt.Sprintf("backup of PAN %v, coordinator %v, %d devices", b.identity.PanID, b.identity.IEEE, len(b.Devices))
}

// Format keeps the keys out of %v, %#v, %x and every other verb.
func (b Backup) Format(f fmt.State, _ rune) { fmt.Fprint(f, b.String()) }

// LogValue keeps the keys out of logs.
func (b Backup) LogValue() slog.Value { return slog.StringValue(b.String()) }
