package z2m_test

import (
	"io/fs"
	"testing"

	"z2mha/internal/z2m"
)

func TestBrokerAddress(t *testing.T) {
	for _, tt := range []struct{ name, server, want string }{
		{"has the usual port", "mqtt://core-mosquitto", "core-mosquitto:1883"},
		{"has a port of its own", "mqtt://192.0.2.1:1884", "192.0.2.1:1884"},
		{"is encrypted", "mqtts://broker.example", "broker.example:8883"},
		{"is of IPv6", "mqtt://[2001:db8::1]", "[2001:db8::1]:1883"},
		{"stands elsewhere", "'!secret server'", "elsewhere:1883"},
		{"is a socket in the file system", "mqtt+unix:///run/mqtt", ""},
		{"is missing", "''", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{
				"configuration.yaml": "mqtt: {server: " + quoted(tt.server) + "}\n",
				"secret.yaml":        "server: mqtt://elsewhere\n",
			}
			got := z2m.BrokerAddress(func(name string) ([]byte, error) {
				if text, ok := files[name]; ok {
					return []byte(text), nil
				}
				return nil, fs.ErrNotExist
			})
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func quoted(s string) string {
	if s[0] == '\'' {
		return s
	}
	return "'" + s + "'"
}
