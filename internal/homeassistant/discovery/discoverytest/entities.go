package discoverytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// unknown is what a template makes of null.
const unknown = "None"

// Entities returns the state of every entity that Home Assistant would have after
// tree, by its default entity id: "unavailable", "unknown" or the state. A button
// that can be pressed and an event entity without an event are "unknown".
func Entities(tree Tree) map[string]string {
	out := map[string]string{}
	for _, topic := range slices.Sorted(maps.Keys(tree)) {
		if deviceTopic.FindString(topic) == "" {
			continue
		}
		var root map[string]any
		if json.Unmarshal([]byte(tree[topic]), &root) != nil {
			continue
		}
		components, _ := root["components"].(map[string]any)
		for _, v := range components {
			m, _ := v.(map[string]any)
			if m["availability"] == nil {
				m["availability"] = root["availability"]
			}
			if id := text(m, "default_entity_id"); id != "" {
				out[id] = state(tree, m)
			}
		}
	}
	return out
}

func state(tree Tree, m map[string]any) string {
	entries, _ := m["availability"].([]any)
	for _, entry := range entries {
		e, _ := entry.(map[string]any)
		if tree[text(e, "topic")] != "online" {
			return "unavailable"
		}
	}
	found := template.FindStringSubmatch(text(m, "value_template"))
	if found == nil {
		return "unknown"
	}
	s, ok := value(tree[text(m, "state_topic")], found[1])
	if !ok || s == unknown {
		return "unknown"
	}
	return s
}

// value renders {{ value_json.member }} as a template does.
func value(document, member string) (string, bool) {
	var doc map[string]any
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	if d.Decode(&doc) != nil {
		return "", false
	}
	v, ok := doc[member]
	if v == nil {
		return unknown, ok
	}
	return strings.TrimSpace(fmt.Sprint(v)), ok
}
