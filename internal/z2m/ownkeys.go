package z2m

import (
	"fmt"
	"slices"
	"strings"
)

// nodeKeys are the keys of one node only: a stand-by keeps its own values, or has
// none. A key stands for everything below it.
// Source: facts on Zigbee2MQTT 2.14, "keys of one node only".
var nodeKeys = []string{
	"z2mha", // our marker
	"serial",
	"frontend.host", "frontend.port", "frontend.url", "frontend.base_url", "frontend.ssl_cert", "frontend.ssl_key",
	"mqtt.server", "mqtt.user", "mqtt.password", "mqtt.ca", "mqtt.cert", "mqtt.key", "mqtt.client_id",
	"advanced.log_directory", "advanced.log_file", "advanced.log_symlink_current", "advanced.log_syslog",
	"advanced.transmit_power", "advanced.adapter_concurrent", "advanced.adapter_delay",
	"ota.zigbee_ota_override_index_location",
}

// brokerKeys say how to reach the broker. They go together: Zigbee2MQTT does not
// start without mqtt.server, and a server without its login is no use.
var brokerKeys = []string{"mqtt.server", "mqtt.user", "mqtt.password", "mqtt.ca", "mqtt.cert", "mqtt.key"}

// sharedKeys must be equal on all nodes, so nobody may keep them: with another
// identity the stick would form another network, with other names or lists
// Zigbee2MQTT would rename or remove devices.
var sharedKeys = []string{
	"advanced.pan_id", "advanced.ext_pan_id", "advanced.network_key", "advanced.channel", "mqtt.base_topic",
	"homeassistant", "devices", "groups", "device_options", "passlist", "blocklist", "version",
}

// keptKeys are nodeKeys and the user's own. It refuses those that must be equal.
func keptKeys(keep []string) ([]string, error) {
	all := slices.Clone(nodeKeys)
	for _, key := range keep {
		for _, shared := range sharedKeys {
			if covers(key, shared) || covers(shared, key) {
				return nil, fmt.Errorf("keep %s: %s must be equal on all nodes; take it out of the list", key, shared)
			}
		}
		if !slices.Contains(all, key) {
			all = append(all, key)
		}
	}
	return all, nil
}

// covers says that key is inner or one of the keys around it.
func covers(key, inner string) bool {
	return key == inner || strings.HasPrefix(inner, key+".")
}
