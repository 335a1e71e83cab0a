package znp_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znp/znptest"
)

// The pattern stands for a key; it must reach neither trace nor log.
var secret = bytes.Repeat([]byte{0x5A}, 16)

func TestTraceHidesKeys(t *testing.T) {
	osal := []uint16{0x003A, 0x003B, 0x0062, 0x0082, 0x0101}
	type read func(c *znp.Client, t *testing.T) error
	calls := map[string]read{
		"TCLK entry": func(c *znp.Client, t *testing.T) error { _, err := c.ReadNV(t.Context(), 4, 1, 16); return err },
		"APS key":    func(c *znp.Client, t *testing.T) error { _, err := c.ReadNV(t.Context(), 6, 1, 16); return err },
		"writing an APS key": func(c *znp.Client, t *testing.T) error {
			return c.UpdateNV(t.Context(), 6, 1, secret)
		},
		"NV info": func(c *znp.Client, t *testing.T) error {
			_, err := c.Request(t.Context(), unpi.UTIL, 1, nil)
			return err
		},
	}
	for _, id := range osal {
		calls[fmt.Sprintf("reading %#04x", id)] = func(c *znp.Client, t *testing.T) error {
			_, err := c.ReadOSAL(t.Context(), id)
			return err
		}
		calls[fmt.Sprintf("reading %#04x by sub id", id)] = func(c *znp.Client, t *testing.T) error {
			_, err := c.ReadNV(t.Context(), 0, id, 16)
			return err
		}
		calls[fmt.Sprintf("writing %#04x", id)] = func(c *znp.Client, t *testing.T) error {
			return c.UpdateNV(t.Context(), 0, id, secret)
		}
		calls[fmt.Sprintf("writing %#04x the old way", id)] = func(c *znp.Client, t *testing.T) error {
			data := append([]byte{byte(id), byte(id >> 8), 0, 16}, secret...)
			_, err := c.Request(t.Context(), unpi.SYS, 0x09, data)
			return err
		}
	}
	for name, call := range calls {
		bubble(name, t, func(t *testing.T) {
			var log bytes.Buffer
			var traced []byte
			c, stick := znptest.Dial(t, znp.Options{
				Log:   slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
				Trace: func(_ znp.Direction, f unpi.Frame) { traced = f.Append(traced) },
			}, answerSecret)
			stick.Answer(unpi.SYS, 0x33, append([]byte{0, 16}, secret...)...) // to a previous owner
			synctest.Wait()
			if err := call(c, t); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(traced, secret[:2]) || strings.Contains(log.String(), "5a5a") {
				t.Errorf("a key was shown:\n% x\n%s", traced, &log)
			}
			if !bytes.Contains(traced, []byte{'*', '*'}) {
				t.Error("nothing was masked")
			}
		})
	}
}

func answerSecret(r unpi.Frame) ([]byte, error) {
	switch {
	case r.Subsystem == unpi.UTIL:
		return append(make([]byte, 16), secret...), nil
	case r.ID == 0x35 || r.ID == 0x09:
		return []byte{0}, nil
	}
	return append([]byte{0, 16}, secret...), nil
}

func TestTraceShowsTheRest(t *testing.T) {
	bubble("it shows what holds no key", t, func(t *testing.T) {
		var lines []string
		c, _ := znptest.Dial(t, znp.Options{Trace: func(dir znp.Direction, f unpi.Frame) {
			lines = append(lines, fmt.Sprintf("%s %02x%02x %x", dir, f.Cmd0(), f.ID, f.Data))
		}}, func(unpi.Frame) ([]byte, error) { return []byte{0, 2, 0xAA, 0xBB}, nil })
		if _, err := c.ReadOSAL(t.Context(), 0x0083); err != nil {
			t.Fatal(err)
		}
		want := "out 2108 830000\nin 6108 0002aabb"
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// Whatever the frame, masking must neither panic nor change its length.
func FuzzMask(f *testing.F) {
	f.Add(byte(0x21), byte(0x08), []byte{0x82})
	f.Add(byte(0x21), byte(0x35), []byte{1, 4, 0, 1, 0, 20})
	f.Fuzz(func(t *testing.T, cmd0, id byte, data []byte) {
		frame := unpi.Frame{Type: unpi.Type(cmd0 & 0xE0), Subsystem: unpi.Subsystem(cmd0 & 0x1F), ID: id, Data: data}
		if got := znp.Mask(frame); len(got.Data) != len(data) {
			t.Errorf("%d bytes became %d", len(data), len(got.Data))
		}
	})
}
