package supervisor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// MQTT is the broker that the Supervisor offers to add-ons, with a login of our own.
type MQTT struct {
	Host     string
	Port     int
	TLS      bool
	User     string
	Password Secret
	Protocol string // "3.1.1", whatever the broker speaks
	Provider string // slug of the broker's add-on, core_mosquitto
}

// Server returns the address as mqtt://host:port or mqtts://host:port.
func (m MQTT) Server() string {
	scheme := "mqtt://"
	if m.TLS {
		scheme = "mqtts://"
	}
	return scheme + net.JoinHostPort(m.Host, strconv.Itoa(m.Port))
}

// MQTT asks for the broker. It returns ErrNoMQTT when there is none.
func (c *Client) MQTT(ctx context.Context) (MQTT, error) {
	var answer struct {
		Host     string `json:"host"`
		Port     int    `json:"port"`
		SSL      bool   `json:"ssl"`
		Username string `json:"username"`
		Password Secret `json:"password"`
		Protocol string `json:"protocol"`
		Addon    string `json:"addon"` // called app in newer versions of the API
		App      string `json:"app"`
	}
	err := c.do(ctx, call{method: http.MethodGet, path: "/services/mqtt", needs: needsMQTT}, &answer)
	if refused, ok := errors.AsType[*APIError](err); ok && strings.Contains(refused.Message, "not enabled") {
		return MQTT{}, ErrNoMQTT
	}
	if err != nil {
		return MQTT{}, err
	}
	if answer.Host == "" {
		return MQTT{}, ErrNoMQTT
	}
	m := MQTT{
		Host: answer.Host, Port: answer.Port, TLS: answer.SSL,
		User: answer.Username, Password: answer.Password,
		Protocol: answer.Protocol, Provider: answer.Addon + answer.App,
	}
	return m, nil
}
