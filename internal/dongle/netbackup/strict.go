package netbackup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A DeviationError lists every way in which a file departs from the format's own rules.
type DeviationError struct{ Deviations []string }

func (e *DeviationError) Error() string {
	return "not a strict coordinator backup: " + strings.Join(e.Deviations, "; ")
}

// ParseStrict reads a backup that keeps to the rules of the format: every required
// member, hex of full length, whole numbers in their range, metadata that says who wrote
// it; and beyond them the security level 5 that all Zigbee networks have. Readers other
// than Zigbee2MQTT may insist on any of these. It returns a *DeviationError for a file
// that is JSON but departs from them.
func ParseStrict(data []byte) (*Backup, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var top any
	if err := dec.Decode(&top); err != nil {
		return nil, fmt.Errorf("parse coordinator backup: %w", jsonError(err, data))
	}
	s := &strict{}
	s.document(top)
	if len(s.list) > 0 {
		return nil, &DeviationError{Deviations: s.list}
	}
	return Parse(data)
}

// strict checks one file against the schema of the format's authors.
type strict struct{ problems }

// object is a JSON object and where it stands.
type object struct {
	path    string
	members map[string]any
}

func (o object) at(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

func (s *strict) document(top any) {
	m, ok := top.(map[string]any)
	if !ok {
		s.add("the file: want an object")
		return
	}
	o := object{members: m}
	s.metadata(o)
	if stack, ok := s.object(o, "stack_specific", false); ok {
		if zstack, ok := s.object(stack, "zstack", false); ok {
			s.digits(zstack, "tclk_seed", 32, false)
		}
	}
	s.digits(o, "coordinator_ieee", 16, true)
	s.digits(o, "pan_id", 4, true)
	s.digits(o, "extended_pan_id", 16, true)
	s.number(o, "nwk_update_id", 0, math.MaxUint8)
	s.number(o, "security_level", 5, 5)
	s.number(o, "channel", 11, 26)
	for i, c := range s.array(o, "channel_mask") {
		s.inRange(fmt.Sprintf("channel_mask[%d]", i), c, 11, 26)
	}
	if key, ok := s.object(o, "network_key", true); ok {
		s.digits(key, "key", 32, true)
		s.number(key, "sequence_number", 0, math.MaxUint8)
		s.number(key, "frame_counter", 0, math.MaxUint32)
	}
	for i, d := range s.array(o, "devices") {
		s.device(d, fmt.Sprintf("devices[%d]", i))
	}
}

func (s *strict) metadata(o object) {
	m, ok := s.object(o, "metadata", true)
	if !ok {
		return
	}
	if v, ok := s.text(m, "format", true); ok && v != Format {
		s.add("metadata.format is %.40q, want %q", v, Format)
	}
	s.number(m, "version", 1, 1)
	if v, ok := s.text(m, "source", true); ok && !strings.Contains(v, "@") {
		s.add("metadata.source: want a program and its version, joined by @")
	}
	s.object(m, "internal", false)
}

func (s *strict) device(v any, path string) {
	m, ok := v.(map[string]any)
	if !ok {
		s.add("%s: want an object", path)
		return
	}
	o := object{path: path, members: m}
	if v, ok := o.members["nwk_address"]; !ok || v != nil {
		s.digits(o, "nwk_address", 4, true)
	}
	s.digits(o, "ieee_address", 16, true)
	if child, ok := o.members["is_child"]; ok {
		if _, is := child.(bool); !is {
			s.add("%s: want true or false", o.at("is_child"))
		}
	}
	if key, ok := s.object(o, "link_key", false); ok {
		s.digits(key, "key", 32, true)
		s.number(key, "rx_counter", 0, math.MaxUint32)
		s.number(key, "tx_counter", 0, math.MaxUint32)
	}
}

// member looks a name up; missing is a deviation only where it is required.
func (s *strict) member(o object, name string, required bool) (any, bool) {
	v, ok := o.members[name]
	if !ok && required {
		s.add("%s is missing", o.at(name))
	}
	return v, ok
}

func (s *strict) object(o object, name string, required bool) (object, bool) {
	v, ok := s.member(o, name, required)
	if !ok {
		return object{}, false
	}
	m, is := v.(map[string]any)
	if !is {
		s.add("%s: want an object", o.at(name))
	}
	return object{path: o.at(name), members: m}, is
}

func (s *strict) array(o object, name string) []any {
	v, ok := s.member(o, name, true)
	list, is := v.([]any)
	if ok && !is {
		s.add("%s: want a list", o.at(name))
	}
	return list
}

func (s *strict) text(o object, name string, required bool) (string, bool) {
	v, ok := s.member(o, name, required)
	if !ok {
		return "", false
	}
	text, is := v.(string)
	if !is {
		s.add("%s: want a string", o.at(name))
	}
	return text, is
}

// digits wants exactly so many hex digits.
func (s *strict) digits(o object, name string, n int, required bool) {
	v, ok := s.text(o, name, required)
	if ok && (len(v) != n || strings.Trim(v, "0123456789abcdefABCDEF") != "") {
		s.add("%s: want %d hex digits, there are %d characters", o.at(name), n, len(v))
	}
}

func (s *strict) number(o object, name string, lowest, highest uint64) {
	if v, ok := s.member(o, name, true); ok {
		s.inRange(o.at(name), v, lowest, highest)
	}
}

func (s *strict) inRange(path string, v any, lowest, highest uint64) {
	text, is := v.(json.Number)
	n, err := strconv.ParseUint(string(text), 10, 64)
	switch {
	case !is:
		s.add("%s: want a number", path)
	case err == nil && lowest <= n && n <= highest:
	case lowest == highest:
		s.add("%s is %.20s, want %d", path, text, lowest)
	default:
		s.add("%s is %.20s, want %d to %d", path, text, lowest, highest)
	}
}
