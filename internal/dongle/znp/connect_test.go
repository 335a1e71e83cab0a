package znp_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znp/znptest"
)

var ping = unpi.Frame{Type: unpi.SREQ, Subsystem: unpi.SYS, ID: 0x01}.Append(nil)

func TestConnect(t *testing.T) {
	bubble("it sends one ping to a stick that answers", t, func(t *testing.T) {
		c, stick := znptest.Dial(t, znp.Options{}, answerPings)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ping, stick.Received()); diff != "" {
			t.Error(diff)
		}
	})
	bubble("it discards what a previous owner left behind", t, func(t *testing.T) {
		c, stick := znptest.Dial(t, znp.Options{}, answerPings)
		stick.SendRaw([]byte{0x59, 0x06, 0x3D, unpi.SOF, 0x30, 0x61})
		stick.Answer(unpi.SYS, 0x33, 0, 2, 1, 1)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	bubble("it wakes a stick that waits in its boot loader", t, func(t *testing.T) {
		var stick *znptest.Stick
		c, stick := znptest.Dial(t, znp.Options{}, func(r unpi.Frame) ([]byte, error) {
			if bytes.IndexByte(stick.Received(), 0xEF) < 0 {
				return nil, znptest.ErrSilent
			}
			return answerPings(r)
		})
		start := time.Now()
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %s, want two pings of 0.5 s and a boot of 1 s", took)
		}
		want := bytes.Join([][]byte{ping, ping, {0xEF}, ping}, nil)
		if diff := cmp.Diff(want, stick.Received()); diff != "" {
			t.Error(diff)
		}
	})
}

func answerPings(r unpi.Frame) ([]byte, error) {
	if isPing(r) {
		return []byte{0x59, 0x06}, nil
	}
	return nil, &znp.RPCError{Code: 2}
}

func TestConnectToSomethingElse(t *testing.T) {
	tests := []struct {
		name  string
		heard []byte // in answer to every ping
		want  string
	}{
		{"it says so when nothing comes", nil, "nothing came back"},
		{"it recognises EmberZNet", []byte{0x1A, 0xC1, 0x02, 0x0B, 0x0A, 0x52, 0x7E}, "EmberZNet"},
		{"it recognises EmberZNet though a byte looks like a start",
			[]byte{0x1A, 0xC1, 0x02, 0xFE, 0x30, 0x52, 0x7E}, "EmberZNet"},
		{"it suspects another program when only indications come",
			unpi.Frame{Type: unpi.AREQ, Subsystem: unpi.AF, ID: 0x81, Data: []byte{0x7E}}.Append(nil), "another program"},
		{"it says so when other bytes come", []byte{0xC0, 0x0D, 0x01, 0xC0}, "no Z-Stack frame"},
		{"it does not take a frame with a wrong checksum for an answer",
			[]byte{0xFE, 0x02, 0x61, 0x01, 0x59, 0x06, 0x3C}, "no Z-Stack frame"},
		{"it suspects another program when only others' answers come",
			unpi.Frame{Type: unpi.SRSP, Subsystem: unpi.SYS, ID: 0x33, Data: []byte{0, 0}}.Append(nil), "another program"},
	}
	for _, test := range tests {
		bubble(test.name, t, func(t *testing.T) {
			var stick *znptest.Stick
			c, stick := znptest.Dial(t, znp.Options{}, func(unpi.Frame) ([]byte, error) {
				stick.SendRaw(test.heard)
				return nil, znptest.ErrSilent
			})
			err := c.Connect(t.Context())
			if !errors.Is(err, znp.ErrNotZNP) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	bubble("a lost port is no statement about the firmware", t, func(t *testing.T) {
		c, _ := znptest.Dial(t, znp.Options{}, func(unpi.Frame) ([]byte, error) { return nil, znptest.ErrUnplug })
		if err := c.Connect(t.Context()); !errors.Is(err, znp.ErrPortLost) || errors.Is(err, znp.ErrNotZNP) {
			t.Errorf("got %v", err)
		}
	})
	bubble("a deadline is no statement about the firmware", t, func(t *testing.T) {
		c, _ := znptest.Dial(t, znp.Options{}, func(unpi.Frame) ([]byte, error) { return nil, znptest.ErrSilent })
		ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		defer cancel()
		if err := c.Connect(ctx); !errors.Is(err, znp.ErrTimeout) || errors.Is(err, znp.ErrNotZNP) {
			t.Errorf("got %v", err)
		}
	})
}
