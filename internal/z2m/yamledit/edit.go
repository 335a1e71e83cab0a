package yamledit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// errWould is an edit whose result does not say what it should.
var errWould = errors.New("the edit would change something else as well; write this part of the file in a plainer way")

// A splice replaces the bytes of a span.
type splice struct {
	span
	text string
}

// Set makes the file say v at path. Mappings on the way are created; a value that
// is no mapping there is an error. When the file says v already no byte changes.
// v is a Go value or a *yaml.Node, whose quoting is kept.
func (d *Document) Set(path []string, v any) error {
	n, err := NodeOf(v)
	if err != nil {
		return err
	}
	if len(path) == 0 {
		return errors.New("set the whole file: name a key")
	}
	if d.root != nil {
		if now := Lookup(d.root, path...); now != nil && Equal(Value(now), Value(n)) {
			return nil
		}
	}
	want := d.Value()
	if err := put(want, path, Value(n)); err != nil {
		return fmt.Errorf("set %s: %w", strings.Join(path, "."), err)
	}
	cuts, err := d.setCuts(path, n)
	if err != nil {
		return fmt.Errorf("set %s: %w", strings.Join(path, "."), err)
	}
	return d.apply("set "+strings.Join(path, "."), cuts, want)
}

// Delete removes the key at path with its value. A mapping that loses its last
// key becomes {}. Deleting what is not there changes nothing.
func (d *Document) Delete(path []string) error {
	if len(path) == 0 || d.root == nil || Lookup(d.root, path...) == nil {
		return nil
	}
	last := len(path) - 1
	m := Lookup(d.root, path[:last]...)
	if len(m.Content) == 2 && m != d.root {
		return d.Set(path[:last], map[string]any{})
	}
	want := d.Value()
	drop(want, path)
	return d.apply("delete "+strings.Join(path, "."), d.deleteCuts(m, index(m, path[last])), want)
}

// apply makes the cuts, reads the result and keeps it only if it says want.
func (d *Document) apply(what string, cuts []splice, want map[string]any) error {
	next, err := Parse(cut(d.src, cuts))
	if err != nil {
		return fmt.Errorf("%s: %w", what, errWould)
	}
	if !Equal(next.Value(), want) {
		return fmt.Errorf("%s: %w", what, errWould)
	}
	*d = *next
	return nil
}

func cut(src []byte, cuts []splice) []byte {
	slices.SortStableFunc(cuts, func(a, b splice) int { return cmp.Compare(a.start, b.start) })
	var out []byte
	at := 0
	for _, c := range cuts {
		out = append(append(out, src[at:c.start]...), c.text...)
		at = c.end
	}
	return append(out, src[at:]...)
}

func put(m map[string]any, path []string, v any) error {
	for ; len(path) > 1; path = path[1:] {
		next, isMap := m[path[0]].(map[string]any)
		if !isMap {
			if m[path[0]] != nil {
				return fmt.Errorf("%s is a single value, not a group of keys", path[0])
			}
			next = map[string]any{}
			m[path[0]] = next
		}
		m = next
	}
	m[path[0]] = v
	return nil
}

func drop(m map[string]any, path []string) {
	for ; len(path) > 1; path = path[1:] {
		m = m[path[0]].(map[string]any)
	}
	delete(m, path[0])
}

// setCuts walks down as far as the file has the path and changes it there.
func (d *Document) setCuts(path []string, n *yaml.Node) ([]splice, error) {
	if d.root == nil {
		return d.insertLines(len(d.src), path[0], nest(path[1:], n), 0)
	}
	m := d.root
	for {
		i := index(m, path[0])
		switch {
		case i < 0:
			return d.insert(m, path[0], nest(path[1:], n))
		case len(path) == 1 || m.Content[i+1].Kind != yaml.MappingNode:
			return d.replace(m, i, nest(path[1:], n))
		}
		m, path = m.Content[i+1], path[1:]
	}
}

