package home

import (
	"errors"
	"fmt"
	"log/slog"
	"net"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// A Broker is the home's MQTT broker on loopback.
type Broker struct {
	server *mqtt.Server
	addr   string
}

// Login is what a broker asks of its clients; the zero value admits everybody.
type Login struct{ User, Password string }

// StartBroker starts an embedded broker on any free port of 127.0.0.1. With a
// login, nobody else is admitted.
func StartBroker(login Login) (*Broker, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for mqtt: %w", err)
	}
	b := &Broker{addr: l.Addr().String(), server: mqtt.New(&mqtt.Options{Logger: slog.New(slog.DiscardHandler)})}
	err = errors.Join(
		b.server.AddHook(new(auth.Hook), &auth.Options{Ledger: ledger(login)}),
		b.server.AddListener(listeners.NewNet("home", l)),
	)
	if err == nil {
		err = b.server.Serve()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the broker: %w", err), l.Close())
	}
	return b, nil
}

func ledger(login Login) *auth.Ledger {
	if login == (Login{}) {
		return &auth.Ledger{Auth: auth.AuthRules{{Allow: true}}}
	}
	return &auth.Ledger{Auth: auth.AuthRules{
		{Username: auth.RString(login.User), Password: auth.RString(login.Password), Allow: true},
	}}
}

// Addr is host:port.
func (b *Broker) Addr() string { return b.addr }

// Close ends every connection and the listener.
func (b *Broker) Close() error { return b.server.Close() }
