package z2m

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"z2mha/internal/dongle/zigbee"
)

// A Device is one entry of bridge/devices that is not the coordinator.
type Device struct {
	IEEE         zigbee.IEEE
	FriendlyName string
	Type         string // Router, EndDevice, GreenPower
	Interviewing bool
	Mains        bool
	Disabled     bool

	// AskProperty is a property that the device answers to {"property":""} on its
	// get topic, "" when it has none.
	AskProperty string

	// Structure changes when the database holds something else of the device: its short
	// address, how far its interview came, bindings, reporting, scenes. What it says of
	// itself all day is not in it.
	Structure string
}

// Askable says that an answer may be expected within seconds: the device is
// powered, in use, and has something to ask for.
func (d Device) Askable() bool {
	return d.Mains && !d.Disabled && !d.Interviewing && d.AskProperty != "" && Addressable(d.FriendlyName)
}

// ParseDevices reads bridge/devices.
func ParseDevices(payload []byte) ([]Device, error) {
	var entries []deviceEntry
	if err := json.Unmarshal(payload, &entries); err != nil {
		return nil, fmt.Errorf("bridge/devices: %w", err)
	}
	devices := make([]Device, 0, len(entries))
	for _, e := range entries {
		if e.Type == "Coordinator" {
			continue
		}
		d, err := e.device()
		if err != nil {
			return nil, fmt.Errorf("bridge/devices: %w", err)
		}
		devices = append(devices, d)
	}
	return devices, nil
}

type deviceEntry struct {
	Address        string `json:"ieee_address"`
	Type           string `json:"type"`
	FriendlyName   string `json:"friendly_name"`
	PowerSource    string `json:"power_source"`
	Disabled       bool   `json:"disabled"`
	Interviewing   bool   `json:"interviewing"`
	InterviewState string `json:"interview_state"`
	Definition     struct {
		Exposes []expose `json:"exposes"`
	} `json:"definition"`
	NetworkAddress     uint16          `json:"network_address"`
	InterviewCompleted bool            `json:"interview_completed"`
	Endpoints          json.RawMessage `json:"endpoints"`
}

func (e deviceEntry) device() (Device, error) {
	ieee, err := zigbee.ParseIEEE(e.Address)
	if err != nil {
		return Device{}, err
	}
	power := strings.ToLower(e.PowerSource)
	return Device{
		IEEE: ieee, FriendlyName: e.FriendlyName, Type: e.Type, Disabled: e.Disabled,
		Interviewing: e.Interviewing || e.InterviewState == "IN_PROGRESS",
		Mains:        strings.Contains(power, "mains") || power == "dc source",
		AskProperty:  askProperty(e.Definition.Exposes),
		Structure:    digest(e.Type, e.NetworkAddress, e.Disabled, e.InterviewCompleted, string(e.Endpoints)),
	}, nil
}

// digest is short and differs when one of the values does.
func digest(values ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", values))
	return hex.EncodeToString(sum[:8])
}

// An expose describes a property, or a light, switch, … with features.
type expose struct {
	Type     string   `json:"type"`
	Name     string   `json:"name"`
	Property string   `json:"property"` // with the endpoint: state_left
	Access   int      `json:"access"`
	Features []expose `json:"features"`
}

const accessGet = 4 // bit of expose.access: can be read with get

// askProperty prefers a state, which every firmware answers, to a number.
func askProperty(exposes []expose) string {
	best, rank := "", 0
	for _, e := range simple(exposes) {
		if r := e.rank(); r > rank {
			best, rank = e.Property, r
		}
	}
	return best
}

// simple lists the properties that hold one value; those of a composite (a color)
// cannot be asked for one by one.
func simple(exposes []expose) []expose {
	var out []expose
	for _, e := range exposes {
		switch {
		case e.Type == "composite" || e.Type == "list":
		case len(e.Features) > 0:
			out = append(out, simple(e.Features)...)
		case e.Access&accessGet != 0 && e.Property != "":
			out = append(out, e)
		}
	}
	return out
}

func (e expose) rank() int {
	switch {
	case e.Property == "state":
		return 4
	case e.Name == "state":
		return 3
	case e.Type == "binary" || e.Type == "numeric":
		return 2
	default:
		return 1
	}
}
