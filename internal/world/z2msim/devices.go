package z2msim

import (
	"encoding/json"
	"slices"
)

// deviceList is bridge/devices: the coordinator first, then every device of the
// database, each with what its clusters let it show.
func (s *instance) deviceList() []map[string]any {
	out := []map[string]any{}
	for _, r := range s.db.records {
		switch {
		case r.Type == "Coordinator":
			out = append(out, coordinatorEntry(r))
		case r.isDevice():
			out = append(out, s.deviceEntry(r))
		}
	}
	return out
}

func coordinatorEntry(r *record) map[string]any {
	return map[string]any{
		"disabled": false, "endpoints": map[string]any{}, "friendly_name": "Coordinator",
		"ieee_address": r.IEEE, "interview_completed": true, "interview_state": "SUCCESSFUL",
		"interviewing": false, "network_address": 0, "supported": true, "type": "Coordinator",
	}
}

func (s *instance) deviceEntry(r *record) map[string]any {
	return map[string]any{
		"disabled": false, "endpoints": endpointsOf(r), "friendly_name": s.config.friendlyName(r.IEEE),
		"ieee_address": r.IEEE, "interview_completed": true, "interview_state": "SUCCESSFUL",
		"interviewing": false, "network_address": r.Nwk, "supported": true, "type": r.Type,
		"manufacturer": r.Maker, "model_id": r.ModelID, "power_source": r.Power,
		"definition": map[string]any{
			"model": r.ModelID, "vendor": r.Maker, "description": "Simulated device",
			"exposes": exposes(r), "options": []any{}, "source": "native", "supports_ota": false,
		},
	}
}

func endpointsOf(r *record) map[string]any {
	out := map[string]any{}
	for id, e := range r.Endpoints {
		out[id] = map[string]any{
			"bindings": []any{}, "clusters": map[string]any{"input": e.InputC, "output": []any{}},
			"configured_reportings": []any{}, "scenes": []any{},
		}
	}
	return out
}

func exposes(r *record) []any {
	out := []any{}
	for _, p := range properties {
		if _, ok := r.serves(p.cluster); !ok {
			continue
		}
		feature := map[string]any{"access": p.access, "label": p.name, "name": p.name, "property": p.name, "type": "numeric"}
		if p.cluster != clusterOnOff {
			out = append(out, feature)
			continue
		}
		feature["type"] = "binary"
		feature["value_on"], feature["value_off"], feature["value_toggle"] = "ON", "OFF", "TOGGLE"
		out = append(out, map[string]any{"type": "switch", "features": []any{feature}})
	}
	return append(out, map[string]any{"access": 1, "label": "Linkquality", "name": "linkquality", "property": "linkquality", "type": "numeric"})
}

// heard takes in a frame from the device at that short address: properties become
// its new state and are published.
func (s *instance) heard(m incoming) {
	f, err := parseZCL(m.zcl)
	if err != nil {
		s.log("error", "%v", err)
		return
	}
	s.answers.deliver(f)
	s.mu.Lock()
	r := s.db.byNwk(m.source)
	if r == nil {
		s.mu.Unlock()
		return
	}
	r.set("lastSeen", s.now().UnixMilli())
	values := f.values(m.cluster)
	s.mu.Unlock()
	if len(values) > 0 {
		values["linkquality"] = m.lqi
		s.publishState(r, values)
	}
}

// publishState merges values into the device's cached state and publishes that.
func (s *instance) publishState(r *record, values map[string]any) {
	s.mu.Lock()
	state := s.states[r.IEEE]
	if state == nil {
		state = map[string]any{}
		s.states[r.IEEE] = state
	}
	merge(state, values)
	state, name := clone(state), s.config.friendlyName(r.IEEE)
	s.mu.Unlock()
	s.publish(name, false, state)
}

// named finds a device by friendly name or address.
func (s *instance) named(name string) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	devices := s.db.devices()
	i := slices.IndexFunc(devices, func(r *record) bool { return r.IEEE == name || s.config.friendlyName(r.IEEE) == name })
	if i < 0 {
		return nil
	}
	return devices[i]
}

// set and get are commands to a device: only its own answer counts as success.
func (s *instance) set(r *record, payload []byte) error {
	var want struct{ State string }
	if err := json.Unmarshal(payload, &want); err != nil {
		want.State = string(payload)
	}
	return s.ask(r, func(tsn byte) ([]byte, error) { return onOffCommand(tsn, want.State) }, func(f zclFrame) {
		if want.State == "TOGGLE" {
			return // the lamp's own report tells
		}
		s.publishState(r, map[string]any{"state": want.State})
	})
}

func (s *instance) get(r *record) error {
	return s.ask(r, func(tsn byte) ([]byte, error) { return readCommand(tsn, 0), nil }, nil)
}
