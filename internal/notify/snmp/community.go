package snmp

import (
	"fmt"
	"log/slog"
)

// A Community is the word that a receiver wants to see. It prints as a placeholder
// with every verb, in logs, JSON and YAML.
type Community struct{ word string }

// NewCommunity hides word.
func NewCommunity(word string) Community { return Community{word} }

// String returns a placeholder.
func (c Community) String() string {
	if c.word == "" {
		return ""
	}
	return "(hidden)"
}

// Format keeps the word out of %v, %+v, %#v, %q, %x and every other verb.
func (c Community) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// LogValue keeps the word out of logs.
func (c Community) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText keeps the word out of JSON and YAML.
func (c Community) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
