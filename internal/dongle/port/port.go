// Package port opens the way to a stick: a serial device, or a network coordinator's
// TCP port.
//
// A serial device is never shared. Two programs that open it at the same time steal
// each other's bytes, and a program that is starting may take a stolen answer for "this
// stick is empty". No single lock keeps everybody out: Zigbee2MQTT takes a flock, other
// programs set TIOCEXCL, some do nothing, root is not stopped by TIOCEXCL, and a flock
// is on the device node, of which every container has its own. So Open
//
//  1. looks who has the device open, by device number, without opening it,
//  2. opens it without waiting and without becoming its terminal, which on Linux leaves
//     DTR and RTS as they are for a device in use and asserts both for one that is not,
//  3. takes the flock, and looks again for whoever came in between,
//  4. and only then touches the line settings, and sets TIOCEXCL.
//
// A refused Open has changed nothing for the owner. DTR and RTS are never set: on many
// sticks they are wired to reset and boot loader.
//
// Whoever offers a pseudo terminal as a device must not keep its slave side open, or it
// counts as the program that holds it.
package port

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// Open opens address: a device path, or tcp://host:port (socket://host:port is the
// same). A serial device runs at 115200 baud, 8N1, raw, without flow control. Closing
// wakes a blocked Read or Write. ctx limits only the opening.
//
// It returns a *BusyError when another process has the port; the error of a missing
// device or a missing permission says what to do.
func Open(ctx context.Context, address string) (io.ReadWriteCloser, error) {
	rw, err := open(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("open port: %w", err)
	}
	return rw, nil
}

func open(ctx context.Context, address string) (io.ReadWriteCloser, error) {
	if IsNetwork(address) {
		return openTCP(ctx, address)
	}
	if err := checkPath(address); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return openSerial(address)
}

// IsNetwork reports whether address is a network coordinator's rather than a device path.
func IsNetwork(address string) bool {
	return strings.HasPrefix(address, "tcp://") || strings.HasPrefix(address, "socket://")
}

func checkPath(address string) error {
	if address == "" || strings.Contains(address, "://") {
		return fmt.Errorf("%q is neither a device path such as /dev/serial/by-id/… nor tcp://host:port", address)
	}
	return nil
}

// Holders lists the processes that have address open, in order of their pid; this one is
// among them if it does. It never opens the device: it compares device numbers, so a
// symbolic link or a container's own device node makes no difference. For a network
// coordinator it lists the processes of this host, containers included, with a
// connection to it.
//
// An error that wraps ErrIncomplete comes with the holders that could be seen: without
// root's rights other users' processes cannot be looked into, so an empty list then
// proves nothing.
func Holders(address string) ([]Holder, error) {
	holders, err := findHolders(address, nobody)
	if err != nil {
		return holders, fmt.Errorf("who uses %s: %w", address, err)
	}
	return holders, nil
}

// nobody is no process's pid.
const nobody = 0
