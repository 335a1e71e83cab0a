package unpi

import "io"

// A Reader cuts a byte stream into frames, for streams that end: files, captures,
// the stick's side of a link in tests. Where a silent line must not hide a frame,
// feed a Decoder instead.
type Reader struct {
	r       io.Reader
	chunk   []byte
	decoder Decoder
	found   []Frame // frames saved from behind a false start when the stream ended
	err     error   // what ended the stream, once it has ended
}

// NewReader reads from r, as much at a time as r gives.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: r, chunk: make([]byte, 4096)}
}

// Dropped is the number of bytes skipped so far.
func (r *Reader) Dropped() int { return r.decoder.Dropped() }

// Next returns the next valid frame. The only errors are those of the underlying
// reader, and they come after the last whole frame, also one behind a false start.
// A stream that ends inside a frame ends with io.EOF.
func (r *Reader) Next() (Frame, error) {
	for r.err == nil {
		if f, ok := r.decoder.Next(); ok {
			return f, nil
		}
		var n int
		n, r.err = r.r.Read(r.chunk)
		r.decoder.Feed(r.chunk[:n])
	}
	r.found = append(r.found, r.decoder.Flush()...)
	if len(r.found) == 0 {
		return Frame{}, r.err
	}
	f := r.found[0]
	r.found = r.found[1:]
	return f, nil
}
