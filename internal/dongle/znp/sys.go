package znp

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
)

// Ping returns the stick's capabilities (bit mask; 0x0659 on a CC2652 with Z-Stack
// 3.x.0). It proves that a Z-Stack answers now and nothing more.
func (c *Client) Ping(ctx context.Context) (uint16, error) { return c.ping(ctx, c.timeout) }

// ping insists on exactly two bytes: it also decides whether there is a Z-Stack at all.
func (c *Client) ping(ctx context.Context, timeout time.Duration) (uint16, error) {
	d, err := c.request(ctx, sysPing, nil, timeout)
	if err != nil {
		return 0, err
	}
	if len(d) != 2 {
		return 0, fmt.Errorf("%s: %d bytes in the answer, want 2", sysPing, len(d))
	}
	capabilities := binary.LittleEndian.Uint16(d)
	c.mu.Lock()
	c.capabilities = capabilities
	c.mu.Unlock()
	return capabilities, nil
}

// Version returns what SYS_VERSION says, with the capabilities of the last ping; it
// pings when there was none. The revision is 0 on firmware that does not tell it.
func (c *Client) Version(ctx context.Context) (nvimage.Stick, error) {
	capabilities, err := c.knownCapabilities(ctx)
	if err != nil {
		return nvimage.Stick{}, err
	}
	d, err := c.ask(ctx, sysVersion, nil, 5)
	if err != nil {
		return nvimage.Stick{}, err
	}
	s := nvimage.Stick{
		Capabilities: capabilities,
		Transport:    d[0],
		Product:      d[1],
		Major:        d[2],
		Minor:        d[3],
		Maint:        d[4],
	}
	if len(d) >= 9 {
		s.Revision = binary.LittleEndian.Uint32(d[5:])
	}
	return s, nil
}

func (c *Client) knownCapabilities(ctx context.Context) (uint16, error) {
	c.mu.Lock()
	known := c.capabilities
	c.mu.Unlock()
	if known != 0 {
		return known, nil
	}
	return c.Ping(ctx)
}

// GetExtAddr returns the address the radio uses now. After an image was copied onto
// the stick it is the source's, so it does not tell two sticks apart.
func (c *Client) GetExtAddr(ctx context.Context) (zigbee.IEEE, error) {
	d, err := c.ask(ctx, sysGetExtAddr, nil, 8)
	if err != nil {
		return 0, err
	}
	return zigbee.IEEEFromLE(d), nil
}

// A ResetInd is what a stick says when it has booted.
type ResetInd struct {
	Reason    uint8 // 0 power-up; CC26x2 says 0 whatever the cause
	Transport uint8
	Product   uint8
	Major     uint8
	Minor     uint8
	Maint     uint8
}

// resetTimeout is how long a stick may take to boot.
const resetTimeout = 30 * time.Second

// Reset boots the stick and returns its announcement. Nothing else is sent meanwhile.
// A booted stick is silent on air until told to start, but only its device state read
// back afterwards is evidence of that. An error that wraps ErrTimeout leaves open
// whether it booted.
func (c *Client) Reset(ctx context.Context) (ResetInd, error) {
	ind, err := c.reset(ctx)
	if err != nil {
		return ResetInd{}, fmt.Errorf("reset the stick: %w", err)
	}
	return ind, nil
}

func (c *Client) reset(ctx context.Context) (ResetInd, error) {
	if err := c.takeTurn(ctx); err != nil {
		return ResetInd{}, err
	}
	defer c.passTurn()
	w := c.Expect(isResetInd)
	defer w.Close()
	const soft = 1
	if err := c.post(sysResetReq, []byte{soft}); err != nil {
		return ResetInd{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, resetTimeout,
		fmt.Errorf("the stick did not announce its boot within %s", resetTimeout))
	defer cancel()
	f, err := w.Wait(ctx)
	if err != nil {
		return ResetInd{}, err
	}
	return parseResetInd(f.Data)
}

func isResetInd(f unpi.Frame) bool {
	return f.Type == unpi.AREQ && f.Subsystem == sysResetInd.sub && f.ID == sysResetInd.id
}

func parseResetInd(d []byte) (ResetInd, error) {
	if len(d) < 6 {
		return ResetInd{}, tooShort(sysResetInd, len(d), 6)
	}
	return ResetInd{Reason: d[0], Transport: d[1], Product: d[2], Major: d[3], Minor: d[4], Maint: d[5]}, nil
}

// ask is Request for an answer of at least want bytes. More are tolerated: newer
// firmware appends fields.
func (c *Client) ask(ctx context.Context, cmd command, data []byte, want int) ([]byte, error) {
	d, err := c.request(ctx, cmd, data, c.timeout)
	if err != nil {
		return nil, err
	}
	if len(d) < want {
		return nil, tooShort(cmd, len(d), want)
	}
	return d, nil
}

func tooShort(cmd command, have, want int) error {
	return fmt.Errorf("%s: %w: %d bytes, want %d", cmd, ErrShortAnswer, have, want)
}
