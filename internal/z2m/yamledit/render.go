package yamledit

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// NodeOf turns a Go value, or a node of another file, into a node without
// comments that can be written anywhere.
func NodeOf(v any) (*yaml.Node, error) {
	if n, ok := v.(*yaml.Node); ok {
		return bare(n), nil
	}
	n := &yaml.Node{}
	if err := n.Encode(v); err != nil {
		return nil, fmt.Errorf("write %T as YAML: %w", v, err)
	}
	return bare(unquoted(n)), nil
}

// unquoted leaves the choice of quotes to scalarStyle.
func unquoted(n *yaml.Node) *yaml.Node {
	n.Style = 0
	for _, child := range n.Content {
		unquoted(child)
	}
	return n
}

// bare copies n without comments and positions. Texts of several lines become
// double-quoted ones, which no neighbouring line can run into.
func bare(n *yaml.Node) *yaml.Node {
	c := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value}
	if n.Kind == yaml.ScalarNode {
		c.Style = scalarStyle(n)
	}
	if c.Tag == "!!null" && c.Value == "" {
		c.Value = "null"
	}
	for _, child := range n.Content {
		c.Content = append(c.Content, bare(child))
	}
	return c
}

func scalarStyle(n *yaml.Node) yaml.Style {
	text := n.Tag == "!!str" || n.Tag == ""
	switch {
	case text && strings.ContainsAny(n.Value, "\n\r\t"):
		return yaml.DoubleQuotedStyle
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return yaml.DoubleQuotedStyle
	case text && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 && !plainWord(n.Value):
		return yaml.SingleQuotedStyle
	default:
		return n.Style
	}
}

// plainWord says that s means itself when written without quotes, to readers of
// YAML 1.1 as well.
func plainWord(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "no", "on", "off":
		return false
	}
	bareWord := yaml.Node{Kind: yaml.ScalarNode, Value: s}
	return bareWord.ShortTag() == "!!str"
}

func keyNode(name string) *yaml.Node {
	return bare(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name})
}

// nest wraps n into one mapping for each key, outermost first.
func nest(keys []string, n *yaml.Node) *yaml.Node {
	for i := len(keys) - 1; i >= 0; i-- {
		n = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{keyNode(keys[i]), n}}
	}
	return n
}

// blockEntry writes "key: value" as whole lines at the given column.
func (d *Document) blockEntry(key string, n *yaml.Node, column int) (string, error) {
	text, err := encode(nest([]string{key}, n), d.step())
	if err != nil {
		return "", err
	}
	return d.shift(text, column), nil
}

// blockValue writes a value behind "key:" at the given column: either as the rest
// of that line, or as lines of its own.
func (d *Document) blockValue(n *yaml.Node, column int) (inline, lines string, err error) {
	text, err := encode(nest([]string{"k"}, n), d.step())
	if err != nil {
		return "", "", err
	}
	text = strings.TrimPrefix(text, "k:")
	if strings.HasPrefix(text, "\n") {
		return "", d.shift(text[1:], column), nil
	}
	return strings.TrimSpace(text), "", nil
}

// flowEntry and flowValue write for a place between brackets.
func flowEntry(key string, n *yaml.Node) (string, error) {
	text, err := encode(flow(nest([]string{key}, n)), 2)
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "{"), "}"), err
}

func flowValue(n *yaml.Node) (string, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{n}}
	text, err := encode(flow(list), 2)
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "["), "]"), err
}

func flow(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	}
	for _, child := range n.Content {
		flow(child)
	}
	return n
}

func encode(n *yaml.Node, step int) (string, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(step)
	if err := errors.Join(enc.Encode(n), enc.Close()); err != nil {
		return "", fmt.Errorf("write a value as YAML: %w", err)
	}
	return out.String(), nil
}

// shift moves lines to a column and gives them the file's line ends.
func (d *Document) shift(text string, column int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.Repeat(" ", column))
		out.WriteString(strings.TrimSuffix(line, "\n"))
		out.WriteString(d.eol())
	}
	return out.String()
}

// eol is the file's line end: that of its first line.
func (d *Document) eol() string {
	end := d.lineEnd(0)
	if brk := string(d.src[end:d.nextLine(0)]); brk != "" {
		return brk
	}
	return "\n"
}

// step is how many columns the file indents by.
func (d *Document) step() int {
	if d.root == nil {
		return 2
	}
	for i := 1; i < len(d.root.Content); i += 2 {
		n := d.root.Content[i]
		if n.Kind == yaml.MappingNode && d.isBlock(n) {
			return min(max(n.Column-d.root.Column, 2), 9)
		}
	}
	return 2
}

func (d *Document) isBlock(n *yaml.Node) bool {
	at := d.spans[n].start
	return n.Kind != yaml.ScalarNode && d.src[at] != '{' && d.src[at] != '['
}
