// Package network holds what the controller knows about one Zigbee network and
// its nodes: plain values that observations fill and decisions read. It has no
// clock, no I/O and no goroutine.
package network

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
)

// A Role is what a node is for its network at the moment.
type Role string

const (
	RoleActive  Role = "active"  // its Zigbee2MQTT runs and its stick is on air
	RoleStandby Role = "standby" // Zigbee2MQTT stopped, stick parked
	RoleFenced  Role = "fenced"  // silenced with evidence
	RoleOffline Role = "offline" // not reachable
	RoleUnknown Role = "unknown" // the evidence contradicts itself or is missing
)

// A Process is a program seen on a node.
type Process struct {
	Ours    bool   `json:"ours,omitempty"` // our own znp-helper, which ends by itself
	PID     int    `json:"pid"`
	Command string `json:"command"` // as in ps, shortened, without secrets
}

func (p Process) String() string { return fmt.Sprintf("%s (pid %d)", p.Command, p.PID) }

// ServiceState is what a node's service manager says. It is a hint, never proof.
type ServiceState string

const (
	ServiceRunning ServiceState = "running"
	ServiceStopped ServiceState = "stopped"
	ServiceFailed  ServiceState = "failed"
	ServiceUnknown ServiceState = "unknown"
)

// An Observation is one passive look at a node. Looking changes nothing: the tty
// is never opened.
type Observation struct {
	Node       string       `json:"node"`
	At         time.Time    `json:"at"` // controller's clock
	Service    ServiceState `json:"service"`
	Enabled    string       `json:"enabled,omitempty"`    // starts at boot: "yes", "no", "masked"; "" not known
	StartedBy  string       `json:"started_by,omitempty"` // other services that start it although it is not enabled
	TTY        string       `json:"tty"`                  // configured device or tcp:// address
	TTYPresent bool         `json:"tty_present"`
	TTYHolders []Process    `json:"tty_holders,omitempty"`
	// DataHolders are processes that run on the data directory, whether or not
	// they have the stick open.
	DataHolders []Process `json:"data_holders,omitempty"`
	DataExists  bool      `json:"data_exists"`
	// FreeBytes is the space left where data and staging lie, the lesser of the two.
	FreeBytes int64  `json:"free_bytes"`
	Version   string `json:"zigbee2mqtt,omitempty"`
	// HostID (the kernel's boot id), TTYDevice (the device behind the links) and
	// DataID (device and inode) tell whether two nodes are really one machine, one
	// stick or one directory. A machine-id will not do: copied SD cards share it.
	HostID    string `json:"host_id"`
	TTYDevice string `json:"tty_device,omitempty"`
	DataID    string `json:"data_id,omitempty"`
	Stick     string `json:"stick,omitempty"` // what USB says: maker, product, serial

	// Privileges is why not everything on the host could be seen, although nothing is
	// likely to be hidden; "" when root looked at all of it. A look that may have missed
	// somebody is an error instead.
	Privileges string `json:"privileges,omitempty"`
	// Broker is whether the broker can be reached from the node; nil when nobody asked.
	Broker *Reach `json:"broker,omitempty"`
	// BrokerHere says that the broker's address is one of this very machine, so that both
	// are lost together.
	BrokerHere bool `json:"broker_here,omitempty"`

	// Restart is what the service manager does when Zigbee2MQTT ends by itself, in the
	// manager's words, such as "always" or "supervise-daemon"; "" not known.
	Restart string `json:"restart,omitempty"`
	// Watchdog is Z2M_WATCHDOG of the service, with which Zigbee2MQTT starts itself again;
	// "" when it is not set or not known.
	Watchdog string `json:"watchdog,omitempty"`
	// ModemManager runs on the host and may open the stick.
	ModemManager bool `json:"modem_manager,omitempty"`
	// Disable is the command line with which a person keeps the service from starting at
	// boot, "" when that is not known.
	Disable string `json:"disable,omitempty"`
	// ServiceTrouble is why the service manager could not tell anything of the service,
	// such as that there is none of that name; nil when it could, or has no way to.
	ServiceTrouble *RefusedError `json:"service_trouble,omitempty"`
}

