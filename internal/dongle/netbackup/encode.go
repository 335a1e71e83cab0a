package netbackup

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"z2mha/internal/dongle/zigbee"
)

// isoMillis is how Zigbee2MQTT writes a date.
const isoMillis = "2006-01-02T15:04:05.000Z"

// Encode writes the file as Zigbee2MQTT does, indented by two spaces, but with all hex
// at full length: what it returns satisfies ParseStrict. The error is a *DeviationError
// for a backup that lacks something, such as one that was read from a sloppy file.
func (b *Backup) Encode() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(b.document()); err != nil {
		return nil, fmt.Errorf("write coordinator backup: %w", err)
	}
	data := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if _, err := ParseStrict(data); err != nil {
		return nil, fmt.Errorf("write coordinator backup: %w", err)
	}
	return data, nil
}

func (b *Backup) document() document {
	id := b.identity
	d := document{
		StackSpecific: &stackSpecific{},
		IEEE:          fmt.Sprintf("%016x", uint64(id.IEEE)),
		PanID:         fmt.Sprintf("%04x", uint16(id.PanID)),
		ExtPanID:      fmt.Sprintf("%016x", uint64(id.ExtPanID)),
		UpdateID:      id.UpdateID,
		SecurityLevel: b.SecurityLevel,
		Channel:       uint8(id.Channel),
		ChannelMask:   make([]int, len(b.ChannelMask)),
		NetworkKey:    &networkKey{Key: hex.EncodeToString(id.Key[:]), Sequence: id.KeySeq, FrameCounter: uint32(b.FrameCounter)},
		Devices:       make([]deviceDocument, len(b.Devices)),
	}
	d.Metadata.Format, d.Metadata.Version, d.Metadata.Source = Format, 1, b.Source
	if !b.Date.IsZero() {
		d.Metadata.Internal.Date = b.Date.UTC().Format(isoMillis)
	}
	if b.znpVersion != nil {
		d.Metadata.Internal.ZnpVersion = fmt.Append(nil, *b.znpVersion)
	}
	if b.Seed != nil {
		d.StackSpecific.zstack(*b.Seed)
	}
	for i, c := range b.ChannelMask {
		d.ChannelMask[i] = int(c)
	}
	for i, device := range b.Devices {
		d.Devices[i] = device.document()
	}
	return d
}

func (s *stackSpecific) zstack(seed zigbee.Key) {
	s.ZStack = &struct {
		Seed string `json:"tclk_seed,omitempty"`
	}{hex.EncodeToString(seed[:])}
}

func (d Device) document() deviceDocument {
	out := deviceDocument{IEEE: fmt.Sprintf("%016x", uint64(d.IEEE)), Child: &d.Child}
	if d.NwkKnown {
		nwk := fmt.Sprintf("%04x", uint16(d.Nwk))
		out.Nwk = &nwk
	}
	if k := d.LinkKey; k != nil {
		out.LinkKey = &linkKeyDocument{Key: hex.EncodeToString(k.Key[:]), RxCounter: uint32(k.Rx), TxCounter: uint32(k.Tx)}
	}
	return out
}
