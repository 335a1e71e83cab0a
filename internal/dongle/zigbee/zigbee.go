// Package zigbee holds the few identifiers that every other package speaks of:
// addresses, PAN ids, keys and frame counters, as types that cannot be mixed up
// and that print the way Zigbee2MQTT prints them.
//
// On the wire and in NVRAM all integers are little-endian; people and JSON files
// write the same numbers big-endian. The conversions live here and nowhere else.
package zigbee

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// An IEEE is a 64-bit device address (EUI-64).
type IEEE uint64

// An ExtPanID is the 64-bit id of a network.
type ExtPanID uint64

// A PanID is the 16-bit id of a network. 0xFFFF means none.
type PanID uint16

// A NwkAddr is a device's 16-bit short address; 0x0000 is the coordinator.
type NwkAddr uint16

// A Channel is an IEEE 802.15.4 channel of the 2.4 GHz band, 11 to 26.
type Channel uint8

// NoIEEE is what an erased address item holds.
const NoIEEE IEEE = 0xFFFFFFFFFFFFFFFF

// IEEEFromLE reads the first 8 bytes of b, least significant first.
// It panics when b is shorter.
func IEEEFromLE(b []byte) IEEE { return IEEE(binary.LittleEndian.Uint64(b)) }

// LE returns the address as NVRAM and frames hold it: 8 bytes, least significant first.
func (a IEEE) LE() []byte { return binary.LittleEndian.AppendUint64(nil, uint64(a)) }

// String returns the address as Zigbee2MQTT writes it: 0x00124b001e17efa8.
func (a IEEE) String() string { return fmt.Sprintf("0x%016x", uint64(a)) }

// ParseIEEE reads 16 hex digits, with or without 0x.
func ParseIEEE(s string) (IEEE, error) {
	v, err := parseHex64(s)
	if err != nil {
		return 0, fmt.Errorf("IEEE address %q: want 16 hex digits", s)
	}
	return IEEE(v), nil
}

// MarshalText writes the address as String does.
func (a IEEE) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseIEEE reads.
func (a *IEEE) UnmarshalText(text []byte) (err error) {
	*a, err = ParseIEEE(string(text))
	return err
}

// ExtPanIDFromLE reads the first 8 bytes of b, least significant first.
func ExtPanIDFromLE(b []byte) ExtPanID { return ExtPanID(binary.LittleEndian.Uint64(b)) }

// LE returns 8 bytes, least significant first.
func (e ExtPanID) LE() []byte { return binary.LittleEndian.AppendUint64(nil, uint64(e)) }

func (e ExtPanID) String() string { return fmt.Sprintf("0x%016x", uint64(e)) }

// ParseExtPanID reads 16 hex digits, with or without 0x.
func ParseExtPanID(s string) (ExtPanID, error) {
	v, err := parseHex64(s)
	if err != nil {
		return 0, fmt.Errorf("extended PAN id %q: want 16 hex digits", s)
	}
	return ExtPanID(v), nil
}

// MarshalText writes the id as String does.
func (e ExtPanID) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what ParseExtPanID reads.
func (e *ExtPanID) UnmarshalText(text []byte) (err error) {
	*e, err = ParseExtPanID(string(text))
	return err
}

func (p PanID) String() string { return fmt.Sprintf("0x%04x", uint16(p)) }

func parseHex64(s string) (uint64, error) {
	s = strings.TrimPrefix(strings.ToLower(s), "0x")
	if len(s) != 16 {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseUint(s, 16, 64)
}
