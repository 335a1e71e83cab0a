package dash

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// A Password is what opens a standalone page. Only its hash is kept, so it cannot be
// shown by mistake. The zero value is no password.
type Password struct {
	hash [sha256.Size]byte
	set  bool
}

// NewPassword takes a password as it is typed; "" is no password.
func NewPassword(s string) Password {
	if s == "" {
		return Password{}
	}
	return Password{hash: sha256.Sum256([]byte(s)), set: true}
}

// IsSet says that there is a password.
func (p Password) IsSet() bool { return p.set }

// Opens says whether s is the password; it takes as long for every s of one length.
func (p Password) Opens(s string) bool {
	hash := sha256.Sum256([]byte(s))
	return subtle.ConstantTimeCompare(hash[:], p.hash[:]) == 1 && p.set
}

func (p Password) String() string {
	if !p.set {
		return ""
	}
	return "(hidden)"
}

// Format keeps even the hash out of %v, %+v, %#v, %x and every other verb.
func (p Password) Format(f fmt.State, _ rune) { fmt.Fprint(f, p.String()) }

// LogValue keeps it out of logs.
func (p Password) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText keeps it out of JSON and YAML.
func (p Password) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
