package netbackup

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"z2mha/internal/dongle/zigbee"
)

// document is the file as JSON has it, in the order in which Zigbee2MQTT writes it.
type document struct {
	Metadata      metadata         `json:"metadata"`
	StackSpecific *stackSpecific   `json:"stack_specific,omitempty"`
	IEEE          string           `json:"coordinator_ieee"`
	PanID         string           `json:"pan_id"`
	ExtPanID      string           `json:"extended_pan_id"`
	UpdateID      uint8            `json:"nwk_update_id"`
	SecurityLevel uint8            `json:"security_level"`
	Channel       uint8            `json:"channel"`
	ChannelMask   []int            `json:"channel_mask"`
	NetworkKey    *networkKey      `json:"network_key"`
	Devices       []deviceDocument `json:"devices"`
}

type metadata struct {
	Format   string `json:"format"`
	Version  int    `json:"version"`
	Source   string `json:"source"`
	Internal struct {
		Date       string          `json:"date,omitempty"`
		ZnpVersion json.RawMessage `json:"znpVersion,omitempty"`
	} `json:"internal"`
}

type stackSpecific struct {
	ZStack *struct {
		Seed string `json:"tclk_seed,omitempty"`
	} `json:"zstack,omitempty"`
}

type networkKey struct {
	Key          string `json:"key"`
	Sequence     uint8  `json:"sequence_number"`
	FrameCounter uint32 `json:"frame_counter"`
}

type deviceDocument struct {
	Nwk     *string          `json:"nwk_address"`
	IEEE    string           `json:"ieee_address"`
	Child   *bool            `json:"is_child,omitempty"`
	LinkKey *linkKeyDocument `json:"link_key,omitempty"`
}

type linkKeyDocument struct {
	Key       string `json:"key"`
	RxCounter uint32 `json:"rx_counter"`
	TxCounter uint32 `json:"tx_counter"`
}

// Parse reads a backup as leniently as Zigbee2MQTT does. The errors name what is missing
// or wrong, all at once, and never hold a key.
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
	b := &Backup{Source: d.Metadata.Source, SecurityLevel: d.SecurityLevel, identity: d.identity(p)}
	d.Metadata.fill(b)
	if d.StackSpecific != nil && d.StackSpecific.ZStack != nil && d.StackSpecific.ZStack.Seed != "" {
		seed := p.key("stack_specific.zstack.tclk_seed", d.StackSpecific.ZStack.Seed)
		b.Seed = &seed
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
		b.Devices = append(b.Devices, device.device(p, fmt.Sprintf("devices[%d]", i)))
	}
	return b, p.err()
}

// fill takes what Zigbee2MQTT notes for itself, where it can be read.
func (m metadata) fill(b *Backup) {
	if date, err := time.Parse(time.RFC3339, m.Internal.Date); err == nil {
		b.Date = date
	}
	var version *int
	if json.Unmarshal(m.Internal.ZnpVersion, &version) == nil {
		b.znpVersion = version
	}
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
	id.Key = p.key("network_key.key", d.NetworkKey.Key)
	return id
}

func (d deviceDocument) device(p *problems, path string) Device {
	out := Device{
		IEEE:  zigbee.IEEE(p.hex(path+".ieee_address", d.IEEE, 64)),
		Child: d.Child == nil || *d.Child,
	}
	if d.Nwk != nil {
		out.NwkKnown = true
		out.Nwk = zigbee.NwkAddr(p.hex(path+".nwk_address", *d.Nwk, 16))
	}
	if d.LinkKey != nil {
		out.LinkKey = &LinkKey{
			Key: p.key(path+".link_key.key", d.LinkKey.Key),
			Tx:  zigbee.FrameCounter(d.LinkKey.TxCounter),
			Rx:  zigbee.FrameCounter(d.LinkKey.RxCounter),
		}
	}
	return out
}

type problems struct{ list []string }

func (p *problems) add(format string, args ...any) {
	p.list = append(p.list, fmt.Sprintf(format, args...))
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

func (p *problems) key(field, digits string) (key zigbee.Key) {
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(key) {
		p.add("%s: want 32 hex digits, there are %d characters", field, len(digits))
		return key
	}
	return zigbee.Key(b)
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	return errors.New(strings.Join(p.list, "; "))
}
