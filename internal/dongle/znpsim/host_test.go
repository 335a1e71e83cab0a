package znpsim_test

import (
	"context"
	"net"
	"testing"
	"time"

	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znpsim"
)

// home is the network of these tests.
var home = zigbee.Identity{
	PanID: 0x1a62, ExtPanID: 0x1122334455667788, Channel: 15, IEEE: 0x00124b0000c0ffee,
	Key: zigbee.Key{1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13},
}

// A host is the other end of a stick's line: one that does as it likes.
type host struct {
	tb     testing.TB
	conn   net.Conn
	frames chan unpi.Frame
}

// attach serves the stick over a pipe until the test ends or the host leaves.
func attach(tb testing.TB, d *znpsim.Dongle) *host {
	tb.Helper()
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	h := &host{tb: tb, conn: near, frames: make(chan unpi.Frame, 4096)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := d.Serve(ctx, far); err != nil {
			tb.Errorf("serve: %v", err)
		}
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		r := unpi.NewReader(near)
		for f, err := r.Next(); err == nil; f, err = r.Next() {
			h.frames <- f
		}
	}()
	tb.Cleanup(func() {
		cancel()
		<-served
		near.Close()
		<-read
	})
	return h
}

func (h *host) leave() { h.conn.Close() }

func (h *host) write(b []byte) {
	h.tb.Helper()
	if _, err := h.conn.Write(b); err != nil {
		h.tb.Fatalf("write: %v", err)
	}
}

func (h *host) send(cmd uint16, data ...byte) {
	h.tb.Helper()
	f := unpi.Frame{Type: unpi.Type(cmd >> 8 & 0xE0), Subsystem: unpi.Subsystem(cmd >> 8 & 0x1F), ID: byte(cmd), Data: data}
	h.write(f.Append(nil))
}

// request sends an SREQ and returns the SRSP, skipping indications.
func (h *host) request(cmd uint16, data ...byte) unpi.Frame {
	h.tb.Helper()
	h.send(cmd, data...)
	f, ok := h.next(func(f unpi.Frame) bool { return f.Type == unpi.SRSP })
	if !ok {
		h.tb.Fatalf("no answer to %04x", cmd)
	}
	return f
}

// answer is request for those who want the data only.
func (h *host) answer(cmd uint16, data ...byte) []byte {
	h.tb.Helper()
	return h.request(cmd, data...).Data
}

// next waits for a frame that matches.
func (h *host) next(match func(unpi.Frame) bool) (unpi.Frame, bool) {
	timeout := time.NewTimer(10 * time.Second)
	defer timeout.Stop()
	for {
		select {
		case f := <-h.frames:
			if match(f) {
				return f, true
			}
		case <-timeout.C:
			return unpi.Frame{}, false
		}
	}
}

func (h *host) indication(cmd uint16) []byte {
	h.tb.Helper()
	f, ok := h.next(func(f unpi.Frame) bool { return uint16(f.Cmd0())<<8|uint16(f.ID) == cmd })
	if !ok {
		h.tb.Fatalf("no indication %04x", cmd)
	}
	return f.Data
}

// reset resets the stick and waits until it is back.
func (h *host) reset() []byte {
	h.tb.Helper()
	h.send(0x4100, 1)
	return h.indication(0x4180)
}

// start brings the stick on air with one endpoint.
func (h *host) start() {
	h.tb.Helper()
	h.answer(0x2540, 0, 0)
	for d := h.indication(0x45C0); d[0] != 9; d = h.indication(0x45C0) {
	}
	h.answer(0x2400, 1, 4, 1, 5, 0, 0, 0, 0, 0)
}

func le(v uint64, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(v >> (8 * i))
	}
	return out
}

func cat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