func (d *Document) insert(m *yaml.Node, key string, n *yaml.Node) ([]splice, error) {
	if d.isBlock(m) {
		return d.insertLines(d.nextLine(d.spans[m].end), key, n, m.Column-1)
	}
	text, err := flowEntry(key, n)
	at := d.spans[m].start + 1
	if len(m.Content) > 0 {
		at, text = d.spans[m.Content[len(m.Content)-1]].end, ", "+text
	}
	return []splice{{span{at, at}, text}}, err
}

// insertLines puts an entry on lines of its own at the start of a line, or at the
// end of a file whose last line is not ended.
func (d *Document) insertLines(at int, key string, n *yaml.Node, column int) ([]splice, error) {
	text, err := d.blockEntry(key, n, column)
	return []splice{d.linesAt(at, text)}, err
}

func (d *Document) linesAt(at int, text string) splice {
	if at > d.first() && !isBreak(d.src[at-1]) {
		text = d.eol() + strings.TrimSuffix(text, d.eol())
	}
	return splice{span{at, at}, text}
}

func (d *Document) replace(m *yaml.Node, i int, n *yaml.Node) ([]splice, error) {
	key, old := m.Content[i], m.Content[i+1]
	colon, found := d.colon(key)
	if !d.isBlock(m) {
		return d.replaceFlow(old, colon, found, n)
	}
	inline, lines, err := d.blockValue(n, m.Column-1)
	if err != nil {
		return nil, err
	}
	if inline != "" {
		return d.replaceInline(old, colon, inline), nil
	}
	return d.replaceLines(old, colon, lines), nil
}

func (d *Document) replaceFlow(old *yaml.Node, colon int, found bool, n *yaml.Node) ([]splice, error) {
	text, err := flowValue(n)
	at := d.spans[old]
	switch {
	case at.start < at.end:
		return []splice{{at, text}}, err
	case found:
		return []splice{{span{colon, colon}, " " + text}}, err
	default:
		return []splice{{span{colon, colon}, ": " + text}}, err
	}
}

func (d *Document) replaceInline(old *yaml.Node, colon int, text string) []splice {
	at := d.spans[old]
	behind := splice{span{colon, colon}, " " + text}
	switch {
	case at.start == at.end:
		return []splice{behind}
	case d.isBlock(old):
		return []splice{behind, {d.wholeLines(at), ""}}
	default:
		return []splice{{at, text}}
	}
}

func (d *Document) replaceLines(old *yaml.Node, colon int, lines string) []splice {
	at := d.spans[old]
	switch {
	case d.isBlock(old):
		return []splice{{d.wholeLines(at), lines}}
	case d.lineStart(at.start) == d.lineStart(colon):
		return []splice{{span{colon, at.end}, ""}, d.linesAt(d.nextLine(at.end), lines)}
	default:
		return []splice{{at, ""}, d.linesAt(d.nextLine(at.end), lines)}
	}
}

// wholeLines widens a span to the lines it touches.
func (d *Document) wholeLines(at span) span {
	return span{d.lineStart(at.start), d.nextLine(at.end)}
}

// colon is the offset behind the key's colon, or behind the key when it has none,
// as in {key}.
func (d *Document) colon(key *yaml.Node) (at int, found bool) {
	end := d.spans[key].end
	for at = end; at < len(d.src) && isSpace(d.src[at]); at++ {
	}
	if at < len(d.src) && d.src[at] == ':' {
		return at + 1, true
	}
	return end, false
}

func (d *Document) deleteCuts(m *yaml.Node, i int) []splice {
	start, end := d.spans[m.Content[i]].start, d.spans[m.Content[i+1]].end
	switch {
	case d.isBlock(m):
		return []splice{{d.wholeLines(span{start, end}), ""}}
	case len(m.Content) == 2:
		return []splice{{d.spans[m], "{}"}}
	case i+2 < len(m.Content):
		return []splice{{span{start, d.spans[m.Content[i+2]].start}, ""}}
	}
	comma := d.spans[m.Content[i-1]].end
	for comma < start && d.src[comma] != ',' {
		comma++
	}
	if len(bytes.TrimSpace(d.src[comma+1:start])) == 0 && d.lineEnd(comma) > start {
		return []splice{{span{comma, end}, ""}}
	}
	return []splice{{span{comma, comma + 1}, ""}, {span{start, end}, ""}}
}
