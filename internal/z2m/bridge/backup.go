package bridge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/failover/engine"
	"z2mha/internal/z2m"
)

const (
	// backupPatience is how long a backup is waited for: a stick is asked some 950 times,
	// which takes 5 to 20 s on a cable and longer through a network.
	backupPatience = 90 * time.Second
	// listenPatience is how long Zigbee2MQTT may take to show that it hears requests.
	listenPatience = 15 * time.Second
)

// A flight is one backup under way. The Bridge's mu guards waiting; err is set before
// done is closed.
type flight struct {
	waiting int // calls that want it
	cancel  context.CancelFunc
	done    chan struct{}
	err     error
}

// Backup asks for a backup once, since Zigbee2MQTT would make a second one beside the
// first, and waits for the answer that carries our transaction. That answer holds the
// whole data directory with the network key; nothing of it is kept.
//
// A backup that nobody waits for any more goes on in Zigbee2MQTT. Whoever calls then
// waits for its end and has one made that is younger than the call.
func (b *Bridge) Backup(ctx context.Context) error {
	for {
		f, mine := b.board()
		if f == nil {
			return errors.New("back up: the bridge is closed")
		}
		select {
		case <-f.done:
			if mine {
				return f.err
			}
		case <-ctx.Done():
			b.leave(f, mine)
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return errNoBackup
			}
			return fmt.Errorf("back up: %w", context.Cause(ctx))
		}
	}
}

// errNoBackup says what it may mean that no answer came.
var errNoBackup = fmt.Errorf("bridge/request/backup: %w. Either its stick is very slow, or it is too old to know this request, "+
	"or the broker does not pass the answer on: see its rights on bridge/response/backup and its limit for the size of messages", engine.ErrBridgeSilent)

// board joins the backup that others wait for, or begins one. mine is false when it is
// one that everybody has left.
func (b *Bridge) board() (f *flight, mine bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, false
	case b.flight != nil && b.flight.waiting == 0:
		return b.flight, false
	case b.flight == nil:
		ctx, cancel := context.WithTimeout(context.Background(), backupPatience)
		f := &flight{cancel: cancel, done: make(chan struct{})}
		b.flight = f
		b.flights.Go(func() {
			defer cancel()
			f.err = b.fly(ctx)
			b.mu.Lock()
			b.flight = nil
			b.mu.Unlock()
			close(f.done)
		})
	}
	b.flight.waiting++
	return b.flight, true
}

func (b *Bridge) leave(f *flight, mine bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if mine {
		f.waiting--
	}
}

// fly makes one backup. A request that is sent while Zigbee2MQTT starts would be lost,
// so it is made to answer something else first.
func (b *Bridge) fly(ctx context.Context) error {
	if err := b.listens(ctx); err != nil {
		return fmt.Errorf("before a backup: %w", err)
	}
	transaction := ownTransactions + rand.Text()[:12]
	payload, err := json.Marshal(map[string]string{"transaction": transaction})
	if err != nil {
		return err
	}
	var answer *z2m.Response // guarded by mu
	cancel, err := b.bus.Subscribe(ctx, b.topics.Response("backup"), b.noting(func(m bus.Message) error {
		r, err := z2m.ParseResponse(m.Payload)
		if err == nil && !m.Retained && r.Transaction == transaction {
			b.note(func() { answer = &r })
		}
		return err
	}))
	if err != nil {
		return err
	}
	defer cancel()
	b.mu.Lock()
	since, starts := b.since, b.starts
	b.mu.Unlock()
	if err := b.bus.Publish(ctx, bus.Message{Topic: b.topics.Request("backup"), Payload: payload}); err != nil {
		return err
	}
	b.wait(ctx, forever, func() bool { return answer != nil || b.starts != starts || !b.since.Equal(since) })
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case answer != nil && answer.OK:
		return nil
	case answer != nil:
		return fmt.Errorf("bridge/request/backup: Zigbee2MQTT answers %q", answer.Error)
	case b.starts != starts:
		return errors.New("bridge/request/backup: Zigbee2MQTT was started anew meanwhile")
	case !b.since.Equal(since):
		return errors.New("bridge/request/backup: the connection to the broker was lost meanwhile, and the answer with it")
	case errors.Is(ctx.Err(), context.Canceled):
		return errors.New("bridge/request/backup: the bridge is closed")
	}
	return errNoBackup
}

func (b *Bridge) listens(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listenPatience)
	defer cancel()
	_, err := b.Refresh(ctx)
	return err
}
