package setup

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A span is a part of a file, from one offset up to another.
type span struct{ from, to int }

func (s span) outOf(src []byte) []byte {
	return bytes.Join([][]byte{src[:s.from], src[s.to:]}, nil)
}

func (s span) of(src []byte) string { return string(src[s.from:s.to]) }

// cut finds the bytes of an entry of a list: whole lines, or in brackets what is between
// two commas. Comments that stand inside or behind it go with it.
func (b book) cut(list *yaml.Node, i int) (span, error) {
	switch {
	case list.Kind != yaml.SequenceNode:
		return span{}, errShape
	case list.Style&yaml.FlowStyle != 0:
		return b.cutFlow(list, i)
	}
	line, column := b.dash(list.Content[i].Line)
	if line == 0 {
		return span{}, errShape
	}
	return span{b.lineStart(line), b.lineStart(b.behindEntry(line, column))}, nil
}

func (b book) cutFlow(list *yaml.Node, i int) (span, error) {
	start, end, ok := b.inBrackets(list.Content[i])
	if !ok {
		return span{}, errShape
	}
	if comma := skip(b.src, end, " \t\r\n"); comma < len(b.src) && b.src[comma] == ',' {
		return span{start, b.behindComma(comma + 1)}, nil
	}
	if i == 0 {
		return span{start, end}, nil
	}
	// The last one leaves a comma, unless nothing else is between it and the one before.
	_, before, ok := b.inBrackets(list.Content[i-1])
	if ok && before <= start && strings.Trim(string(b.src[before:start]), " \t\r\n") == "," {
		return span{before, end}, nil
	}
	return span{start, end}, nil
}

// behindComma takes along the rest of the line when it is a comment, and what is blank up
// to the next entry.
func (b book) behindComma(at int) int {
	next := skip(b.src, at, " \t")
	if next > at && next < len(b.src) && b.src[next] == '#' {
		for next < len(b.src) && b.src[next] != '\n' {
			next++
		}
	}
	return skip(b.src, next, " \t\r\n")
}

// inBrackets are the offsets where an entry of a list in brackets begins and ends.
func (b book) inBrackets(n *yaml.Node) (start, end int, ok bool) {
	start = b.offset(n)
	if n.Kind == yaml.AliasNode {
		return start, start + 1 + len(n.Value), true
	}
	_, end, _, ok = flowEnd(b.src, start)
	return start, end, ok
}

func skip(src []byte, at int, what string) int {
	for at < len(src) && strings.IndexByte(what, src[at]) >= 0 {
		at++
	}
	return at
}
