package z2m

import "net/url"

// brokerPorts are those that are meant when mqtt.server names none.
// Source: MQTT.js, connect.
var brokerPorts = map[string]string{
	"mqtt": "1883", "tcp": "1883", "mqtts": "8883", "ssl": "8883", "ws": "80", "wss": "443",
}

// BrokerAddress is host:port of mqtt.server, also where that refers to another file; ""
// when it cannot be read or means no TCP port.
func BrokerAddress(get Files) string {
	c, err := loadConfiguration(get)
	if err != nil {
		return ""
	}
	v, err := c.effective("mqtt.server")
	server, ok := v.(string)
	if err != nil || !ok {
		return ""
	}
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || brokerPorts[u.Scheme] == "" {
		return ""
	}
	if u.Port() != "" {
		return u.Host
	}
	return u.Host + ":" + brokerPorts[u.Scheme]
}
