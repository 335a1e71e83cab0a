package console

import (
	"bytes"
	"io"
	"unicode"
)

// Plain returns a writer to w that keeps back what steers a terminal or turns the
// direction of writing. What devices are called and what hosts answer is theirs to say,
// and a person reads it on a screen.
func Plain(w io.Writer) io.Writer { return plain{w} }

type plain struct{ w io.Writer }

// Write takes whole texts: a character must not be split between two calls.
func (p plain) Write(text []byte) (int, error) {
	_, err := p.w.Write(bytes.Map(harmless, text))
	return len(text), err
}

func harmless(r rune) rune {
	if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
		return '?'
	}
	return r
}
