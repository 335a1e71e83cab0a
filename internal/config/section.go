package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A reader walks the file and collects what is wrong with it.
type reader struct {
	defaults Defaults
	problems []Problem
	warnings []Problem
}

// A value is one value of the file and its place.
type value struct {
	r    *reader
	key  string
	node *yaml.Node
}

func (v value) problem(what, remedy string) {
	v.r.problems = append(v.r.problems, v.say(what, remedy))
}

func (v value) warn(what, remedy string) {
	v.r.warnings = append(v.r.warnings, v.say(what, remedy))
}

func (v value) say(what, remedy string) Problem {
	p := Problem{Line: v.node.Line, Key: v.key, What: what, Remedy: remedy}
	if v.node.Kind == yaml.ScalarNode {
		p.Value = v.node.Value
	}
	return p
}

func (v value) isNull() bool { return v.node.Tag == "!!null" }

// text returns a scalar as it is written. Tags such as !env are for secrets only.
func (v value) text() (string, bool) {
	if v.node.Kind != yaml.ScalarNode {
		v.problem("one value is wanted here, not a list or a group", "write "+last(v.key)+": VALUE")
		return "", false
	}
	if strings.HasPrefix(v.node.Tag, "!") && !strings.HasPrefix(v.node.Tag, "!!") {
		v.problem("the tag "+v.node.Tag+" has no meaning here", "only a password or a community may be !env NAME or !file PATH")
		return "", false
	}
	if v.node.Value == "GENERATE" {
		v.problem("nothing can be generated here", "GENERATE is a word of Zigbee2MQTT's own configuration.yaml; write the value")
		return "", false
	}
	return v.node.Value, true
}

// list returns the entries of a list.
func (v value) list() []value {
	if v.node.Kind != yaml.SequenceNode {
		v.hide().problem("a list is wanted here", "begin each entry with a dash") // it may be a community
		return nil
	}
	out := make([]value, len(v.node.Content))
	for i, n := range v.node.Content {
		out[i] = value{v.r, fmt.Sprintf("%s[%d]", v.key, i), resolve(n)}
	}
	return out
}

// A section is a group of keys. The keys that were asked for are the known ones;
// close complains about the others.
type section struct {
	value
	fields map[string]value
	names  []*yaml.Node // as they stand in the file
	known  []string
}

// section opens v, which must be a group of keys; an empty one stands for any
// other thing, after a problem was noted.
func (v value) section() *section {
	s := &section{value: v, fields: map[string]value{}}
	if v.node.Kind != yaml.MappingNode {
		v.hide().problem("a group of keys is wanted here", "write one KEY: VALUE a line, indented") // it may be a password
		s.fields = nil
		return s
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		name := v.node.Content[i]
		s.names = append(s.names, name)
		if old, ok := s.fields[name.Value]; ok {
			value{v.r, s.path(name.Value), name}.hide().problem(
				fmt.Sprintf("given twice, first in line %d", old.node.Line), "keep one of them")
			continue
		}
		s.fields[name.Value] = value{v.r, s.path(name.Value), resolve(v.node.Content[i+1])}
	}
	return s
}

// field returns the value of a key, which is known from now on. A key without a
// value counts as absent.
func (s *section) field(name string) (value, bool) {
	s.known = append(s.known, name)
	v, ok := s.fields[name]
	return v, ok && !v.isNull()
}

// close reports the keys that nobody asked for.
func (s *section) close() {
	for _, name := range s.names {
		if slices.Contains(s.known, name.Value) {
			continue
		}
		value{s.r, s.path(name.Value), name}.hide().problem("not a known key", suggest(name.Value, s.known))
	}
}

// missing reports a key that must be given.
func (s *section) missing(name, remedy string) {
	if s.fields == nil {
		return // something else stands where the group should be; said already
	}
	value{s.r, s.path(name), s.node}.hide().problem("missing", remedy)
}

func (s *section) path(name string) string {
	if s.key == "" {
		return name
	}
	return s.key + "." + name
}

// hide returns v with its place only: its content is not to be shown.
func (v value) hide() value {
	v.node = &yaml.Node{Line: v.node.Line}
	return v
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func last(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }
