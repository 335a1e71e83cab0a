// Command z2mha keeps a Zigbee network alive on two or more Zigbee2MQTT hosts.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"z2mha/internal/config"
	"z2mha/internal/console"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
)

// Exit codes, as `z2mha help exit-codes` explains them.
const (
	exitOK         = 0
	exitFailed     = 1
	exitUsage      = 2
	exitRefused    = 3
	exitRolledBack = 4
	exitNeedsHelp  = 5
)

func main() {
	ctx, stop := interruptible()
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// interruptible ends its context at the first Ctrl-C, so that a run can turn back
// at the next step, and the program at the second.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signal.Ignore(syscall.SIGPIPE) // who reads along may go away; a run goes on
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "stopping at the next safe point; press Ctrl-C again to stop at once (the next z2mha then takes up the run)")
		cancel()
		<-signals
		os.Exit(128 + int(syscall.SIGINT))
	}()
	return ctx, cancel
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(console.Plain(os.Stderr), "z2mha: %v\n", err)
	}
	return exitCode(err)
}

// A usageError is a command line that cannot be followed.
type usageError struct{ error }

// An exitError carries its own exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var (
		own      *exitError
		usage    usageError
		problems *config.Problems
		unread   *config.ReadError
		refused  *network.RefusedError
		open     *engine.UnsettledError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &usage), errors.As(err, &problems), errors.As(err, &unread):
		return exitUsage
	case errors.As(err, &open):
		return exitNeedsHelp
	case errors.As(err, &refused):
		return exitRefused
	}
	return exitFailed
}
