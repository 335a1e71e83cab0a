// Package parcel takes network state out of the shelf and into it in the forms that
// other programs know:
//
//	zip     a whole data directory, as Zigbee2MQTT's bridge/request/backup packs it
//	znp     a stick's memory, as zigpy-znp's nvram_read writes it
//	backup  a coordinator's state, the Open Coordinator Backup (coordinator_backup.json)
//
// All of them hold the network key: whoever has one can read and control the network.
//
// What comes in was made by somebody else, so it is read within limits, it must be
// whole, and what it becomes is refused until a person accepts it.
package parcel

import (
	"io"

	"z2mha/internal/failover/generation"
)

// A Form is one of the forms above.
type Form string

const (
	Zip    Form = "zip"
	Dump   Form = "znp"
	Backup Form = "backup"
)

// A Shelf is what a parcel is taken from or put on.
type Shelf interface {
	Put(sha256 string, r io.Reader) error
	Open(sha256 string) (io.ReadCloser, error)
	Add(generation.Generation) (generation.Generation, error)
}

// Source is where an imported generation says it comes from. It is no node's name that
// anything acts on, because the generation is refused.
const Source = "import"

// Refusal is why an imported generation reaches no stand-by by itself.
const Refusal = "imported by hand"

const backupFile = "coordinator_backup.json"
