package z2m

import (
	"fmt"
	"slices"

	"z2mha/internal/dongle/zigbee"
)

// A Network is the identity that a configuration puts into effect, Zigbee2MQTT's
// own values included where the file gives none.
type Network struct {
	PanID     zigbee.PanID
	ExtPanID  zigbee.ExtPanID
	Channel   zigbee.Channel
	Key       zigbee.Key
	BaseTopic string

	// Defaulted are the dotted keys that the file leaves to Zigbee2MQTT.
	Defaulted []string
}

// Zigbee2MQTT's values for what configuration.yaml leaves out. Source: settings
// of Zigbee2MQTT 2.14.
var (
	defaultKey      = []any{1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13}
	defaultExtPanID = []any{0xDD, 0xDD, 0xDD, 0xDD, 0xDD, 0xDD, 0xDD, 0xDD}

	networkDefaults = []struct {
		key   string
		value any
	}{
		{"mqtt.base_topic", "zigbee2mqtt"},
		{"advanced.pan_id", 0x1A62},
		{"advanced.ext_pan_id", defaultExtPanID},
		{"advanced.channel", 11},
		{"advanced.network_key", defaultKey},
	}
)

const generate = "GENERATE"

// ReadNetwork returns the identity in effect. Every error is a *Problem or joins
// several; see Problems.
func ReadNetwork(get Files) (Network, error) {
	c, err := loadConfiguration(get)
	if err != nil {
		return Network{}, err
	}
	n, problems := c.network()
	return n, join(problems)
}

func (c *configuration) network() (Network, []error) {
	var n Network
	var problems []error
	for _, d := range networkDefaults {
		v, err := c.effective(d.key)
		if err == nil && v == nil {
			v = d.value
			n.Defaulted = append(n.Defaulted, d.key)
		}
		if err == nil {
			err = n.set(d.key, v)
		}
		problems = append(problems, err)
	}
	return n, problems
}

func (n *Network) set(key string, v any) error {
	if v == generate {
		return &Problem{File: ConfigurationFile, Key: key, Why: "is GENERATE: every node would make up a network of its own",
			Remedy: "start Zigbee2MQTT once on the active node, so that it writes the real value, and try again"}
	}
	switch key {
	case "mqtt.base_topic":
		return n.setBaseTopic(v)
	case "advanced.pan_id":
		return number(key, v, 1, 0xFFFE, &n.PanID)
	case "advanced.channel":
		return number(key, v, 11, 26, &n.Channel)
	case "advanced.ext_pan_id":
		b, err := octets(key, v, 8)
		for _, x := range b {
			n.ExtPanID = n.ExtPanID<<8 | zigbee.ExtPanID(x)
		}
		return err
	case "advanced.network_key":
		b, err := octets(key, v, len(n.Key))
		copy(n.Key[:], b)
		return err
	}
	panic("z2m: no such part of a network: " + key)
}

func (n *Network) setBaseTopic(v any) error {
	topic, ok := v.(string)
	if !ok || topic == "" {
		return &Problem{File: ConfigurationFile, Key: "mqtt.base_topic", Why: fmt.Sprintf("is %v, not a topic", v), Remedy: "write a word, such as zigbee2mqtt"}
	}
	n.BaseTopic = topic
	return nil
}

func number[T ~uint8 | ~uint16](key string, v any, low, high int, to *T) error {
	i, ok := v.(int)
	if !ok || i < low || i > high {
		return &Problem{File: ConfigurationFile, Key: key, Why: fmt.Sprintf("is %v", v), Remedy: fmt.Sprintf("write a number from %d to %d without quotes", low, high)}
	}
	*to = T(i)
	return nil
}

// octets reads a list of n bytes; its errors hold no value.
func octets(key string, v any, n int) ([]byte, error) {
	bad := &Problem{File: ConfigurationFile, Key: key, Why: fmt.Sprintf("is not a list of %d numbers from 0 to 255", n),
		Remedy: "write it as [1, 2, …], the way Zigbee2MQTT does"}
	list, ok := v.([]any)
	if !ok || len(list) != n {
		return nil, bad
	}
	out := make([]byte, n)
	for i, x := range list {
		value, ok := x.(int)
		if !ok || value < 0 || value > 255 {
			return nil, bad
		}
		out[i] = byte(value)
	}
	return out, nil
}

// warnings tells what is legal and unwise.
func (n *Network) warnings() []string {
	var known Network
	_ = known.set("advanced.network_key", defaultKey)
	_ = known.set("advanced.ext_pan_id", defaultExtPanID)
	var out []string
	if n.Key == known.Key {
		out = append(out, "advanced.network_key is the well-known key of Zigbee2MQTT's documentation: whoever is near can read and control this network; a new key needs all devices to be paired again")
	}
	if n.ExtPanID == known.ExtPanID {
		out = append(out, "advanced.ext_pan_id is Zigbee2MQTT's own for everybody: a neighbour's network may carry it too")
	}
	return out
}

// reversed is the same id with its bytes the other way round: tools disagree.
func reversed(e zigbee.ExtPanID) zigbee.ExtPanID {
	b := e.LE()
	slices.Reverse(b)
	return zigbee.ExtPanIDFromLE(b)
}
