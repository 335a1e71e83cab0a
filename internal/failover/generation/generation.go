// Package generation describes one numbered, hashed capture of the active node:
// its data directory and, when it could be read, the stick's memory. It is a
// description only; the bytes lie on the shelf under their SHA-256.
package generation

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
)

// ErrNone is a network that has no such generation.
var ErrNone = errors.New("no such generation on the shelf")

// A File is one regular file of the data directory.
type File struct {
	Path   string `json:"path"` // slash-separated, relative to the data directory
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // lower-case hex
	Mode   uint32 `json:"mode"`   // permission bits
}

// A Summary is what a check of the captured files found: who this network is and
// how large it is. The key appears as a fingerprint only.
type Summary struct {
	PanID          string              `json:"pan_id"`
	ExtPanID       string              `json:"ext_pan_id"`
	Channel        uint8               `json:"channel"`
	Coordinator    string              `json:"coordinator"` // IEEE address
	KeyFingerprint string              `json:"key_fingerprint"`
	Devices        int                 `json:"devices"` // lines of database.db that are not the coordinator
	BackupCounter  zigbee.FrameCounter `json:"backup_counter"`
	BackupDevices  int                 `json:"backup_devices,omitempty"` // entries of coordinator_backup.json
	BackupKeys     int                 `json:"backup_keys,omitempty"`    // of them with a link key
	Named          int                 `json:"named,omitempty"`          // devices that configuration.yaml names
	Version        string              `json:"zigbee2mqtt,omitempty"`
	Warnings       []string            `json:"warnings,omitempty"`
	// Members are the devices of database.db without the coordinator, sorted by address.
	// A generation from before they were noted has none although Devices is not 0.
	Members []Member `json:"members,omitempty"`
}

// A Member is one device of a network.
type Member struct {
	IEEE zigbee.IEEE `json:"ieee"`
	Name string      `json:"name,omitempty"` // as configuration.yaml has it, "" when it has none
	// LinkKey: coordinator_backup.json has a link key for it.
	LinkKey bool `json:"link_key,omitempty"`
}

// String is the name with the address behind it, or the address alone.
func (m Member) String() string {
	if m.Name == "" {
		return m.IEEE.String()
	}
	return fmt.Sprintf("%s (%v)", m.Name, m.IEEE)
}

// A Generation is one capture. Files are sorted by path.
type Generation struct {
	Number  int       `json:"number"`
	Network string    `json:"network"`
	Source  string    `json:"source"` // node the data came from
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
	Files   []File    `json:"files"`
	Summary Summary   `json:"summary"`

	// StickImage is the SHA-256 of the stick's image on the shelf, "" when the
	// stick was not read for this generation; Stick is what it was read from.
	StickImage string        `json:"stick_image,omitempty"`
	Stick      nvimage.Stick `json:"stick,omitzero"`

	// Refused says why this capture must not reach a stand-by, "" when it may. Accepted is
	// who took it all the same, and when.
	Refused  []string  `json:"refused,omitempty"`
	Accepted *Accepted `json:"accepted,omitempty"`
	// Pinned generations are never removed by the retention rule.
	Pinned bool `json:"pinned,omitempty"`

	Hash string `json:"hash"` // see ContentHash
}

// Accepted is a person's word that a capture is right although it was refused.
type Accepted struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Usable says that g may be brought to a stand-by.
func (g Generation) Usable() bool { return len(g.Refused) == 0 || g.Accepted != nil }

// Whole says that g has the three files without which Zigbee2MQTT does not find its
// network again. An imported image of a stick has none of them.
func (g Generation) Whole() bool {
	for _, path := range []string{"configuration.yaml", databaseFile, "coordinator_backup.json"} {
		if _, ok := g.File(path); !ok {
			return false
		}
	}
	return true
}

// ContentHash is the SHA-256 over path, mode and hash of every file and the stick
// image: equal hashes mean equal content, whatever number or time they carry.
func (g Generation) ContentHash() string {
	files := slices.Clone(g.Files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%q %04o %s\n", f.Path, f.Mode, f.SHA256)
	}
	fmt.Fprintf(h, "stick %s\n", g.StickImage)
	return hex.EncodeToString(h.Sum(nil))
}

// File returns the file of that path.
func (g Generation) File(path string) (File, bool) {
	i := slices.IndexFunc(g.Files, func(f File) bool { return f.Path == path })
	if i < 0 {
		return File{}, false
	}
	return g.Files[i], true
}
