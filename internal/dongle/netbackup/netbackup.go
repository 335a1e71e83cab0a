// Package netbackup reads the Open Coordinator Backup (zigpy/open-coordinator-backup)
// that Zigbee2MQTT keeps as coordinator_backup.json.
//
// All hex in it is big-endian, as people write it. Zigbee2MQTT writes short numbers
// without leading zeros, which the format forbids; this reader takes both. The frame
// counter in it is the last one that the stick had saved, so about 1000 behind what
// was sent.
package netbackup

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"z2mha/internal/dongle/zigbee"
)

// Format is what a backup's metadata calls itself.
const Format = "zigpy/open-coordinator-backup"

// A Backup is what the file says. It prints without its keys.
type Backup struct {
	Source       string    // program that wrote it, such as "zigbee-herdsman@10.9.0"
	Date         time.Time // zero when the file does not tell
	FrameCounter zigbee.FrameCounter
	ChannelMask  []zigbee.Channel
	Devices      []Device

	identity zigbee.Identity
}

// A Device is one device of a backup; its link key is not kept.
type Device struct {
	IEEE      zigbee.IEEE
	Nwk       zigbee.NwkAddr
	NwkKnown  bool
	Child     bool
	LinkKey   bool
	TxCounter zigbee.FrameCounter // of the link key
}

// Identity is the network and coordinator that the backup restores.
func (b *Backup) Identity() zigbee.Identity { return b.identity }

// String tells what the backup is of, without keys.
func (b *Backup) String() string {
	return fmt.Sprintf("backup of PAN %v, coordinator %v, %d devices", b.identity.PanID, b.identity.IEEE, len(b.Devices))
}

// LogValue keeps the keys out of logs.
func (b *Backup) LogValue() slog.Value { return slog.StringValue(b.String()) }

// document is the file as JSON has it.
type document struct {
	Metadata struct {
		Format   string `json:"format"`
		Version  int    `json:"version"`
		Source   string `json:"source"`
		Internal struct {
			Date string `json:"date"`
		} `json:"internal"`
	} `json:"metadata"`
	IEEE        string `json:"coordinator_ieee"`
	PanID       string `json:"pan_id"`
	ExtPanID    string `json:"extended_pan_id"`
	UpdateID    uint8  `json:"nwk_update_id"`
	Channel     uint8  `json:"channel"`
	ChannelMask []int  `json:"channel_mask"`
	NetworkKey  *struct {
		Key          string `json:"key"`
		Sequence     uint8  `json:"sequence_number"`
		FrameCounter uint32 `json:"frame_counter"`
	} `json:"network_key"`
	Devices []deviceDocument `json:"devices"`
}

type deviceDocument struct {
	Nwk     *string `json:"nwk_address"`
	IEEE    string  `json:"ieee_address"`
	Child   *bool   `json:"is_child"`
	LinkKey *struct {
		Key       string `json:"key"`
		TxCounter uint32 `json:"tx_counter"`
	} `json:"link_key"`
}

// Parse reads a backup. The errors name what is missing or wrong, all at once, and
// never hold a key.
func Parse(data []byte) (*Backup, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("parse coordinator backup: %w", jsonError(err, data))
	}
	b, err := d.backup()
	if err != nil {
		return nil, fmt.Errorf("parse coordinator backup: %w", err)
	}
	return b, nil
}

// jsonError says what is wrong without quoting values.
func jsonError(err error, data []byte) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("%s: want a %v, not a %s", kind.Field, kind.Type, strings.Fields(kind.Value)[0])
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := 1 + strings.Count(string(data[:min(int(syntax.Offset), len(data))]), "\n")
		return fmt.Errorf("line %d: %w; the file was cut off or edited", line, err)
	}
	return err
}

func (d document) backup() (*Backup, error) {
	if d.Metadata.Format != Format {
		return nil, fmt.Errorf("metadata.format is %.40q, want %q: this is no coordinator backup", d.Metadata.Format, Format)
	}
	if d.Metadata.Version != 1 {
		return nil, fmt.Errorf("metadata.version is %d, only 1 is known", d.Metadata.Version)
	}
	p := &problems{}
	b := &Backup{Source: d.Metadata.Source, identity: d.identity(p)}
	if date, err := time.Parse(time.RFC3339, d.Metadata.Internal.Date); err == nil {
		b.Date = date
	}
	if d.NetworkKey != nil {
		b.FrameCounter = zigbee.FrameCounter(d.NetworkKey.FrameCounter)
	}
	for _, c := range d.ChannelMask {
		if c < 11 || c > 26 {
			p.add("channel_mask holds %d, want 11 to 26", c)
		}
		b.ChannelMask = append(b.ChannelMask, zigbee.Channel(c))
	}
	for i, device := range d.Devices {
		b.Devices = append(b.Devices, device.device(p, i))
	}
	return b, p.err()
}

func (d document) identity(p *problems) zigbee.Identity {
	id := zigbee.Identity{
		PanID:    zigbee.PanID(p.hex("pan_id", d.PanID, 16)),
		ExtPanID: zigbee.ExtPanID(p.hex("extended_pan_id", d.ExtPanID, 64)),
		Channel:  zigbee.Channel(d.Channel),
		IEEE:     zigbee.IEEE(p.hex("coordinator_ieee", d.IEEE, 64)),
		UpdateID: d.UpdateID,
	}
	if d.Channel < 11 || d.Channel > 26 {
		p.add("channel is %d, want 11 to 26", d.Channel)
	}
	if d.NetworkKey == nil {
		p.add("network_key is missing")
		return id
	}
	id.KeySeq = d.NetworkKey.Sequence
	key, err := hex.DecodeString(d.NetworkKey.Key)
	if err != nil || len(key) != len(id.Key) {
		p.add("network_key.key: want 32 hex digits, there are %d characters", len(d.NetworkKey.Key))
		return id
	}
	id.Key = zigbee.Key(key)
	return id
}

func (d deviceDocument) device(p *problems, i int) Device {
	out := Device{
		IEEE:  zigbee.IEEE(p.hex(fmt.Sprintf("devices[%d].ieee_address", i), d.IEEE, 64)),
		Child: d.Child == nil || *d.Child,
	}
	if d.Nwk != nil {
		out.NwkKnown = true
		out.Nwk = zigbee.NwkAddr(p.hex(fmt.Sprintf("devices[%d].nwk_address", i), *d.Nwk, 16))
	}
	if d.LinkKey != nil {
		out.LinkKey = true
		out.TxCounter = zigbee.FrameCounter(d.LinkKey.TxCounter)
	}
	return out
}

type problems struct{ list []error }

func (p *problems) add(format string, args ...any) {
	p.list = append(p.list, fmt.Errorf(format, args...))
}

// hex reads a number of up to so many bits, with or without leading zeros.
func (p *problems) hex(field, digits string, bits int) uint64 {
	v, err := strconv.ParseUint(digits, 16, bits)
	switch {
	case digits == "":
		p.add("%s is missing", field)
	case err != nil:
		p.add("%s: want up to %d hex digits", field, bits/4)
	}
	return v
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	texts := make([]string, len(p.list))
	for i, e := range p.list {
		texts[i] = e.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}
