package z2m

import (
	"encoding/json"
	"fmt"
	"strings"

	"z2mha/internal/dongle/zigbee"
)

// ParseState reads bridge/state: {"state":"online"}, or the bare word of older
// versions.
func ParseState(payload []byte) (online bool, err error) {
	state := strings.TrimSpace(string(payload))
	var object struct {
		State string `json:"state"`
	}
	if json.Unmarshal(payload, &object) == nil {
		state = object.State
	}
	switch state {
	case "online":
		return true, nil
	case "offline":
		return false, nil
	}
	return false, fmt.Errorf("bridge/state is %.40q, neither online nor offline", payload)
}

// Info is the part of bridge/info that tells who speaks.
type Info struct {
	Node        string // our marker z2mha.node; "" when the configuration has none
	Version     string
	Coordinator zigbee.IEEE
	PanID       zigbee.PanID
	ExtPanID    zigbee.ExtPanID // as the stick tells it
	Channel     zigbee.Channel
	Revision    uint32 // firmware of the stick, 0 when it does not say
	PermitJoin  bool
}

// ParseInfo reads bridge/info, of which all but a kilobyte is a schema.
func ParseInfo(payload []byte) (Info, error) {
	var p struct {
		Version     string `json:"version"`
		PermitJoin  bool   `json:"permit_join"`
		Coordinator struct {
			Address string `json:"ieee_address"`
			Meta    struct {
				Revision json.RawMessage `json:"revision"`
			} `json:"meta"`
		} `json:"coordinator"`
		Network struct {
			Channel  uint8  `json:"channel"`
			PanID    uint16 `json:"pan_id"`
			ExtPanID string `json:"extended_pan_id"`
		} `json:"network"`
		Config struct {
			Marker json.RawMessage `json:"z2mha"`
		} `json:"config"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return Info{}, fmt.Errorf("bridge/info: %w", err)
	}
	info := Info{Node: marker(p.Config.Marker), Version: p.Version, PermitJoin: p.PermitJoin,
		PanID: zigbee.PanID(p.Network.PanID), Channel: zigbee.Channel(p.Network.Channel)}
	_ = json.Unmarshal(p.Coordinator.Meta.Revision, &info.Revision) // other adapters write words there
	var err error
	if info.Coordinator, err = zigbee.ParseIEEE(p.Coordinator.Address); err != nil {
		return Info{}, fmt.Errorf("bridge/info: coordinator: %w", err)
	}
	if info.ExtPanID, err = zigbee.ParseExtPanID(p.Network.ExtPanID); err != nil {
		return Info{}, fmt.Errorf("bridge/info: network: %w", err)
	}
	return info, nil
}

// marker is the name in {"node": name}; anything else there is not ours.
func marker(raw json.RawMessage) string {
	var m struct {
		Node string `json:"node"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return ""
	}
	return m.Node
}

// A Response is the answer to a bridge request.
type Response struct {
	OK          bool
	Error       string // shortened
	Transaction string // that of the request, when it had one
}

// longestError is how much of an error is kept, in characters: anybody at the broker may
// have written it.
const longestError = 300

// ParseResponse reads bridge/response/…, whose data it leaves alone.
func ParseResponse(payload []byte) (Response, error) {
	var p struct {
		Status      string          `json:"status"`
		Error       string          `json:"error"`
		Transaction json.RawMessage `json:"transaction"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return Response{}, fmt.Errorf("bridge/response: %w", err)
	}
	r := Response{OK: p.Status == "ok", Error: p.Error}
	if said := []rune(r.Error); len(said) > longestError {
		r.Error = string(said[:longestError]) + "…"
	}
	_ = json.Unmarshal(p.Transaction, &r.Transaction) // one that is no string is not ours
	return r, nil
}

// ParseHealth reads how many messages of each device bridge/health has counted.
func ParseHealth(payload []byte) (map[zigbee.IEEE]int, error) {
	var p struct {
		Devices map[string]struct {
			Messages int `json:"messages"`
		} `json:"devices"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, fmt.Errorf("bridge/health: %w", err)
	}
	out := make(map[zigbee.IEEE]int, len(p.Devices))
	for address, d := range p.Devices {
		ieee, err := zigbee.ParseIEEE(address)
		if err != nil {
			continue // older versions name devices there
		}
		out[ieee] = d.Messages
	}
	return out, nil
}

// A LogLine is one message of bridge/logging.
type LogLine struct {
	Level   string `json:"level"` // error, warning, info
	Message string `json:"message"`
}

// ParseLog reads bridge/logging.
func ParseLog(payload []byte) (LogLine, error) {
	var l LogLine
	if err := json.Unmarshal(payload, &l); err != nil {
		return LogLine{}, fmt.Errorf("bridge/logging: %w", err)
	}
	return l, nil
}

// Started says that Zigbee2MQTT has just finished starting: all cached states
// have been published by then. Source: Zigbee2MQTT 2.14, controller.
func (l LogLine) Started() bool { return strings.Contains(l.Message, "Zigbee2MQTT started!") }

// HasProperty says whether a device's publish holds a property. With an output of
// single attributes there is no object, and nothing can be told.
func HasProperty(payload []byte, property string) bool {
	var values map[string]json.RawMessage
	if json.Unmarshal(payload, &values) != nil {
		return false
	}
	v, ok := values[property]
	return ok && string(v) != "null"
}
