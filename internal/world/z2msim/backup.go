package z2msim

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
)

// openBackup is coordinator_backup.json. Hex is big-endian; the real program
// writes short addresses and PAN ids unpadded, and so does this one.
type openBackup struct {
	Metadata struct {
		Format   string         `json:"format"`
		Version  int            `json:"version"`
		Source   string         `json:"source"`
		Internal map[string]any `json:"internal"`
	} `json:"metadata"`
	StackSpecific struct {
		ZStack struct {
			Seed string `json:"tclk_seed"`
		} `json:"zstack"`
	} `json:"stack_specific"`
	Coordinator   string         `json:"coordinator_ieee"`
	PanID         string         `json:"pan_id"`
	ExtPanID      string         `json:"extended_pan_id"`
	UpdateID      int            `json:"nwk_update_id"`
	SecurityLevel int            `json:"security_level"`
	Channel       int            `json:"channel"`
	ChannelMask   []int          `json:"channel_mask"`
	NetworkKey    backupKey      `json:"network_key"`
	Devices       []backupDevice `json:"devices"`
}

type backupKey struct {
	Key      string `json:"key"`
	Sequence int    `json:"sequence_number"`
	Counter  uint32 `json:"frame_counter"`
}

type backupDevice struct {
	Nwk     *string        `json:"nwk_address"`
	IEEE    string         `json:"ieee_address"`
	Child   bool           `json:"is_child"`
	LinkKey *backupLinkKey `json:"link_key,omitempty"`
}

type backupLinkKey struct {
	Key string `json:"key"`
	RX  uint32 `json:"rx_counter"`
	TX  uint32 `json:"tx_counter"`
}

// EncodeBackup writes a stick's memory as coordinator_backup.json, as Zigbee2MQTT's
// own live backup would: the frame counter is the one saved in flash.
func EncodeBackup(m *nvimage.Image, at time.Time) ([]byte, error) {
	id, err := m.Identity()
	if err != nil {
		return nil, fmt.Errorf("back up the coordinator: %w", err)
	}
	var b openBackup
	b.Metadata.Format, b.Metadata.Version = "zigpy/open-coordinator-backup", 1
	b.Metadata.Source = "zigbee-herdsman@10.9.2"
	b.Metadata.Internal = map[string]any{"date": at.UTC().Format("2006-01-02T15:04:05.000Z"), "znpVersion": 1}
	seed, _ := m.Get(nvimage.OSAL(nvimage.TclkSeed))
	b.StackSpecific.ZStack.Seed = hex.EncodeToString(seed)
	b.Coordinator = plainHex(uint64(id.IEEE))
	b.PanID = strconv.FormatUint(uint64(id.PanID), 16)
	b.ExtPanID = plainHex(uint64(id.ExtPanID))
	b.UpdateID, b.SecurityLevel, b.Channel = int(id.UpdateID), 5, int(id.Channel)
	b.ChannelMask = channels(m)
	b.NetworkKey = backupKey{Key: hex.EncodeToString(id.Key[:]), Sequence: int(id.KeySeq), Counter: savedCounter(m, id.ExtPanID)}
	b.Devices = backupDevices(m, seed)
	return json.MarshalIndent(b, "", "  ")
}

func plainHex(v uint64) string { return fmt.Sprintf("%016x", v) }

// channels is the NIB's channel list at offset 40.
func channels(m *nvimage.Image) []int {
	nib, _ := m.Get(nvimage.OSAL(nvimage.Nib))
	out := []int{}
	if len(nib) < 44 {
		return out
	}
	for mask := binary.LittleEndian.Uint32(nib[40:]); mask != 0; mask &= mask - 1 {
		out = append(out, bits.TrailingZeros32(mask))
	}
	return out
}

const (
	anyExtPan       = zigbee.ExtPanID(0xFFFFFFFFFFFFFFFF) // the generic security material's
	fallbackCounter = 1250
)

func savedCounter(m *nvimage.Image, ext zigbee.ExtPanID) uint32 {
	for _, want := range []zigbee.ExtPanID{ext, anyExtPan} {
		for i := range uint16(16) {
			entry, ok := m.Get(nvimage.Entry(nvimage.NwkSecMaterialTable, i))
			if ok && len(entry) == 12 && zigbee.ExtPanIDFromLE(entry[4:]) == want {
				return binary.LittleEndian.Uint32(entry)
			}
		}
	}
	return fallbackCounter
}

