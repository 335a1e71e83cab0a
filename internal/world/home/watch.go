package home

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A Watch is the person in the living room: it presses the lamp's switch over
// MQTT, again and again, and notes when the lamp obeyed. An answer counts only
// when Zigbee2MQTT reports the state asked for and the lamp itself has it, so
// states out of a cache prove nothing.
type Watch struct {
	client mqtt.Client
	base   string
	lamp   func() bool // whether the lamp is lit
	where  func() string
	work   sync.WaitGroup
	stop   context.CancelFunc

	mu       sync.Mutex
	asked    bool      // the state asked for last
	since    time.Time // it was asked for first
	answers  []Answer
	retained map[string][]byte // last payload by topic below the base topic
	changed  chan struct{}     // closed and replaced at every message
}

// An Answer is one time the lamp obeyed.
type Answer struct {
	At     time.Time
	Took   time.Duration // since the state was asked for first
	Dongle string        // whose stick was on air then
}

const (
	pressEvery = 50 * time.Millisecond  // after an answer
	pressAgain = 400 * time.Millisecond // without one
)

// NewWatch connects to the broker and starts to press. lamp says whether the lamp
// is lit, where names the stick on air.
func NewWatch(ctx context.Context, broker, base string, login Login, lamp func() bool, where func() string) (*Watch, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &Watch{base: base, lamp: lamp, where: where, stop: cancel, retained: map[string][]byte{}, changed: make(chan struct{})}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("living-room").
		SetUsername(login.User).SetPassword(login.Password).SetOrderMatters(false).
		SetOnConnectHandler(func(c mqtt.Client) { c.Subscribe(base+"/#", 0, w.take) })
	w.client = mqtt.NewClient(o)
	if t := w.client.Connect(); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
		cancel()
		return nil, fmt.Errorf("connect to the broker: %v", t.Error())
	}
	w.work.Go(func() { w.press(ctx) })
	return w, nil
}

// Close stops pressing and leaves the broker.
func (w *Watch) Close() {
	w.stop()
	w.work.Wait()
	w.client.Disconnect(100)
}

// press asks for the opposite of what the lamp does, and again when nothing came.
func (w *Watch) press(ctx context.Context) {
	for ctx.Err() == nil {
		w.mu.Lock()
		before := len(w.answers)
		if asked := !w.lamp(); asked != w.asked || w.since.IsZero() {
			w.asked, w.since = asked, time.Now()
		}
		payload := `{"state":"OFF"}`
		if w.asked {
			payload = `{"state":"ON"}`
		}
		w.mu.Unlock()
		w.client.Publish(w.base+"/"+LampName+"/set", 0, false, payload)
		if w.waitAnswers(ctx, before+1, pressAgain) {
			pause(ctx, pressEvery)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// waitAnswers waits until there are n answers.
func (w *Watch) waitAnswers(ctx context.Context, n int, d time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return w.until(ctx, func() bool { return len(w.answers) >= n })
}

// until waits for a condition that only messages can bring about.
func (w *Watch) until(ctx context.Context, holds func() bool) bool {
	for {
		w.mu.Lock()
		ok, changed := holds(), w.changed
		w.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

func (w *Watch) take(_ mqtt.Client, m mqtt.Message) {
	lit, where := w.lamp(), w.where()
	w.mu.Lock()
	defer w.mu.Unlock()
	topic := m.Topic()[len(w.base)+1:]
	w.retained[topic] = m.Payload()
	var state struct{ State string }
	if topic == LampName && json.Unmarshal(m.Payload(), &state) == nil && lit == w.asked && (state.State == "ON") == lit && !w.since.IsZero() {
		now := time.Now()
		w.answers = append(w.answers, Answer{At: now, Took: now.Sub(w.since), Dongle: where})
		w.since = time.Time{}
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// Last is the newest payload seen on a topic below the base topic; nil when none.
func (w *Watch) Last(topic string) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.retained[topic])
}

// Await waits until the lamp has obeyed through that stick, counted from now on.
func (w *Watch) Await(ctx context.Context, dongle string) error {
	w.mu.Lock()
	from := len(w.answers)
	w.mu.Unlock()
	if w.until(ctx, func() bool {
		return slices.ContainsFunc(w.answers[from:], func(a Answer) bool { return a.Dongle == dongle })
	}) {
		return nil
	}
	return fmt.Errorf("the lamp does not answer through %s: %w", dongle, ctx.Err())
}

// Answers are those between two times.
func (w *Watch) Answers(from, to time.Time) []Answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Answer
	for _, a := range w.answers {
		if !a.At.Before(from) && a.At.Before(to) {
			out = append(out, a)
		}
	}
	return out
}

// An Outage is the time between two answers of the lamp, one through each stick.
type Outage struct {
	From, To   string
	LastOld    time.Time
	FirstNew   time.Time
	Unanswered time.Duration
}

// Outages lists every change of the stick through which the lamp answered.
func (w *Watch) Outages() []Outage {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Outage
	for i := 1; i < len(w.answers); i++ {
		a, b := w.answers[i-1], w.answers[i]
		if a.Dongle != b.Dongle {
			out = append(out, Outage{From: a.Dongle, To: b.Dongle, LastOld: a.At, FirstNew: b.At, Unanswered: b.At.Sub(a.At)})
		}
	}
	return out
}
