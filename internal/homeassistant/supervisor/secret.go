package supervisor

import (
	"fmt"
	"log/slog"
)

// hidden is what a secret shows instead of itself.
const hidden = "(hidden)"

// A Secret is text that nobody else may read. It prints as a placeholder with every
// verb, in logs, JSON and YAML, also from inside an unexported field, where fmt asks
// no method: there it is an address. Only Reveal gives it away.
type Secret struct{ text *string }

// NewSecret hides s.
func NewSecret(s string) Secret { return Secret{&s} }

// Reveal returns the text itself, for the one who has to send it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet says that there is a text.
func (s Secret) IsSet() bool { return s.Reveal() != "" }

// Equal says that both hide the same.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return hidden
}

// Format keeps the secret out of %v, %+v, %#v, %q, %x and every other verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue keeps the secret out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps the secret out of JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText hides text from now on.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
