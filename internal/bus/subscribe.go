package bus

import (
	"context"
	"fmt"
	"strings"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

type subscription struct {
	filter string
	handle func(Message)
}

// Subscribe calls handle for every message whose topic matches filter (+ and # as
// usual), one at a time, in the order in which the broker sent them, first those
// that it had kept. The broker sends kept ones again after each reconnection and
// whenever somebody subscribes to the same filter anew.
//
// It returns when the broker has agreed; without a connection at once, and the
// subscription begins with the connection. handle may use the Conn but not Close it.
func (c *Conn) Subscribe(ctx context.Context, filter string, handle func(Message)) (cancel func(), err error) {
	s := &subscription{filter, handle}
	cancel = func() { c.unsubscribe(s) }
	c.wire.Lock()
	c.mu.Lock()
	c.subs = append(c.subs, s)
	client := c.client
	c.mu.Unlock()
	if client == nil {
		c.wire.Unlock()
		return cancel, nil
	}
	token := client.Subscribe(filter, 1, nil)
	c.wire.Unlock()
	err = await(ctx, token)
	if err != nil && ctx.Err() == nil {
		return cancel, nil // the connection is lost; the next one subscribes
	}
	if err == nil {
		err = c.agreed(token, filter)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("subscribe to %s: %w", filter, err)
	}
	return cancel, nil
}

// agreed looks at the broker's answer for one filter.
func (c *Conn) agreed(token mqtt.Token, filter string) error {
	const refused = 0x80
	if t, ok := token.(*mqtt.SubscribeToken); ok && t.Result()[filter] == refused {
		return fmt.Errorf("broker %s does not allow it; give user %q the right to read that topic", c.server, c.server.user)
	}
	return nil
}

func (c *Conn) unsubscribe(s *subscription) {
	c.wire.Lock()
	defer c.wire.Unlock()
	c.mu.Lock()
	c.subs = without(c.subs, s)
	client, shared := c.client, false
	for _, other := range c.subs {
		shared = shared || other.filter == s.filter
	}
	c.mu.Unlock()
	if client != nil && !shared {
		client.Unsubscribe(s.filter)
	}
}

// renew subscribes a new connection to everything and then makes it the one in use.
func (c *Conn) renew(ctx context.Context, client mqtt.Client) error {
	c.wire.Lock()
	filters := map[string]byte{}
	c.mu.Lock()
	for _, s := range c.subs {
		filters[s.filter] = 1
	}
	c.mu.Unlock()
	c.change(client, nil)
	var token mqtt.Token = &mqtt.DummyToken{}
	if len(filters) > 0 {
		token = client.SubscribeMultiple(filters, nil)
	}
	c.wire.Unlock()
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := await(ctx, token); err != nil {
		return &UnreachableError{Server: c.server.String(), Err: fmt.Errorf("renew subscriptions: %w", err)}
	}
	for filter := range filters {
		if err := c.agreed(token, filter); err != nil {
			c.log.Warn("subscription refused", "filter", filter, "err", err)
		}
	}
	return nil
}

// deliver hands a message to every subscription that matches.
func (c *Conn) deliver(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.subs {
		if Match(s.filter, m.Topic) {
			c.queue.add(func() { c.handle(s, m) })
		}
	}
}

// handle skips a subscription that ended while the message waited.
func (c *Conn) handle(s *subscription, m Message) {
	c.mu.Lock()
	live := false
	for _, other := range c.subs {
		live = live || other == s
	}
	c.mu.Unlock()
	if live {
		s.handle(m)
	}
}

// Match says whether a topic matches a filter: + is one level, # all that follow,
// and neither matches a first level that begins with $.
func Match(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") != strings.HasPrefix(filter, "$") {
		return false
	}
	levels := strings.Split(topic, "/")
	for i, want := range strings.Split(filter, "/") {
		switch {
		case want == "#":
			return true
		case i >= len(levels) || want != "+" && want != levels[i]:
			return false
		}
	}
	return strings.Count(filter, "/") == strings.Count(topic, "/")
}
