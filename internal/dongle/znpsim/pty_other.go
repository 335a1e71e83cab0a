//go:build !linux

package znpsim

import (
	"context"
	"errors"
)

// A PTY is a stick's serial device; it exists on Linux only.
type PTY struct{ LinkPath string }

var errNoPTY = errors.New("pseudo-terminals are made on Linux only; serve the stick over TCP")

// OpenPTY fails here.
func (d *Dongle) OpenPTY(string) (*PTY, error) { return nil, errNoPTY }

// ServePTY fails here.
func (d *Dongle) ServePTY(context.Context, string) error { return errNoPTY }

// Serve fails here.
func (p *PTY) Serve(context.Context) error { return errNoPTY }
