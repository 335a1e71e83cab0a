package znp

import (
	"context"
	"fmt"
	"time"

	"z2mha/internal/dongle/unpi"
)

// A call is the one outstanding request.
type call struct {
	request unpi.Frame
	answer  chan unpi.Frame // holds one
}

// answeredBy reports whether f is the answer to the call: the same command, or an RPC
// error that names it.
func (p *call) answeredBy(f unpi.Frame) bool {
	if isRPCError(f) {
		return f.Data[1] == p.request.Cmd0() && f.Data[2] == p.request.ID
	}
	return f.Subsystem == p.request.Subsystem && f.ID == p.request.ID
}

func isRPCError(f unpi.Frame) bool {
	return f.Subsystem == unpi.RPCError && f.ID == 0 && len(f.Data) >= 3
}

// Request sends a synchronous request and returns the data of its answer, which may be
// of any length. It waits for its turn first: one request is outstanding at a time.
//
// Errors: *RPCError when the stick did not understand, one that wraps ErrTimeout when
// no answer came within the Client's timeout or ctx, ErrPortLost, ErrClosed.
func (c *Client) Request(ctx context.Context, sub unpi.Subsystem, id byte, data []byte) ([]byte, error) {
	return c.request(ctx, command{sub, id}, data, c.timeout)
}

func (c *Client) request(ctx context.Context, cmd command, data []byte, timeout time.Duration) ([]byte, error) {
	if err := c.takeTurn(ctx); err != nil {
		return nil, fmt.Errorf("%s: not sent: %w", cmd, err)
	}
	defer c.passTurn()
	if err := c.clearDoubt(ctx, cmd); err != nil {
		return nil, fmt.Errorf("%s: not sent, an earlier request is still unanswered: %w", cmd, err)
	}
	return c.exchange(ctx, cmd, data, timeout)
}

func (c *Client) takeTurn(ctx context.Context) error {
	if err := c.gonePort(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return whyDone(ctx)
	}
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-c.gone:
		return c.gonePort()
	case <-ctx.Done():
		return whyDone(ctx)
	}
}

func (c *Client) passTurn() { <-c.turn }

// clearDoubt makes sure that no answer to an earlier request is still on its way. The
// stick answers in order, so all are in once a ping is answered. A ping itself needs
// no such care: any ping's answer will do.
func (c *Client) clearDoubt(ctx context.Context, next command) error {
	if !c.inDoubt || next == sysPing {
		return nil
	}
	_, err := c.exchange(ctx, sysPing, nil, c.timeout)
	return err
}

// exchange sends one request and waits for its answer. The caller has the turn.
func (c *Client) exchange(ctx context.Context, cmd command, data []byte, timeout time.Duration) ([]byte, error) {
	p := &call{
		request: unpi.Frame{Type: unpi.SREQ, Subsystem: cmd.sub, ID: cmd.id, Data: data},
		answer:  make(chan unpi.Frame, 1),
	}
	c.setPending(p)
	defer c.setPending(nil)

	c.inDoubt = true
	if err := c.send(p.request); err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	f, err := c.await(ctx, p, timeout)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	c.inDoubt = false
	if isRPCError(f) && cmd.sub != unpi.RPCError {
		return nil, &RPCError{Code: f.Data[0], Subsystem: cmd.sub, ID: cmd.id}
	}
	return f.Data, nil
}

func (c *Client) await(ctx context.Context, p *call, timeout time.Duration) (unpi.Frame, error) {
	patience := time.NewTimer(timeout)
	defer patience.Stop()
	select {
	case f := <-p.answer:
		return f, nil
	case <-c.drained:
		return c.lastAnswer(p)
	case <-ctx.Done():
		return unpi.Frame{}, whyDone(ctx)
	case <-patience.C:
		return unpi.Frame{}, fmt.Errorf("no answer within %s: %w", timeout, ErrTimeout)
	}
}

// lastAnswer is for an answer that came just before the port was lost.
func (c *Client) lastAnswer(p *call) (unpi.Frame, error) {
	select {
	case f := <-p.answer:
		return f, nil
	default:
		return unpi.Frame{}, c.gonePort()
	}
}

func (c *Client) setPending(p *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = p
}

// Post sends an asynchronous request (AREQ), which has no answer.
func (c *Client) Post(ctx context.Context, sub unpi.Subsystem, id byte, data []byte) error {
	cmd := command{sub, id}
	if err := c.takeTurn(ctx); err != nil {
		return fmt.Errorf("%s: not sent: %w", cmd, err)
	}
	defer c.passTurn()
	return c.post(cmd, data)
}

// post sends an AREQ. The caller has the turn.
func (c *Client) post(cmd command, data []byte) error {
	f := unpi.Frame{Type: unpi.AREQ, Subsystem: cmd.sub, ID: cmd.id, Data: data}
	if err := c.send(f); err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	return nil
}

func (c *Client) send(f unpi.Frame) error {
	c.show(ToStick, mask(f))
	return c.write(f.Append(nil))
}

// write writes b in one piece. A write that is stuck longer than the Client's timeout
// ends with the port: half a frame is out, nothing sensible can follow it.
func (c *Client) write(b []byte) error {
	stuck := time.AfterFunc(c.timeout, func() {
		c.lose(fmt.Errorf("a write was stuck for %s", c.timeout))
	})
	defer stuck.Stop()
	n, err := c.port.Write(b)
	c.mu.Lock()
	c.stats.BytesOut += n
	c.mu.Unlock()
	if err != nil {
		c.lose(err)
		return c.gonePort()
	}
	return nil
}
