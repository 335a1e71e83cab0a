package z2m

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"go.yaml.in/yaml/v3"

	"z2mha/internal/z2m/yamledit"
)

// mergeSecrets merges every file that the result refers to, key by key: what a
// kept key refers to stays the target's, all else becomes the active's. Keys that
// only the target's file has stay; nothing refers to them, and a lost password is
// lost.
func (m *merger) mergeSecrets() error {
	result := &configuration{get: m.active.get, values: yamledit.Value(m.want).(map[string]any)}
	owner := map[reference]bool{} // true: the target's
	for _, key := range referring {
		ref, ok := result.reference(key)
		if !ok || m.own[key] != nil {
			continue
		}
		targets := slices.ContainsFunc(m.out.Kept, func(kept string) bool { return covers(kept, key) })
		if before, twice := owner[ref]; twice && before != targets {
			return &Problem{File: ref.file, Key: ref.key, Why: "is used for a value of this node and for one of all nodes",
				Remedy: "use two keys in " + ref.file}
		}
		owner[ref] = targets
	}
	m.out.Secrets = map[string][]byte{}
	for ref := range owner {
		if m.out.Secrets[ref.file] != nil {
			continue
		}
		raw, err := m.mergeSecret(ref.file, owner)
		if err != nil {
			return err
		}
		m.out.Secrets[ref.file] = raw
	}
	return nil
}

func (m *merger) mergeSecret(name string, owner map[reference]bool) ([]byte, error) {
	if err := inside(name); err != nil {
		return nil, &Problem{File: name, Why: "is referred to, " + err.Error(), Remedy: "move it into the data directory"}
	}
	theirs, err := secretsOf(m.active, name)
	if err != nil {
		return nil, fmt.Errorf("active: %w", err)
	}
	mine, err := secretsOf(m.target, name)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	base := mine
	if base == nil {
		base = theirs
	}
	if base == nil {
		return nil, &Problem{File: name, Why: "is referred to and exists on neither node", Remedy: "create it"}
	}
	want := base.Root()
	for key, value := range pairs(root(theirs)) {
		if owner[reference{name, yamledit.KeyName(key)}] {
			continue
		}
		if err := place(want, []string{yamledit.KeyName(key)}, value); err != nil {
			return nil, err
		}
	}
	for ref, targets := range owner {
		if ref.file == name && targets && yamledit.Lookup(root(mine), ref.key) == nil {
			return nil, fmt.Errorf("target: %w", missing(ref))
		}
	}
	return m.writeSecret(name, base, want, owner)
}

func missing(ref reference) error {
	return &Problem{File: ref.file, Key: ref.key, Why: "is missing; the configuration refers to it", Remedy: "add it"}
}

// writeSecret edits the text and makes sure that every reference is answered.
func (m *merger) writeSecret(name string, base *yamledit.Document, want *yaml.Node, owner map[reference]bool) ([]byte, error) {
	for ref := range owner {
		if v := yamledit.Lookup(want, ref.key); ref.file == name && (v == nil || v.Tag == "!!null") {
			return nil, missing(ref)
		}
	}
	raw, err := transform(base, want)
	if err != nil {
		return nil, &Problem{File: name, Why: "cannot be edited: " + err.Error()}
	}
	return raw, nil
}

// secretsOf returns nil when the node or the file does not exist.
func secretsOf(c *configuration, name string) (*yamledit.Document, error) {
	if c == nil {
		return nil, nil
	}
	doc, err := loadYAML(c.get, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return doc, err
}

func root(doc *yamledit.Document) *yaml.Node {
	if doc == nil {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	return doc.Root()
}