func backupDevices(m *nvimage.Image, seed []byte) []backupDevice {
	keys := linkKeys(m, seed)
	out := []backupDevice{}
	for i := uint16(0); ; i++ {
		entry, ok := m.Get(nvimage.Entry(nvimage.AddrMgr, i))
		if !ok {
			return out
		}
		if len(entry) != 12 || entry[0] == 0xFF || entry[0]&0x03 == 0 {
			continue
		}
		nwk := strconv.FormatUint(uint64(binary.LittleEndian.Uint16(entry[2:])), 16)
		ieee := zigbee.IEEEFromLE(entry[4:])
		out = append(out, backupDevice{Nwk: &nwk, IEEE: plainHex(uint64(ieee)), Child: entry[0]&0x01 != 0, LinkKey: keys[ieee]})
	}
}

// linkKeys derives the trust centre link keys: the seed rotated left by the entry's
// shift, XOR the device's address written twice.
func linkKeys(m *nvimage.Image, seed []byte) map[zigbee.IEEE]*backupLinkKey {
	out := map[zigbee.IEEE]*backupLinkKey{}
	for i := uint16(0); len(seed) == 16; i++ {
		entry, ok := m.Get(nvimage.Entry(nvimage.TclkTable, i))
		if !ok || len(entry) != 20 {
			break
		}
		ieee := zigbee.IEEEFromLE(entry[8:])
		if entry[16] == 0xFF || ieee == 0 || ieee == zigbee.NoIEEE {
			continue
		}
		key := make([]byte, 16)
		for j := range key {
			key[j] = seed[(j+int(entry[18]))%16] ^ entry[8+j%8]
		}
		out[ieee] = &backupLinkKey{Key: hex.EncodeToString(key), TX: binary.LittleEndian.Uint32(entry), RX: binary.LittleEndian.Uint32(entry[4:])}
	}
	return out
}

// loadBackup returns nil when there is no file; a torn one is an error, on which
// Zigbee2MQTT does not start.
func loadBackup(path string) (*openBackup, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var b openBackup
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, fmt.Errorf("coordinator backup is corrupted: %w", err)
	}
	return &b, nil
}

// matches says that restoring the backup gives the network that is configured.
func (b *openBackup) matches(want zigbee.Identity) bool {
	pan, err := strconv.ParseUint(b.PanID, 16, 16)
	ext, extErr := zigbee.ParseExtPanID(b.ExtPanID)
	return err == nil && extErr == nil && zigbee.PanID(pan) == want.PanID && sameExtPan(want.ExtPanID, ext) &&
		b.NetworkKey.Key == hex.EncodeToString(want.Key[:]) && slices.Equal(b.ChannelMask, []int{int(want.Channel)})
}

func (b *openBackup) matchesAdapter(nv *nvimage.Image) bool {
	have, err := nv.Identity()
	have.Channel = zigbee.Channel(first(channels(nv)))
	return err == nil && b.matches(have)
}

func first(list []int) int {
	if len(list) == 0 {
		return 0
	}
	return list[0]
}

// memory reads what a backup needs from the running stick: some 950 reads, no
// write, no reset.
func (s *stick) memory(ctx context.Context) (*nvimage.Image, error) {
	m := nvimage.New()
	if err := s.readItems(ctx, m, nvimage.ExtAddr, nvimage.Nib, nvimage.NwkActiveKeyInfo, nvimage.PrecfgKeysEnable); err != nil {
		return nil, err
	}
	if err := s.readTable(ctx, m, nvimage.AddrMgr); err != nil {
		return nil, err
	}
	if err := s.readItems(ctx, m, nvimage.ApsLinkKeyTable, nvimage.TclkSeed); err != nil {
		return nil, err
	}
	for _, table := range []uint16{nvimage.ApsKeyDataTable, nvimage.TclkTable, nvimage.NwkSecMaterialTable} {
		if err := s.readTable(ctx, m, table); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (s *stick) readTable(ctx context.Context, m *nvimage.Image, table uint16) error {
	for i := uint16(0); ; i++ {
		id := nvimage.Entry(table, i)
		length, err := s.client.LengthNV(ctx, id.Item, id.Sub)
		if errors.Is(err, znp.ErrNoItem) || err == nil && length == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %v: %w", id, err)
		}
		value, err := s.client.ReadNV(ctx, id.Item, id.Sub, length)
		if err != nil {
			return fmt.Errorf("read %v: %w", id, err)
		}
		m.Set(id, bytes.Clone(value))
	}
}

// saveBackup makes a live backup and writes it beside the file, then renames.
func (s *stick) saveBackup(ctx context.Context, path string, at time.Time) error {
	m, err := s.memory(ctx)
	if err != nil {
		return fmt.Errorf("back up the coordinator: %w", err)
	}
	raw, err := EncodeBackup(m, at)
	if err != nil {
		return err
	}
	return replaceFile(path, raw)
}
