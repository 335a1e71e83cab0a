package z2msim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"z2mha/internal/dongle/zigbee"
)

// config is configuration.yaml as Zigbee2MQTT holds it in memory: every key it
// found, known or not, and a copy to see at saving whether anything changed.
type config struct {
	path    string
	values  map[string]any
	onDisk  map[string]any
	secrets string // folder of the files that '!name key' refers to
}

// Zigbee2MQTT's values for what configuration.yaml leaves out.
var (
	defaultKey = zigbee.Key{1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13}
)

const (
	defaultPanID    = 0x1A62
	defaultExtPanID = 0xDDDDDDDDDDDDDDDD
	defaultChannel  = 11
)

func loadConfig(dir string) (*config, error) {
	path := filepath.Join(dir, "configuration.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := &config{path: path, secrets: dir}
	if err := yaml.Unmarshal(raw, &c.values); err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	if len(c.values) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return c, yaml.Unmarshal(raw, &c.onDisk)
}

// save writes the file only when the content differs, and then without the
// comments and key order it had: as the real one does.
func (c *config) save() error {
	if reflect.DeepEqual(c.values, c.onDisk) {
		return nil
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(c.values), enc.Close()); err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	if err := os.WriteFile(c.path, out.Bytes(), 0o644); err != nil {
		return err
	}
	c.onDisk = nil
	return yaml.Unmarshal(out.Bytes(), &c.onDisk)
}

// get returns the value at a dotted path, references followed; nil when absent.
func (c *config) get(path string) any {
	var at any = c.values
	for key := range strings.SplitSeq(path, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[key]
	}
	if s, ok := at.(string); ok && strings.HasPrefix(s, "!") {
		return c.secret(s[1:])
	}
	return at
}

// secret follows '!file key'; ".yaml" may be left out of the file's name.
func (c *config) secret(ref string) any {
	file, key, _ := strings.Cut(ref, " ")
	if filepath.Ext(file) == "" {
		file += ".yaml"
	}
	raw, err := os.ReadFile(filepath.Join(c.secrets, file))
	if err != nil {
		return nil
	}
	var values map[string]any
	if yaml.Unmarshal(raw, &values) != nil {
		return nil
	}
	return values[key]
}

func (c *config) text(path, fallback string) string {
	switch v := c.get(path).(type) {
	case nil:
		return fallback
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

func (c *config) number(path string, fallback int) int {
	if n, ok := c.get(path).(int); ok {
		return n
	}
	return fallback
}

// bytes reads a list of n byte values; false when absent.
func (c *config) bytes(path string, n int) ([]byte, bool, error) {
	v := c.get(path)
	if v == nil {
		return nil, false, nil
	}
	list, ok := v.([]any)
	if !ok || len(list) != n {
		return nil, false, fmt.Errorf("%s: want a list of %d numbers", path, n)
	}
	out := make([]byte, n)
	for i, e := range list {
		b, ok := e.(int)
		if !ok || b < 0 || b > 255 {
			return nil, false, fmt.Errorf("%s: entry %d is no byte", path, i+1)
		}
		out[i] = byte(b)
	}
	return out, true, nil
}

// identity is the network the configuration asks for, without coordinator address.
func (c *config) identity() (zigbee.Identity, error) {
	id := zigbee.Identity{
		PanID:    zigbee.PanID(c.number("advanced.pan_id", defaultPanID)),
		ExtPanID: defaultExtPanID,
		Channel:  zigbee.Channel(c.number("advanced.channel", defaultChannel)),
		Key:      defaultKey,
	}
	ext, ok, err := c.bytes("advanced.ext_pan_id", 8)
	if err != nil {
		return id, err
	}
	if ok {
		id.ExtPanID = zigbee.ExtPanID(binary.BigEndian.Uint64(ext))
	}
	key, ok, err := c.bytes("advanced.network_key", 16)
	if ok {
		id.Key = zigbee.Key(key)
	}
	return id, err
}

// friendlyName is the name of a device: its own entry's, else its address.
func (c *config) friendlyName(ieee string) string {
	if device, ok := c.devices()[ieee].(map[string]any); ok {
		if name, ok := device["friendly_name"].(string); ok {
			return name
		}
	}
	return ieee
}

// addDevice gives a device of the database that has no entry one, like the real one.
func (c *config) addDevice(ieee string) {
	devices := c.devices()
	if _, ok := devices[ieee]; ok {
		return
	}
	if devices == nil {
		devices = map[string]any{}
		c.values["devices"] = devices
	}
	devices[ieee] = map[string]any{"friendly_name": ieee}
}

func (c *config) devices() map[string]any {
	devices, _ := c.values["devices"].(map[string]any)
	return devices
}

// apply merges options into the configuration.
func (c *config) apply(options map[string]any) { merge(c.values, options) }

func merge(into, from map[string]any) {
	for key, value := range from {
		sub, isMap := value.(map[string]any)
		have, both := into[key].(map[string]any)
		if isMap && both {
			merge(have, sub)
			continue
		}
		into[key] = value
	}
}

// public is the configuration as bridge/info shows it: with the defaults that
// others look at, without secrets.
func (c *config) public() map[string]any {
	out := map[string]any{
		"advanced": map[string]any{"pan_id": defaultPanID, "channel": defaultChannel},
		"mqtt":     map[string]any{"base_topic": "zigbee2mqtt"},
	}
	merge(out, clone(c.values))
	hide(out, "advanced", "network_key")
	hide(out, "mqtt", "password")
	hide(out, "frontend", "auth_token")
	return out
}

func clone(m map[string]any) map[string]any {
	out := maps.Clone(m)
	for key, value := range out {
		if sub, ok := value.(map[string]any); ok {
			out[key] = clone(sub)
		}
	}
	return out
}

func hide(m map[string]any, section, key string) {
	if sub, ok := m[section].(map[string]any); ok {
		delete(sub, key)
	}
}
