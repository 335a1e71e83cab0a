package config

import (
	"fmt"
	"log/slog"
)

// hidden is what a secret shows instead of itself.
const hidden = "(hidden)"

// A Secret is a password. It prints as a placeholder with every verb, in logs,
// JSON and YAML; only Reveal gives it away.
type Secret struct {
	value  string
	inFile bool // written in z2mha.yaml itself
}

// NewSecret hides s.
func NewSecret(s string) Secret { return Secret{value: s} }

// Reveal returns the password itself, for the one who has to send it.
func (s Secret) Reveal() string { return s.value }

// IsSet says that there is a password.
func (s Secret) IsSet() bool { return s.value != "" }

func (s Secret) String() string {
	if s.value == "" {
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
