// Package node is one Zigbee2MQTT host over SSH: it implements engine.Node.
//
// What must happen beside the stick or the disk is done by znp-helper, which the
// node puts on the host and checks, once for each connection, before it trusts it.
// Command lines come from the builders in lines.go, for acting and for explaining
// alike.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"time"

	"z2mha/internal/dongle/port"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/helperbin"
	"z2mha/internal/host/remote"
	"z2mha/internal/host/service"
	"z2mha/internal/z2m"
)

// DefaultHelperDir is where the helper lies on a host that names no other place.
const DefaultHelperDir = "/var/lib/z2mha/bin"

// Config describes a node. Name, SSH, Dongle, Data and Service are required; directories are absolute paths on the host.
type Config struct {
	Name    string
	SSH     remote.Config
	Dongle  string // tty, or tcp://host:port of a coordinator in the network
	Data    string // Zigbee2MQTT's data directory
	Service service.Config
	// Helper returns the helper for a machine, named as uname -m does; nil: the one
	// that this program carries.
	Helper func(machine string) ([]byte, error)

	Staging   string   // beside Data when empty; best on the same file system
	Previous  string   // where promotions leave old data, one directory each; beside Data when empty
	HelperDir string   // DefaultHelperDir when empty
	State     string   // where the helper keeps run records and old stick images; its own choice when empty
	Keep      []string // further configuration keys that stay this node's own, dotted
	Marker    string   // value of z2mha.node in this node's configuration; Name when empty
	// Broker is host:port of the broker as this node would reach it, for as long as its
	// own configuration has not been read; "": not asked for until then. See Node.broker.
	Broker   string
	Timeouts Timeouts
	Log      *slog.Logger // nil: silent
}

// Timeouts bound what is asked of a host. Zero fields have the defaults named.
type Timeouts struct {
	Look     time.Duration // 30 s: probe, state of the service, state of the stick
	Service  time.Duration // 60 s: one start or stop
	Ending   time.Duration // 30 s: how long Zigbee2MQTT may go on after its manager gave up
	Silence  time.Duration // 90 s: park or reset the stick
	Memory   time.Duration // 10 min: read or write the stick's memory
	Files    time.Duration // 10 min: one listing with hashes, one promotion
	Reattach time.Duration // 2 min: to come back to an act whose connection was lost
}

// A Node is a host with Zigbee2MQTT and a stick.
type Node struct {
	cfg     Config
	conn    *remote.Conn
	service service.Manager
	stick   stick
	helper  *helper

	mu        sync.Mutex // guards the fields below
	staged    staged
	told      told
	begun     begun
	ownBroker string // host:port, as this node's own configuration.yaml says; "" not known
	reached   reached
}

// staged is what the last Stage of this process left, read back; zero while it is not
// known. Only that is promoted.
type staged struct {
	hash  string   // helperapi.HashFiles
	local []string // patterns of entries that stay with the host, besides those of local

	files         []helperapi.File
	configuration string             // SHA-256 of the one whose port was looked at
	disk          *helperapi.DataDir // when it was looked at; nil when that was not told
	looked        time.Time          // at port and disk
}

// stagedStays is how long port and disk are taken for what they were. What is staged is
// read back whole in any case.
const stagedStays = 2 * time.Minute

// still says that nothing has to be looked at before want is brought: the same program
// has just staged the same configuration here.
func (s staged) still(want map[string]wanted, now time.Time) bool {
	age := now.Sub(s.looked)
	return s.hash != "" && s.configuration == want[z2m.ConfigurationFile].SHA256 && age >= 0 && age < stagedStays
}

func (n *Node) setStaged(s staged) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.staged = s
}

func (n *Node) getStaged() staged {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.staged
}

var _ engine.Node = (*Node)(nil)

// New checks cfg. It does not connect.
func New(cfg Config) (*Node, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("node %s: %w", cfg.Name, err)
	}
	conn, err := remote.New(cfg.SSH)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", cfg.Name, err)
	}
	manager, err := service.New(cfg.Service)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", cfg.Name, err)
	}
	n := &Node{cfg: cfg, conn: conn, service: manager, helper: newHelper(conn, cfg)}
	n.stick = hostStick{n}
	if port.IsNetwork(cfg.Dongle) {
		n.stick = netStick{n}
	}
	return n, nil
}

