//go:build !linux

package port

import (
	"errors"
	"io"
)

var errLinuxOnly = errors.New("serial ports are supported on Linux only; use tcp://host:port")

func openSerial(string) (io.ReadWriteCloser, error) { return nil, errLinuxOnly }

// findHolders sees nothing here.
func findHolders(string, int) ([]Holder, error) { return nil, ErrIncomplete }

func describe(string) (USB, bool) { return USB{}, false }
