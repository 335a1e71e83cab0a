// Package bus is our connection to the MQTT broker: one that comes back by
// itself, renews its subscriptions, and delivers what it hears in order.
//
// It speaks MQTT 3.1.1 with clean sessions. What was published while the
// connection was away is not delivered later; the broker then sends its retained
// messages again, marked Retained. So nothing heard before a loss may be taken for
// the present state; Watch tells when that happens, in order with the messages.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A Message is one MQTT publish. Everything is sent and subscribed with QoS 1.
type Message struct {
	Topic   string
	Payload []byte

	// Retained: on the way out, the broker shall keep it; on the way in, the broker
	// had kept it from before our subscription, and it may be old.
	Retained bool
}

// Config says how to reach a broker.
type Config struct {
	Server   string // mqtt://host[:1883] or mqtts://host[:8883]
	User     string
	Password string
	CAFile   string // PEM file with the authority of an mqtts broker; "" takes the system's
	ClientID string // "" makes one up
	Will     *Message

	KeepAlive time.Duration // 20 s when zero

	// Dialer replaces the network: it returns a connection to the broker, before
	// TLS. Simulations use it.
	Dialer func(ctx context.Context) (net.Conn, error)
	Log    *slog.Logger // nothing is logged when nil
}

// Status is the state of the connection.
type Status struct {
	Connected bool
	Since     time.Time
	Err       error // why it is not connected; nil before the first try has ended
}

// ErrClosed is what a closed Conn answers.
var ErrClosed = errors.New("the connection to the broker is closed")

// A Conn is a connection to a broker that comes back by itself. It is safe for
// concurrent use. Close it.
type Conn struct {
	cfg    Config
	server server
	log    *slog.Logger
	queue  *queue
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended

	// wire is held while a SUBSCRIBE or UNSUBSCRIBE is handed over, so that the
	// broker gets them in the order in which subs changed.
	wire sync.Mutex

	mu       sync.Mutex // guards what follows
	status   Status
	client   mqtt.Client   // nil when not connected
	changed  chan struct{} // closed at the next change of status
	subs     []*subscription
	watchers []*watcher
}

type watcher struct{ tell func(Status) }

// Open starts a connection and returns at once; it fails only when cfg makes no
// sense. Reaching the broker goes on until Close.
func Open(cfg Config) (*Conn, error) {
	server, err := parseServer(cfg)
	if err != nil {
		return nil, err
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Conn{
		cfg: cfg, server: server, log: log.With("broker", server.String()), queue: newQueue(),
		cancel: cancel, done: make(chan struct{}), changed: make(chan struct{}),
		status: Status{Since: time.Now()},
	}
	go c.run(ctx)
	return c, nil
}

// Dial is Open that waits for the connection: when the first try fails it returns
// why. *LoginError says that the broker refused us, *UnreachableError that there
// was no broker to ask.
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	c, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	for {
		status, changed := c.look()
		switch {
		case status.Connected:
			return c, nil
		case status.Err != nil:
			return nil, errors.Join(status.Err, c.Close())
		}
		select {
		case <-changed:
		case <-ctx.Done():
			c.Close()
			return nil, fmt.Errorf("reach broker %s: %w", c.server, context.Cause(ctx))
		}
	}
}

// Wait returns when the connection stands, or with the reason why it does not
// when ctx ends.
func (c *Conn) Wait(ctx context.Context) error {
	for {
		status, changed := c.look()
		if status.Connected {
			return nil
		}
		select {
		case <-changed:
		case <-c.done:
			return ErrClosed
		case <-ctx.Done():
			return c.offline()
		}
	}
}

// Status is the state of the connection now.
func (c *Conn) Status() Status {
	status, _ := c.look()
	return status
}

// Watch calls tell with the present status and with every later one, in order
// with the messages, until cancel is called.
func (c *Conn) Watch(tell func(Status)) (cancel func()) {
	w := &watcher{tell}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers = append(c.watchers, w)
	c.tell(w, c.status)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.watchers = without(c.watchers, w)
	}
}

// Publish sends m and returns when the broker has it. An error leaves open
// whether the broker got it.
func (c *Conn) Publish(ctx context.Context, m Message) error {
	c.wire.Lock() // a new connection subscribes before anything is asked over it
	client := c.connected()
	c.wire.Unlock()
	if client == nil {
		return c.offline()
	}
	token := client.Publish(m.Topic, 1, m.Retained, m.Payload)
	if err := await(ctx, token); err != nil {
		return fmt.Errorf("publish %s: %w", m.Topic, err)
	}
	return nil
}

// Close says good-bye to the broker, so that the will is not published, and waits
// until no handler runs any more. It must not be called from a handler.
func (c *Conn) Close() error {
	c.cancel()
	<-c.done
	return nil
}

func (c *Conn) look() (Status, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status, c.changed
}

func (c *Conn) connected() mqtt.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.client
}

// offline is the error for somebody who needs the connection now.
func (c *Conn) offline() error {
	select {
	case <-c.done:
		return ErrClosed
	default:
	}
	if err := c.Status().Err; err != nil {
		return err
	}
	return &UnreachableError{Server: c.server.String(), Err: errors.New("not connected yet")}
}

func await(ctx context.Context, token mqtt.Token) error {
	select {
	case <-token.Done():
		return token.Error()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func without[T comparable](list []T, gone T) []T {
	out := make([]T, 0, len(list))
	for _, x := range list {
		if x != gone {
			out = append(out, x)
		}
	}
	return out
}
