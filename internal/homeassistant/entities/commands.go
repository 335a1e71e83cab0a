package entities

import (
	"context"
	"errors"
	"strings"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/discovery"
)

const (
	by         = "MQTT" // who asks, as it is shown and journaled
	maxWaiting = 8      // commands
	maxPayload = 512    // bytes; no name of a node is longer
	// stale is how old a command may get while it waits for those before it. Later
	// nobody expects it any more.
	stale = time.Minute
	// maxRefused events wait at most, so that a flood of commands does not push out
	// the news.
	maxRefused = maxEvents / 2
)

// A command is one message on a command topic.
type command struct {
	topic, payload string
	at             time.Time
}

// lanes are the commands that wait. Hold has its own, so that it overtakes requests
// which are being looked into: it is how a person stops them.
type lanes struct{ requests, holds chan command }

func newLanes() lanes {
	return lanes{make(chan command, maxWaiting), make(chan command, maxWaiting)}
}

func (l lanes) all() []chan command { return []chan command{l.requests, l.holds} }

func (l lanes) of(c command) chan command {
	if strings.HasSuffix(c.topic, "/cmd/"+discovery.Hold) {
		return l.holds
	}
	return l.requests
}

// hearCommand takes a command in; it runs on the bus and does not wait.
func (e *Entities) hearCommand(m bus.Message) {
	switch {
	case len(m.Payload) == 0: // somebody clears a retained command
		return
	case m.Retained:
		e.log.Warn("a retained command is ignored; publish commands without retain", "topic", m.Topic)
		return
	}
	c := command{m.Topic, string(m.Payload[:min(len(m.Payload), maxPayload)]), time.Now()}
	select {
	case e.lanes.of(c) <- c:
	default:
		e.refuse(c, &refusal{"too many commands wait", "Send one, and wait until it is done."})
	}
}

func (e *Entities) work(ctx context.Context, lane <-chan command) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-lane:
			e.carryOut(ctx, c)
		}
	}
}

// A refusal is why a command is not carried out, and what to do about it.
type refusal struct{ why, fix string }

func (e *Entities) carryOut(ctx context.Context, c command) {
	target, ok := e.locate(c)
	if !ok {
		e.log.Warn("a command for a network that is not known", "topic", c.topic)
		return
	}
	if time.Since(c.at) > stale {
		e.refuse(c, &refusal{"it had to wait too long for the commands before it", "Send it again if it is still wanted."})
		return
	}
	request, refused := read(target, c.payload)
	if refused != nil {
		e.refuse(c, refused)
		return
	}
	if request == (desk.Request{}) {
		return
	}
	e.ask(ctx, c, request)
}

func (e *Entities) locate(c command) (discovery.Target, bool) {
	return discovery.Locate(e.cfg.Desk.Networks(), e.cfg.Options, c.topic)
}

// ask hands a request to the desk, which tells its own refusals.
func (e *Entities) ask(ctx context.Context, c command, r desk.Request) {
	run, err := e.cfg.Desk.Ask(ctx, r)
	var refused *network.RefusedError
	switch {
	case err == nil:
		e.log.Info("asked for over MQTT", "network", r.Network, "verb", r.Verb, "to", r.To, "run", run)
	case errors.As(err, &refused) || ctx.Err() != nil:
		e.log.Info("refused", "network", r.Network, "verb", r.Verb, "to", r.To, "err", err)
	default:
		e.log.Warn("a command could not be begun", "network", r.Network, "verb", r.Verb, "to", r.To, "err", err)
		e.refuse(c, &refusal{"it could not be begun: " + err.Error(), "Look at the page of z2mha or its log."})
	}
}

// refuse tells as an event why c is not carried out. A command for a network that
// does not exist has no event entity to answer it.
func (e *Entities) refuse(c command, r *refusal) {
	target, ok := e.locate(c)
	e.log.Info("a command is refused", "topic", c.topic, "why", r.why)
	if !ok {
		return
	}
	event := status.Event{
		At: time.Now(), Network: target.Network.Name, Type: status.EventRefused, By: by,
		Text: what(target) + " was refused: " + r.why + ".", Node: target.Node.Name, Fix: r.fix,
	}
	e.note(func(h *heard) {
		if len(h.events) < maxRefused {
			h.events = append(h.events, event)
		}
	})
}

// what is the name of the entity that the command was for.
func what(t discovery.Target) string {
	name, ok := map[string]string{
		discovery.Switchover: "“Switch over”", discovery.Sync: "“Sync now”", discovery.ActiveNode: "“Move to”",
		discovery.AutoFailover: "“Automatic failover”", discovery.Hold: "“Hold automatic actions”",
	}[t.Command]
	switch {
	case t.OfNode && t.Command == discovery.Activate:
		return "“Make active”"
	case t.OfNode || !ok:
		return "A command"
	}
	return name
}
