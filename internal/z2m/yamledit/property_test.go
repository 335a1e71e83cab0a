package yamledit_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"z2mha/internal/z2m/yamledit"
)

// A file is a random YAML file as a person might write it, with what it says and
// where its comments stand.
type file struct {
	t        *rapid.T
	out      strings.Builder
	eol      string
	step     int
	values   map[string]any
	comments map[string][]string // text of a comment: path of the value it stands in
	paths    [][]string          // every key that leads there through mappings
}

func drawFile(t *rapid.T) *file {
	f := &file{
		t:        t,
		eol:      rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "eol"),
		step:     rapid.IntRange(1, 5).Draw(t, "step"),
		comments: map[string][]string{},
	}
	if rapid.Bool().Draw(t, "bom") {
		f.out.WriteString("\uFEFF")
	}
	f.commentLines("", nil)
	f.values = f.block(nil, "", 0)
	f.commentLines("", nil)
	return f
}

func (f *file) text() string {
	s := f.out.String()
	if rapid.Bool().Draw(f.t, "no final newline") && !strings.Contains(s, "|") {
		s = strings.TrimRight(s, "\r\n")
	}
	return s
}

func (f *file) flip(what string) bool { return rapid.Bool().Draw(f.t, what) }

func (f *file) comment(in []string) string {
	text := fmt.Sprintf("# note %d: 'it' {x: 1}, a: b", len(f.comments))
	f.comments[text] = in
	return text
}

func (f *file) commentLines(indent string, in []string) {
	for range rapid.IntRange(0, 2).Draw(f.t, "lines") {
		if f.flip("blank") {
			f.out.WriteString(f.eol)
			continue
		}
		f.out.WriteString(indent + f.comment(in) + f.eol)
	}
}

func (f *file) endLine(in []string) {
	if f.flip("trailing") {
		f.out.WriteString(rapid.SampledFrom([]string{" ", "  ", "\t"}).Draw(f.t, "gap") + f.comment(in))
	}
	f.out.WriteString(f.eol)
}

func (f *file) block(in []string, indent string, depth int) map[string]any {
	values := map[string]any{}
	for i, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 1, 4, rapid.ID[string]).Draw(f.t, "keys") {
		path := append(append([]string{}, in...), key)
		f.paths = append(f.paths, path)
		if i > 0 {
			f.commentLines(indent, in)
		}
		f.out.WriteString(indent + f.quote(key) + ":")
		values[key] = f.value(path, indent, depth)
	}
	return values
}

func (f *file) value(path []string, indent string, depth int) any {
	in := path[:len(path)-1]
	deeper := indent + strings.Repeat(" ", f.step)
	kind := rapid.IntRange(0, 6).Draw(f.t, "kind")
	if depth >= 3 && kind == 0 {
		kind = 1
	}
	switch kind {
	case 0:
		f.endLine(in)
		return f.block(path, deeper, depth+1)
	case 1:
		f.endLine(in)
		dash := rapid.SampledFrom([]string{indent, deeper}).Draw(f.t, "dash")
		return f.list(path, dash)
	case 2:
		f.out.WriteString(" |" + f.eol + deeper + "# text: 1" + f.eol + f.eol + deeper + "  more" + f.eol)
		return "# text: 1\n\n  more\n"
	case 3:
		f.out.WriteString(" ")
		v := f.flow(path, indent, 0)
		f.endLine(in)
		return v
	case 4:
		f.endLine(in)
		return nil
	default:
		text, v := f.scalar()
		f.out.WriteString(" " + text)
		f.endLine(in)
		return v
	}
}

func (f *file) list(path []string, indent string) any {
	var list []any
	for range rapid.IntRange(1, 3).Draw(f.t, "items") {
		f.commentLines(indent, path)
		text, v := f.scalar()
		if f.flip("pair") {
			text, v = "k: "+text, map[string]any{"k": v}
		}
		f.out.WriteString(indent + "- " + text)
		f.endLine(path)
		list = append(list, v)
	}
	return list
}

// flow writes a list or a mapping in brackets, now and then over several lines.
func (f *file) flow(path []string, indent string, depth int) any {
	gap := rapid.SampledFrom([]string{"", " ", f.eol + indent + "    "}).Draw(f.t, "flow gap")
	if f.flip("list") {
		a, av := f.scalar()
		b, bv := f.scalar()
		f.out.WriteString("[" + gap + a + ", " + gap + b + gap + "]")
		return []any{av, bv}
	}
	values := map[string]any{}
	f.out.WriteString("{" + gap)
	for i, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 3, rapid.ID[string]).Draw(f.t, "flow keys") {
		if i > 0 {
			f.out.WriteString("," + gap)
		}
		sub := append(append([]string{}, path...), key)
		f.paths = append(f.paths, sub)
		f.out.WriteString(f.quote(key) + ": ")
		if depth < 2 && f.flip("deeper") {
			values[key] = f.flow(sub, indent, depth+1)
			continue
		}
		text, v := f.scalar()
		f.out.WriteString(text)
		values[key] = v
	}
	f.out.WriteString(gap + "}")
	return values
}

func (f *file) quote(key string) string {
	style := rapid.IntRange(0, 2).Draw(f.t, "quotes")
	switch {
	case style == 1 || strings.HasPrefix(key, "0x"):
		return "'" + key + "'"
	case style == 2:
		return `"` + key + `"`
	default:
		return key
	}
}

