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

// again is the pause before a request is repeated: one sent while Zigbee2MQTT
// starts is lost, even after bridge/state has become online.
const again = time.Second

// Refresh asks Zigbee2MQTT to publish bridge/info (by changing no option) and
// returns the first fresh one heard after the call began. The error is
// engine.ErrBridgeSilent when none came, or the broker's when it was not reached.
func (b *Bridge) Refresh(ctx context.Context) (engine.BridgeInfo, error) {
	began := time.Now()
	b.mu.Lock()
	before := b.infos
	b.signs.asking = began
	b.mu.Unlock()
	defer func() { b.note(func() { b.signs.asking = time.Time{} }) }()
	fresh := func() bool { return b.infos > before }
	if err := b.request(ctx, "options", map[string]any{"options": map[string]any{}}, fresh); err != nil {
		b.unanswered(began, err)
		return engine.BridgeInfo{}, err
	}
	b.note(func() { b.signs.asked = began })
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.info, nil
}

// leastPatience is how long Zigbee2MQTT must have had to answer before its silence means
// anything: it waits for the disk now and then.
const leastPatience = 2 * time.Second

// unanswered notes a question of began to which nothing came although the broker was there.
func (b *Bridge) unanswered(began time.Time, err error) {
	if !errors.Is(err, engine.ErrBridgeSilent) || time.Since(began) < leastPatience || b.reachable() != nil {
		return
	}
	b.note(func() {
		b.signs.asked = began
		if b.signs.silent.IsZero() {
			b.signs.silent = began
		}
	})
}

// CloseJoining ends permit join and returns nil once a fresh bridge/info says so.
func (b *Bridge) CloseJoining(ctx context.Context) error {
	if err := b.request(ctx, "permit_join", map[string]any{"time": 0}, nil); err != nil {
		return fmt.Errorf("close joining: %w", err)
	}
	for stillOpen := false; ; stillOpen = true {
		info, err := b.Refresh(ctx)
		switch {
		case err == nil && !info.PermitJoin:
			return nil
		case err != nil && stillOpen:
			return errors.New("close joining: Zigbee2MQTT agreed, and bridge/info still says permit_join; close it in its frontend")
		case err != nil:
			return fmt.Errorf("see joining closed: %w", err)
		}
		pause(ctx, again)
	}
}

// request sends a bridge request every second until done says so, or, without
// done, until Zigbee2MQTT has answered that it was carried out.
func (b *Bridge) request(ctx context.Context, name string, payload map[string]any, done func() bool) error {
	transaction := ownTransactions + rand.Text()[:12]
	payload["transaction"] = transaction
	raw, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	var answer *z2m.Response // guarded by mu
	cancel, err := b.bus.Subscribe(ctx, b.topics.Response(name), b.noting(func(m bus.Message) error {
		r, err := z2m.ParseResponse(m.Payload)
		if err == nil && !m.Retained && r.Transaction == transaction {
			b.note(func() { answer = &r })
		}
		return err
	}))
	switch {
	case err == nil:
		defer cancel()
	case ctx.Err() == nil:
		return err
	}
	if done == nil {
		done = func() bool { return answer != nil && answer.OK }
	}
	var sent error
	for ctx.Err() == nil {
		sent = b.bus.Publish(ctx, bus.Message{Topic: b.topics.Request(name), Payload: raw})
		if b.within(ctx, again, done) {
			return nil
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case answer != nil && answer.Error != "":
		return fmt.Errorf("bridge/request/%s: Zigbee2MQTT answers %q", name, answer.Error)
	case sent != nil && !errors.Is(sent, context.Cause(ctx)):
		return sent
	}
	return fmt.Errorf("bridge/request/%s: %w", name, engine.ErrBridgeSilent)
}

// within waits until done, at most d.
func (b *Bridge) within(ctx context.Context, d time.Duration, done func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return b.wait(ctx, forever, done)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
