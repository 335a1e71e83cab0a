// Package discoverytest reads retained MQTT messages as Home Assistant does: it says
// what Home Assistant would refuse, drop or complain about, and which states its
// entities would have.
package discoverytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Tree is retained messages by topic.
type Tree map[string]string

var (
	deviceTopic = regexp.MustCompile(`^[^/]+/device/([a-zA-Z0-9_-]+)/config$`)
	entityID    = regexp.MustCompile(`^[a-z_]+\.[a-z0-9]+(_[a-z0-9]+)*$`)
	template    = regexp.MustCompile(`^\{\{ value_json\.([a-z0-9_]+) \}\}$`)
	sentence    = regexp.MustCompile(`^([A-Z][a-z0-9]+|Zigbee2MQTT)([ -][a-z0-9]+)*$`)
)

// A checker collects what is wrong.
type checker struct {
	rules Rules
	tree  Tree
	wrong []string

	at     string          // where we are, for the messages
	unique map[string]bool // by platform and unique id
	ids    map[string]bool // devices
	via    []string
}

// Check returns one sentence for each thing in the discovery messages of tree, and
// in the documents they point at, that breaks rules.
func Check(tree Tree, rules Rules) []string {
	c := &checker{rules: rules, tree: tree, unique: map[string]bool{}, ids: map[string]bool{}}
	for _, topic := range slices.Sorted(maps.Keys(tree)) {
		if strings.HasSuffix(topic, "/config") {
			c.at = topic
			c.message(topic, tree[topic])
		}
	}
	c.at = "all devices"
	for _, parent := range c.via {
		c.must(c.ids[parent], "via_device %s is nobody", parent)
	}
	return c.wrong
}

func (c *checker) must(ok bool, format string, args ...any) {
	if !ok {
		c.wrong = append(c.wrong, c.at+": "+fmt.Sprintf(format, args...))
	}
}

// only says which keys of m are not allowed, all which ones are missing.
func (c *checker) only(m map[string]any, allowed []string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		c.must(slices.Contains(allowed, key), "the key %s is not allowed", key)
	}
}

func (c *checker) all(m map[string]any, required []string) {
	for _, key := range required {
		_, ok := m[key]
		c.must(ok, "the key %s is missing", key)
	}
}

func (c *checker) message(topic, payload string) {
	id := deviceTopic.FindStringSubmatch(topic)
	if id == nil {
		c.must(false, "not the topic of a device")
		return
	}
	var root map[string]any
	if err := json.Unmarshal([]byte(payload), &root); err != nil {
		c.must(false, "not JSON: %v", err)
		return
	}
	c.only(root, c.rules.Root)
	c.all(root, c.rules.Required)
	c.device(root["device"], id[1])
	origin, _ := root["origin"].(map[string]any)
	c.only(origin, c.rules.Origin)
	c.all(origin, []string{"name"})
	c.availability(root)
	components, _ := root["components"].(map[string]any)
	c.must(len(components) > 0, "no components")
	for _, key := range slices.Sorted(maps.Keys(components)) {
		component, _ := components[key].(map[string]any)
		c.at = topic + " " + key
		c.component(key, component)
	}
}

func (c *checker) device(v any, id string) {
	device, _ := v.(map[string]any)
	c.only(device, c.rules.Device)
	ids := texts(device["identifiers"])
	c.must(slices.Equal(ids, []string{id}), "identifiers %q are not that of the topic", ids)
	c.must(!c.ids[id], "the device %s appears twice", id)
	c.ids[id] = true
	name, _ := device["name"].(string)
	c.must(name != "", "the device has no name")
	if parent, ok := device["via_device"].(string); ok {
		c.via = append(c.via, parent)
	}
	if link, ok := device["configuration_url"].(string); ok {
		u, err := url.Parse(link)
		c.must(err == nil && slices.Contains([]string{"http", "https", "homeassistant"}, u.Scheme), "configuration_url %q", link)
	}
}

func (c *checker) availability(m map[string]any) {
	_, list := m["availability"]
	_, single := m["availability_topic"]
	c.must(!list || !single, "availability and availability_topic exclude one another")
	if mode, ok := m["availability_mode"]; ok {
		c.must(mode == "all" || mode == "any" || mode == "latest", "availability_mode %v", mode)
	}
	entries, _ := m["availability"].([]any)
	for _, entry := range entries {
		e, _ := entry.(map[string]any)
		c.only(e, []string{"topic", "payload_available", "payload_not_available", "value_template"})
		topic, _ := e["topic"].(string)
		c.must(slices.Contains([]string{"online", "offline"}, c.tree[topic]), "availability topic %q holds %q", topic, c.tree[topic])
	}
}

