// Package config reads z2mha.yaml, the one file in which a person says which
// hosts carry which Zigbee network.
//
// Reading is strict: a key that is not known is an error, because a misspelt
// option that is silently ignored is found in the night of the failover. All
// problems are collected, so that one look at the messages is enough. The
// documented example is docs/z2mha.example.yaml.
package config

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A Config is the whole file, checked: every path is absolute, every name usable
// as a file name and a topic level, every duration above zero.
type Config struct {
	Path     string // file it was read from
	State    string // directory of the journal, the shelf and our key
	MQTT     MQTT
	Networks []Network
	Timing   Timing
	Capture  Capture
	Policy   Policy // of networks that say nothing else
	// AnyRevision allows an image onto a stick of another firmware revision.
	AnyRevision   bool
	HomeAssistant HomeAssistant
	SNMP          []TrapReceiver
	Page          Page
	Shelf         Shelf
	// Warnings are what is allowed and still worth a word at check-config.
	Warnings []Problem
}

// MQTT is how to reach the broker that Zigbee2MQTT uses.
type MQTT struct {
	Server   Server
	User     string
	Password Secret
	CA       string // PEM file; "" means the system's
	ClientID string
}

// A Network is one Zigbee network and the nodes that can carry it, two or more.
type Network struct {
	Name      string
	BaseTopic string // Zigbee2MQTT's, "zigbee2mqtt"
	Nodes     []Node
	Policy    Policy
}

// Node returns the node of that name.
func (n Network) Node(name string) (Node, bool) {
	for _, node := range n.Nodes {
		if node.Name == name {
			return node, true
		}
	}
	return Node{}, false
}

// A Node is one host with Zigbee2MQTT and a stick.
type Node struct {
	Name    string
	Host    Host
	User    string
	Become  Become
	Dongle  Dongle
	Data    string // Zigbee2MQTT's data directory on the host
	Service Service
	Keep    []string // configuration keys that stay this node's own, dotted

	Staging   string // directories on the host; "" means the default
	Previous  string
	HelperDir string
	KeyFile   string // SSH key on this machine; "" means our own

	Fences []Fence // what can cut this node's power, in the order in which they are tried
}

// A Become is how commands on the host get root's rights.
type Become string

// The ways to become root.
const (
	BecomeNone Become = "none"
	BecomeSudo Become = "sudo"
	BecomeDoas Become = "doas"
)

// A Service is how Zigbee2MQTT is started and stopped on a host. Unit is set for
// systemd, OpenRC and docker, whose unit is the container, the commands for
// ServiceCommands.
type Service struct {
	Kind   ServiceKind
	Unit   string
	Start  string
	Stop   string
	Status string // optional: exit code 0 means running
	Kill   string // optional
}

// A ServiceKind is what manages the service.
type ServiceKind string

// The kinds of service manager.
const (
	ServiceSystemd  ServiceKind = "systemd"
	ServiceOpenRC   ServiceKind = "openrc"
	ServiceDocker   ServiceKind = "docker"
	ServiceCommands ServiceKind = "commands" // start, stop … given in the file
)

// Timing says how long the parts of a plan may take; all are above zero.
type Timing struct {
	Settle time.Duration // from the stop to the fence
	Stop   time.Duration // Zigbee2MQTT lets go of the stick
	Start  time.Duration // Zigbee2MQTT is online
	Prove  time.Duration // a device was heard
	Watch  time.Duration // the new active is watched before it is believed
}

// Capture says how often the running network is captured. It cannot be turned off: what
// is not captured is lost with the host.
type Capture struct {
	Backup time.Duration // the stick is backed up while it runs, and the files with it
	Files  time.Duration // the files alone, by what differs
}

// DefaultCapture is used for what the file leaves out.
var DefaultCapture = Capture{Backup: 30 * time.Minute, Files: 5 * time.Minute}

// DefaultTiming is used for what the file leaves out.
var DefaultTiming = Timing{
	Settle: time.Second,
	Stop:   60 * time.Second,
	Start:  90 * time.Second,
	Prove:  60 * time.Second,
	Watch:  10 * time.Second,
}

// Network returns the network of that name.
func (c *Config) Network(name string) (Network, bool) {
	for _, n := range c.Networks {
		if n.Name == name {
			return n, true
		}
	}
	return Network{}, false
}

// Defaults are what the file may leave out because the surroundings tell it: an add-on
// learns its broker from Home Assistant.
type Defaults struct {
	MQTT  *MQTT  // used when the file has no mqtt section; nil: it must have one
	State string // used when the file names no state directory; "" means beside the file
}

// Load reads and checks the file at path. What is wrong with its content comes
// back as *Problems, everything at once; that it cannot be read, as *ReadError.
func Load(path string) (*Config, error) { return LoadWith(path, Defaults{}) }

// LoadWith is Load with defaults of the caller's.
func LoadWith(path string, d Defaults) (*Config, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &ReadError{Path: path, Err: err}
	}
	c, err := ParseWith(path, data, d)
	if err != nil {
		return nil, err
	}
	c.warnReadable()
	return c, nil
}

// warnReadable speaks up when a password lies open to every user of the machine.
func (c *Config) warnReadable() {
	info, err := os.Stat(c.Path)
	if err != nil || info.Mode().Perm()&0o004 == 0 || !c.MQTT.Password.inFile {
		return
	}
	c.Warnings = append(c.Warnings, Problem{
		Key:    "mqtt.password",
		What:   "every user of this machine can read the file",
		Remedy: "run: chmod 600 " + strings.ReplaceAll(c.Path, " ", `\ `),
	})
}

// LoadPage reads only how the page is served. Whatever else is wrong with the file does
// not matter: a page that has a password keeps it. Errors are those of Load.
func LoadPage(path string) (Page, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Page{}, &ReadError{Path: path, Err: err}
	}
	root, problem := document(data)
	if problem != nil {
		return Page{}, &Problems{Path: path, List: []Problem{*problem}}
	}
	r := &reader{}
	top := value{r, "", root}.section()
	p := r.page(top)
	if len(r.problems) > 0 {
		return Page{}, &Problems{Path: path, List: r.problems}
	}
	return p, nil
}
