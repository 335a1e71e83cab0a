package helperapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Holder is a process that uses a port or a directory.
type Holder struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`          // as in ps, shortened
	Locked  bool   `json:"locked,omitempty"` // it also holds a lock on the device
	Why     string `json:"why,omitempty"`    // for directories: environment, working directory or open file
	Ours    bool   `json:"ours,omitempty"`   // it is a znp-helper from the folder of the one that looks
}

// ProbeResult is the answer of probe: one look at the host that changes nothing
// and never opens the tty.
type ProbeResult struct {
	Time     time.Time `json:"time"`      // the host's clock
	Hostname string    `json:"hostname"`  //
	HostID   string    `json:"host_id"`   // hash of the machine id: equal for two nodes on one host
	BootID   string    `json:"boot_id"`   // changes with every boot
	UptimeMS int64     `json:"uptime_ms"` // since that boot

	TTY         *TTY     `json:"tty,omitempty"`          // nil when no port was asked for
	Also        *TTY     `json:"also,omitempty"`         // another name, perhaps of the same port
	Holders     []Holder `json:"holders,omitempty"`      // of the port
	DataHolders []Holder `json:"data_holders,omitempty"` // of the data directory

	Data    *DataDir `json:"data,omitempty"`
	Staging *DataDir `json:"staging,omitempty"`
	Version string   `json:"zigbee2mqtt,omitempty"` // of the program, when it can be found

	Broker *Reach `json:"broker,omitempty"`
	Root   bool   `json:"root,omitempty"` // root looked

	// ModemManager says that ModemManager runs and was not told to leave the port alone.
	ModemManager bool `json:"modem_manager,omitempty"`

	// Blind says that some processes could not be looked into (other users',
	// without root; those outside of a container), so an empty list of holders proves
	// nothing.
	Blind       bool   `json:"blind,omitempty"`
	BlindReason string `json:"blind_reason,omitempty"`
	BlindRemedy string `json:"blind_remedy,omitempty"` // what to do about it
	// Contained says, in words, that processes outside of a container could not be
	// seen. Alone it is a warning: nothing outside is likely to use the port.
	Contained string `json:"contained,omitempty"`
}

// Reach is whether a TCP port could be connected to.
type Reach struct {
	Address string `json:"address"`
	OK      bool   `json:"ok"`
	Why     string `json:"why,omitempty"`
	TookMS  int64  `json:"took_ms"`
	Here    bool   `json:"here,omitempty"` // the address is one of this machine
}

// EndResult is the answer of end. Nobody is killed who was not seen to have saved.
type EndResult struct {
	Found  []Holder `json:"found,omitempty"` // who was to end
	Saved  bool     `json:"saved"`           // state.json and database.db are new and whole
	SaveMS int64    `json:"save_ms"`         // until that was seen
	Killed []Holder `json:"killed,omitempty"`
	Gone   bool     `json:"gone"` // nobody uses port or directory
	TookMS int64    `json:"took_ms"`
	Why    string   `json:"why,omitempty"` // it was not ended, or not by us
}

// A TTY is the port asked for, seen from outside.
type TTY struct {
	Path     string `json:"path"`
	Resolved string `json:"resolved,omitempty"` // behind by-id links
	Present  bool   `json:"present"`            // for tcp:// always true: nothing was asked
	Device   string `json:"device,omitempty"`   // major:minor
	USB      *USB   `json:"usb,omitempty"`
}

// A DataDir is a directory and the room where it lies, or would lie.
type DataDir struct {
	Path       string `json:"path"`
	Resolved   string `json:"resolved,omitempty"`
	Exists     bool   `json:"exists"`
	UID        int    `json:"uid"`
	GID        int    `json:"gid"`
	Mode       uint32 `json:"mode"` // permission bits
	FreeBytes  int64  `json:"free_bytes"`
	TotalBytes int64  `json:"total_bytes"`
	Device     uint64 `json:"device"` // equal for two directories that can be exchanged
	Inode      uint64 `json:"inode"`  // 0 for one that is not there
}

// A File is one file or link below a manifest's root.
type File struct {
	Path   string    `json:"path"` // slash-separated, relative
	Size   int64     `json:"size"`
	Mode   uint32    `json:"mode"` // permission bits
	UID    int       `json:"uid"`
	GID    int       `json:"gid"`
	MTime  time.Time `json:"mtime"`
	SHA256 string    `json:"sha256,omitempty"` // lower-case hex; "" for a link
	Link   string    `json:"link,omitempty"`   // target; links are never followed
}

// HashFiles names a list of files by what they are, whatever its order: path, mode,
// and content or link target of each. It is a SHA-256 in lower-case hex.
func HashFiles(files []File) string {
	lines := make([]string, len(files))
	for i, f := range files {
		lines[i] = fmt.Sprintf("%q %o %s %q\n", f.Path, f.Mode, f.SHA256, f.Link)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}

// ManifestResult is the answer of manifest. Files are sorted by path. Stable is
// false when a file kept changing while it was read; Changing names those files and
// they must not be copied.
type ManifestResult struct {
	Root     string   `json:"root"` // links resolved
	Files    []File   `json:"files"`
	Hash     string   `json:"hash,omitempty"` // HashFiles of Files, when Stable
	Stable   bool     `json:"stable"`
	Changing []string `json:"changing,omitempty"`
	Skipped  []string `json:"skipped,omitempty"` // sockets, devices …, with the reason
}

// The ways a promotion can go.
const (
	MethodExchange = "exchange" // both directories changed places in one step
	MethodRename   = "rename"   // file by file, configuration.yaml last
)

// PromoteResult is the answer of promote, of its undo too.
type PromoteResult struct {
	Method   string `json:"method"`
	Data     string `json:"data"`
	Previous string `json:"previous"` // where the old data lies now
	Files    int    `json:"files"`    // read back and equal to the manifest
	Undone   bool   `json:"undone,omitempty"`
}

// VersionResult is the answer of version.
type VersionResult struct {
	API    int    `json:"api"`
	Build  string `json:"build"` // module version or revision, "" when unknown
	GOOS   string `json:"goos"`
	GOARCH string `json:"goarch"`
}
