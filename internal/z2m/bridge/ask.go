package bridge

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/z2m"
)

const (
	// startup is how long after "online" cached states may still come, unless
	// Zigbee2MQTT says earlier that it has started.
	startup = 30 * time.Second

	firstAsk = time.Second // before a device is asked again, doubled each time
	lastAsk  = 8 * time.Second
)

// A question is one device that is asked. The Bridge's mu guards what changes.
type question struct {
	device engine.BridgeDevice
	asked  bool
	start  int // of Zigbee2MQTT, during which it was asked
	need   int // publishes that prove the radio
	heard  int
}

func (q *question) answered() bool { return q.need > 0 && q.heard >= q.need }

// Ask sends {"property":""} to each device's get topic and counts who answers: a
// publish on the device's topic that holds the property, not a retained one, after
// the request was sent.
//
// Zigbee2MQTT publishes each cached state once while it starts. So, from its
// "online" until it says that it has started, or for 30 s, a device is asked twice
// and must answer twice: one of the two may have been the cached state.
func (b *Bridge) Ask(ctx context.Context, devices []engine.BridgeDevice, enough int) ([]zigbee.IEEE, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var open []*question
	for _, d := range devices {
		if d.AskProperty == "" || !z2m.Addressable(d.FriendlyName) {
			continue
		}
		if err := b.listenTo(ctx, d.FriendlyName); err != nil {
			return nil, err
		}
		open = append(open, &question{device: d})
	}
	defer b.wonder(open)()
	enough = min(enough, len(open))
	err := b.askUntil(ctx, open, enough)
	answers := b.answers(open)
	b.answered(answers)
	if len(answers) > 0 || ctx.Err() != nil && b.reachable() == nil {
		err = nil
	}
	return answers, err
}

// wonder has questions answered by what is heard, until the returned function is called.
func (b *Bridge) wonder(open []*question) (done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.questions = append(slices.Clone(b.questions), open...)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.questions = slices.DeleteFunc(slices.Clone(b.questions), func(q *question) bool { return slices.Contains(open, q) })
	}
}

// askUntil asks everybody who has not answered, again and again.
func (b *Bridge) askUntil(ctx context.Context, open []*question, enough int) (sent error) {
	for next := firstAsk; ctx.Err() == nil && len(b.answers(open)) < enough; next = min(2*next, lastAsk) {
		for _, q := range open {
			if err := b.ask(ctx, q); err != nil {
				sent = err
			}
		}
		halfway := b.halfway(open)
		b.within(ctx, next, func() bool {
			return count(open, (*question).answered) >= enough || count(open, (*question).begun) > halfway
		})
	}
	return sent
}

// begun is a question with the first of two answers: worth asking again at once.
func (q *question) begun() bool { return q.heard > 0 && !q.answered() }

func (b *Bridge) halfway(open []*question) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return count(open, (*question).begun)
}

func count(open []*question, is func(*question) bool) int {
	n := 0
	for _, q := range open {
		if is(q) {
			n++
		}
	}
	return n
}

func (b *Bridge) ask(ctx context.Context, q *question) error {
	b.mu.Lock()
	if q.answered() {
		b.mu.Unlock()
		return nil
	}
	if !q.asked {
		q.asked, q.start, q.need = true, b.starts, b.proof()
	}
	b.mu.Unlock()
	payload, err := json.Marshal(map[string]string{q.device.AskProperty: ""})
	if err != nil {
		return err
	}
	return b.bus.Publish(ctx, bus.Message{Topic: b.topics.Get(q.device.FriendlyName), Payload: payload})
}

// proof is how many publishes of a device prove the radio now. mu is held.
func (b *Bridge) proof() int {
	begin := b.start
	if b.since.After(begin) {
		begin = b.since // a start before we listened is not known
	}
	if b.settled || time.Since(begin) > startup {
		return 1
	}
	return 2
}

// hear takes a message of the device that q is about. mu is held.
func (b *Bridge) hear(q *question, m bus.Message) {
	switch {
	case m.Retained || !z2m.HasProperty(m.Payload, q.device.AskProperty):
		return
	case !q.asked || q.answered():
		return
	case q.start != b.starts: // it started anew meanwhile
		q.start, q.need, q.heard = b.starts, 2, 0
	}
	q.heard++
}

// answered notes that the radio was proven: an answer counts, whatever it says.
func (b *Bridge) answered(answers []zigbee.IEEE) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ieee := range answers {
		b.noteHeard(ieee, time.Now())
	}
}

func (b *Bridge) answers(open []*question) []zigbee.IEEE {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []zigbee.IEEE
	for _, q := range open {
		if q.answered() {
			out = append(out, q.device.IEEE)
		}
	}
	return out
}