func (c *checker) component(key string, m map[string]any) {
	p, _ := m["platform"].(string)
	rules, ok := c.rules.Platforms[p]
	if !ok {
		c.must(false, "platform %q", p)
		return
	}
	if len(m) == 1 {
		return // takes the component away
	}
	c.only(m, rules.Allowed)
	c.all(m, rules.Required)
	c.identity(p, m)
	c.availability(m)
	if class, ok := m["device_class"].(string); ok {
		c.must(slices.Contains(rules.DeviceClass, class), "device_class %q", class)
	}
	if class, ok := m["state_class"].(string); ok {
		c.must(slices.Contains(rules.StateClass, class), "state_class %q", class)
	}
	category, _ := m["entity_category"].(string)
	c.must(slices.Contains([]string{"", "config", "diagnostic"}, category), "entity_category %q", category)
	c.must(category != "config" || !strings.HasSuffix(p, "sensor"), "a %s cannot be a setting", p)
	c.attributes(m, rules)
	switch p {
	case "sensor":
		c.sensor(m)
	case "select":
		c.must(len(texts(m["options"])) > 0, "no options")
	case "event":
		c.must(len(texts(m["event_types"])) > 0, "no event types")
		_, kept := c.tree[text(m, "state_topic")]
		c.must(!kept, "an event is retained")
	}
	if command := text(m, "command_topic"); command != "" {
		_, kept := c.tree[command]
		c.must(!kept, "a command is retained")
	}
	c.value(key, p, m)
}

func (c *checker) identity(platform string, m map[string]any) {
	unique := platform + " " + text(m, "unique_id")
	c.must(!c.unique[unique], "the unique id %s appears twice", text(m, "unique_id"))
	c.unique[unique] = true
	id := text(m, "default_entity_id")
	c.must(entityID.MatchString(id) && strings.HasPrefix(id, platform+".") && len(id) <= 255, "default_entity_id %q", id)
	name := text(m, "name")
	c.must(sentence.MatchString(strings.ReplaceAll(name, "Zigbee2MQTT", "Zigbee2mqtt")), "name %q is not in sentence case", name)
}

func (c *checker) sensor(m map[string]any) {
	class, unit := text(m, "device_class"), text(m, "unit_of_measurement")
	options, enum := m["options"]
	c.must(enum == (class == "enum"), "options and the device class enum belong together")
	if enum {
		list := texts(options)
		c.must(len(list) > 0 && len(slices.Compact(slices.Sorted(slices.Values(list)))) == len(list), "options %q", list)
	}
	if class == "enum" || class == "timestamp" {
		c.must(unit == "" && text(m, "state_class") == "", "%s has no unit and no state class", class)
	}
	if units, ok := c.rules.Units[class]; ok {
		c.must(slices.Contains(units, unit), "unit %q for %s", unit, class)
	}
}

func (c *checker) attributes(m map[string]any, rules Platform) {
	topic := text(m, "json_attributes_topic")
	if topic == "" {
		return
	}
	var doc map[string]any
	err := json.Unmarshal([]byte(c.tree[topic]), &doc)
	c.must(err == nil, "attributes %s: %v", topic, err)
	for key := range doc {
		blocked := slices.Contains(c.rules.Blocked, key) || slices.Contains(rules.BlockedAttrs, key)
		c.must(!blocked, "the attribute %s is not taken", key)
	}
	c.must(len(c.tree[topic]) < 16384, "attributes of %d bytes are not recorded", len(c.tree[topic]))
}

// value checks that the entity finds a value it can take.
func (c *checker) value(key, platform string, m map[string]any) {
	topic := text(m, "state_topic")
	if topic == "" || platform == "event" {
		return
	}
	found := template.FindStringSubmatch(text(m, "value_template"))
	if found == nil {
		c.must(false, "value_template %q", text(m, "value_template"))
		return
	}
	c.must(found[1] == key, "it shows the value of %s", found[1])
	state, ok := value(c.tree[topic], found[1])
	c.must(ok, "%s has no member %s", topic, found[1])
	c.must(len(state) <= 255, "a state of %d bytes", len(state))
	if state == unknown || !ok {
		return
	}
	switch {
	case m["options"] != nil:
		c.must(slices.Contains(texts(m["options"]), state), "state %q is not an option", state)
	case platform == "binary_sensor" || platform == "switch":
		c.must(state == "ON" || state == "OFF", "state %q", state)
	case text(m, "device_class") == "timestamp":
		_, err := time.Parse(time.RFC3339, state)
		c.must(err == nil, "state %q is no time", state)
	}
}

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, x := range list {
		s, _ := x.(string)
		out = append(out, s)
	}
	return out
}
