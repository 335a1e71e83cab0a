package z2m

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"z2mha/internal/z2m/yamledit"
)

// MergeInput is what a stand-by's configuration is made of.
type MergeInput struct {
	Active Files // the active's data directory, or a generation of it
	Target Files // the stand-by's own data directory; nil when it has none

	// Keep are further keys, dotted ("frontend.auth_token"), whose values stay
	// the target's.
	Keep []string

	// Own are values that the target must have whatever either file says, by
	// dotted key: serial.port, z2mha.node.
	Own map[string]any
}

// MergeOutput is what to write on the target.
type MergeOutput struct {
	Configuration []byte            // configuration.yaml
	Secrets       map[string][]byte // the files that it refers to with '!file key', by path
	Kept          []string          // dotted keys that have the target's own value
	Warnings      []string
}

// Merge makes the target's configuration say what the active's says, except for
// the keys of one node, which keep the target's value or its absence. The network
// identity is written out even where the active relies on Zigbee2MQTT's own.
//
// The text is the target's file with single values replaced, so its comments, key
// order and quoting stay; without one it is the active's. The result is read
// again and compared with what it should say: it is right or there is an error.
// Merging what was merged changes no byte.
func Merge(in MergeInput) (MergeOutput, error) {
	keys, err := keptKeys(in.Keep)
	if err != nil {
		return MergeOutput{}, err
	}
	active, err := loadConfiguration(in.Active)
	if err != nil {
		return MergeOutput{}, fmt.Errorf("active: %w", err)
	}
	n, problems := active.network()
	if err := join(problems); err != nil {
		return MergeOutput{}, fmt.Errorf("active: %w", err)
	}
	target, err := loadTarget(in.Target)
	if err != nil {
		return MergeOutput{}, fmt.Errorf("target: %w", err)
	}
	m := &merger{active: active, target: target, keys: keys, own: in.Own, want: active.doc.Root()}
	return m.merge(n)
}

// loadTarget returns nil when there is no configuration worth keeping.
func loadTarget(get Files) (*configuration, error) {
	if get == nil {
		return nil, nil
	}
	doc, err := loadYAML(get, ConfigurationFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &configuration{get: get, doc: doc, values: doc.Value()}, nil
}

type merger struct {
	active, target *configuration
	keys           []string // that stay the target's
	own            map[string]any
	want           *yaml.Node // what the result must say
	out            MergeOutput
}

func (m *merger) merge(n Network) (MergeOutput, error) {
	m.takeBroker()
	for _, key := range m.keys {
		if err := m.keep(key); err != nil {
			return MergeOutput{}, err
		}
	}
	if err := m.setAll(n); err != nil {
		return MergeOutput{}, err
	}
	m.out.Warnings = append(m.out.Warnings, n.warnings()...)
	for _, step := range []func() error{m.complete, m.write, m.mergeSecrets} {
		if err := step(); err != nil {
			return MergeOutput{}, err
		}
	}
	return m.out, nil
}

// setAll writes the identity that the active leaves to Zigbee2MQTT, and the
// node's own values.
func (m *merger) setAll(n Network) error {
	for _, d := range networkDefaults {
		if !slices.Contains(n.Defaulted, d.key) {
			continue
		}
		if err := m.set(d.key, d.value); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.own)) {
		if err := m.set(key, m.own[key]); err != nil {
			return err
		}
	}
	return nil
}

// takeBroker takes the way to the broker from the active when the target has none
// of its own: Zigbee2MQTT does not start without.
func (m *merger) takeBroker() {
	if m.own["mqtt.server"] != nil || m.target != nil && m.target.at("mqtt.server") != nil {
		return
	}
	m.keys = slices.DeleteFunc(m.keys, func(key string) bool { return slices.Contains(brokerKeys, key) })
	warning := "mqtt.server and the login are the active's, as this node has none of its own; check that they work from here"
	if server, _ := m.active.at("mqtt.server").(string); local(server) {
		warning = fmt.Sprintf("mqtt.server is the active's, %s, which means another machine here; write this node's own broker address into its configuration.yaml", server)
	}
	m.out.Warnings = append(m.out.Warnings, warning)
}

