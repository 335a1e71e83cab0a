package main

import (
	"testing"

	"z2mha/internal/config"
)

func TestBrokerAsOthersReachIt(t *testing.T) {
	for _, tt := range []struct{ name, server, want string }{
		{"is an address", "mqtt://192.0.2.1", "192.0.2.1:1883"},
		{"is an address of IPv6", "mqtt://[2001:db8::1]:1884", "[2001:db8::1]:1884"},
		{"is a name", "mqtts://broker.example", "broker.example:8883"},
		{"is this machine", "mqtt://localhost", ""},
		{"is this machine by its address", "mqtt://127.0.0.1", ""},
		{"is this machine by its address of IPv6", "mqtt://[::1]", ""},
		{"is the add-on beside us", "mqtt://core-mosquitto", ""},
		{"is a container beside us", "mqtt://mosquitto:1883", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, err := config.ParseServer(tt.server)
			if err != nil {
				t.Fatal(err)
			}
			if got := brokerElsewhere(server); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
