package snmp

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the longest text of an SnmpAdminString, in octets.
const maxText = 255

// clean makes one line of text: white space becomes a space; what controls a
// terminal or turns the direction of writing, and what is not UTF-8, a question mark.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?'
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return '?'
		}
		return r
	}, text)
}

// dots end a text that was cut. They are ASCII: many receivers show a text with any
// other character in hexadecimal.
const dots = "..."

// cut returns text in at most limit octets, cut between characters.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := max(0, limit-len(dots))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return (text[:end] + dots)[:min(limit, end+len(dots))]
}
