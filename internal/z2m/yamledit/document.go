// Package yamledit changes single values of a YAML file and leaves every other
// byte as a person wrote it: comments, order, quoting, line ends.
//
// A parser finds where a value lies; the bytes there are replaced; the result is
// parsed again and must say exactly what was asked for, otherwise the edit is
// refused and nothing has changed. Encoding a whole file anew would drop or move
// comments and rewrite twenty lines to change one.
//
// Files of one document with a mapping at the top are understood, empty ones
// too. Anchors, aliases, explicit tags, merge keys, keys that are not plain words
// and keys given twice are refused by line: an edit could mean two things there.
package yamledit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const byteOrderMark = "\uFEFF"

// A Document is one YAML file. The zero value is an empty file.
type Document struct {
	src   []byte
	root  *yaml.Node // a mapping; nil when the file says nothing
	lines []int      // offset of the first byte of each line
	spans map[*yaml.Node]span
}

// Parse reads a file. The error names the line and what to do about it; it never
// holds a value from the file.
func Parse(src []byte) (*Document, error) {
	d := &Document{src: bytes.Clone(src)}
	if err := d.readable(); err != nil {
		return nil, err
	}
	root, err := decodeOne(d.src)
	if err != nil || root == nil {
		return d, err
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: want keys and values (key: value) at the top of the file", root.Line)
	}
	if err := check(root); err != nil {
		return nil, err
	}
	d.root = root
	return d, d.locate()
}

// Bytes is the file as it is now.
func (d *Document) Bytes() []byte { return bytes.Clone(d.src) }

// Root is a copy of the top mapping without comments; an empty mapping for an
// empty file.
func (d *Document) Root() *yaml.Node {
	if d.root == nil {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	return bare(d.root)
}

// Value is what the file says: map[string]any, []any and scalars. Keys are
// strings as JavaScript makes them, so 1: and '1': are one key.
func (d *Document) Value() map[string]any { return Value(d.Root()).(map[string]any) }

func (d *Document) readable() error {
	text := d.src
	switch {
	case !utf8.Valid(text):
		return errors.New("not UTF-8 text; save the file as UTF-8")
	case bytes.IndexByte(text, 0) >= 0:
		return errors.New("holds zero bytes: torn or not a text file")
	}
	for _, odd := range []string{"\u0085", "\u2028", "\u2029"} {
		if i := bytes.Index(text, []byte(odd)); i >= 0 {
			return fmt.Errorf("line %d: the character %+q means a new line to some readers only; remove it",
				1+bytes.Count(text[:i], []byte("\n")), odd)
		}
	}
	return nil
}

// decodeOne returns the only document's root, nil when there is nothing in it.
func decodeOne(src []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, plain(err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, fmt.Errorf("line %d: a second document starts here (---); keep one", more.Line)
	case !errors.Is(err, io.EOF):
		return nil, plain(err)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Value == "" && root.Tag == "!!null" {
		return nil, nil
	}
	return root, nil
}

// plain drops the parser's own prefix.
func plain(err error) error { return errors.New(strings.TrimPrefix(err.Error(), "yaml: ")) }

// check refuses what an edit could get wrong.
func check(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return fmt.Errorf("line %d: anchors (&name, *name) are not supported; write the value out", n.Line)
	case n.Style&yaml.TaggedStyle != 0:
		return fmt.Errorf("line %d: the tag %s is not supported; put the value in quotes, '%s …', or remove the tag",
			n.Line, n.Tag, n.Tag)
	case n.Kind == yaml.MappingNode:
		if err := checkKeys(n); err != nil {
			return err
		}
	}
	for _, child := range n.Content {
		if err := check(child); err != nil {
			return err
		}
	}
	return nil
}

func checkKeys(n *yaml.Node) error {
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!null" || key.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
			return fmt.Errorf("line %d: a key must be a plain word", key.Line)
		case key.Tag == "!!merge":
			return fmt.Errorf("line %d: merge keys (<<) are not supported; write the values out", key.Line)
		}
		name := KeyName(key)
		if line, twice := seen[name]; twice {
			return fmt.Errorf("line %d: the key %q was given before, in line %d; remove one", key.Line, name, line)
		}
		seen[name] = key.Line
	}
	return nil
}
