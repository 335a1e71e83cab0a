package entities

import (
	"context"
	"slices"
	"strings"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
)

const (
	// quiet is kept between two announcements: Home Assistant cuts a device message
	// short that comes while it still works on the one before.
	quiet = 3 * time.Second
	// longestDelay bounds how long new reasons can put an announcement off.
	longestDelay = 10 * time.Second
	retryDelay   = 5 * time.Second // after a publish that did not work
	refresh      = time.Minute     // ages go on when nothing else changes
	patience     = 10 * time.Second
	goodbye      = 2 * time.Second
)

// A publisher is the loop that publishes. Only its goroutine touches it.
//
// An announcement is everything: what is gone is taken back, then come the devices,
// then who is there, then the states. Between announcements only what differs is
// published. While an announcement is due nothing else is, so a state never comes
// before the device message that knows its options. One is due with each connection
// and after each publish that did not work.
type publisher struct {
	e       *Entities
	memory  memory
	latency latencies

	connected bool
	link      int
	announced string            // the device messages, as they were announced
	sent      map[string]string // what the broker has, by topic
	due       time.Time         // of the next announcement, zero when there is none
	asked     time.Time         // when it was asked for first
	last      time.Time         // announcement
	timer     *time.Timer
}

func newPublisher(e *Entities) *publisher {
	p := &publisher{e: e, sent: map[string]string{}, latency: latencies{}}
	memory, err := loadMemory(e.cfg.Shelf)
	if err != nil {
		e.log.Warn("what was published before is not known; if nodes were removed, delete their devices in Home Assistant", "err", err)
	}
	p.memory = memory
	return p
}

func (p *publisher) run(ctx context.Context) {
	p.timer = time.NewTimer(0)
	defer p.timer.Stop()
	minute := time.NewTicker(refresh)
	defer minute.Stop()
	for ctx.Err() == nil {
		changed := p.e.cfg.Desk.Changed() // before Networks is read
		p.listen()
		p.publish(ctx)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-p.e.wake:
		case <-p.timer.C:
		case <-minute.C:
		}
	}
	p.leave(ctx)
}

// listen takes in what was heard.
func (p *publisher) listen() {
	h := p.e.take()
	if h.link != p.link || !h.connected {
		p.due = time.Time{}
	}
	if h.connected && (h.link != p.link || h.birth) {
		p.schedule(p.e.cfg.Delay())
	}
	if h.missing {
		delete(p.sent, p.e.cfg.Options.Status())
	}
	p.connected, p.link = h.connected, h.link
}

// schedule asks for an announcement after delay. A new reason puts it off, but not
// for ever.
func (p *publisher) schedule(delay time.Duration) {
	now := time.Now()
	if p.due.IsZero() {
		p.asked = now
	}
	p.due = now.Add(delay)
	if latest := p.asked.Add(longestDelay); p.due.After(latest) {
		p.due = latest
	}
	if earliest := p.last.Add(quiet); p.due.Before(earliest) {
		p.due = earliest
	}
	p.timer.Reset(time.Until(p.due))
}

func (p *publisher) publish(ctx context.Context) {
	networks, known := p.networks()
	switch {
	case !p.connected || !known:
	case p.due.IsZero():
		p.update(ctx, networks)
	case !time.Now().Before(p.due):
		p.announce(ctx, networks)
	}
}

// networks is what is to be published: nothing when we are off. It is not known as
// long as a network has no nodes yet; that must not look as if they were removed.
func (p *publisher) networks() (networks []status.Network, known bool) {
	if p.e.cfg.Off {
		return nil, true
	}
	networks = slices.Clone(p.e.cfg.Desk.Networks())
	for i, n := range networks {
		if len(n.Nodes) == 0 {
			return nil, false
		}
		networks[i] = p.latency.steady(n)
	}
	return networks, true
}

// documents is every retained message but the devices, in the order of publishing.
func (p *publisher) documents(networks []status.Network) []discovery.Message {
	if p.e.cfg.Off {
		return nil
	}
	o := p.e.cfg.Options
	return slices.Concat(discovery.Availability(networks, o), discovery.States(networks, o, time.Now()))
}

// update publishes what differs from what the broker has, and the events.
func (p *publisher) update(ctx context.Context, networks []status.Network) {
	if payloads(discovery.Devices(networks, p.e.cfg.Options)) != p.announced {
		p.schedule(p.e.cfg.Delay())
		return
	}
	for _, m := range p.documents(networks) {
		if p.sent[m.Topic] != string(m.Payload) && !p.send(ctx, m) {
			return
		}
	}
	for event, ok := p.e.event(); ok; event, ok = p.e.event() {
		if !p.tell(ctx, event) {
			return
		}
	}
}

func payloads(devices []discovery.Device) string {
	var all strings.Builder
	for _, d := range devices {
		all.WriteString(d.Topic)
		all.Write(d.Payload(nil))
	}
	return all.String()
}

// tell publishes an event. One that is lost with the connection is not told twice: it
// may have arrived.
func (p *publisher) tell(ctx context.Context, event status.Event) bool {
	m, ok := discovery.Event(event, p.e.cfg.Options)
	if !ok {
		return true
	}
	return p.deliver(ctx, bus.Message{Topic: m.Topic, Payload: m.Payload})
}

// send publishes a retained message, and remembers it.
func (p *publisher) send(ctx context.Context, m discovery.Message) bool {
	if !p.deliver(ctx, bus.Message{Topic: m.Topic, Payload: m.Payload, Retained: true}) {
		return false
	}
	p.sent[m.Topic] = string(m.Payload)
	return true
}

// deliver publishes m; when that does not work everything is announced anew later.
func (p *publisher) deliver(ctx context.Context, m bus.Message) bool {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := p.e.cfg.Bus.Publish(within, m)
	if err == nil {
		return true
	}
	p.due = time.Time{}
	if ctx.Err() == nil {
		p.e.log.Warn("Home Assistant was not told", "topic", m.Topic, "err", err)
		p.schedule(retryDelay)
	}
	return false
}

// leave says that we are going; the broker sends no will after a good-bye.
func (p *publisher) leave(ctx context.Context) {
	if p.e.cfg.Off {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	p.listen()
	p.publish(ctx) // how a run ended that was stopped with us
	will := discovery.Will(p.e.cfg.Options.Base)
	if err := p.e.cfg.Bus.Publish(ctx, bus.Message{Topic: will.Topic, Payload: will.Payload, Retained: true}); err != nil {
		p.e.log.Debug("no good-bye to Home Assistant", "err", err)
	}
}

// latencies are the probe latencies that are shown. Each look measures another one,
// and a new state every few seconds is of no use to anybody: they change once a
// minute.
type latencies map[string]measured

type measured struct {
	minute  time.Time
	latency time.Duration
}

func (l latencies) steady(n status.Network) status.Network {
	n.Nodes = slices.Clone(n.Nodes)
	for i, node := range n.Nodes {
		key, minute := n.Name+"\n"+node.Name, node.Seen.Truncate(time.Minute)
		if was, ok := l[key]; !ok || !was.minute.Equal(minute) {
			l[key] = measured{minute, node.Latency}
		}
		n.Nodes[i].Latency = l[key].latency
	}
	return n
}
