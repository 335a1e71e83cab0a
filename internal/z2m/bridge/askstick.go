package bridge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/failover/engine"
	"z2mha/internal/z2m"
)

const (
	// stickPatience is how long one question to the stick may take: Zigbee2MQTT gives up
	// waiting for a stick after 6 s, and asks it for one thing at a time.
	stickPatience = 15 * time.Second
	stickTries    = 2
	// checkPatience is for a slow stick, which takes some 20 s for its tables.
	checkPatience = 30 * time.Second

	activeEndpoints = 5 // ZDO Active_EP_req
)

// stickGaveNone is how Zigbee2MQTT says that its stick has not answered, and not that a
// device has not. Source: zigbee-herdsman 10, Z-Stack adapter.
var stickGaveNone = regexp.MustCompile(`SRSP - .* after \d+ ?ms`)

// AskStick asks the stick for its own endpoints: the request that Zigbee2MQTT itself sends
// at each start. The stick answers without its radio, and nothing changes. Where
// Zigbee2MQTT is too old to pass it on, joining is closed once more, if it is closed.
//
// A silent stick is one that owes two answers since the call began. What Zigbee2MQTT logs
// of requests for other people counts as one.
func (b *Bridge) AskStick(ctx context.Context) error {
	before, owed := b.owedToOthers(), 0
	enough := func() bool { return owed+b.signs.owed-before >= stickTries }
	for range stickTries {
		err := b.askStickOnce(ctx, enough)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, engine.ErrStickSilent):
			owed++
		case !errors.Is(err, engine.ErrBridgeSilent):
			return err
		}
		if others := b.owedToOthers() - before; owed+others >= stickTries {
			return fmt.Errorf("%w: it owes %d answers", engine.ErrStickSilent, owed+others)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("ask the stick: %w", engine.ErrBridgeSilent)
}

func (b *Bridge) met(so func() bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return so()
}

func (b *Bridge) owedToOthers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.signs.owed
}

// noteOwed counts a line of the log that says that the stick has not answered somebody else.
func (b *Bridge) noteOwed(l z2m.LogLine) {
	ours := strings.Contains(l.Message, "/bridge/request/") || strings.Contains(l.Message, "/bridge/response/")
	if l.Level == "error" && !ours && stickGaveNone.MatchString(l.Message) {
		b.note(func() { b.signs.owed++ })
	}
}

// askStickOnce waits for the answer until enough, which reads what mu guards, says that it
// is not needed any more.
func (b *Bridge) askStickOnce(ctx context.Context, enough func() bool) error {
	b.mu.Lock()
	old := b.signs.noRaw
	b.mu.Unlock()
	if !old {
		answer, err := b.once(ctx, stickPatience, "action", map[string]any{"action": "raw", "params": map[string]any{
			"ieee_address": "0x0000000000000000", "network_address": 0, "profile_id": 0, "cluster_key": activeEndpoints, "zdo_params": []int{0}}}, enough)
		if !errors.Is(err, engine.ErrBridgeSilent) || b.met(enough) {
			return stickSaid(answer, err)
		}
	}
	return b.askByClosing(ctx)
}

// askByClosing is for a Zigbee2MQTT that does not answer the better question, or none.
func (b *Bridge) askByClosing(ctx context.Context) error {
	info, err := b.freshInfo(ctx)
	if err != nil {
		return err
	}
	if info.PermitJoin {
		return engine.ErrJoiningOpen
	}
	answer, err := b.once(ctx, stickPatience, "permit_join", map[string]any{"time": 0}, never)
	if err = stickSaid(answer, err); err == nil || errors.Is(err, engine.ErrStickSilent) {
		b.note(func() { b.signs.noRaw = true }) // until it is started anew
	}
	return err
}

func (b *Bridge) freshInfo(ctx context.Context) (engine.BridgeInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, stickPatience)
	defer cancel()
	return b.Refresh(ctx)
}

// stickSaid is what an answer tells of the stick.
func stickSaid(answer z2m.Response, err error) error {
	switch {
	case err != nil:
		return err
	case answer.OK:
		return nil
	case stickGaveNone.MatchString(answer.Error):
		return fmt.Errorf("%w: %q", engine.ErrStickSilent, answer.Error)
	}
	return fmt.Errorf("ask the stick: Zigbee2MQTT answers %q", answer.Error)
}

// CheckCoordinator has Zigbee2MQTT read all tables of its stick.
func (b *Bridge) CheckCoordinator(ctx context.Context) error {
	return stickSaid(b.once(ctx, checkPatience, "coordinator_check", map[string]any{}, never))
}

func never() bool { return false }

// once sends one bridge request, once, and returns what Zigbee2MQTT answered until enough,
// which reads what mu guards, says that no answer is needed any more.
func (b *Bridge) once(ctx context.Context, patience time.Duration, name string, payload map[string]any, enough func() bool) (z2m.Response, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	transaction := ownTransactions + rand.Text()[:12]
	payload["transaction"] = transaction
	raw, err := json.Marshal(payload)
	if err != nil {
		return z2m.Response{}, err
	}
	var answer *z2m.Response // guarded by mu
	cancel, err := b.bus.Subscribe(ctx, b.topics.Response(name), b.noting(func(m bus.Message) error {
		r, err := z2m.ParseResponse(m.Payload)
		if err == nil && !m.Retained && r.Transaction == transaction {
			b.note(func() { answer = &r })
		}
		return err
	}))
	if err != nil {
		return z2m.Response{}, err
	}
	defer cancel()
	if err := b.bus.Publish(ctx, bus.Message{Topic: b.topics.Request(name), Payload: raw}); err != nil {
		return z2m.Response{}, err
	}
	b.wait(ctx, forever, func() bool { return answer != nil || enough() })
	if b.met(func() bool { return answer == nil }) {
		if err := b.reachable(); err != nil {
			return z2m.Response{}, err
		}
		return z2m.Response{}, fmt.Errorf("bridge/request/%s: %w", name, engine.ErrBridgeSilent)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return *answer, nil
}

// Correct publishes the retained bridge/state anew, and sees that the broker has kept it.
func (b *Bridge) Correct(ctx context.Context, online bool) error {
	word := map[bool]string{true: "online", false: "offline"}[online]
	b.note(func() { b.signs.echoes++ })
	if err := b.bus.Publish(ctx, bus.Message{Topic: b.topics.State(), Payload: []byte(`{"state":"` + word + `"}`), Retained: true}); err != nil {
		b.note(func() { b.signs.echoes = max(0, b.signs.echoes-1) })
		return fmt.Errorf("correct bridge/state: %w", err)
	}
	kept := "" // guarded by mu
	cancel, err := b.bus.Subscribe(ctx, b.topics.State(), b.noting(func(m bus.Message) error {
		is, err := z2m.ParseState(m.Payload)
		if err == nil && m.Retained {
			b.note(func() { kept = map[bool]string{true: "online", false: "offline"}[is] })
		}
		return err
	}))
	if err != nil {
		return fmt.Errorf("read bridge/state back: %w", err)
	}
	defer cancel()
	b.within(ctx, stickPatience, func() bool { return kept != "" })
	b.mu.Lock()
	defer b.mu.Unlock()
	if kept != word {
		b.signs.echoes = 0 // nothing of ours is on its way
		return fmt.Errorf("bridge/state was published as %s, and the broker keeps %q; check that it keeps retained messages, and that our user may write that topic", word, kept)
	}
	return nil
}
