package z2m

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"z2mha/internal/z2m/yamledit"
)

// referring are the only keys that may hold '!file key' instead of a value.
// Source: Zigbee2MQTT 2.14, settings.
var referring = []string{"mqtt.server", "mqtt.user", "mqtt.password", "advanced.network_key", "frontend.auth_token"}

// listing are the keys that may name files instead of holding entries.
var listing = []string{"devices", "groups"}

// A configuration is configuration.yaml with the files it refers to.
type configuration struct {
	get    Files
	doc    *yamledit.Document
	values map[string]any
}

// A reference is what '!file key' points to.
type reference struct{ file, key string }

var referencePattern = regexp.MustCompile(`!(.*) (.*)`)

// referenceIn reads text as Zigbee2MQTT does: the file's .yaml may be left out.
func referenceIn(text string) (reference, bool) {
	m := referencePattern.FindStringSubmatch(text)
	if m == nil {
		return reference{}, false
	}
	if !strings.HasSuffix(m[1], ".yaml") && !strings.HasSuffix(m[1], ".yml") {
		m[1] += ".yaml"
	}
	return reference{path.Clean(m[1]), m[2]}, true
}

func loadConfiguration(get Files) (*configuration, error) {
	doc, err := loadYAML(get, ConfigurationFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Problem{File: ConfigurationFile, Why: "does not exist: Zigbee2MQTT would start with an empty one and form a new network",
			Remedy: "check the node's data directory"}
	}
	if err != nil {
		return nil, err
	}
	c := &configuration{get: get, doc: doc, values: doc.Value()}
	if len(c.values) == 0 {
		return nil, &Problem{File: ConfigurationFile, Why: "is empty", Remedy: "it may have been read while it was written; try again, or restore it"}
	}
	return c, nil
}

// loadYAML reads one file. The error is fs.ErrNotExist or a *Problem, or what get
// returned.
func loadYAML(get Files, name string) (*yamledit.Document, error) {
	raw, err := get(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	doc, err := yamledit.Parse(bytes.Clone(raw))
	if err != nil {
		return nil, &Problem{File: name, Why: "cannot be used: " + err.Error()}
	}
	return doc, nil
}

// at returns the value of a dotted key as it stands in the file; nil when absent.
func (c *configuration) at(key string) any {
	var v any = c.values
	for part := range strings.SplitSeq(key, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[part]
	}
	return v
}

// reference returns what a key refers to, if it does.
func (c *configuration) reference(key string) (reference, bool) {
	text, ok := c.at(key).(string)
	if !ok || !slices.Contains(referring, key) {
		return reference{}, false
	}
	return referenceIn(text)
}

// effective is the value of a key with its reference followed.
func (c *configuration) effective(key string) (any, error) {
	ref, ok := c.reference(key)
	if !ok {
		return c.at(key), nil
	}
	if err := inside(ref.file); err != nil {
		return nil, &Problem{File: ConfigurationFile, Key: key, Why: "refers to " + ref.file + ", " + err.Error(), Remedy: "move that file into the data directory"}
	}
	doc, err := loadYAML(c.get, ref.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Problem{File: ConfigurationFile, Key: key, Why: "refers to " + ref.file + ", which does not exist",
			Remedy: "create it in the data directory with the key " + ref.key}
	}
	if err != nil {
		return nil, err
	}
	v, ok := doc.Value()[ref.key]
	if !ok || v == nil {
		return nil, &Problem{File: ref.file, Key: ref.key, Why: "is missing; " + key + " refers to it", Remedy: "add it"}
	}
	return v, nil
}

// listed are the files that devices and groups are kept in.
func (c *configuration) listed(key string) []string {
	switch v := c.at(key).(type) {
	case string:
		return []string{v}
	case []any:
		var names []string
		for _, name := range v {
			names = append(names, fmt.Sprint(name))
		}
		return names
	}
	return nil
}

// inside says why a path leads out of the data directory.
func inside(name string) error {
	if clean := path.Clean(name); clean == ".." || strings.HasPrefix(clean, "../") {
		return errors.New("which lies outside the data directory and is not kept up to date")
	}
	return nil
}

// checkReferences follows every reference and every file of devices and groups;
// that of the network key is followed by network.
func (c *configuration) checkReferences() []error {
	var problems []error
	for _, key := range referring {
		if key == "advanced.network_key" {
			continue
		}
		if _, err := c.effective(key); err != nil {
			problems = append(problems, err)
		}
	}
	for _, key := range listing {
		for _, name := range c.listed(key) {
			problems = append(problems, c.checkListed(key, name))
		}
	}
	return problems
}

func (c *configuration) checkListed(key, name string) error {
	if err := inside(name); err != nil {
		return &Problem{File: ConfigurationFile, Key: key, Why: "names " + name + ", " + err.Error(), Remedy: "move that file into the data directory"}
	}
	_, err := loadYAML(c.get, path.Clean(name))
	if errors.Is(err, fs.ErrNotExist) {
		return &Problem{File: ConfigurationFile, Key: key, Why: "names " + name + ", which does not exist: Zigbee2MQTT would lose those names",
			Remedy: "restore the file or remove the key"}
	}
	return err
}
