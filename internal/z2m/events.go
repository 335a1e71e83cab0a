package z2m

import (
	"encoding/json"
	"fmt"

	"z2mha/internal/dongle/zigbee"
)

// The types of bridge/event that are about who belongs to the network, and the states
// of an interview. Source: Zigbee2MQTT 2.14, bridge extension.
const (
	EventJoined    = "device_joined"
	EventInterview = "device_interview"
	EventLeave     = "device_leave"

	InterviewStarted = "started"
)

// An Event is one message of bridge/event.
type Event struct {
	Type         string
	IEEE         zigbee.IEEE // 0 when it is not about a device
	FriendlyName string
	Status       string // of an interview: started, successful, failed
}

// ParseEvent reads bridge/event. Newer types may be about anything; of those, only the
// type is sure to be there.
func ParseEvent(payload []byte) (Event, error) {
	var p struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return Event{}, fmt.Errorf("bridge/event: %w", err)
	}
	out := Event{Type: p.Type}
	switch p.Type {
	case EventJoined, EventInterview, EventLeave:
	default:
		return out, nil
	}
	var data struct {
		Address      string `json:"ieee_address"`
		FriendlyName string `json:"friendly_name"`
		Status       string `json:"status"`
	}
	if err := json.Unmarshal(p.Data, &data); err != nil {
		return Event{}, fmt.Errorf("bridge/event %s: %w", p.Type, err)
	}
	ieee, err := zigbee.ParseIEEE(data.Address)
	if err != nil {
		return Event{}, fmt.Errorf("bridge/event %s: %w", p.Type, err)
	}
	if ieee == 0 {
		return Event{}, fmt.Errorf("bridge/event %s: it is about no device", p.Type)
	}
	out.IEEE, out.FriendlyName, out.Status = ieee, data.FriendlyName, data.Status
	return out, nil
}

// A Group is one entry of bridge/groups.
type Group struct {
	ID           int
	FriendlyName string
	Structure    string // changes with its members and scenes
}

// ParseGroups reads bridge/groups.
func ParseGroups(payload []byte) ([]Group, error) {
	var entries []struct {
		ID           int             `json:"id"`
		FriendlyName string          `json:"friendly_name"`
		Members      json.RawMessage `json:"members"`
		Scenes       json.RawMessage `json:"scenes"`
	}
	if err := json.Unmarshal(payload, &entries); err != nil {
		return nil, fmt.Errorf("bridge/groups: %w", err)
	}
	groups := make([]Group, 0, len(entries))
	for _, e := range entries {
		groups = append(groups, Group{ID: e.ID, FriendlyName: e.FriendlyName, Structure: digest(string(e.Members), string(e.Scenes))})
	}
	return groups, nil
}

// Done is what a bridge request that was carried out says of itself. Which of the
// fields are there depends on the request.
type Done struct {
	ID   string // as it was given: an IEEE address or a friendly name
	To   string // new friendly name, after a rename
	Name string // friendly name of a group
}

// ParseDone reads the data of a bridge/response/… about a device or a group.
func ParseDone(payload []byte) (Done, error) {
	var p struct {
		Data struct {
			ID           json.RawMessage `json:"id"`
			To           json.RawMessage `json:"to"`
			FriendlyName json.RawMessage `json:"friendly_name"`
			Group        json.RawMessage `json:"group"`
		} `json:"data"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return Done{}, fmt.Errorf("bridge/response: %w", err)
	}
	d := Done{ID: word(p.Data.ID), To: word(p.Data.To), Name: word(p.Data.FriendlyName)}
	if d.Name == "" {
		d.Name = word(p.Data.Group)
	}
	return d, nil
}

// word is a JSON string; groups are also named by number, and options are objects that
// say nothing here.
func word(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}
