package z2m

import "strings"

// Topics are the MQTT topics of one network; the value is its base topic.
type Topics string

// State is retained and the last will: see ParseState.
func (t Topics) State() string { return string(t) + "/bridge/state" }

// Info is retained: see ParseInfo.
func (t Topics) Info() string { return string(t) + "/bridge/info" }

// Devices is retained: see ParseDevices.
func (t Topics) Devices() string { return string(t) + "/bridge/devices" }

// Groups is retained: see ParseGroups.
func (t Topics) Groups() string { return string(t) + "/bridge/groups" }

// Event carries what devices do to the network: see ParseEvent.
func (t Topics) Event() string { return string(t) + "/bridge/event" }

// Health carries counters every few minutes: see ParseHealth.
func (t Topics) Health() string { return string(t) + "/bridge/health" }

// Logging carries Zigbee2MQTT's log lines: see ParseLog.
func (t Topics) Logging() string { return string(t) + "/bridge/logging" }

// Request and Response are where a bridge request goes and where its answer comes.
func (t Topics) Request(name string) string  { return string(t) + "/bridge/request/" + name }
func (t Topics) Response(name string) string { return string(t) + "/bridge/response/" + name }

// Device is where a device's states come, Get where they are asked for. Friendly
// names may hold slashes and spaces.
func (t Topics) Device(friendlyName string) string { return string(t) + "/" + friendlyName }
func (t Topics) Get(friendlyName string) string    { return string(t) + "/" + friendlyName + "/get" }

// AllDevices matches the topics of devices whose names hold no slash, and FriendlyName is
// the name that a device's topic has.
func (t Topics) AllDevices() string               { return string(t) + "/+" }
func (t Topics) FriendlyName(topic string) string { return strings.TrimPrefix(topic, string(t)+"/") }

// Addressable says that a friendly name can be part of a topic that one device
// alone has.
func Addressable(friendlyName string) bool {
	return friendlyName != "" && !strings.ContainsAny(friendlyName, "+#\x00")
}
