package zigbee

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// A Key is a 128-bit AES key. It prints as a fingerprint, never as itself.
type Key [16]byte

// Fingerprint is 8 hex digits of a hash: enough to see whether two keys are equal,
// useless for reading a frame.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256(append([]byte("z2mha key fingerprint"), k[:]...))
	return hex.EncodeToString(sum[:4])
}

// String keeps the key out of messages.
func (k Key) String() string { return "key#" + k.Fingerprint() }

// Format keeps the key out of %x, %v, %q and every other verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue keeps the key out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText keeps the key out of JSON.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// An Identity is what a device checks before it believes a coordinator: two
// sticks with equal identities are the same coordinator to every device.
type Identity struct {
	PanID    PanID
	ExtPanID ExtPanID
	Channel  Channel
	IEEE     IEEE // the coordinator's address in effect (NV EXTADDR)
	Key      Key
	KeySeq   uint8
	UpdateID uint8
}

// Differences names what differs between a and b, one plain sentence part each,
// keys by fingerprint. It is empty when the identities are equal.
func (a Identity) Differences(b Identity) []string {
	var out []string
	diff := func(what string, x, y any) {
		if x != y {
			out = append(out, fmt.Sprintf("%s %v is not %v", what, x, y))
		}
	}
	diff("PAN id", a.PanID, b.PanID)
	diff("extended PAN id", a.ExtPanID, b.ExtPanID)
	diff("channel", a.Channel, b.Channel)
	diff("coordinator address", a.IEEE, b.IEEE)
	diff("network key", a.Key, b.Key)
	diff("network key sequence", a.KeySeq, b.KeySeq)
	return out
}
