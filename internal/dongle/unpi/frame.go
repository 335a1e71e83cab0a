// Package unpi is the frame layer between a host and a TI ZNP stick.
//
//	FE | LEN | CMD0 | CMD1 | DATA (LEN bytes, 0 to 250) | FCS
//
// FCS is the XOR of LEN, CMD0, CMD1 and DATA. CMD0 holds the type in its top three
// bits and the subsystem in the other five. There is no escaping and no sequence
// number, so a reader that has lost its place drops one byte and looks for the next
// FE; it may then start inside a frame's data and must believe only the FCS. A false
// start that claims many bytes hides the frames behind it until those bytes came or
// the reader gives up on them; see Decoder.
//
// Source: TI "Z-Stack Monitor and Test API" (SWRA198).
package unpi

import "fmt"

const (
	SOF     byte = 0xFE // starts every frame; may also occur inside one
	MaxData int  = 250  // most bytes of data in one frame

	// overhead is what a frame costs on the wire beside its data.
	overhead = 5
)

// A Type is the kind of a frame, the top three bits of CMD0.
type Type byte

const (
	POLL Type = 0x00
	SREQ Type = 0x20
	AREQ Type = 0x40
	SRSP Type = 0x60
)

func (t Type) String() string {
	switch t {
	case POLL:
		return "POLL"
	case SREQ:
		return "SREQ"
	case AREQ:
		return "AREQ"
	case SRSP:
		return "SRSP"
	}
	return fmt.Sprintf("TYPE(%#02x)", byte(t))
}

// A Subsystem is the low five bits of CMD0.
type Subsystem byte

const (
	RPCError Subsystem = 0x00
	SYS      Subsystem = 0x01
	AF       Subsystem = 0x04
	ZDO      Subsystem = 0x05
	SAPI     Subsystem = 0x06
	UTIL     Subsystem = 0x07
	APPCNF   Subsystem = 0x0F
)

// A Frame is one MT message. Data is at most MaxData bytes.
type Frame struct {
	Type      Type
	Subsystem Subsystem
	ID        byte // CMD1
	Data      []byte
}

// Cmd0 is the frame's second header byte.
func (f Frame) Cmd0() byte { return byte(f.Type) | byte(f.Subsystem) }

// Size is the number of bytes the frame takes on the wire.
func (f Frame) Size() int { return len(f.Data) + overhead }

// Append appends the frame as it goes over the wire. It panics when Data is longer
// than MaxData: the caller builds requests of known size.
func (f Frame) Append(dst []byte) []byte {
	if len(f.Data) > MaxData {
		panic(fmt.Sprintf("unpi: %d bytes of data in one frame, at most %d fit", len(f.Data), MaxData))
	}
	start := len(dst)
	dst = append(dst, SOF, byte(len(f.Data)), f.Cmd0(), f.ID)
	dst = append(dst, f.Data...)
	return append(dst, checksum(dst[start+1:]))
}

// String names type, subsystem and command but never the data, which may be a key.
func (f Frame) String() string {
	return fmt.Sprintf("%s %#02x/%#02x (%d bytes)", f.Type, byte(f.Subsystem), f.ID, len(f.Data))
}

func checksum(b []byte) byte {
	var fcs byte
	for _, c := range b {
		fcs ^= c
	}
	return fcs
}