// complete fills in what was left out and refuses what cannot work.
func (c *Config) complete() error {
	switch {
	case c.Name == "":
		return errors.New("no name")
	case c.Dongle == "":
		return errors.New("no dongle")
	case !path.IsAbs(c.Data):
		return fmt.Errorf("data directory %q: give an absolute path", c.Data)
	}
	if c.Helper == nil {
		c.Helper = embedded
	}
	c.Data = path.Clean(c.Data)
	orDefault(&c.Staging, c.Data+".z2mha-staging")
	orDefault(&c.Previous, c.Data+".z2mha-previous")
	orDefault(&c.HelperDir, DefaultHelperDir)
	orDefault(&c.Marker, c.Name)
	orDefault(&c.Timeouts.Look, 30*time.Second)
	orDefault(&c.Timeouts.Service, time.Minute)
	orDefault(&c.Timeouts.Ending, 30*time.Second)
	orDefault(&c.Timeouts.Silence, 90*time.Second)
	orDefault(&c.Timeouts.Memory, 10*time.Minute)
	orDefault(&c.Timeouts.Files, 10*time.Minute)
	orDefault(&c.Timeouts.Reattach, 2*time.Minute)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

func embedded(machine string) ([]byte, error) {
	b, err := helperbin.For(machine)
	return b.Data, err
}

func orDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Name is the node's name in the configuration.
func (n *Node) Name() string { return n.cfg.Name }

// Close ends the connection.
func (n *Node) Close() error { return n.conn.Close() }

// InspectStick asks the stick what state it is in and changes nothing.
func (n *Node) InspectStick(ctx context.Context) (network.StickState, error) {
	s, err := n.stick.inspect(ctx)
	return s, n.wrap("ask the stick", err)
}

// Park proves the stick silent and resets it when it is not.
func (n *Node) Park(ctx context.Context) (network.Silence, error) {
	s, err := n.stick.park(ctx)
	return s, n.wrap("park the stick", err)
}

// Reset resets the stick and proves it silent.
func (n *Node) Reset(ctx context.Context) (network.Silence, error) {
	s, err := n.stick.reset(ctx)
	return s, n.wrap("reset the stick", err)
}

// ReadStick reads the stick's whole memory. Repeating it is harmless.
func (n *Node) ReadStick(ctx context.Context, progress engine.Progress) (network.StickImage, error) {
	s, err := n.stick.read(ctx, nil, progress)
	return s, n.wrap("read the stick", err)
}

// LoadStick makes the stick hold load.Want. A lost connection does not stop the
// write; the node comes back to it under load.Run.
func (n *Node) LoadStick(ctx context.Context, load network.StickLoad, progress engine.Progress) (network.LoadReport, error) {
	if load.Run == "" || load.Want == nil {
		return network.LoadReport{}, n.wrap("load the stick", errors.New("a load needs a run id and an image"))
	}
	r, err := n.stick.load(ctx, load, progress)
	return r, n.wrap("load the stick", err)
}

// Promote exchanges staging and data, once for each run. What is promoted must be what
// the last Stage of this process read back; without one, only a promotion of that run
// that had begun is continued, or found done.
func (n *Node) Promote(ctx context.Context, run string) error {
	return n.wrap("promote the staged data", n.promote(ctx, run, false))
}

// Unpromote takes the promotion of that run back, if there was one.
func (n *Node) Unpromote(ctx context.Context, run string) error {
	return n.wrap("take the promotion back", n.promote(ctx, run, true))
}

func (n *Node) promote(ctx context.Context, run string, undo bool) error {
	_, err := callAgain[helperapi.PromoteResult](ctx, n, n.promoteCall(run, n.getStaged(), undo))
	return err
}

// wrap says which node could not do what.
func (n *Node) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s on %s: %w", what, n.cfg.Name, err)
}
