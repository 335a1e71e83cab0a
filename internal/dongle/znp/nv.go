package znp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"z2mha/internal/dongle/unpi"
)

const (
	// sysZStack is the NV owner of everything here.
	sysZStack byte = 1

	// pollRateOld16 is no item but a window on item 0x0035: writing it would leave
	// 0x0035 with 2 of its 40 bytes.
	pollRateOld16 uint16 = 0x0024

	// maxReadNV is the most this package asks of one NV_READ.
	maxReadNV = 245

	// maxUpdateNV is the longest value that fits into one NV_UPDATE. The longest item
	// of Z-Stack 3.x.0 has 116 bytes.
	maxUpdateNV = unpi.MaxData - 6

	statusOK   byte = 0x00
	nvNotFound byte = 0x0A
)

// ErrForbiddenItem is wrapped when a caller tried to write or delete item 0x0024, which
// would damage item 0x0035. Nothing was sent.
var ErrForbiddenItem = errors.New("item 0x0024 must never be written, it would truncate item 0x0035")

// ReadNV returns length bytes of entry sub of item: the whole entry, whose length the
// stick checks only upwards, so ask for what LengthNV says. It returns ErrNoItem when
// there is no such entry and a *StatusError (bad length) when it is shorter.
// Item 0 holds the OSAL items, by their id as sub.
func (c *Client) ReadNV(ctx context.Context, item, sub uint16, length int) ([]byte, error) {
	value, err := c.readNV(ctx, item, sub, length)
	if err != nil {
		return nil, fmt.Errorf("read NV item %#04x[%d]: %w", item, sub, err)
	}
	return value, nil
}

func (c *Client) readNV(ctx context.Context, item, sub uint16, length int) ([]byte, error) {
	if length < 1 || length > 0xFFFF {
		return nil, fmt.Errorf("cannot ask for %d bytes", length)
	}
	var value []byte
	for len(value) < length {
		n := min(length-len(value), maxReadNV)
		request := append(append(nvHeader(item, sub), u16(uint16(len(value)))...), byte(n))
		part, err := c.readPart(ctx, sysNVRead, request)
		if isStatus(err, nvNotFound) {
			return nil, ErrNoItem
		}
		if err != nil {
			return nil, err
		}
		if len(part) != n {
			return nil, fmt.Errorf("%s: %w: %d bytes of value, want %d", sysNVRead, ErrShortAnswer, len(part), n)
		}
		value = append(value, part...)
	}
	return value, nil
}

// LengthNV returns the length of entry sub of item in bytes, 0 when it is absent.
func (c *Client) LengthNV(ctx context.Context, item, sub uint16) (int, error) {
	d, err := c.ask(ctx, sysNVLength, nvHeader(item, sub), 4)
	if err != nil {
		return 0, fmt.Errorf("length of NV item %#04x[%d]: %w", item, sub, err)
	}
	return int(binary.LittleEndian.Uint32(d)), nil
}

// UpdateNV makes value the whole content of entry sub of item, which it creates if need
// be, whatever its length was. The stick writes its flash even when nothing changes, so
// compare first. Item 0x0024 is refused with ErrForbiddenItem.
func (c *Client) UpdateNV(ctx context.Context, item, sub uint16, value []byte) error {
	if err := c.updateNV(ctx, item, sub, value); err != nil {
		return fmt.Errorf("write NV item %#04x[%d]: %w", item, sub, err)
	}
	return nil
}

func (c *Client) updateNV(ctx context.Context, item, sub uint16, value []byte) error {
	if err := refuseForbidden(item, sub); err != nil {
		return err
	}
	if len(value) == 0 || len(value) > maxUpdateNV {
		return fmt.Errorf("%d bytes cannot be written, 1 to %d can", len(value), maxUpdateNV)
	}
	request := append(append(nvHeader(item, sub), byte(len(value))), value...)
	return c.command(ctx, sysNVUpdate, request)
}

// DeleteNV deletes entry sub of item. It returns ErrNoItem when there is none.
func (c *Client) DeleteNV(ctx context.Context, item, sub uint16) error {
	err := refuseForbidden(item, sub)
	if err == nil {
		err = c.command(ctx, sysNVDelete, nvHeader(item, sub))
	}
	if isStatus(err, nvNotFound) {
		err = ErrNoItem
	}
	if err != nil {
		return fmt.Errorf("delete NV item %#04x[%d]: %w", item, sub, err)
	}
	return nil
}

// command sends a request whose answer is one status.
func (c *Client) command(ctx context.Context, cmd command, request []byte) error {
	d, err := c.ask(ctx, cmd, request, 1)
	if err != nil {
		return err
	}
	if d[0] != statusOK {
		return &StatusError{Command: cmd.String(), Status: d[0]}
	}
	return nil
}

func refuseForbidden(item, sub uint16) error {
	if item == 0 && sub == pollRateOld16 {
		return ErrForbiddenItem
	}
	return nil
}

func isStatus(err error, status byte) bool {
	var e *StatusError
	return errors.As(err, &e) && e.Status == status
}

func nvHeader(item, sub uint16) []byte {
	b := []byte{sysZStack}
	b = binary.LittleEndian.AppendUint16(b, item)
	return binary.LittleEndian.AppendUint16(b, sub)
}

func u16(v uint16) []byte { return binary.LittleEndian.AppendUint16(nil, v) }
