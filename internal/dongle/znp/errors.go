package znp

import (
	"errors"
	"fmt"

	"z2mha/internal/dongle/unpi"
)

var (
	// ErrTimeout is wrapped by every error of a request or wait that ran out of time.
	ErrTimeout = errors.New("a timeout proves nothing, the stick may have acted or not")

	// ErrPortLost is wrapped by every error after the port ended or failed: a stick
	// unplugged, a network connection closed, a write that got stuck.
	ErrPortLost = errors.New("the connection to the stick is lost")

	// ErrClosed is wrapped by every error of a client that was closed by its owner.
	ErrClosed = errors.New("the client is closed")

	// ErrNotZNP is wrapped by Connect's error when no Z-Stack answered; the text around
	// it says what came instead.
	ErrNotZNP = errors.New("no Z-Stack stick answered")

	// ErrNoItem is wrapped when the stick has no such NV item. It is an answer of the
	// stick, never the result of a time-out.
	ErrNoItem = errors.New("the stick has no such item")

	// ErrShortAnswer is wrapped when an answer has fewer bytes than its command demands.
	ErrShortAnswer = errors.New("the answer is too short")
)

// An RPCError is the stick's way to say that it did not understand a request.
type RPCError struct {
	Code      byte // 1 bad subsystem, 2 bad command id, 3 bad parameter, 4 bad length
	Subsystem unpi.Subsystem
	ID        byte
}

func (e *RPCError) Error() string {
	return fmt.Sprintf("%s: the stick refused the request (RPC error %d, %s)",
		CommandName(e.Subsystem, e.ID), e.Code, rpcCodeName(e.Code))
}

func rpcCodeName(code byte) string {
	switch code {
	case 1:
		return "bad subsystem: the firmware has no such group of commands"
	case 2:
		return "bad command id: the firmware does not know this command"
	case 3:
		return "bad parameter"
	case 4:
		return "bad length"
	}
	return "unknown code"
}

// A StatusError is a status other than success in the answer to Command.
type StatusError struct {
	Command string // TI's name, such as SYS_NV_UPDATE
	Status  byte
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: status %#02x (%s)", e.Command, e.Status, statusName(e.Command, e.Status))
}
