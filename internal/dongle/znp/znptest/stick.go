// Package znptest is a programmable stick for tests of what speaks to one: the real
// client over a connection in memory, and a function that answers its requests. It knows
// nothing of NVRAM or radio; for a stick that behaves like one see package znpsim.
//
// Everything works inside a testing/synctest bubble.
package znptest

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"

	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/znp"
)

var (
	// ErrSilent makes the stick not answer a request.
	ErrSilent = errors.New("no answer")
	// ErrUnplug makes the stick disappear instead of answering.
	ErrUnplug = errors.New("unplugged")
)

// A Handler answers one request (SREQ or AREQ) with the data of the answer. It may
// return ErrSilent, ErrUnplug, or a *znp.RPCError, which is sent as RPC error; any other
// error fails the test. What it returns for an AREQ is ignored. Handlers run one at a
// time, in the order of the requests.
type Handler func(request unpi.Frame) ([]byte, error)

// A Stick is the far end of a client's connection.
type Stick struct {
	tb      testing.TB
	conn    net.Conn
	handler Handler

	mu       sync.Mutex // guards the fields below
	received []byte
	requests []unpi.Frame
}

// Dial returns a client that talks to a stick which answers with handler. Both end with
// the test.
func Dial(tb testing.TB, o znp.Options, handler Handler) (*znp.Client, *Stick) {
	tb.Helper()
	near, far := net.Pipe()
	s := &Stick{tb: tb, conn: far, handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve()
	}()
	c := znp.NewClient(near, o)
	tb.Cleanup(func() {
		_ = c.Close()
		s.Unplug()
		<-done
	})
	return c, s
}

// Indicate sends an indication (AREQ).
func (s *Stick) Indicate(sub unpi.Subsystem, id byte, data ...byte) {
	s.Send(unpi.Frame{Type: unpi.AREQ, Subsystem: sub, ID: id, Data: data})
}

// Answer sends an answer (SRSP) that need not be one to any request.
func (s *Stick) Answer(sub unpi.Subsystem, id byte, data ...byte) {
	s.Send(unpi.Frame{Type: unpi.SRSP, Subsystem: sub, ID: id, Data: data})
}

// Send sends a frame.
func (s *Stick) Send(f unpi.Frame) { s.SendRaw(f.Append(nil)) }

// SendRaw sends bytes as they are and returns when the client has read them. Bytes for a
// client that is gone are lost, as on a real line.
func (s *Stick) SendRaw(b []byte) { _, _ = s.conn.Write(b) }

// Unplug ends the connection.
func (s *Stick) Unplug() { _ = s.conn.Close() }

// Received returns every byte received so far, frames or not.
func (s *Stick) Received() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.received)
}

// Requests returns the requests received so far, oldest first.
func (s *Stick) Requests() []unpi.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *Stick) serve() {
	var d unpi.Decoder
	chunk := make([]byte, 512)
	for {
		n, err := s.conn.Read(chunk)
		if err != nil {
			return
		}
		s.note(chunk[:n])
		d.Feed(chunk[:n])
		for f, ok := d.Next(); ok; f, ok = d.Next() {
			s.handle(f)
		}
	}
}

func (s *Stick) note(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, b...)
}

func (s *Stick) handle(request unpi.Frame) {
	s.mu.Lock()
	s.requests = append(s.requests, request)
	s.mu.Unlock()

	data, err := s.handler(request)
	var rpc *znp.RPCError
	switch {
	case request.Type != unpi.SREQ && err == nil, errors.Is(err, ErrSilent):
	case errors.Is(err, ErrUnplug):
		s.Unplug()
	case errors.As(err, &rpc):
		s.Answer(unpi.RPCError, 0, rpc.Code, request.Cmd0(), request.ID)
	case err != nil:
		s.tb.Errorf("stick: %s: %v", request, err)
	default:
		s.Answer(request.Subsystem, request.ID, data...)
	}
}
