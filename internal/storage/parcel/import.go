package parcel

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/generation"
)

// MaxBytes is the largest parcel that is read.
const MaxBytes = 64 << 20

// Import puts a parcel on the shelf as the network's next generation: pinned, and
// refused until a person accepts it. It finds out the form by itself and also takes
// the whole answer to bridge/request/backup. Nothing is added when anything is wrong
// with it; the error names what, and holds no value from it.
func Import(s Shelf, net, reason string, data []byte, now time.Time) (generation.Generation, error) {
	g := generation.Generation{Network: net, Source: Source, Reason: reason, At: now.UTC(), Refused: []string{Refusal}, Pinned: true}
	if len(data) > MaxBytes {
		return g, fmt.Errorf("import: %d bytes, more than %d: this is no backup of a Zigbee network", len(data), MaxBytes)
	}
	if err := fill(s, &g, data); err != nil {
		return g, fmt.Errorf("import: %w", err)
	}
	return s.Add(g)
}

func fill(s Shelf, g *generation.Generation, data []byte) error {
	if bytes.HasPrefix(data, []byte("PK")) {
		return unzip(s, g, data)
	}
	var what struct {
		Metadata struct {
			Format string `json:"format"`
		} `json:"metadata"`
		Data struct {
			Zip string `json:"zip"`
		} `json:"data"`
		Zip string `json:"zip"`
	}
	if !json.Valid(data) {
		return errors.New("neither a zip file nor JSON; give a backup of Zigbee2MQTT (zip), a dump of zigpy-znp or a coordinator backup, whole and unchanged")
	}
	_ = json.Unmarshal(data, &what) // other shapes have none of it
	switch packed := what.Data.Zip + what.Zip; {
	case packed != "":
		raw, err := base64.StdEncoding.DecodeString(packed)
		if err != nil {
			return errors.New("the zip in the answer to bridge/request/backup is not whole base64")
		}
		return unzip(s, g, raw)
	case what.Metadata.Format != "":
		return coordinator(s, g, data)
	}
	return dump(s, g, data)
}

// coordinator takes a coordinator backup by itself.
func coordinator(s Shelf, g *generation.Generation, data []byte) error {
	b, err := netbackup.Parse(data)
	if err != nil {
		return err
	}
	id := b.Identity()
	g.Summary = generation.Summary{
		PanID: id.PanID.String(), ExtPanID: id.ExtPanID.String(), Channel: uint8(id.Channel), Coordinator: id.IEEE.String(),
		KeyFingerprint: id.Key.Fingerprint(), BackupCounter: b.FrameCounter, BackupDevices: len(b.Devices),
	}
	for _, d := range b.Devices {
		if d.LinkKey != nil {
			g.Summary.BackupKeys++
		}
	}
	f, err := put(s, backupFile, data)
	g.Files = []generation.File{f}
	return err
}

// dump takes a stick's memory. It is stored as we write it ourselves.
func dump(s Shelf, g *generation.Generation, data []byte) error {
	m, err := nvimage.Parse(data)
	if err != nil {
		return err
	}
	id, err := m.Identity()
	if err != nil {
		return fmt.Errorf("the dump tells of no network: %w", err)
	}
	g.Summary = generation.Summary{
		PanID: id.PanID.String(), ExtPanID: id.ExtPanID.String(), Channel: uint8(id.Channel),
		Coordinator: id.IEEE.String(), KeyFingerprint: id.Key.Fingerprint(),
		Warnings: []string{fmt.Sprintf("the stick's memory only, with %d devices; there is no data directory with it", len(m.Devices()))},
	}
	f, err := put(s, "", m.Encode())
	g.StickImage = f.SHA256
	return err
}

func put(s Shelf, path string, content []byte) (generation.File, error) {
	sum := sha256.Sum256(content)
	f := generation.File{Path: path, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Mode: 0o600}
	return f, s.Put(f.SHA256, bytes.NewReader(content))
}

// leftOut are the directories that no capture has either: the first stay where they
// are, the last is made anew by Zigbee2MQTT.
var leftOut = []string{"log", "ota", "node_modules"}

func ignored(path string) bool {
	parts := strings.Split(path, "/")
	return parts[0] == leftOut[0] || parts[0] == leftOut[1] || slices.Contains(parts, leftOut[2])
}
