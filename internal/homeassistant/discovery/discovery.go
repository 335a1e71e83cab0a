// Package discovery says how Home Assistant shows a network: pure functions from
// status values to MQTT messages. One device stands for each network and one for
// each node, described in the device form of MQTT discovery
// (<prefix>/device/<id>/config).
//
// Topics below the base topic, all retained except commands and events:
//
//	status                       online or offline; the last will says offline
//	NET/state                    one JSON document with a member per entity
//	NET/attributes               why the protection is what it is
//	NET/last_switchover_attributes, NET/auto_failover_attributes
//	NET/switchover_available, NET/auto_failover_available
//	NET/cmd/{switchover,sync,hold,auto_failover,active_node}
//	NET/event                    one JSON document per event
//	NET/NODE/state, NET/NODE/attributes, NET/NODE/activatable
//	NET/NODE/cmd/activate
//
// What is not known is null in a document; Home Assistant's template turns that into
// None, its word for unknown.
//
// Source of the keys: Home Assistant Core 2026.9, MQTT integration. The root of a
// device payload is a closed set there: one key too many and the whole message is
// dropped.
package discovery

import (
	"encoding/json"
	"strings"

	"z2mha/internal/failover/status"
)

// Options say where things are published and who we are.
type Options struct {
	Prefix  string // Home Assistant's discovery prefix, "homeassistant" when empty
	Base    string // our base topic, "z2mha" when empty
	Version string // ours
	// ConfigurationURL opens our page from the device: http, https or homeassistant.
	// Any other scheme would cost the whole message, so it is left out.
	ConfigurationURL string
	Origin           Origin
}

// An Origin is the program that announces entities.
type Origin struct {
	Name       string `json:"name"`
	Version    string `json:"sw_version,omitempty"`
	SupportURL string `json:"support_url,omitempty"`
}

// A Message is a retained publish.
type Message struct {
	Topic   string
	Payload []byte
}

// A Device is one device discovery message.
type Device struct {
	Topic      string // <prefix>/device/<id>/config
	ID         string
	Components map[string]Component

	payload payload
}

// payload is the root of a device message.
type payload struct {
	Device       deviceInfo     `json:"device"`
	Origin       Origin         `json:"origin"`
	Availability []availability `json:"availability"`
	Mode         string         `json:"availability_mode"`
	QoS          int            `json:"qos"`
	Components   map[string]any `json:"components"`
}

type deviceInfo struct {
	Identifiers      []string `json:"identifiers"`
	Name             string   `json:"name"`
	Manufacturer     string   `json:"manufacturer"`
	Model            string   `json:"model"`
	Version          string   `json:"sw_version,omitempty"`
	Via              string   `json:"via_device,omitempty"`
	ConfigurationURL string   `json:"configuration_url,omitempty"`
}

type availability struct {
	Topic string `json:"topic"`
}

const (
	product = "Zigbee2MQTT High Availability"
	online  = "online"
	offline = "offline"
)

// Devices describes all networks, then all nodes: a node names its network as the
// device it is reached through, and Home Assistant wants that one first.
func Devices(networks []status.Network, o Options) []Device {
	var out []Device
	for _, n := range networks {
		out = append(out, o.network(n))
	}
	for _, n := range networks {
		for _, node := range n.Nodes {
			out = append(out, o.node(n, node))
		}
	}
	return out
}

// Payload is the message for d. The components in gone, by key with the platform
// they had, are taken out of Home Assistant by it; the next message leaves them out.
func (d Device) Payload(gone map[string]string) []byte {
	p := d.payload
	p.Components = map[string]any{}
	for key, c := range d.Components {
		p.Components[key] = c
	}
	for key, platform := range gone {
		p.Components[key] = map[string]string{"platform": platform}
	}
	return encode(p)
}

// Platforms is the platform of each component, by key.
func (d Device) Platforms() map[string]string {
	out := map[string]string{}
	for key, c := range d.Components {
		out[key] = c.Platform
	}
	return out
}

// Will is the message that the broker shall publish, retained and with QoS 1, when
// our connection dies. Base is "z2mha" when empty.
func Will(base string) Message {
	return Message{Options{Base: base}.Status(), []byte(offline)}
}

// Status is the topic that says whether we are there.
func (o Options) Status() string { return o.base() + "/status" }

func (o Options) base() string { return orElse(o.Base, "z2mha") }

func (o Options) prefix() string { return orElse(o.Prefix, "homeassistant") }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// device is a device message without components.
func (o Options) device(id string, info deviceInfo) Device {
	info.Identifiers, info.Manufacturer, info.ConfigurationURL = []string{id}, product, o.configurationURL()
	origin := o.Origin
	origin.Name = orElse(origin.Name, product)
	origin.Version = orElse(origin.Version, o.Version)
	return Device{
		Topic:      o.prefix() + "/device/" + id + "/config",
		ID:         id,
		Components: map[string]Component{},
		payload: payload{
			Device: info, Origin: origin, QoS: 1,
			Availability: []availability{{o.Status()}}, Mode: "all",
		},
	}
}

func (o Options) configurationURL() string {
	for _, scheme := range []string{"http://", "https://", "homeassistant://"} {
		if strings.HasPrefix(o.ConfigurationURL, scheme) {
			return o.ConfigurationURL
		}
	}
	return ""
}

// encode cannot fail: everything here is made of strings, numbers and lists.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
