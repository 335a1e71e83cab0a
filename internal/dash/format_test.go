package dash

import (
	"strings"
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "0 ms"}, {0, "0 ms"}, {12 * time.Millisecond, "12 ms"}, {120 * time.Millisecond, "0.1 s"}, {time.Second, "1 s"},
		{1240 * time.Millisecond, "1.2 s"}, {9940 * time.Millisecond, "9.9 s"}, {9960 * time.Millisecond, "10 s"}, {41 * time.Second, "41 s"},
		{59600 * time.Millisecond, "1 min"}, {125 * time.Second, "2 min 5 s"}, {time.Hour - 400*time.Millisecond, "1 h"},
		{3*time.Hour + 10*time.Minute + 29*time.Second, "3 h 10 min"}, {24*time.Hour - time.Second, "1 d"}, {12 * 24 * time.Hour, "12 d"},
		{25 * time.Hour, "1 d 1 h"},
	} {
		if got := span(tt.d); got != tt.want {
			t.Errorf("%v is %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "  ": "", "a": "A.", "done.": "Done.", "really?": "Really?", "über": "Über.", "wait …": "Wait …", "\xff": "\uFFFD.",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for in, want := range map[string]string{
		"attic": "attic", " a\n\tb\x00c ": "a b c", "\xff": "\uFFFD", "a\u202eb": "a b",
		strings.Repeat("ä", 200): strings.Repeat("ä", 60) + "…",
	} {
		if got := short(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestEither(t *testing.T) {
	for want, words := range map[string][]string{"": nil, "a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"}} {
		if got := either(words); got != want {
			t.Errorf("%q becomes %q, want %q", words, got, want)
		}
	}
}
