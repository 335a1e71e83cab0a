package fence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"z2mha/internal/bus"
)

// A Broker is our connection to the MQTT broker; *bus.Conn is one.
type Broker interface {
	Publish(ctx context.Context, m bus.Message) error
	Subscribe(ctx context.Context, filter string, handle func(bus.Message)) (cancel func(), err error)
	Wait(ctx context.Context) error // until there is a connection
}

// Topics say how a device is switched and asked over MQTT.
type Topics struct {
	Topic, Payload       string // switch it off
	ConfirmTopic         string // says what it is
	Expect               Expectation
	AskTopic, AskPayload string // makes it say so; "" when it does by itself
}

// askEvery is the time between two questions.
const askEvery = 2 * time.Second

// MQTT is a device that is switched by a topic. What the broker has kept is not believed:
// it may be from before.
type MQTT struct {
	broker Broker
	t      Topics
	cancel func()

	mu    sync.Mutex // guards what follows
	last  []byte     // the newest fresh message, and when it came
	at    time.Time
	since time.Time // of the last Off
	asked time.Time
}

// NewMQTT listens to the confirmation from now on. Close it.
func NewMQTT(ctx context.Context, b Broker, t Topics) (*MQTT, error) {
	m := &MQTT{broker: b, t: t}
	var err error
	m.cancel, err = b.Subscribe(ctx, t.ConfirmTopic, m.hear)
	return m, err
}

// Close stops listening.
func (m *MQTT) Close() { m.cancel() }

func (m *MQTT) String() string { return "the MQTT topic " + m.t.Topic }

func (m *MQTT) hear(msg bus.Message) {
	if msg.Retained {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last, m.at = msg.Payload, time.Now()
}

// Off publishes. From here on only what comes later counts.
func (m *MQTT) Off(ctx context.Context) error {
	m.mu.Lock()
	m.since, m.asked = time.Now(), time.Time{}
	m.mu.Unlock()
	return m.broker.Publish(ctx, bus.Message{Topic: m.t.Topic, Payload: []byte(m.t.Payload)})
}

// State is the newest fresh message since the last Off, and asks for another.
func (m *MQTT) State(ctx context.Context) (bool, string, error) {
	if err := m.ask(ctx); err != nil {
		return false, "", err
	}
	m.mu.Lock()
	last, at, since := m.last, m.at, m.since
	m.mu.Unlock()
	if !at.After(since) {
		return false, "", fmt.Errorf("nothing fresh came on %s", m.t.ConfirmTopic)
	}
	if m.t.AskTopic != "" && time.Since(at) > 2*askEvery {
		return false, "", fmt.Errorf("it does not answer any more on %s", m.t.ConfirmTopic)
	}
	return m.t.Expect.met(last)
}

func (m *MQTT) ask(ctx context.Context) error {
	m.mu.Lock()
	due := m.t.AskTopic != "" && time.Since(m.asked) >= askEvery
	if due {
		m.asked = time.Now()
	}
	m.mu.Unlock()
	if !due {
		return nil
	}
	return m.broker.Publish(ctx, bus.Message{Topic: m.t.AskTopic, Payload: []byte(m.t.AskPayload)})
}

// Check asks, where that is possible, and waits for a fresh answer. A device that speaks
// only when it is switched cannot be checked further than that the broker is there.
func (m *MQTT) Check(ctx context.Context) error {
	if m.t.AskTopic == "" {
		return m.broker.Wait(ctx)
	}
	began := time.Now()
	if err := m.broker.Publish(ctx, bus.Message{Topic: m.t.AskTopic, Payload: []byte(m.t.AskPayload)}); err != nil {
		return err
	}
	for {
		m.mu.Lock()
		last, at := m.last, m.at
		m.mu.Unlock()
		if at.After(began) {
			_, _, err := m.t.Expect.met(last)
			return err
		}
		if wait(ctx) != nil {
			return errors.Join(fmt.Errorf("it does not answer on %s", m.t.ConfirmTopic), interrupted(ctx))
		}
	}
}
