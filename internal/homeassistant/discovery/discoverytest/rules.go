package discoverytest

// What Home Assistant Core 2026.9 takes of the parts that we use: facts about its
// MQTT integration, written down here so that the tests need nothing else.

// Rules are the key sets that payloads are checked against.
type Rules struct {
	Root      []string // of a device payload: a closed set, one key more and all is dropped
	Required  []string
	Device    []string
	Origin    []string
	Platforms map[string]Platform
	Units     map[string][]string // by device class
	Blocked   []string            // attributes that are not taken
}

// A Platform is what one kind of entity takes.
type Platform struct {
	Allowed      []string
	Required     []string
	DeviceClass  []string
	StateClass   []string
	BlockedAttrs []string
}

// takes is what every platform takes, and more.
func takes(more ...string) []string {
	return append(more,
		"platform", "unique_id", "default_entity_id", "name", "icon", "entity_category", "enabled_by_default",
		"availability", "availability_mode", "json_attributes_topic", "qos")
}

// Ours is the rule table for the platforms that we use.
var Ours = Rules{
	Root: []string{
		"device", "components", "origin", "availability", "availability_mode", "availability_template", "availability_topic",
		"command_topic", "encoding", "message_expiry_interval", "payload_available", "payload_not_available", "qos", "state_topic",
	},
	Required: []string{"device", "components", "origin"},
	Device: []string{
		"configuration_url", "connections", "hw_version", "identifiers", "manufacturer", "model", "model_id", "name",
		"serial_number", "suggested_area", "sw_version", "via_device",
	},
	Origin: []string{"name", "support_url", "sw_version"},
	Platforms: map[string]Platform{
		"sensor": {
			Allowed:     takes("state_topic", "value_template", "device_class", "state_class", "unit_of_measurement", "suggested_display_precision", "options"),
			Required:    []string{"platform", "unique_id", "state_topic"},
			DeviceClass: []string{"enum", "timestamp", "duration"},
			StateClass:  []string{"measurement", "total", "total_increasing"},
		},
		"binary_sensor": {
			Allowed:     takes("state_topic", "value_template", "device_class"),
			Required:    []string{"platform", "unique_id", "state_topic"},
			DeviceClass: []string{"connectivity", "problem", "running"},
		},
		"button": {
			Allowed:  takes("command_topic"),
			Required: []string{"platform", "unique_id", "command_topic"},
		},
		"select": {
			Allowed:      takes("command_topic", "options", "state_topic", "value_template"),
			Required:     []string{"platform", "unique_id", "command_topic", "options"},
			BlockedAttrs: []string{"options"},
		},
		"switch": {
			Allowed:  takes("command_topic", "state_topic", "value_template"),
			Required: []string{"platform", "unique_id", "command_topic"},
		},
		"event": {
			Allowed:      takes("state_topic", "event_types"),
			Required:     []string{"platform", "unique_id", "state_topic", "event_types"},
			BlockedAttrs: []string{"event_type", "event_types"},
		},
	},
	Units: map[string][]string{"duration": {"d", "h", "min", "s", "ms"}},
	Blocked: []string{
		"assumed_state", "available", "device_class", "device_info", "entity_category", "entity_picture",
		"entity_registry_enabled_default", "extra_state_attributes", "force_update", "friendly_name", "icon",
		"should_poll", "state", "supported_features", "unique_id", "unit_of_measurement",
	},
}
