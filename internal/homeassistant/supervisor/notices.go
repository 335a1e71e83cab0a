package supervisor

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	noticeFirst   = time.Second // pauses while Home Assistant is away
	noticeLongest = 30 * time.Second
)

// Notices keeps Home Assistant's notifications in line with what is wanted: each change
// is sent once, in the order of the changes, as soon as Home Assistant runs; one that
// was overtaken meanwhile is not sent at all.
//
// What a user has dismissed stays away until its text changes or Renew is called.
type Notices struct {
	client *Client
	log    *slog.Logger
	wake   chan struct{} // holds one token when there may be work

	mu      sync.Mutex // guards what follows
	entries map[string]*entry
	round   int      // grows with each Renew
	queue   []string // ids that may have changed, the oldest change first
}

type notice struct {
	title, message string
	on             bool
}

type entry struct {
	want, has notice
	known     bool // has is what Home Assistant was told last
}

func (e *entry) settled() bool { return e.known && e.has == e.want }

// NewNotices returns a list without wishes. Nothing is sent before Run.
func NewNotices(c *Client, log *slog.Logger) *Notices {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Notices{client: c, log: log, wake: make(chan struct{}, 1), entries: map[string]*entry{}}
}

// Set wants a notification; see Client.Notify. It does not wait.
func (n *Notices) Set(id, title, message string) {
	n.wish(id, notice{title: title, message: message, on: true})
}

// Clear wants no notification with this id, not even one of an earlier start. It does
// not wait.
func (n *Notices) Clear(id string) { n.wish(id, notice{}) }

// Renew sends everything that is wanted once more. Call it when Home Assistant has
// restarted, which makes it forget its notifications.
func (n *Notices) Renew() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.round++
	for _, id := range slices.Sorted(maps.Keys(n.entries)) {
		if e := n.entries[id]; e.want.on {
			e.known = false
			n.enqueue(id)
		}
	}
}

func (n *Notices) wish(id string, want notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e, ok := n.entries[id]
	if ok && e.want == want {
		return
	}
	if !ok {
		e = &entry{}
		n.entries[id] = e
	}
	e.want = want
	n.enqueue(id)
}

// enqueue is called with the lock held.
func (n *Notices) enqueue(id string) {
	if !slices.Contains(n.queue, id) {
		n.queue = append(n.queue, id)
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends. What is shown then stays.
func (n *Notices) Run(ctx context.Context) error {
	wait := noticeFirst
	for ctx.Err() == nil {
		c, ok := n.next()
		if !ok {
			n.pause(ctx, nil)
			continue
		}
		err := n.send(ctx, c)
		switch {
		case ctx.Err() != nil:
		case passes(err):
			n.log.Log(ctx, waitLevel(wait == noticeFirst), "a notification waits", "id", c.id, "again in", wait, "err", err)
			n.pause(ctx, time.After(wait))
			wait = min(2*wait, noticeLongest)
			continue
		case err != nil:
			n.log.Warn("a notification was refused", "id", c.id, "err", err)
			n.settle(c) // the same again would be refused again
		default:
			n.settle(c)
		}
		wait = noticeFirst
	}
	return nil
}

// pause waits for the timer, or without one for a wish.
func (n *Notices) pause(ctx context.Context, timer <-chan time.Time) {
	wake := n.wake
	if timer != nil {
		wake = nil
	}
	select {
	case <-timer:
	case <-wake:
	case <-ctx.Done():
	}
}

// A change is what is to be sent.
type change struct {
	id    string
	want  notice
	round int
}

// next is the oldest change that is still one.
func (n *Notices) next() (change, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for ; len(n.queue) > 0; n.queue = n.queue[1:] {
		id := n.queue[0]
		if e := n.entries[id]; !e.settled() {
			return change{id, e.want, n.round}, true
		}
	}
	return change{}, false
}

// settle notes that c was sent, unless all was asked for again meanwhile.
func (n *Notices) settle(c change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.entries[c.id]
	e.has, e.known = c.want, c.round == n.round
}

func (n *Notices) send(ctx context.Context, c change) error {
	if !c.want.on {
		return n.client.try(ctx, dismiss(c.id), nil)
	}
	return n.client.try(ctx, notify(c.id, c.want.title, c.want.message), nil)
}
