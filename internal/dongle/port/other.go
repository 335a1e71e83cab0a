//go:build !linux

package port

import (
	"context"
	"errors"
	"io"
)

var errLinuxOnly = errors.New("serial ports are supported on Linux only; use tcp://host:port")

func openSerial(string) (io.ReadWriteCloser, error) { return nil, errLinuxOnly }

// findHolders sees nothing here.
func findHolders(string, int) ([]Holder, error) { return nil, ErrIncomplete }

func describe(string) (USB, bool) { return USB{}, false }

// FindAway finds nothing here.
func FindAway(string, string) (Away, error) { return Away{}, errLinuxOnly }

// Is, Gone and Take do nothing here.
func (Away) Is(string) bool                           { return false }
func (Away) Gone(string) bool                         { return false }
func (Away) Take(context.Context, string, bool) error { return errLinuxOnly }
