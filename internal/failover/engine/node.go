package engine

import (
	"context"
	"io"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
)

// A Node is one Zigbee2MQTT host with its stick. There is one implementation over
// SSH and one in memory for simulation; both pass the same conformance suite.
//
// Every method that changes something is idempotent. An error says what is not
// known rather than what did not happen: after a deadline the caller looks again.
type Node interface {
	Name() string

	// Observe looks at the node without touching anything.
	Observe(ctx context.Context) (network.Observation, error)

	// StopService and StartService ask the service manager. That they return nil
	// proves nothing; Observe does.
	StopService(ctx context.Context) error
	StartService(ctx context.Context) error

	// StopFast ends Zigbee2MQTT as soon as it has saved its state and database, without
	// the closing backup that takes 5 to 20 s. When they are not seen saved within
	// budget nobody is killed: then it is a StopService. It ends by looking: without an
	// error the process is gone and the stick is free.
	StopFast(ctx context.Context, budget time.Duration) (network.FastStop, error)

	// SetAutostart asks the service manager to start Zigbee2MQTT at boot, or not to;
	// Observe tells whether it does. Where there is no way to ask it does nothing.
	SetAutostart(ctx context.Context, on bool) error

	// InspectStick asks a stick that nobody holds what state it is in, and changes
	// nothing. Like every method that opens the tty it refuses one that is held.
	InspectStick(ctx context.Context) (network.StickState, error)

	// Park proves the stick silent, resetting it when it is not in HOLD.
	// Reset resets it in any case. Both refuse a stick that a program holds.
	Park(ctx context.Context) (network.Silence, error)
	Reset(ctx context.Context) (network.Silence, error)

	// Unplug takes the stick's USB device away from its host, and reads back that the tty is
	// gone. It is refused, with a *network.RefusedError, for what is no USB device. Replug
	// gives it back. A device that is away is no error for the one, nor one that is there
	// for the other.
	Unplug(ctx context.Context) (network.Unplugged, error)
	Replug(ctx context.Context) error

	// Listen has a stick in HOLD ask who is on air on the channel of the network, without
	// joining. It ends with the stick in HOLD, read back.
	Listen(ctx context.Context, who zigbee.Identity) (network.Heard, error)

	// ReadStick reads the whole memory of a stick in HOLD.
	ReadStick(ctx context.Context, progress Progress) (network.StickImage, error)

	// ReadStickKnown is ReadStick for a stick whose layout is that of known, in fewer
	// exchanges. It sees whatever differs, but for a new item outside of the tables.
	ReadStickKnown(ctx context.Context, known *nvimage.Image, progress Progress) (network.StickImage, error)

	// LoadStick makes a parked stick hold load.Want: it keeps what was there,
	// writes differences, reads back and returns the stick to HOLD.
	LoadStick(ctx context.Context, load network.StickLoad, progress Progress) (network.LoadReport, error)

	// PatchStick brings a parked stick from p.Known to p.Want, having looked whether it
	// is the one that is known: if not, the error wraps network.ErrStickChanged. A patch
	// that was cut off is taken up again by the same patch under the same run.
	PatchStick(ctx context.Context, p network.StickPatch, progress Progress) (network.PatchReport, error)

	// KeepOdometer puts a copy of a network's odometer on the node; Odometer reads it
	// back. Where there is none it returns the zero Odometer and no error, which knows
	// nothing; a damaged copy is an error.
	KeepOdometer(ctx context.Context, network string, o odometer.Odometer) error
	Odometer(ctx context.Context, network string) (odometer.Odometer, error)

	// Capture reads the data directory twice-stable, puts new content into depot
	// and checks that Zigbee2MQTT could start from it.
	Capture(ctx context.Context, depot Depot) (network.Capture, error)

	// Stage makes the node's staging directory hold generation g, with the
	// node's own configuration keys, and reads it back.
	Stage(ctx context.Context, g generation.Generation, depot Depot, progress Progress) (network.StageReport, error)

	// Promote exchanges staging and data, keeping the old data; Unpromote takes
	// that back. run names the exchange, so that repeating it is harmless.
	Promote(ctx context.Context, run string) error
	Unpromote(ctx context.Context, run string) error

	// Explain lists the remote commands that an operation would run, exactly.
	Explain(op Op) []string

	Close() error
}

// Progress tells how far a long operation is.
type Progress func(what string, done, total int)

// An Op names a Node method for Explain.
type Op string

const (
	OpObserve      Op = "observe"
	OpStop         Op = "stop"
	OpStopFast     Op = "stop-fast"
	OpStart        Op = "start"
	OpEnable       Op = "enable"
	OpDisable      Op = "disable"
	OpInspect      Op = "inspect"
	OpPark         Op = "park"
	OpReset        Op = "reset"
	OpUnplug       Op = "unplug"
	OpReplug       Op = "replug"
	OpListen       Op = "listen"
	OpReadStick    Op = "read-stick"
	OpReadKnown    Op = "read-known"
	OpLoadStick    Op = "load-stick"
	OpPatchStick   Op = "patch-stick"
	OpCapture      Op = "capture"
	OpStage        Op = "stage"
	OpPromote      Op = "promote"
	OpUnpromote    Op = "unpromote"
	OpKeepOdometer Op = "keep-odometer"
	OpOdometer     Op = "odometer"
)

// A Depot keeps file contents under their SHA-256 (lower-case hex).
type Depot interface {
	Has(sha256 string) bool
	// Put stores what r yields and fails when its hash is not sha256.
	Put(sha256 string, r io.Reader) error
	Open(sha256 string) (io.ReadCloser, error)
}
