package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

const (
	connectTimeout = 10 * time.Second
	writeTimeout   = 5 * time.Second
	goodbye        = 250 * time.Millisecond

	firstPause   = 500 * time.Millisecond // before the next try, doubled each time
	longestPause = 10 * time.Second
	refusedPause = 30 * time.Second // brokers count failed logins
)

// run keeps the connection up until ctx ends.
func (c *Conn) run(ctx context.Context) {
	defer close(c.done)
	defer c.queue.close()
	pause := firstPause
	for ctx.Err() == nil {
		stood, err := c.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if stood {
			pause = firstPause
		}
		c.change(nil, err)
		var refused *LoginError
		wait := pause
		if errors.As(err, &refused) {
			wait = refusedPause
		}
		sleep(ctx, wait)
		pause = min(2*pause, longestPause)
	}
	c.change(nil, ErrClosed)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// session connects once and stays until the connection or ctx ends. stood says
// that it was connected.
func (c *Conn) session(ctx context.Context) (stood bool, err error) {
	lost := make(chan error, 1)
	client, err := c.connect(ctx, lost)
	if err != nil {
		return false, err
	}
	defer client.Disconnect(uint(goodbye.Milliseconds()))
	if err := c.renew(ctx, client); err != nil {
		return false, err
	}
	select {
	case err := <-lost:
		return true, &UnreachableError{Server: c.server.String(), Err: err}
	case <-ctx.Done():
		return true, nil
	}
}

// connect makes a new client for each connection: none carries anything over.
func (c *Conn) connect(ctx context.Context, lost chan<- error) (mqtt.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var dialed error
	hurry := func() bool { return true } // stops closing the connection with ctx
	o := c.options().
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err }).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
			conn, err := c.server.dial(ctx, c.cfg.Dialer)
			if dialed = err; err == nil {
				hurry = context.AfterFunc(ctx, func() { conn.Close() })
			}
			return conn, err
		})
	client := mqtt.NewClient(o)
	token := client.Connect()
	<-token.Done() // ends with ctx: it closes what was dialed
	hurry()
	switch {
	case dialed != nil:
		return nil, c.server.refusal(dialed)
	case token.Error() != nil:
		return nil, c.server.refusal(token.Error())
	}
	return client, nil
}

func (c *Conn) options() *mqtt.ClientOptions {
	o := mqtt.NewClientOptions().
		AddBroker("tcp://" + c.server.address).
		SetClientID(orElse(c.cfg.ClientID, "z2mha-"+rand.Text()[:12])).
		SetUsername(c.server.user).SetPassword(c.server.password).
		SetProtocolVersion(4).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(true).
		SetKeepAlive(c.keepAlive()).SetPingTimeout(c.keepAlive() / 2).
		SetConnectTimeout(connectTimeout).SetWriteTimeout(writeTimeout).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			c.deliver(Message{Topic: m.Topic(), Payload: m.Payload(), Retained: m.Retained()})
		})
	if w := c.cfg.Will; w != nil {
		o.SetBinaryWill(w.Topic, w.Payload, 1, w.Retained)
	}
	return o
}

func (c *Conn) keepAlive() time.Duration {
	if c.cfg.KeepAlive > 0 {
		return c.cfg.KeepAlive
	}
	return 20 * time.Second
}

// change publishes a new status; a client means connected.
func (c *Conn) change(client mqtt.Client, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.client = client
	c.status = Status{Connected: client != nil, Since: time.Now(), Err: err}
	if client != nil {
		c.log.Info("connected to the broker")
	} else {
		c.log.Info("not connected to the broker", "err", err)
	}
	close(c.changed)
	c.changed = make(chan struct{})
	for _, w := range c.watchers {
		c.tell(w, c.status)
	}
}

func (c *Conn) tell(w *watcher, s Status) { c.queue.add(func() { w.tell(s) }) }
