package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/remote"
)

// A call is one run of a helper's verb. Its command is built again for every try.
type call struct {
	argv     []string
	stdin    []byte
	hold     bool // the verb stops when standard input ends
	timeout  time.Duration
	progress engine.Progress // may be nil
}

func (c call) command(helper string) remote.Command {
	cmd := remote.Command{
		Argv:    append([]string{helper}, c.argv...),
		Become:  true,
		Hold:    c.hold,
		Timeout: c.timeout,
	}
	if c.stdin != nil {
		cmd.Stdin = bytes.NewReader(c.stdin)
	}
	if c.progress != nil {
		cmd.OnLine = c.report
	}
	return cmd
}

func (c call) report(line []byte) {
	m, err := helperapi.ParseLine(line)
	if err == nil && m.Progress != nil {
		c.progress(m.Progress.Step, m.Progress.Done, m.Progress.Total)
	}
}

// callOnce runs the verb and returns its result. Errors: those of remote.Conn.Run,
// and *helperapi.Error when the helper refused or failed.
func callOnce[T any](ctx context.Context, n *Node, c call) (T, error) {
	var none T
	out, err := n.runHelper(ctx, c.command)
	if err != nil {
		return none, err
	}
	if out.Exit != 0 {
		return none, helperapi.ParseError(out.Stderr, out.Exit)
	}
	result, err := helperapi.Result[T](out.Stdout)
	if err != nil {
		return none, fmt.Errorf("znp-helper %s: %w", c.argv[0], err)
	}
	return result, nil
}

// runHelper runs a command of the helper that was checked over the very connection it
// runs over. A connection that is found dead is made again, and the helper checked again.
func (n *Node) runHelper(ctx context.Context, build func(helper string) remote.Command) (remote.Output, error) {
	for again := false; ; again = true {
		helper, number, err := n.helper.ready(ctx)
		if err != nil {
			return remote.Output{}, err
		}
		cmd := build(helper)
		cmd.Connection = number
		out, err := n.conn.Run(ctx, cmd)
		if again || !errors.Is(err, remote.ErrReconnected) {
			return out, err
		}
	}
}

// callAgain is callOnce for a verb with a run id. When the connection is lost it
// comes back and asks under the same id: the act is not repeated, its result is
// told or its end awaited.
func callAgain[T any](ctx context.Context, n *Node, c call) (T, error) {
	result, err := callOnce[T](ctx, n, c)
	var lost *remote.LostError
	if !errors.As(err, &lost) || ctx.Err() != nil {
		return result, err
	}
	n.cfg.Log.Info("connection lost, coming back to the act", "node", n.cfg.Name, "verb", c.argv[0])
	until, cancel := context.WithTimeout(ctx, n.cfg.Timeouts.Reattach)
	defer cancel()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		if err := comeBack(until, n, wait); err != nil {
			return result, fmt.Errorf("%w; coming back: %w", lost, err)
		}
		result, err = callOnce[T](ctx, n, c)
		if !isAway(err) || until.Err() != nil {
			return result, err
		}
	}
}

// isAway says that the host could not be asked, or not to the end.
func isAway(err error) bool {
	var lost *remote.LostError
	var unreachable *remote.UnreachableError
	return errors.As(err, &lost) || errors.As(err, &unreachable)
}

// comeBack waits and connects, until that works or ctx ends.
func comeBack(ctx context.Context, n *Node, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		_, err := n.conn.Connect(ctx)
		if err == nil || !isAway(err) {
			return err
		}
		timer.Reset(wait)
	}
}