func local(server string) bool {
	return strings.Contains(server, "//localhost") || strings.Contains(server, "//127.") || strings.Contains(server, "//[::1]")
}

// keep gives key the target's value, or none when the target has none.
func (m *merger) keep(key string) error {
	path := strings.Split(key, ".")
	if m.target == nil {
		m.without(path)
		return nil
	}
	own := yamledit.Lookup(m.target.doc.Root(), path...)
	if own == nil {
		m.without(path)
		return nil
	}
	m.out.Kept = append(m.out.Kept, key)
	return m.set(key, own)
}

// without removes a key, and the group around it when nothing else is left there.
// The kind of adapter stays, when nothing is known of the target: all are TI's.
func (m *merger) without(path []string) {
	if m.target == nil && path[0] == "serial" {
		if kind := yamledit.Lookup(m.want, "serial", "adapter"); kind != nil {
			remove(m.want, path)
			_ = place(m.want, []string{"serial", "adapter"}, kind)
			return
		}
	}
	remove(m.want, path)
	for n := len(path) - 1; n > 0; n-- {
		around := yamledit.Lookup(m.want, path[:n]...)
		if around == nil || around.Kind != yaml.MappingNode || len(around.Content) > 0 || m.targetHas(path[:n]) {
			return
		}
		remove(m.want, path[:n])
	}
}

func (m *merger) targetHas(path []string) bool {
	return m.target != nil && yamledit.Lookup(m.target.doc.Root(), path...) != nil
}

// set writes a value into what the result must say.
func (m *merger) set(key string, v any) error {
	value, err := yamledit.NodeOf(v)
	if err == nil {
		err = place(m.want, strings.Split(key, "."), value)
	}
	if err != nil {
		return fmt.Errorf("set %s: %w", key, err)
	}
	return nil
}

// complete names what every node must have of its own.
func (m *merger) complete() error {
	port := yamledit.Lookup(m.want, "serial", "port")
	if port == nil || port.Value == "" || port.Tag == "!!null" {
		return &Problem{File: ConfigurationFile, Key: "serial.port", Why: "is missing on the target",
			Remedy: "give the node's tty in z2mha.yaml, or serial.port in its own configuration.yaml"}
	}
	if yamledit.Lookup(m.want, "z2mha", "node") == nil {
		m.out.Warnings = append(m.out.Warnings, "z2mha.node is missing: bridge/info will not tell which node is active")
	}
	return nil
}

// write edits the target's text, or the active's, until it says what it must.
func (m *merger) write() error {
	base := m.active.doc
	if m.target != nil {
		base = m.target.doc
	}
	raw, err := transform(base, m.want)
	if err != nil {
		return &Problem{File: ConfigurationFile, Why: "of the target cannot be edited: " + err.Error()}
	}
	m.out.Configuration = raw
	return nil
}

// transform edits a copy of doc until it says want, and makes sure that it does.
func transform(doc *yamledit.Document, want *yaml.Node) ([]byte, error) {
	edit, err := yamledit.Parse(doc.Bytes())
	if err != nil {
		return nil, err
	}
	if err := align(edit, nil, edit.Root(), want); err != nil {
		return nil, err
	}
	result, err := yamledit.Parse(edit.Bytes())
	if err != nil {
		return nil, err
	}
	if !yamledit.Equal(result.Value(), yamledit.Value(want)) {
		return nil, errors.New("the result does not say what it should")
	}
	return result.Bytes(), nil
}

// align makes the mapping at path say want, key by key.
func align(doc *yamledit.Document, path []string, have, want *yaml.Node) error {
	at := func(key *yaml.Node) []string { return append(slices.Clip(path), yamledit.KeyName(key)) }
	for key, wanted := range pairs(want) {
		now := yamledit.Lookup(have, yamledit.KeyName(key))
		var err error
		if now != nil && now.Kind == yaml.MappingNode && wanted.Kind == yaml.MappingNode {
			err = align(doc, at(key), now, wanted)
		} else {
			err = doc.Set(at(key), wanted)
		}
		if err != nil {
			return err
		}
	}
	for key := range pairs(have) {
		if yamledit.Lookup(want, yamledit.KeyName(key)) != nil {
			continue
		}
		if err := doc.Delete(at(key)); err != nil {
			return err
		}
	}
	return nil
}
