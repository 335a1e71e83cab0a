package znp

import (
	"context"
	"encoding/binary"
	"fmt"
)

// maxReadOSAL is the most one answer to OSAL_NV_READ or READ_EXT holds.
const maxReadOSAL = 247

// Status codes that mean "absent".
const (
	osalInvalid byte = 0x02 // to a read
	osalAbsent  byte = 0x09 // to a delete
)

// ReadOSAL returns the whole value of an OSAL item, in one exchange unless the item has
// more than 246 bytes. It returns ErrNoItem when the stick has no such item; for
// 0x0069, 0x006A and 0x006B, which no firmware lets anybody read, that says nothing.
func (c *Client) ReadOSAL(ctx context.Context, id uint16) ([]byte, error) {
	value, err := c.readOSAL(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read NV item %#04x: %w", id, err)
	}
	return value, nil
}

func (c *Client) readOSAL(ctx context.Context, id uint16) ([]byte, error) {
	cmd, request := sysOSALRead, append(u16(id), 0)
	var value []byte
	for {
		part, err := c.readPart(ctx, cmd, request)
		if isStatus(err, osalInvalid) {
			if len(value) > 0 { // the item ended where the last answer did
				return value, nil
			}
			return nil, ErrNoItem
		}
		if err != nil {
			return nil, err
		}
		value = append(value, part...)
		if len(part) < maxReadOSAL {
			return value, nil
		}
		cmd, request = sysOSALReadExt, append(u16(id), u16(uint16(len(value)))...)
	}
}

// readPart asks for a value that comes as status, length, bytes.
func (c *Client) readPart(ctx context.Context, cmd command, request []byte) ([]byte, error) {
	d, err := c.ask(ctx, cmd, request, 2)
	if err != nil {
		return nil, err
	}
	if d[0] != statusOK {
		return nil, &StatusError{Command: cmd.String(), Status: d[0]}
	}
	n := int(d[1])
	if len(d) < 2+n {
		return nil, tooShort(cmd, len(d), 2+n)
	}
	return d[2 : 2+n], nil
}

// LengthOSAL returns the length of an OSAL item in bytes, 0 when it is absent. For
// 0x0024 it is always 0.
func (c *Client) LengthOSAL(ctx context.Context, id uint16) (int, error) {
	d, err := c.ask(ctx, sysOSALLength, u16(id), 2)
	if err != nil {
		return 0, fmt.Errorf("length of NV item %#04x: %w", id, err)
	}
	return int(binary.LittleEndian.Uint16(d)), nil
}

// DeleteOSAL deletes an OSAL item, whose length must be given exactly. It returns
// ErrNoItem when there is none.
func (c *Client) DeleteOSAL(ctx context.Context, id uint16, length int) error {
	err := refuseForbidden(0, id)
	if err == nil {
		err = c.command(ctx, sysOSALDelete, append(u16(id), u16(uint16(length))...))
	}
	if isStatus(err, osalAbsent) {
		err = ErrNoItem
	}
	if err != nil {
		return fmt.Errorf("delete NV item %#04x: %w", id, err)
	}
	return nil
}
