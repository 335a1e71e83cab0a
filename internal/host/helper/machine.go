package helper

import (
	"context"
	"io"

	"z2mha/internal/dongle/port"
	"z2mha/internal/host/ending"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/probe"
)

// A Machine is what verbs meet besides files: sticks and processes.
type Machine interface {
	ending.Machine
	// Open is port.Open.
	Open(ctx context.Context, address string) (io.ReadWriteCloser, error)
	// Look is probe.Look.
	Look(helperapi.ProbeArgs) (helperapi.ProbeResult, error)
	// InUse is probe.DataHolders.
	InUse(dir string) ([]helperapi.Holder, error)
}

// here is the machine that this program runs on.
type here struct{ ending.Here }

func (here) Open(ctx context.Context, address string) (io.ReadWriteCloser, error) {
	return port.Open(ctx, address)
}

func (here) Look(a helperapi.ProbeArgs) (helperapi.ProbeResult, error) { return probe.Look(a) }

func (here) InUse(dir string) ([]helperapi.Holder, error) { return probe.DataHolders(dir) }
