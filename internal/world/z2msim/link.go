package z2msim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A link is the connection to the broker: bridge/state as last will, online
// published again after every reconnect, a retry each second.
type link struct {
	client mqtt.Client
	base   string
}

const patience = 5 * time.Second // for one word of the broker

var errBrokerSlow = errors.New("the broker did not answer in time")

// newLink prepares a connection, over dial unless that is nil. handle is called, from many goroutines, with the
// topic below the base topic.
func newLink(c *config, dial func() (net.Conn, error), handle func(topic string, payload []byte)) *link {
	l := &link{base: c.text("mqtt.base_topic", "zigbee2mqtt")}
	o := mqtt.NewClientOptions().
		AddBroker(c.text("mqtt.server", "mqtt://localhost:1883")).
		SetClientID(c.text("mqtt.client_id", fmt.Sprintf("mqttjs_%08x", time.Now().UnixNano()&0xFFFFFFFF))).
		SetUsername(c.text("mqtt.user", "")).
		SetPassword(c.text("mqtt.password", "")).
		SetKeepAlive(time.Duration(c.number("mqtt.keepalive", 60))*time.Second).
		SetConnectTimeout(patience).
		SetMaxReconnectInterval(time.Second).
		SetOrderMatters(false).
		SetWill(l.topic("bridge/state"), offline, 1, true).
		SetOnConnectHandler(func(mqtt.Client) { l.announce(handle) })
	if dial != nil {
		o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return dial() })
	}
	l.client = mqtt.NewClient(o)
	return l
}

// connect makes the first connection; when that fails Zigbee2MQTT gives up.
func (l *link) connect() error { return wait(l.client.Connect()) }

const (
	online  = `{"state":"online"}`
	offline = `{"state":"offline"}`
)

// announce says online first and subscribes then: a command sent in between is lost.
func (l *link) announce(handle func(topic string, payload []byte)) {
	l.client.Publish(l.topic("bridge/state"), 1, true, online)
	l.client.Subscribe(l.topic("#"), 0, func(_ mqtt.Client, m mqtt.Message) {
		if !m.Retained() {
			handle(strings.TrimPrefix(m.Topic(), l.base+"/"), m.Payload())
		}
	})
}

func (l *link) topic(name string) string { return l.base + "/" + name }

// publish sends v as JSON below the base topic.
func (l *link) publish(name string, retain bool, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return wait(l.client.Publish(l.topic(name), 0, retain, raw))
}

// tell publishes what nobody waits for.
func (l *link) tell(name string, v any) {
	if raw, err := json.Marshal(v); err == nil && l.client.IsConnected() {
		l.client.Publish(l.topic(name), 0, false, raw)
	}
}

// close says offline and leaves, so that the last will is not needed.
func (l *link) close() error {
	err := wait(l.client.Publish(l.topic("bridge/state"), 0, true, offline))
	l.client.Disconnect(250)
	return err
}

func wait(t mqtt.Token) error {
	if !t.WaitTimeout(patience) {
		return errBrokerSlow
	}
	return t.Error()
}
