package bridge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/bus"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/z2m"
)

// changing are the bridge requests that change what the database or the configuration
// holds, whoever asks for them. Source: Zigbee2MQTT 2.14, bridge and groups extensions.
// Bindings and reporting are seen in bridge/devices, which is published after them.
var changing = []string{"device/rename", "device/remove", "device/options", "group/#", "options"}

// ownTransactions begin like this. Our own bridge/request/options changes nothing.
const ownTransactions = "z2mha-"

type watcher struct{ tell func(engine.Membership) }

// members is the network as the last lists told it.
type members struct {
	devices map[zigbee.IEEE]z2m.Device // nil before the first list
	groups  map[int]z2m.Group
	// names are those that devices have, or had: an answer comes after the list without
	// the device it speaks of.
	names map[string]zigbee.IEEE
}

// Watch tells every change of the network from now on.
//
// What the broker had kept is no event. But a kept list is compared with the one before
// like any other: after a connection was lost, that shows what was missed meanwhile.
func (b *Bridge) Watch(tell func(engine.Membership)) (cancel func()) {
	w := &watcher{tell}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = append(b.watchers, w)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.watchers = slices.DeleteFunc(slices.Clone(b.watchers), func(x *watcher) bool { return x == w })
	}
}

func (b *Bridge) announce(m engine.Membership) {
	m.At = time.Now()
	b.mu.Lock()
	watchers := b.watchers
	b.mu.Unlock()
	for _, w := range watchers {
		w.tell(m)
	}
}

func (b *Bridge) onEvent(m bus.Message) error {
	if m.Retained {
		return nil
	}
	e, err := z2m.ParseEvent(m.Payload)
	if err != nil {
		return err
	}
	out := engine.Membership{IEEE: e.IEEE, Name: e.FriendlyName}
	switch e.Type {
	case z2m.EventJoined:
		out.Kind = engine.MemberJoined
	case z2m.EventLeave:
		out.Kind = engine.MemberLeft
	case z2m.EventInterview:
		out.Kind = engine.MemberInterviewed
		if e.Status == z2m.InterviewStarted {
			out.Kind = engine.MemberInterviewing
		}
	default:
		return nil
	}
	b.announce(out)
	return nil
}

// onDone hears of bridge requests that were carried out, by whomever.
func (b *Bridge) onDone(m bus.Message) error {
	if m.Retained {
		return nil
	}
	r, err := z2m.ParseResponse(m.Payload)
	if err != nil || !r.OK || strings.HasPrefix(r.Transaction, ownTransactions) {
		return err
	}
	done, err := z2m.ParseDone(m.Payload)
	if err != nil {
		return err
	}
	b.announce(b.carriedOut(strings.TrimPrefix(m.Topic, b.topics.Response("")), done))
	return nil
}

func (b *Bridge) carriedOut(name string, d z2m.Done) engine.Membership {
	switch name {
	case "device/rename":
		return engine.Membership{Kind: engine.MemberRenamed, IEEE: b.called(d.To), Name: d.To}
	case "device/remove":
		return engine.Membership{Kind: engine.MemberRemoved, IEEE: b.called(d.ID), Name: d.ID}
	case "device/options":
		return engine.Membership{Kind: engine.MemberOptions, IEEE: b.called(d.ID), Name: d.ID}
	case "options":
		return engine.Membership{Kind: engine.MemberOptions}
	}
	return engine.Membership{Kind: engine.MemberGroup, Name: cmp.Or(d.Name, d.To, d.ID)}
}

// called is the device that Zigbee2MQTT knows by an address or a friendly name; 0 when
// there is none.
func (b *Bridge) called(id string) zigbee.IEEE {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ieee, ok := b.members.names[id]; ok {
		return ieee
	}
	if !strings.HasPrefix(id, "0x") {
		return 0
	}
	ieee, err := zigbee.ParseIEEE(id)
	if err != nil {
		return 0
	}
	return ieee
}

// compare takes a list of devices and tells when it is not the one before.
func (b *Bridge) compare(list []z2m.Device) {
	is := make(map[zigbee.IEEE]z2m.Device, len(list))
	for _, d := range list {
		is[d.IEEE] = z2m.Device{IEEE: d.IEEE, FriendlyName: d.FriendlyName, Structure: d.Structure}
	}
	b.mu.Lock()
	was := b.members.devices
	b.members.devices = is
	b.members.rename(list)
	b.mu.Unlock()
	if was == nil {
		return
	}
	if differ := differing(was, is); len(differ) == 1 {
		b.announce(engine.Membership{Kind: engine.MemberChanged, IEEE: differ[0].IEEE, Name: differ[0].FriendlyName})
	} else if len(differ) > 1 {
		b.announce(engine.Membership{Kind: engine.MemberChanged, Name: fmt.Sprintf("%d devices", len(differ))})
	}
}

// rename takes over the names of a list. A name that is given to nobody now still means
// the device that had it last.
func (m *members) rename(list []z2m.Device) {
	if m.names == nil {
		m.names = map[string]zigbee.IEEE{}
	}
	for _, d := range list {
		m.names[d.FriendlyName] = d.IEEE
	}
}

func (b *Bridge) onGroups(m bus.Message) error {
	list, err := z2m.ParseGroups(m.Payload)
	if err != nil {
		return err
	}
	is := make(map[int]z2m.Group, len(list))
	for _, g := range list {
		is[g.ID] = g
	}
	b.mu.Lock()
	was := b.members.groups
	b.members.groups = is
	b.mu.Unlock()
	if was == nil {
		return nil
	}
	if differ := differing(was, is); len(differ) > 0 {
		b.announce(engine.Membership{Kind: engine.MemberChanged, Name: differ[0].FriendlyName})
	}
	return nil
}

// differing are the values that only one of the two has.
func differing[K, V comparable](was, is map[K]V) []V {
	var out []V
	for k, v := range is {
		if old, ok := was[k]; !ok || old != v {
			out = append(out, v)
		}
	}
	for k, v := range was {
		if _, ok := is[k]; !ok {
			out = append(out, v)
		}
	}
	return out
}
