package setup

import (
	"bytes"
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"z2mha/internal/z2m/yamledit"
)

// errShape is wrapped when a file is written in a way in which nothing can be inserted
// safely.
var errShape = errors.New("the file is written in a way that cannot be added to without changing what is there")

// A splice is text that is put into a file at an offset.
type splice struct {
	at   int
	text string
}

func (s splice) into(src []byte) []byte {
	return bytes.Join([][]byte{src[:s.at], []byte(s.text), src[s.at:]}, nil)
}

// A book is a z2mha.yaml as far as an insertion has to know it.
type book struct {
	src  []byte
	root *yaml.Node // mapping; nil when the file says nothing
}

func openBook(src []byte) (book, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(src, &doc); err != nil {
		return book{}, errors.New("z2mha.yaml is not valid YAML")
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return book{src: src}, nil
	}
	if doc.Content[0].Kind != yaml.MappingNode {
		return book{}, errShape
	}
	return book{src, doc.Content[0]}, nil
}

// network is the mapping of the network of that name, nil when there is none.
func (b book) network(name string) *yaml.Node {
	for _, n := range b.networks() {
		if v := yamledit.Lookup(n, "name"); v != nil && resolved(v).Value == name {
			return n
		}
	}
	return nil
}

func (b book) networks() []*yaml.Node {
	list := yamledit.Lookup(b.root, "networks")
	if list == nil {
		return nil
	}
	var all []*yaml.Node
	for _, n := range resolved(list).Content {
		all = append(all, resolved(n))
	}
	return all
}

func (b book) hasMQTT() bool {
	v := yamledit.Lookup(b.root, "mqtt")
	return v != nil && v.Tag != "!!null"
}

func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// add finds the place for one more entry in the list that key of m holds; m is nil for a
// list at the top of a file that says nothing.
func (b book) add(m *yaml.Node, key string, entry *yaml.Node) (splice, error) {
	name, list := pair(m, key)
	switch {
	case name == nil && m == b.root:
		return b.atEnd(key, entry)
	case name == nil || list.Kind == yaml.AliasNode:
		return splice{}, errShape
	case list.Tag == "!!null":
		return b.behindLine(name, entry)
	case list.Kind != yaml.SequenceNode:
		return splice{}, errShape
	case list.Style&yaml.FlowStyle != 0:
		return b.inFlow(list, entry)
	}
	return b.behindLast(list, entry)
}

func pair(m *yaml.Node, key string) (name, value *yaml.Node) {
	if m == nil {
		return nil, nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i], m.Content[i+1]
		}
	}
	return nil, nil
}

// atEnd begins the list at the end of the file.
func (b book) atEnd(key string, entry *yaml.Node) (splice, error) {
	if b.root != nil && b.root.Style&yaml.FlowStyle != 0 {
		return splice{}, errShape
	}
	return b.lines(len(b.src), key+":\n"+indent(block(entry), 2)), nil
}

// behindLine begins the list in the line below its key.
func (b book) behindLine(key, entry *yaml.Node) (splice, error) {
	return b.lines(b.lineStart(key.Line+1), indent(block(entry), key.Column+1)), nil
}

// behindLast puts the entry behind the last one, and behind the comments that belong to
// that one by their indentation.
func (b book) behindLast(list, entry *yaml.Node) (splice, error) {
	line, column := b.dash(list.Content[len(list.Content)-1].Line)
	if line == 0 {
		return splice{}, errShape
	}
	return b.lines(b.lineStart(b.behindEntry(line, column)), indent(block(entry), column)), nil
}

// behindEntry is the first line behind an entry whose dash is at a line and a column.
// Comments that are indented like its lines belong to it, and others if they are between
// its lines.
func (b book) behindEntry(line, column int) int {
	end, outside := line+1, false
	for l := line + 1; b.lineStart(l) < len(b.src); l++ {
		text := strings.TrimRight(b.line(l), " \t\r\n")
		comment := strings.HasPrefix(strings.TrimLeft(text, " "), "#")
		inside := leading(text) > column
		switch {
		case text == "":
		case !inside && !comment:
			return end
		case !inside:
			outside = true
		case !comment || !outside:
			end, outside = l+1, false
		}
	}
	return end
}