// Runs says that a program uses the stick or the data directory.
func (o Observation) Runs() bool { return len(o.TTYHolders) > 0 || len(o.DataHolders) > 0 }

// Active says that Zigbee2MQTT runs here and holds its stick.
func (o Observation) Active() bool { return len(o.TTYHolders) > 0 && len(o.DataHolders) > 0 }

// Stopped says that nobody uses the stick or the data directory, and that the
// service manager is not about to start somebody.
func (o Observation) Stopped() bool { return o.WhyNotStopped() == "" }

// WhyNotStopped names who still uses the stick or the data; "" means stopped. A
// service manager that believes the service to run counts too: it may be between
// two automatic restarts.
func (o Observation) WhyNotStopped() string {
	var why []string
	for _, p := range o.TTYHolders {
		why = append(why, fmt.Sprintf("%s still holds %s", p, o.TTY))
	}
	for _, p := range o.DataHolders {
		why = append(why, fmt.Sprintf("%s still uses the data directory", p))
	}
	if len(why) == 0 && o.Service == ServiceRunning {
		why = append(why, "the service manager says that it runs, though no process was seen")
	}
	return strings.Join(why, "; ")
}

// OnlyOurs says that what holds the stick is our own helper, which ends by itself.
func (o Observation) OnlyOurs() bool {
	for _, p := range append(slices.Clone(o.TTYHolders), o.DataHolders...) {
		if !p.Ours {
			return false
		}
	}
	return len(o.TTYHolders)+len(o.DataHolders) > 0
}

// A StickState is what a stick says of itself. Its address is the one in effect,
// which clones share; it does not tell sticks apart.
type StickState struct {
	State   string        `json:"state"` // HOLD when silent, see znp.DeviceState
	Silent  bool          `json:"silent"`
	Address zigbee.IEEE   `json:"address"`
	Stick   nvimage.Stick `json:"stick"`
}

// A Silence is proof that a stick's radio is off: its state, read from the stick.
type Silence struct {
	State   string        `json:"state"` // HOLD
	Reset   bool          `json:"reset"` // the stick was reset to get there
	Address zigbee.IEEE   `json:"address"`
	Stick   nvimage.Stick `json:"stick"`
}

// A StickImage is a stick's whole memory, read in HOLD.
type StickImage struct {
	Stick nvimage.Stick
	Image *nvimage.Image
}

// A StickLoad is what to bring onto a parked stick.
type StickLoad struct {
	Run         string         // id under which a lost connection finds the write again
	Want        *nvimage.Image // complete image, counters already raised
	From        nvimage.Stick  // stick the image was read from
	AnyRevision bool
	// ExpectBefore is the hash of what the stick held when it was kept; the load is
	// refused when it holds anything else. "" skips that check.
	ExpectBefore string
}

// A LoadReport is what a load did, read back from the stick.
type LoadReport struct {
	Written   int            `json:"written"`
	Deleted   int            `json:"deleted"`
	Unchanged int            `json:"unchanged"`
	Bytes     int            `json:"bytes"` // of the values written
	Boots     int            `json:"boots"`
	Exchanges int            `json:"exchanges"`
	Before    *nvimage.Image `json:"-"` // what was on the stick
	State     string         `json:"state"`
}

// A Capture is what one reading of the active's data directory gave.
type Capture struct {
	Files   []generation.File
	Summary generation.Summary
}

// A StageReport is what bringing a generation to a stand-by took.
type StageReport struct {
	FilesSent int      `json:"files_sent"`
	BytesSent int64    `json:"bytes_sent"`
	Kept      []string `json:"kept,omitempty"` // configuration keys that stay this node's own
	Warnings  []string `json:"warnings,omitempty"`
}
