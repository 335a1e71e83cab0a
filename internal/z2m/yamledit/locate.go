package yamledit

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A span is where a value lies: offsets of its first byte and behind its last.
// The parser tells only the first; the rest of this file finds the last.
type span struct{ start, end int }

func (d *Document) locate() error {
	d.lines = lineStarts(d.src)
	d.spans = map[*yaml.Node]span{}
	return d.locateNode(d.root, -1)
}

// lineStarts finds the offset of each line, as the parser counts lines.
func lineStarts(src []byte) []int {
	first := 0
	if bytes.HasPrefix(src, []byte(byteOrderMark)) {
		first = len(byteOrderMark)
	}
	starts := []int{first}
	for i := first; i < len(src); i++ {
		lone := src[i] == '\r' && (i+1 == len(src) || src[i+1] != '\n')
		if src[i] == '\n' || lone {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// locateNode fills in the span of n and of everything in it. indent is the column
// of the block collection around n, from 0; -1 at the top.
func (d *Document) locateNode(n *yaml.Node, indent int) error {
	start, err := d.offset(n)
	if err != nil {
		return err
	}
	flow := start < len(d.src) && (d.src[start] == '{' || d.src[start] == '[')
	inner := indent
	if n.Kind != yaml.ScalarNode && !flow {
		inner = n.Column - 1
	}
	for _, child := range n.Content {
		if err := d.locateNode(child, inner); err != nil {
			return err
		}
	}
	end, err := d.endOf(n, start, indent, flow)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	d.spans[n] = span{start, end}
	return d.inPlace(n, start, flow)
}

// inPlace refuses keys written with "? key" and nodes that begin with a property.
func (d *Document) inPlace(n *yaml.Node, start int, flow bool) error {
	if start < len(d.src) && n.Style&yaml.TaggedStyle == 0 && n.Kind == yaml.ScalarNode && n.Value != "" &&
		n.Style == 0 && strings.ContainsRune("!&*", rune(d.src[start])) {
		return fmt.Errorf("line %d: tags and anchors are not supported; put the value in quotes", n.Line)
	}
	if n.Kind != yaml.MappingNode || flow || n.Style&yaml.FlowStyle != 0 {
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Column != n.Column {
			return fmt.Errorf("line %d: a key must be a plain word at the start of its line", n.Content[i].Line)
		}
	}
	return nil
}

// offset turns the parser's line and column (in characters) into an offset.
func (d *Document) offset(n *yaml.Node) (int, error) {
	if n.Line < 1 || n.Line > len(d.lines) {
		return 0, fmt.Errorf("line %d: beyond the end of the file", n.Line)
	}
	at := d.lines[n.Line-1]
	for range n.Column - 1 {
		if at >= len(d.src) {
			break
		}
		_, size := utf8.DecodeRune(d.src[at:])
		at += size
	}
	return at, nil
}

func (d *Document) endOf(n *yaml.Node, start, indent int, flow bool) (int, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Style&yaml.DoubleQuotedStyle != 0:
		return d.endOfDouble(start)
	case n.Kind == yaml.ScalarNode && n.Style&yaml.SingleQuotedStyle != 0:
		return d.endOfSingle(start)
	case n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return d.endOfBlockText(start, indent), nil
	case n.Kind == yaml.ScalarNode:
		return d.endOfPlain(start, n.Value)
	case flow:
		return d.endOfFlow(n, start)
	case len(n.Content) == 0:
		return 0, fmt.Errorf("cannot tell where this ends")
	default:
		return d.spans[n.Content[len(n.Content)-1]].end, nil
	}
}

func (d *Document) endOfDouble(start int) (int, error) {
	for i := start + 1; i < len(d.src); i++ {
		switch d.src[i] {
		case '\\':
			i++
		case '"':
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("a quote is not closed")
}

func (d *Document) endOfSingle(start int) (int, error) {
	for i := start + 1; i < len(d.src); i++ {
		if d.src[i] != '\'' {
			continue
		}
		if i+1 < len(d.src) && d.src[i+1] == '\'' {
			i++
			continue
		}
		return i + 1, nil
	}
	return 0, fmt.Errorf("a quote is not closed")
}

// endOfPlain follows the words of value through the file: a plain scalar has no
// escapes and no comments, only its white space may have been folded.
func (d *Document) endOfPlain(start int, value string) (int, error) {
	at, end := start, start
	for i := range len(value) {
		if isSpace(value[i]) {
			continue
		}
		for at < len(d.src) && isSpace(d.src[at]) {
			at++
		}
		if at >= len(d.src) || d.src[at] != value[i] {
			return 0, fmt.Errorf("cannot tell where this value ends; put it in quotes")
		}
		at++
		end = at
	}
	return end, nil
}

// endOfFlow finds the bracket behind the last element.
func (d *Document) endOfFlow(n *yaml.Node, start int) (int, error) {
	at := start + 1
	if len(n.Content) > 0 {
		at = max(at, d.spans[n.Content[len(n.Content)-1]].end)
	}
	for ; at < len(d.src); at++ {
		switch c := d.src[at]; {
		case c == ']' || c == '}':
			return at + 1, nil
		case c == '#':
			at = d.lineEnd(at)
		case c == ',' || c == ':' || isSpace(c):
		default:
			return 0, fmt.Errorf("cannot tell where this list ends")
		}
	}
	return 0, fmt.Errorf("a bracket is not closed")
}

// endOfBlockText finds the end of a text that starts with | or >: the last line
// that is indented deeper than what surrounds it, without its line end.
func (d *Document) endOfBlockText(start, around int) int {
	end := d.lineEnd(start)
	header, _, _ := bytes.Cut(d.src[start:end], []byte("#"))
	keep, indent := bytes.IndexByte(header, '+') >= 0, 0
	if i := bytes.IndexAny(header, "123456789"); i >= 0 {
		indent = max(around, 0) + int(header[i]-'0')
	}
	for at := d.nextLine(start); at < len(d.src); at = d.nextLine(at) {
		line := d.src[at:d.lineEnd(at)]
		spaces := len(line) - len(bytes.TrimLeft(line, " "))
		if spaces == len(line) && (indent == 0 || spaces <= indent) {
			if keep {
				end = at + len(line)
			}
			continue
		}
		if indent == 0 {
			indent = max(spaces, around+1)
		}
		if spaces < indent {
			break
		}
		end = at + len(line)
	}
	return end
}

// lineStart is the offset of the line that holds at.
func (d *Document) lineStart(at int) int {
	for at > d.first() && !isBreak(d.src[at-1]) {
		at--
	}
	return at
}

// lineEnd is the offset of the line break at or behind at, or the end of the file.
func (d *Document) lineEnd(at int) int {
	for at < len(d.src) && !isBreak(d.src[at]) {
		at++
	}
	return at
}

// nextLine is the offset of the line after the one that holds at.
func (d *Document) nextLine(at int) int {
	at = d.lineEnd(at)
	if bytes.HasPrefix(d.src[at:], []byte("\r\n")) {
		return at + 2
	}
	return min(at+1, len(d.src))
}

func (d *Document) first() int {
	if bytes.HasPrefix(d.src, []byte(byteOrderMark)) {
		return len(byteOrderMark)
	}
	return 0
}

func isBreak(c byte) bool { return c == '\n' || c == '\r' }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || isBreak(c) }