var keys = []string{"mqtt", "port", "pan_id", "café", "with space", "0x00158d0001020304", "a.b", "x#y", "ключ"}

func (f *file) scalar() (text string, v any) {
	s := rapid.SampledFrom([]struct {
		text string
		v    any
	}{
		{"1", 1}, {"0x1a62", 6754}, {"-5", -5}, {"1.5", 1.5}, {"true", true}, {"null", nil}, {"word", "word"},
		{"two words", "two words"}, {"a#b", "a#b"}, {"http://x:1/y", "http://x:1/y"}, {"it's", "it's"},
		{"'it''s # no'", "it's # no"}, {`"a \" # } ] b"`, `a " # } ] b`}, {"'{[,]}'", "{[,]}"}, {"''", ""},
		{"'!secret key'", "!secret key"}, {"küche", "küche"}, {"'5'", "5"}, {`"\u263a\n"`, "☺\n"}, {"yes", "yes"},
	}).Draw(f.t, "scalar")
	return s.text, s.v
}

func anyValue() *rapid.Generator[any] {
	leaf := rapid.SampledFrom([]any{1, -7, 2.5, true, nil, "", "x", "on", "0x10", "a: b # c", "'", `"`, "two\nlines\n",
		" pad ", "!secret k", "2001-01-01", "~", "[", "ключ", "\ttab", "- x", "<<"})
	return rapid.OneOf(leaf,
		rapid.Map(rapid.SliceOfN(leaf, 0, 3), func(s []any) any { return s }),
		rapid.Map(rapid.MapOfN(rapid.SampledFrom(keys), leaf, 0, 3), func(m map[string]any) any { return m }))
}

func TestSetChangesOneValueOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFile(t)
		src := f.text()
		d := read(t, src)
		if !yamledit.Equal(d.Value(), f.values) {
			t.Fatalf("reads\n%s\nas %v, want %v", src, d.Value(), f.values)
		}
		path := append([]string{}, rapid.SampledFrom(f.paths).Draw(t, "path")...)
		if rapid.Bool().Draw(t, "new key") {
			path[len(path)-1] = "fresh"
		}
		v := anyValue().Draw(t, "value")
		if err := d.Set(path, v); err != nil {
			t.Fatalf("set %v to %#v in\n%s\n%v", path, v, src, err)
		}
		expect(t, f, d, path, v, src)
		again := string(d.Bytes())
		if err := d.Set(path, v); err != nil || string(d.Bytes()) != again {
			t.Fatalf("the second time changes\n%s\nto\n%s\n%v", again, d.Bytes(), err)
		}
	})
}

func TestDeleteRemovesOneValueOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFile(t)
		src := f.text()
		d := read(t, src)
		path := rapid.SampledFrom(f.paths).Draw(t, "path")
		if err := d.Delete(path); err != nil {
			t.Fatalf("delete %v in\n%s\n%v", path, src, err)
		}
		m := f.values
		for _, key := range path[:len(path)-1] {
			m = m[key].(map[string]any)
		}
		delete(m, path[len(path)-1])
		if !yamledit.Equal(d.Value(), f.values) {
			t.Fatalf("delete %v in\n%s\ngives\n%s", path, src, d.Bytes())
		}
	})
}

// expect compares what the file says, and looks for every comment that does not
// stand in the value that was replaced.
func expect(t *rapid.T, f *file, d *yamledit.Document, path []string, v any, src string) {
	m := f.values
	for _, key := range path[:len(path)-1] {
		m = m[key].(map[string]any)
	}
	m[path[len(path)-1]] = v
	if !yamledit.Equal(d.Value(), f.values) {
		t.Fatalf("set %v to %#v in\n%s\ngives\n%s", path, v, src, d.Bytes())
	}
	for text, in := range f.comments {
		if len(in) >= len(path) && strings.Join(in[:len(path)], "\x00") == strings.Join(path, "\x00") {
			continue
		}
		if !strings.Contains(string(d.Bytes()), text) {
			t.Fatalf("set %v to %#v in\n%s\nloses %q:\n%s", path, v, src, text, d.Bytes())
		}
	}
	if strings.Contains(src, "\r\n") && strings.Count(string(d.Bytes()), "\n") != strings.Count(string(d.Bytes()), "\r\n") {
		t.Fatalf("mixes line ends:\n%q", d.Bytes())
	}
}

func read(t *rapid.T, src string) *yamledit.Document {
	d, err := yamledit.Parse([]byte(src))
	if err != nil {
		t.Fatalf("parse\n%s\n%v", src, err)
	}
	return d
}

func FuzzEdit(f *testing.F) {
	for _, src := range []string{"", "a: 1\n", "m:\n  a: 1 # c\n", "m: {a: [1, 'x'], b}\n", "m: |+\n  x\n\nn:\n- 1\n", "\uFEFFa: \"x\"\r\n"} {
		f.Add(src, "a", "x")
	}
	f.Fuzz(func(t *testing.T, src, key, value string) {
		d, err := yamledit.Parse([]byte(src))
		if err != nil || key == "" {
			return
		}
		before := d.Value()
		if err := d.Set([]string{key}, value); err != nil {
			if string(d.Bytes()) != src {
				t.Fatalf("refused and changed %q to %q", src, d.Bytes())
			}
			return
		}
		before[key] = value
		if !yamledit.Equal(before, d.Value()) {
			t.Fatalf("%q became %q", src, d.Bytes())
		}
	})
}
