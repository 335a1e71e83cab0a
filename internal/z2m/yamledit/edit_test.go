package yamledit_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/z2m/yamledit"
)

func TestSet(t *testing.T) {
	block := map[string]any{"x": 1, "y": []any{true, "no"}}
	for _, c := range []struct {
		name, src, path string
		value           any
		want            string
	}{
		{"it replaces a value and keeps the comment", "a: 1 # one\nb: 2\n", "a", 5, "a: 5 # one\nb: 2\n"},
		{"it keeps spaces around", "a:   'x'   # one\n", "a", "y", "a:   y   # one\n"},
		{"it quotes what would be read as something else", "a: x\n", "a", "0x12", "a: '0x12'\n"},
		{"it quotes words of the old YAML", "a: x\n", "a", "on", "a: 'on'\n"},
		{"it changes nothing when nothing changes", "a: \"x\"\n", "a", "x", "a: \"x\"\n"},
		{"it knows a number by its value", "pan: 0x1a62\n", "pan", 6754, "pan: 0x1a62\n"},
		{"it adds a key at the end", "a: 1\n", "b", 2, "a: 1\nb: 2\n"},
		{"it adds a key before the comments of what follows", "m:\n  a: 1\n\n# n is\nn: 1\n", "m.b", 2, "m:\n  a: 1\n  b: 2\n\n# n is\nn: 1\n"},
		{"it ends an unended last line", "a: 1", "b", 2, "a: 1\nb: 2"},
		{"it makes the way", "a: 1\n", "m.n.o", 2, "a: 1\nm:\n  n:\n    o: 2\n"},
		{"it fills a key without value", "m: # c\nb: 1\n", "m.n", 2, "m: # c\n  n: 2\nb: 1\n"},
		{"it gives a value to a key without", "m:\nb: 1\n", "m", "x", "m: x\nb: 1\n"},
		{"it fills {}", "m: {}\nb: 1\n", "m.n", 2, "m: {n: 2}\nb: 1\n"},
		{"it starts an empty file", "", "m.n", 2, "m:\n  n: 2\n"},
		{"it starts a file of comments", "# c", "m.n", 2, "# c\nm:\n  n: 2"},
		{"it keeps a byte order mark", "\uFEFFa: 1\n", "a", 2, "\uFEFFa: 2\n"},
		{"it keeps CRLF", "m:\r\n  a: 1 # c\r\n", "m.b", block, "m:\r\n  a: 1 # c\r\n  b:\r\n    x: 1\r\n    y:\r\n      - true\r\n      - 'no'\r\n"},
		{"it keeps the indentation of the file", "m:\n    a: 1\n", "m.b.c", 2, "m:\n    a: 1\n    b:\n        c: 2\n"},
		{"it keeps tabs in comments", "a: 1\t# x\ty\n", "a", 2, "a: 2\t# x\ty\n"},
		{"it replaces a list in brackets", "a: [1, 2] # c\n", "a", 3, "a: 3 # c\n"},
		{"it replaces a group by a word", "m: # c\n  # d\n  a: 1\n  b: 2 # e\nn: 1\n", "m", "x", "m: x # c\n  # d\nn: 1\n"},
		{"it replaces a word by a group", "m: x # c\nn: 1\n", "m", map[string]any{"a": 1}, "m: # c\n  a: 1\nn: 1\n"},
		{"it replaces a list at the indentation of its key", "m:\n- 1\n- 2\nn: 1\n", "m", "x", "m: x\nn: 1\n"},
		{"it replaces a text block", "m: |\n  a\n\n  b\n# c\nn: 1\n", "m", "x", "m: x\n# c\nn: 1\n"},
		{"it replaces a value over two lines", "m: a\n  b # c\nn: 1\n", "m", "x", "m: x # c\nn: 1\n"},
		{"it replaces a value on the next line", "m:\n  a # c\nn: 1\n", "m", "x", "m:\n  x # c\nn: 1\n"},
		{"it writes texts of two lines on one", "m: a\n", "m", "x\ny", "m: \"x\\ny\"\n"},
		{"it changes a value in braces", "m: {a: 1, b: 'x'} # c\n", "m.b", "y, z", "m: {a: 1, b: 'y, z'} # c\n"},
		{"it adds a key in braces", "m: {a: 1}\n", "m.b", block, "m: {a: 1, b: {x: 1, y: [true, 'no']}}\n"},
		{"it gives a value to a word in braces", "m: {a, b: 1}\n", "m.a", 2, "m: {a: 2, b: 1}\n"},
		{"it changes braces over lines", "m: {\n  a: 1, # one\n  b: 2 # two\n}\n", "m.c", 3, "m: {\n  a: 1, # one\n  b: 2, c: 3 # two\n}\n"},
		{"it is not led astray by look-alikes", "a: 'b: 1 # no' # b: 1\nb: 2\n", "b", 3, "a: 'b: 1 # no' # b: 1\nb: 3\n"},
		{"it keeps what follows the end mark", "a: 1\n...\n", "b", 2, "a: 1\nb: 2\n...\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.src)
			if err := d.Set(strings.Split(c.path, "."), c.value); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(d.Bytes())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSetKeepsTheWayAnotherFileWritesAValue(t *testing.T) {
	from := parse(t, "advanced:\n  pan_id: 0x1a62 # hex\n  network_key: [1, 3,\n    5] # secret\n")
	d := parse(t, "# mine\na: 1\n")
	if err := d.Set([]string{"advanced"}, yamledit.Lookup(from.Root(), "advanced")); err != nil {
		t.Fatal(err)
	}
	want := "# mine\na: 1\nadvanced:\n  pan_id: 0x1a62\n  network_key: [1, 3, 5]\n"
	if diff := cmp.Diff(want, string(d.Bytes())); diff != "" {
		t.Error(diff)
	}
}

func TestSetRefuses(t *testing.T) {
	for _, c := range []struct{ name, src, path, want string }{
		{"a key below a word", "a: 1\n", "a.b", "a is a single value"},
		{"a key below a list", "a: [1]\n", "a.b", "a is a single value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.src)
			err := d.Set(strings.Split(c.path, "."), 1)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
			if string(d.Bytes()) != c.src {
				t.Errorf("changed the file: %q", d.Bytes())
			}
		})
	}
}

func TestDelete(t *testing.T) {
	for _, c := range []struct{ name, src, path, want string }{
		{"it deletes a line", "a: 1 # one\nb: 2\n", "a", "b: 2\n"},
		{"it keeps comments around", "# x\na: 1\n# y\nb: 2\n", "a", "# x\n# y\nb: 2\n"},
		{"it deletes a group", "m:\n  a: 1\n  b:\n    - c\nn: 1\n", "m", "n: 1\n"},
		{"it deletes the last line", "a: 1\nb: 2", "b", "a: 1\n"},
		{"it leaves {} behind", "m:\n  a: 1\nn: 1\n", "m.a", "m: {}\nn: 1\n"},
		{"it leaves an empty file", "# c\na: 1\n", "a", "# c\n"},
		{"it deletes in braces", "m: {a: 1, b: 2}\n", "m.a", "m: {b: 2}\n"},
		{"it deletes the last in braces", "m: {a: 1, b: 2}\n", "m.b", "m: {a: 1}\n"},
		{"it deletes the only one in braces", "m: {a: 1}\n", "m.a", "m: {}\n"},
		{"it keeps other comments in braces", "m: {\n  a: 1, # one\n  b: 2 # two\n}\n", "m.b", "m: {\n  a: 1 # one\n   # two\n}\n"},
		{"it does nothing when there is nothing", "a: 1\n", "b.c", "a: 1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.src)
			if err := d.Delete(strings.Split(c.path, ".")); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(d.Bytes())); diff != "" {
				t.Error(diff)
			}
		})
	}
}