// dash finds the line and the column, from 0, of the dash before an entry that begins in
// a line; line is 0 when there is none.
func (b book) dash(line int) (int, int) {
	for l := line; l > 0; l-- {
		text := b.line(l)
		if trimmed := strings.TrimLeft(text, " "); strings.HasPrefix(trimmed, "- ") || strings.TrimRight(trimmed, "\r\n") == "-" {
			return l, len(text) - len(trimmed)
		}
		if strings.TrimSpace(text) != "" && l < line && !strings.HasPrefix(strings.TrimSpace(text), "#") {
			break
		}
	}
	return 0, 0
}

// inFlow puts the entry before the closing bracket, behind the last thing that counts.
func (b book) inFlow(list, entry *yaml.Node) (splice, error) {
	start := b.offset(list)
	last, _, comma, ok := flowEnd(b.src, start)
	if !ok {
		return splice{}, errShape
	}
	text := flow(entry)
	if len(list.Content) > 0 && !comma {
		text = ", " + text
	} else if len(list.Content) > 0 {
		text = " " + text
	}
	return splice{last, text}, nil
}

// flowEnd walks over a list in brackets. last is the offset behind the last byte before
// the closing bracket that is neither blank nor comment, and comma says that it is one;
// end is the offset behind the bracket.
func flowEnd(src []byte, at int) (last, end int, comma, ok bool) {
	depth := 0
	before := byte(' ') // the byte before, blank at a token's start
	for ; at < len(src); at++ {
		c := src[at]
		start := strings.IndexByte(" \t\r\n[{,:", before) >= 0
		switch {
		case c == '#' && strings.IndexByte(" \t\r\n", before) >= 0:
			for at < len(src) && src[at] != '\n' {
				at++
			}
			before = '\n'
			continue
		case (c == '"' || c == '\'') && start:
			if at = quoteEnd(src, at); at < 0 {
				return 0, 0, false, false
			}
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return last, at + 1, comma, true
			}
		}
		if at < len(src) && strings.IndexByte(" \t\r\n", c) < 0 {
			last, comma = at+1, c == ','
		}
		before = c
	}
	return 0, 0, false, false
}

// quoteEnd is the offset of the quote that ends the text beginning at at; -1: none.
func quoteEnd(src []byte, at int) int {
	quote := src[at]
	for i := at + 1; i < len(src); i++ {
		switch {
		case src[i] == '\\' && quote == '"':
			i++
		case src[i] == quote && quote == '\'' && i+1 < len(src) && src[i+1] == quote:
			i++
		case src[i] == quote:
			return i
		}
	}
	return -1
}

// lines is a splice of whole lines, with the file's line ends.
func (b book) lines(at int, text string) splice {
	if at > 0 && b.src[at-1] != '\n' {
		text = "\n" + text
	}
	if bytes.Contains(b.src, []byte("\r\n")) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return splice{at, text}
}

// lineStart is the offset of a line, from 1; the end of the file for lines behind it.
func (b book) lineStart(line int) int {
	at := 0
	for ; line > 1; line-- {
		i := bytes.IndexByte(b.src[at:], '\n')
		if i < 0 {
			return len(b.src)
		}
		at += i + 1
	}
	return at
}

func (b book) line(n int) string { return string(b.src[b.lineStart(n):b.lineStart(n+1)]) }

// offset goes by characters, as the parser counts columns.
func (b book) offset(n *yaml.Node) int {
	at := b.lineStart(n.Line)
	for i, column := range []rune(b.line(n.Line)) {
		if i+1 >= n.Column {
			break
		}
		at += len(string(column))
	}
	return at
}

func leading(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }

func indent(text string, columns int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.Repeat(" ", columns) + line)
	}
	return out.String()
}
