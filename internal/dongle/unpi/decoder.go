package unpi

// A Decoder cuts bytes into frames as they come, in chunks of any size. Bytes that
// belong to no valid frame are dropped and counted; they are never an error, since a
// stick's boot loader, a late answer to a previous owner or line noise all look so.
//
// A stray FE followed by a large LEN makes the Decoder wait for bytes that may never
// come, with a real frame hidden among those it has. A stick sends a frame without
// pausing, so whoever feeds the Decoder calls Flush when the line fell silent in
// mid-frame: time is the caller's, the Decoder has no clock.
//
// The zero Decoder is ready to use.
type Decoder struct {
	buf     []byte
	dropped int
}

// Feed appends what arrived. It keeps no reference to p.
func (d *Decoder) Feed(p []byte) { d.buf = append(d.buf, p...) }

// Next returns the next whole frame and false when more bytes are needed.
func (d *Decoder) Next() (Frame, bool) {
	for len(d.buf) > 0 {
		f, verdict := parse(d.buf)
		switch verdict {
		case whole:
			d.discard(f.Size())
			return f, true
		case partial:
			return Frame{}, false
		case garbage:
			d.drop()
		}
	}
	return Frame{}, false
}

// Pending is the number of bytes held back as the beginning of a frame. It is
// meaningful after Next returned false.
func (d *Decoder) Pending() int { return len(d.buf) }

// Flush gives up waiting: it returns the whole frames that stand behind false starts
// and drops everything else.
func (d *Decoder) Flush() []Frame {
	var found []Frame
	for len(d.buf) > 0 {
		if f, ok := d.Next(); ok {
			found = append(found, f)
		} else if len(d.buf) > 0 {
			d.drop()
		}
	}
	return found
}

// Dropped is the number of bytes so far that belonged to no frame.
func (d *Decoder) Dropped() int { return d.dropped }

func (d *Decoder) drop() {
	d.dropped++
	d.discard(1)
}

func (d *Decoder) discard(n int) {
	d.buf = d.buf[n:]
	if len(d.buf) == 0 {
		d.buf = nil
	}
}

type verdict int

const (
	whole   verdict = iota // a valid frame begins here
	partial                // a frame may begin here; more bytes are needed to tell
	garbage                // no frame begins here
)

// parse judges the frame that may begin at b[0]. The frame owns its data.
func parse(b []byte) (Frame, verdict) {
	if b[0] != SOF {
		return Frame{}, garbage
	}
	if len(b) < 2 {
		return Frame{}, partial
	}
	n := int(b[1])
	if n > MaxData {
		return Frame{}, garbage
	}
	if len(b) < n+overhead {
		return Frame{}, partial
	}
	if checksum(b[1:4+n]) != b[4+n] {
		return Frame{}, garbage
	}
	return Frame{
		Type:      Type(b[2] & 0xE0),
		Subsystem: Subsystem(b[2] & 0x1F),
		ID:        b[3],
		Data:      append([]byte(nil), b[4:4+n]...),
	}, whole
}
