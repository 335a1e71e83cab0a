package yamledit_test

import (
	"strings"
	"testing"

	"z2mha/internal/z2m/yamledit"
)

func parse(t testing.TB, src string) *yamledit.Document {
	t.Helper()
	d, err := yamledit.Parse([]byte(src))
	if err != nil {
		t.Fatalf("parse:\n%s\n%v", src, err)
	}
	return d
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"an anchor", "a: &x 1\nb: *x\n", "line 1: anchors"},
		{"an alias of a mapping", "a: &x {b: 1}\nc:\n  - *x\n", "line 1: anchors"},
		{"a merge key", "a:\n  <<: {b: 1}\n", "line 2: merge keys"},
		{"a tag without quotes", "mqtt:\n  password: !secret mqtt_password\n", "line 2: the tag !secret"},
		{"a typed value", "a: !!int '5'\n", "line 1: the tag !!int"},
		{"a key given twice", "a: 1\nb:\n  c: 1\n  c: 2\n", `line 4: the key "c" was given before, in line 3`},
		{"a number and a word that are one key", "groups:\n  1: {}\n  '1': {}\n", `line 3: the key "1"`},
		{"a second document", "a: 1\n---\nb: 2\n", "line 2: a second document"},
		{"a list at the top", "- a\n- b\n", "line 1: want keys and values"},
		{"a word at the top", "hello\n", "line 1: want keys and values"},
		{"a key with a question mark", "a: 1\n? b\n: 2\n", "a key must be a plain word"},
		{"a list as key", "[a, b]: 2\n", "line 1: a key must be a plain word"},
		{"an empty key", "a:\n  ~: 2\n", "line 2: a key must be a plain word"},
		{"zero bytes", "a: 1\n\x00\x00", "zero bytes"},
		{"another encoding", "a: caf\xe9\n", "not UTF-8"},
		{"a line separator", "a: x\u2028y\n", `line 1: the character "\u2028"`},
		{"an open quote", "a: \"x\nb: 1\n", "line"},
		{"an open bracket", "a: [1, 2\n", "line"},
		{"a tab as indentation", "a:\n\tb: 1\n", "line 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := yamledit.Parse([]byte(c.src))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
		})
	}
}

func TestParseErrorHoldsNoValue(t *testing.T) {
	for _, src := range []string{
		"mqtt:\n  password: hunter2\n password: x\n",
		"a: 'hunter2\n",
		"a: !x hunter2\n",
		"hunter2\n",
		"password: &hunter2 hunter2\n",
	} {
		if _, err := yamledit.Parse([]byte(src)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("parse %q: %v", src, err)
		}
	}
}
