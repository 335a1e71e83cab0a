package znp

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"z2mha/internal/dongle/unpi"
)

const (
	// handshakePing is how long a ping waits while it is unknown who is there.
	handshakePing = 500 * time.Millisecond

	// forceRun makes TI's serial boot loader start the application at once. An
	// application ignores it: it is no start of a frame.
	forceRun byte = 0xEF

	// bootTime is what an application needs from forceRun to its first answer.
	bootTime = time.Second

	// heardLimit is how many bytes Connect keeps to tell what else may be there.
	heardLimit = 256
)

// Connect makes sure that a Z-Stack answers: two pings, then the boot loader's "force
// run" byte and a second later a third ping. It touches neither DTR nor RTS and resets
// nothing, so a running coordinator keeps running. What a previous owner of the port
// left unread is discarded.
//
// When nobody answers the error wraps ErrNotZNP and says what was heard instead; a lost
// port gives ErrPortLost.
func (c *Client) Connect(ctx context.Context) error {
	c.forgetHeard()
	for _, prepare := range []func(context.Context) error{nil, nil, c.leaveBootLoader} {
		if prepare != nil {
			if err := prepare(ctx); err != nil {
				return fmt.Errorf("connect: %w", err)
			}
		}
		_, err := c.ping(ctx, handshakePing)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || c.gonePort() != nil {
			return fmt.Errorf("connect: %w", err)
		}
	}
	return fmt.Errorf("%w: %s", ErrNotZNP, c.whatElse())
}

func (c *Client) leaveBootLoader(ctx context.Context) error {
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	defer c.passTurn()
	if err := c.write([]byte{forceRun}); err != nil {
		return err
	}
	return c.pause(ctx, bootTime)
}

func (c *Client) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-c.gone:
		return c.gonePort()
	case <-ctx.Done():
		return whyDone(ctx)
	}
}

func (c *Client) forgetHeard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = nil
}

// whatElse guesses from the bytes heard what is on the other side.
func (c *Client) whatElse() string {
	c.mu.Lock()
	heard := bytes.Clone(c.heard)
	c.mu.Unlock()
	switch {
	case len(heard) == 0:
		return "nothing came back; check that this is the right port and that the stick has power, " +
			"is not in its boot loader and runs a coordinator firmware"
	case holdsFrame(heard):
		return "frames of a Z-Stack came but no answer to a ping; " +
			"another program may be using the stick at the same time"
	case bytes.IndexByte(heard, 0x7E) >= 0:
		return "the bytes that came look like EmberZNet (ASH flag 0x7E), the firmware of Silicon Labs sticks " +
			"such as ZBDongle-E; a stick with TI Z-Stack is needed"
	}
	return fmt.Sprintf("bytes came (%d or more) but no Z-Stack frame among them; the stick may run another "+
		"firmware, at another speed, or another program may be using it", len(heard))
}

func holdsFrame(heard []byte) bool {
	var d unpi.Decoder
	d.Feed(heard)
	_, found := d.Next()
	return found || len(d.Flush()) > 0
}
