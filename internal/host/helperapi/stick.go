package helperapi

import (
	"encoding/json"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

// StateHold is the name of the only device state in which a stick's radio is
// silent and its memory may be written.
const StateHold = "HOLD"

// USB is what the kernel knows of a USB serial adapter without opening it.
type USB struct {
	VendorID     string `json:"vendor_id"` // four hex digits
	ProductID    string `json:"product_id"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Product      string `json:"product,omitempty"`
	Serial       string `json:"serial,omitempty"` // "0001" on early batches: not unique
}

// NetworkInfo is the network a running stick says it is on.
type NetworkInfo struct {
	PanID    zigbee.PanID    `json:"pan_id"`
	ExtPanID zigbee.ExtPanID `json:"ext_pan_id"`
	Channel  zigbee.Channel  `json:"channel"`
}

// InfoResult is the answer of info. Nothing was changed, not even reset.
type InfoResult struct {
	Port    string         `json:"port"`
	Stick   nvimage.Stick  `json:"stick"`
	IEEE    zigbee.IEEE    `json:"ieee"`  // address in effect, possibly a cloned one
	State   string         `json:"state"` // HOLD, COORDINATOR …
	NwkAddr zigbee.NwkAddr `json:"nwk_addr"`
	Network *NetworkInfo   `json:"network,omitempty"` // nil in HOLD
	USB     *USB           `json:"usb,omitempty"`
}

// ReadResult is the answer of read. Image is JSON in zigpy-znp's form and contains
// keys.
type ReadResult struct {
	Stick nvimage.Stick   `json:"stick"`
	Image json.RawMessage `json:"image,omitempty"` // absent when -o took it
	Hash  string          `json:"hash"`            // nvimage.Image.Hash
	State string          `json:"state"`
	Path  string          `json:"path,omitempty"` // where -o put it
}

// A Layout says which items a stick holds, without their values: the length of each OSAL
// item by its id, and the tables by their item.
type Layout struct {
	Items  map[uint16]int   `json:"items"`
	Tables map[uint16]Table `json:"tables"`
}

// A Table has Count entries; the first has Length bytes.
type Table struct {
	Count  int `json:"count"`
	Length int `json:"length"`
}

// LayoutOf is how l is said on standard input.
func LayoutOf(l nvimage.Layout) Layout {
	out := Layout{Items: make(map[uint16]int), Tables: make(map[uint16]Table)}
	for id, length := range l.Items {
		out.Items[id.Sub] = length
	}
	for table, count := range l.Counts {
		out.Tables[table] = Table{count, l.EntryLen[table]}
	}
	return out
}

// Image is l as nvram.ReadKnown takes it.
func (l Layout) Image() nvimage.Layout {
	out := nvimage.Layout{Items: make(map[nvimage.ID]int), Counts: make(map[uint16]int), EntryLen: make(map[uint16]int)}
	for id, length := range l.Items {
		out.Items[nvimage.OSAL(id)] = length
	}
	for table, t := range l.Tables {
		out.Counts[table], out.EntryLen[table] = t.Count, t.Length
	}
	return out
}

// Cost counts request-answer pairs and bytes on the wire, both directions.
type Cost struct {
	Exchanges int   `json:"exchanges"`
	Bytes     int64 `json:"bytes"`
}

// A WriteReport is what a write did to the stick, every written item read back.
type WriteReport struct {
	BeforeHash string `json:"before_hash"`
	Written    int    `json:"written"`
	Deleted    int    `json:"deleted"`
	Bytes      int    `json:"bytes"` // of the values written
	Unchanged  int    `json:"unchanged"`
	Compare    Cost   `json:"compare"`
	Write      Cost   `json:"write"`
	ReadBack   Cost   `json:"read_back"`
	Boots      int    `json:"boots"` // 0 when nothing differed
}

// WriteResult is the answer of write. KeptPath holds the stick's old content, ""
// when nothing differed and nothing was written.
type WriteResult struct {
	Report   WriteReport   `json:"report"`
	Stick    nvimage.Stick `json:"stick"`
	KeptPath string        `json:"kept_path,omitempty"`
	KeptHash string        `json:"kept_hash,omitempty"`
	State    string        `json:"state"` // read back after the last reset
}

// A Patch is what patch is told on standard input. Both images are in zigpy-znp's form,
// contain keys, and hold no more than the items that nvram.PatchItems names.
type Patch struct {
	From  nvimage.Stick   `json:"from"`  // firmware of both, and of the stick
	Known json.RawMessage `json:"known"` // what the stick holds
	Want  json.RawMessage `json:"want"`
}

// PatchResult is the answer of patch. It holds no secrets: what was written its reader
// knows already.
type PatchResult struct {
	Written  int           `json:"written"`
	Deleted  int           `json:"deleted"`
	Bytes    int           `json:"bytes"` // of the values written
	Boots    int           `json:"boots"`
	Cost     Cost          `json:"cost"`            // without the connecting
	Ahead    []Ahead       `json:"ahead,omitempty"` // before a reset
	Stick    nvimage.Stick `json:"stick"`
	KeptPath string        `json:"kept_path,omitempty"` // old values of what was to be changed
	State    string        `json:"state"`               // read back at the end
}

// Ahead is a transmit counter with which a stick was ahead of what it was to hold.
type Ahead struct {
	Item    uint16              `json:"item"` // as in nvimage.ID
	Sub     uint16              `json:"sub"`
	Counter zigbee.FrameCounter `json:"counter"`
}

// VerifyResult is the answer of verify; with Equal false the exit status is
// ExitDiffers, and the result is still printed. Differs names items, never values.
type VerifyResult struct {
	Equal   bool     `json:"equal"`
	Differs []string `json:"differs,omitempty"`
}

// A Silence is proof, read from the stick at the time At of its host, that the
// radio is off. A result returned again for a known run id is as old as At says.
type Silence struct {
	State   string        `json:"state"` // HOLD
	Reset   bool          `json:"reset"` // false: it was in HOLD already
	Address zigbee.IEEE   `json:"address"`
	Stick   nvimage.Stick `json:"stick"`
	At      time.Time     `json:"at"`
}

// ResetResult is the answer of reset and of park.
type ResetResult struct {
	Silence Silence `json:"silence"`
}

// AwayResult is the answer of unplug and of replug.
type AwayResult struct {
	Device string `json:"device"` // on the bus: "1-1.4"
	USB    USB    `json:"usb"`
	Away   bool   `json:"away"` // read back: the host leaves it alone, and its tty is gone
}

// HeardResult is the answer of listen.
type HeardResult struct {
	Coordinator bool             `json:"coordinator"` // 0x0000 of the network answered
	Neighbours  []zigbee.NwkAddr `json:"neighbours,omitempty"`
	Others      int              `json:"others,omitempty"` // beacons of other networks
	State       string           `json:"state"`            // HOLD, read back at the end
}
