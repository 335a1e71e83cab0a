package bridge

import (
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/failover/engine"
	"z2mha/internal/z2m"
)

// noting turns a handler into one for the bus: what cannot be read is logged and
// otherwise as if it had not come.
func (b *Bridge) noting(handle func(bus.Message) error) func(bus.Message) {
	return func(m bus.Message) {
		if err := handle(m); err != nil {
			b.log.Warn("message not understood", "topic", m.Topic, "bytes", len(m.Payload), "err", err)
		}
	}
}

// note changes what is known and wakes whoever waits for it.
func (b *Bridge) note(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	close(b.changed)
	b.changed = make(chan struct{})
}

// onStatus forgets the state with the connection: what came meanwhile is unknown.
func (b *Bridge) onStatus(s bus.Status) {
	b.note(func() {
		b.state = engine.BridgeState{}
		b.settled = false
		b.signs.echoes = 0
		if b.since = b.opened; s.Since.After(b.opened) {
			b.since = s.Since
		}
	})
	b.stirred()
}

func (b *Bridge) onState(m bus.Message) error {
	online, err := z2m.ParseState(m.Payload)
	if err != nil {
		return err
	}
	now := time.Now()
	b.note(func() {
		ours := !m.Retained && b.signs.echoes > 0
		if ours {
			b.signs.echoes--
		}
		if online && !m.Retained && !ours {
			b.cameBack(now)
			b.starts++
			b.start, b.settled, b.signs.noRaw = now, false, false
		}
		b.state = engine.BridgeState{Known: true, Online: online, Retained: m.Retained, At: now}
	})
	b.stirred()
	return nil
}

func (b *Bridge) onInfo(m bus.Message) error {
	if m.Retained {
		return nil // it may be of another node's last start
	}
	info, err := z2m.ParseInfo(m.Payload)
	if err != nil {
		return err
	}
	b.note(func() {
		b.infos++
		b.signs.silent = time.Time{}
		b.info = engine.BridgeInfo{
			At: time.Now(), Node: info.Node, Version: info.Version, Coordinator: info.Coordinator, PanID: info.PanID,
			ExtPanID: info.ExtPanID, Channel: info.Channel, Revision: info.Revision, PermitJoin: info.PermitJoin,
		}
	})
	return nil
}

func (b *Bridge) onDevices(m bus.Message) error {
	list, err := z2m.ParseDevices(m.Payload)
	if err != nil {
		return err
	}
	devices := make([]engine.BridgeDevice, len(list))
	for i, d := range list {
		devices[i] = engine.BridgeDevice{IEEE: d.IEEE, FriendlyName: d.FriendlyName, Type: d.Type,
			Interviewing: d.Interviewing, Askable: d.Askable(), AskProperty: d.AskProperty}
	}
	b.note(func() {
		b.devices, b.known = devices, true
		if !m.Retained {
			b.refreshed = time.Now()
		}
	})
	b.compare(list)
	b.listenToAll(list)
	return nil
}

func (b *Bridge) onLog(m bus.Message) error {
	line, err := z2m.ParseLog(m.Payload)
	if err != nil {
		return err
	}
	switch {
	case line.Started():
		b.note(func() { b.settled = true })
	case line.Level == "error":
		b.noteOwed(line)
		b.log.Debug("zigbee2mqtt reports an error", "message", line.Message)
	}
	return nil
}
