package unpi_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"z2mha/internal/dongle/unpi"
)

const pong = "FE 02 61 01 59 06 3D"

func next(d *unpi.Decoder) (frames []unpi.Frame) {
	for f, ok := d.Next(); ok; f, ok = d.Next() {
		frames = append(frames, f)
	}
	return frames
}

func TestDecoder(t *testing.T) {
	tests := []struct {
		name    string
		wire    string
		now     int // frames found at once
		flushed int // frames found when the line fell silent
		dropped int
	}{
		{"it waits for nothing when nothing came", "", 0, 0, 0},
		{"it skips the boot loader's magic byte", "EF" + pong, 1, 0, 1},
		{"it finds two frames in one chunk", pong + pong, 2, 0, 0},
		{"it skips a frame with a wrong checksum", "FE 02 61 01 59 06 3C" + pong, 1, 0, 7},
		{"it skips a length that no frame has", "FE FB" + pong, 1, 0, 2},
		{"it skips doubled starts once the longest is refuted", "FE FE" + pong, 1, 0, 2},
		{"it finds a frame behind a false start when the line is silent", "FE C8" + pong, 0, 1, 2},
		{"it finds several frames behind several false starts", "FE C8" + pong + "FE 90" + pong, 0, 2, 4},
		{"it finds a frame inside a broken one", "FE 07" + pong + "00 00 00", 1, 0, 5},
		{"it drops half a frame when the line is silent", "FE 02 61 01", 0, 0, 4},
		{"it keeps a start of frame inside data", "FE 03 41 FF FE 00 21 62", 1, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var d unpi.Decoder
			d.Feed(bytesOf(t, test.wire))
			if got := len(next(&d)); got != test.now {
				t.Errorf("%d frames at once, want %d", got, test.now)
			}
			if got := len(d.Flush()); got != test.flushed {
				t.Errorf("%d frames flushed, want %d", got, test.flushed)
			}
			if got := d.Dropped(); got != test.dropped {
				t.Errorf("%d bytes dropped, want %d", got, test.dropped)
			}
			if got := d.Pending(); got != 0 {
				t.Errorf("%d bytes pending after a flush", got)
			}
		})
	}
}

func TestDecoderOwnsItsBytes(t *testing.T) {
	var d unpi.Decoder
	chunk := bytesOf(t, pong)
	d.Feed(chunk)
	f, _ := d.Next()
	d.Feed(chunk)
	clear(chunk)
	if diff := cmp.Diff([]byte{0x59, 0x06}, f.Data); diff != "" {
		t.Error(diff)
	}
	if got := len(next(&d)); got != 1 {
		t.Error("the second frame changed with the caller's bytes")
	}
}

func TestReader(t *testing.T) {
	broken := errors.New("unplugged")
	tests := []struct {
		name   string
		stream io.Reader
		frames int
		err    error
	}{
		{"it ends with the stream", bytes.NewReader(bytesOf(t, pong+pong)), 2, io.EOF},
		{"it ends with EOF inside a frame", bytes.NewReader(bytesOf(t, pong+"FE 02 61")), 1, io.EOF},
		{"it finds frames behind a false start at the end", bytes.NewReader(bytesOf(t, "FE C8"+pong+pong)), 2, io.EOF},
		{"it takes single bytes", iotest.OneByteReader(bytes.NewReader(bytesOf(t, pong+"00"+pong))), 2, io.EOF},
		{"it takes an error that comes with data", iotest.DataErrReader(bytes.NewReader(bytesOf(t, pong))), 1, io.EOF},
		{"it passes on an error after the last frame",
			io.MultiReader(bytes.NewReader(bytesOf(t, "FE C8"+pong)), iotest.ErrReader(broken)), 1, broken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := unpi.NewReader(test.stream)
			frames := 0
			_, err := r.Next()
			for ; err == nil; _, err = r.Next() {
				frames++
			}
			if frames != test.frames || !errors.Is(err, test.err) {
				t.Errorf("%d frames, then %v; want %d, then %v", frames, err, test.frames, test.err)
			}
			if _, again := r.Next(); !errors.Is(again, test.err) {
				t.Errorf("afterwards: %v", again)
			}
		})
	}
}

var anyFrame = rapid.Custom(func(t *rapid.T) unpi.Frame {
	return unpi.Frame{
		Type:      rapid.SampledFrom([]unpi.Type{unpi.POLL, unpi.SREQ, unpi.AREQ, unpi.SRSP}).Draw(t, "type"),
		Subsystem: unpi.Subsystem(rapid.ByteMax(0x1F).Draw(t, "subsystem")),
		ID:        rapid.Byte().Draw(t, "id"),
		Data:      rapid.SliceOfN(rapid.Byte(), 0, unpi.MaxData).Draw(t, "data"),
	}
})

// noise is garbage in which no frame starts.
var noise = rapid.SliceOfN(rapid.Byte().Filter(func(b byte) bool { return b != unpi.SOF }), 0, 20)

func TestFramesSurviveNoiseAndChunking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := rapid.SliceOfN(anyFrame, 0, 5).Draw(t, "frames")
		var wire []byte
		garbage := 0
		for _, f := range frames {
			n := noise.Draw(t, "noise")
			garbage += len(n)
			wire = f.Append(append(wire, n...))
		}
		var d unpi.Decoder
		var got []unpi.Frame
		for len(wire) > 0 {
			n := rapid.IntRange(1, len(wire)).Draw(t, "chunk")
			d.Feed(wire[:n])
			wire = wire[n:]
			got = append(got, next(&d)...)
		}
		if diff := cmp.Diff(frames, got, emptyIsNil); diff != "" {
			t.Error(diff)
		}
		if d.Dropped() != garbage || d.Pending() != 0 {
			t.Errorf("dropped %d, pending %d; want %d, 0", d.Dropped(), d.Pending(), garbage)
		}
	})
}

// A frame that is the last thing on the line is found behind any garbage but one in
// which, by chance, a frame is hidden that swallows its beginning.
func TestAFrameBehindAFalseStartIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFrame.Draw(t, "frame")
		claimed := rapid.IntRange(f.Size(), unpi.MaxData).Draw(t, "claimed")
		var d unpi.Decoder
		d.Feed(f.Append([]byte{unpi.SOF, byte(claimed)}))
		got := append(next(&d), d.Flush()...)
		if !slices.ContainsFunc(got, func(g unpi.Frame) bool { return cmp.Equal(f, g, emptyIsNil) }) {
			t.Errorf("got %v", got)
		}
	})
}

// Whatever comes, the decoder does not panic, accounts for every byte, and finds only
// what encodes to bytes that came.
func FuzzDecoder(f *testing.F) {
	for _, test := range onTheWire {
		f.Add(bytesOf(f, test.wire), 3)
	}
	f.Add(bytesOf(f, "FE C8"+pong), 1)
	f.Fuzz(func(t *testing.T, wire []byte, cut int) {
		if cut < 0 || cut > len(wire) {
			cut = len(wire) / 2
		}
		var d unpi.Decoder
		d.Feed(wire[:cut])
		frames := next(&d)
		d.Feed(wire[cut:])
		frames = append(append(frames, next(&d)...), d.Flush()...)
		size := d.Dropped()
		for _, frame := range frames {
			size += frame.Size()
			if !bytes.Contains(wire, frame.Append(nil)) {
				t.Errorf("%s was never on the wire", frame)
			}
		}
		if size != len(wire) {
			t.Errorf("%d bytes accounted for, %d came", size, len(wire))
		}
	})
}
