package z2m

import (
	"path"
	"strings"

	"z2mha/internal/dongle/zigbee"
)

// names are the devices that the configuration has an entry for, with their friendly
// names, "" where the entry gives none. A file of devices that cannot be read is
// checkReferences' to complain about.
func (c *configuration) names() map[zigbee.IEEE]string {
	out := map[zigbee.IEEE]string{}
	addNames(out, c.at("devices"))
	for _, name := range c.listed("devices") {
		if inside(name) != nil {
			continue
		}
		if doc, err := loadYAML(c.get, path.Clean(name)); err == nil {
			addNames(out, doc.Value())
		}
	}
	return out
}

// addNames reads '0x…': {friendly_name: …}. An address without quotes is a number to
// YAML, and unknown to Zigbee2MQTT too.
func addNames(out map[zigbee.IEEE]string, v any) {
	entries, ok := v.(map[string]any)
	if !ok {
		return
	}
	for key, entry := range entries {
		ieee, err := zigbee.ParseIEEE(key)
		if err != nil || !strings.HasPrefix(key, "0x") {
			continue
		}
		fields, _ := entry.(map[string]any)
		name, _ := fields["friendly_name"].(string)
		out[ieee] = name
	}
}
