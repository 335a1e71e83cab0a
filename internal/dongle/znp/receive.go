package znp

import (
	"errors"
	"io"
	"slices"
	"time"

	"z2mha/internal/dongle/unpi"
)

// midFramePause is how long the line may be silent inside a frame. A stick never
// pauses there for more than some milliseconds; the rest is for a network's
// retransmissions. It is shorter than the wait for a ping, so that a ping's answer
// hidden behind a false start is still found in time.
const midFramePause = 300 * time.Millisecond

// startReading starts the two goroutines of a Client: one blocks in Read, the other
// cuts what it read into frames and hands them out, in order.
func (c *Client) startReading() {
	chunks := make(chan []byte)
	c.readers.Go(func() { c.read(chunks) })
	c.readers.Go(func() { c.decode(chunks) })
}

// read moves bytes from the port to chunks until the port ends.
func (c *Client) read(chunks chan<- []byte) {
	defer close(chunks)
	for {
		chunk := make([]byte, 512)
		n, err := c.port.Read(chunk)
		if n > 0 {
			chunks <- chunk[:n]
		}
		if err != nil {
			c.lose(readError(err))
			return
		}
	}
}

func readError(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the other side ended it (stick unplugged, or network connection closed)")
	}
	return err
}

// decode hands out the frames in chunks until chunks is closed.
func (c *Client) decode(chunks <-chan []byte) {
	defer close(c.drained)
	var d unpi.Decoder
	silence := time.NewTimer(midFramePause)
	defer silence.Stop()
	for {
		select {
		case chunk, ok := <-chunks:
			if !ok {
				c.flush(&d)
				return
			}
			d.Feed(chunk)
			c.account(chunk)
			c.handOut(&d)
			silence.Reset(midFramePause)
		case <-silence.C:
			c.flush(&d)
		}
	}
}

func (c *Client) handOut(d *unpi.Decoder) {
	for {
		f, ok := d.Next()
		if !ok {
			c.noteDropped(d.Dropped())
			return
		}
		c.dispatch(f)
	}
}

// flush gives up on a frame that was begun and hands out what it may have hidden.
func (c *Client) flush(d *unpi.Decoder) {
	for _, f := range d.Flush() {
		c.dispatch(f)
	}
	c.noteDropped(d.Dropped())
}

func (c *Client) account(chunk []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.BytesIn += len(chunk)
	if room := heardLimit - len(c.heard); room > 0 {
		c.heard = append(c.heard, chunk[:min(room, len(chunk))]...)
	}
}

func (c *Client) noteDropped(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Dropped = n
}

// dispatch gives an answer to the request that waits for it and an indication to the
// waiters. A stick sends nothing else.
func (c *Client) dispatch(f unpi.Frame) {
	switch f.Type {
	case unpi.SRSP:
		c.answer(f)
	case unpi.AREQ:
		c.show(FromStick, mask(f))
		c.indicate(f)
	default:
		c.show(FromStick, mask(f))
	}
}

func (c *Client) indicate(f unpi.Frame) {
	c.mu.Lock()
	waiters := slices.Clone(c.waiters)
	c.mu.Unlock()
	for _, w := range waiters {
		w.offer(f)
	}
}

// answer completes the outstanding request if f answers it, and else counts f as late.
func (c *Client) answer(f unpi.Frame) {
	c.mu.Lock()
	p := c.pending
	if p != nil && p.answeredBy(f) {
		c.pending = nil
		c.stats.Exchanges++
	} else {
		p = nil
		c.stats.Late++
	}
	c.mu.Unlock()

	c.show(FromStick, maskAnswer(f, p))
	if p != nil {
		p.answer <- f
	}
}
