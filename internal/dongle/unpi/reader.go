package unpi

import (
	"bufio"
	"io"
)

// A Reader cuts a byte stream into frames. Bytes that belong to no valid frame are
// dropped and counted; they are never an error, since a stick's boot loader, a late
// answer to a previous owner or line noise all look like that.
type Reader struct {
	buf     *bufio.Reader
	dropped int
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader {
	return &Reader{buf: bufio.NewReaderSize(r, 4096)}
}

// Dropped is the number of bytes skipped so far.
func (r *Reader) Dropped() int { return r.dropped }

// Next returns the next valid frame. The only errors are those of the underlying
// reader; a stream that ends inside a frame ends with io.EOF.
func (r *Reader) Next() (Frame, error) {
	for {
		if err := r.skipToSOF(); err != nil {
			return Frame{}, err
		}
		head, err := r.peek(4)
		if err != nil {
			return Frame{}, err
		}
		n := int(head[1])
		if n > MaxData {
			r.drop()
			continue
		}
		whole, err := r.peek(n + overhead)
		if err != nil {
			return Frame{}, err
		}
		if checksum(whole[1:4+n]) != whole[4+n] {
			r.drop()
			continue
		}
		f := Frame{
			Type:      Type(whole[2] & 0xE0),
			Subsystem: Subsystem(whole[2] & 0x1F),
			ID:        whole[3],
			Data:      append([]byte(nil), whole[4:4+n]...),
		}
		_, err = r.buf.Discard(n + overhead)
		return f, err
	}
}

func (r *Reader) skipToSOF() error {
	for {
		b, err := r.peek(1)
		if err != nil {
			return err
		}
		if b[0] == SOF {
			return nil
		}
		r.drop()
	}
}

// peek returns n bytes without consuming them. A stream that ends first gives up
// one byte at a time, so that a whole frame behind a false start is still found.
func (r *Reader) peek(n int) ([]byte, error) {
	for {
		b, err := r.buf.Peek(n)
		if err == nil {
			return b, nil
		}
		if err != io.EOF || len(b) == 0 {
			return nil, err
		}
		return nil, io.EOF
	}
}

func (r *Reader) drop() {
	r.dropped++
	_, _ = r.buf.Discard(1)
}
