package durable

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrCrashed is what every operation returns once CrashAt has struck.
var ErrCrashed = errors.New("crashed here on purpose")

// A TornError from Disk.Fault at a write lets the first Bytes bytes reach the
// disk before the write fails with Err.
type TornError struct {
	Bytes int
	Err   error
}

func (e *TornError) Error() string { return fmt.Sprintf("written %d bytes: %v", e.Bytes, e.Err) }

// Unwrap returns the disk's error.
func (e *TornError) Unwrap() error { return e.Err }

// CrashAt returns a fault that ends the program, as far as the disk can tell, at
// the n-th operation (1 is the first): that operation does not happen, or half
// of it when it is a write, and no later one does.
func CrashAt(n int) func(Op, string) error {
	var count atomic.Int64
	return func(op Op, _ string) error {
		k := count.Add(1)
		switch {
		case k < int64(n):
			return nil
		case k == int64(n) && op == OpWrite:
			return &TornError{Bytes: 7, Err: ErrCrashed}
		default:
			return ErrCrashed
		}
	}
}

// FailOn returns a fault that makes every operation of kind op fail with err.
func FailOn(op Op, err error) func(Op, string) error {
	return func(o Op, _ string) error {
		if o == op {
			return err
		}
		return nil
	}
}
