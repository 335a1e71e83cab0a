package helper

import (
	"context"
	"errors"
	"io/fs"
	"net"

	"golang.org/x/sys/unix"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/port"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/storage/durable"
)

// classify gives an error its exit code; the text stays. The order matters: an error
// may wrap several, the first that fits tells most.
func classify(err error) *helperapi.Error {
	if e, ok := errors.AsType[*helperapi.Error](err); ok {
		return &helperapi.Error{Exit: e.Exit, Message: err.Error()}
	}
	return &helperapi.Error{Exit: exitOf(err), Message: err.Error()}
}

func exitOf(err error) helperapi.Exit {
	sentinels := []struct {
		err  error
		exit helperapi.Exit
	}{
		{unix.ENOSPC, helperapi.ExitNoSpace},
		{unix.EDQUOT, helperapi.ExitNoSpace},
		{nvram.ErrStopped, helperapi.ExitInterrupted},
		{context.Canceled, helperapi.ExitInterrupted},
		{nvram.ErrChanged, helperapi.ExitRefused},
		{znp.ErrNotZNP, helperapi.ExitNotZNP},
		{nvram.ErrNotHold, helperapi.ExitNotHold},
		{nvram.ErrReadBack, helperapi.ExitIO},
		{nvram.ErrRebooted, helperapi.ExitIO},
		{znp.ErrTimeout, helperapi.ExitIO},
		{znp.ErrPortLost, helperapi.ExitIO},
		{fs.ErrNotExist, helperapi.ExitIO},
		{fs.ErrPermission, helperapi.ExitIO},
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.exit
		}
	}
	return exitOfType(err)
}

func exitOfType(err error) helperapi.Exit {
	switch {
	case is[*port.BusyError](err), is[*durable.LockedError](err):
		return helperapi.ExitBusy
	case is[*port.NotAloneError](err):
		return helperapi.ExitRefused
	case is[*nvimage.MisfitError](err):
		return helperapi.ExitMisfit
	case is[*znp.StatusError](err), is[*znp.RPCError](err), is[net.Error](err), is[*fs.PathError](err), is[unix.Errno](err):
		return helperapi.ExitIO
	}
	return helperapi.ExitInternal
}

func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}
