package unpi_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"z2mha/internal/dongle/unpi"
)

// emptyIsNil lets a frame without data equal one with nil data.
var emptyIsNil = cmpopts.EquateEmpty()

func bytesOf(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Bytes as a CC2652P with Z-Stack 3.x.0 and its host exchange them.
var onTheWire = []struct {
	name  string
	wire  string
	frame unpi.Frame
}{
	{"ping", "FE 00 21 01 20", unpi.Frame{Type: unpi.SREQ, Subsystem: unpi.SYS, ID: 0x01}},
	{"answer to a ping", "FE 02 61 01 59 06 3D",
		unpi.Frame{Type: unpi.SRSP, Subsystem: unpi.SYS, ID: 0x01, Data: []byte{0x59, 0x06}}},
	{"reset request", "FE 01 41 00 01 41", unpi.Frame{Type: unpi.AREQ, Subsystem: unpi.SYS, Data: []byte{1}}},
	{"reset indication", "FE 06 41 80 00 02 01 02 07 01 C0",
		unpi.Frame{Type: unpi.AREQ, Subsystem: unpi.SYS, ID: 0x80, Data: []byte{0, 2, 1, 2, 7, 1}}},
	{"RPC error", "FE 03 60 00 02 21 77 37",
		unpi.Frame{Type: unpi.SRSP, Subsystem: unpi.RPCError, Data: []byte{2, 0x21, 0x77}}},
	{"commissioning notification", "FE 03 4F 80 0D 00 04 C5",
		unpi.Frame{Type: unpi.AREQ, Subsystem: unpi.APPCNF, ID: 0x80, Data: []byte{0x0D, 0, 4}}},
}

func TestFrames(t *testing.T) {
	for _, test := range onTheWire {
		t.Run(test.name, func(t *testing.T) {
			wire := bytesOf(t, test.wire)
			if diff := cmp.Diff(wire, test.frame.Append(nil)); diff != "" {
				t.Errorf("encoded: %s", diff)
			}
			if got := test.frame.Size(); got != len(wire) {
				t.Errorf("size %d, want %d", got, len(wire))
			}
			var d unpi.Decoder
			d.Feed(wire)
			got, ok := d.Next()
			if !ok {
				t.Fatal("not decoded")
			}
			if diff := cmp.Diff(test.frame, got, emptyIsNil); diff != "" {
				t.Errorf("decoded: %s", diff)
			}
		})
	}
}

func TestAppendRefusesTooMuchData(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it did not panic")
		}
	}()
	unpi.Frame{Data: make([]byte, unpi.MaxData+1)}.Append(nil)
}

func TestStringHidesData(t *testing.T) {
	f := unpi.Frame{Type: unpi.SRSP, Subsystem: unpi.SYS, ID: 0x08, Data: []byte{0x5A, 0x5A}}
	if got, want := f.String(), "SRSP 0x01/0x08 (2 bytes)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
