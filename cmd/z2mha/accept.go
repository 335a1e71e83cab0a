package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"z2mha/internal/console"
	"z2mha/internal/failover/engine"
)

func acceptCommand(f *flags) *cobra.Command {
	var words typed
	cmd := &cobra.Command{
		Use: "accept GENERATION", Short: "Take a capture that was refused for what the network is from now on",
		Long: "A capture that tells of another network than the last good one, or of less, reaches no stand-by until you say\n" +
			"that it is right: ten devices removed on purpose, another channel. What differs is shown first.",
		Args: numberArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := strconv.Atoi(args[0])
			if err != nil {
				return usageError{err}
			}
			return withController(cmd.Context(), f, true, func(c *engine.Controller) error {
				return accept(cmd, c, f.network, number, words)
			})
		},
	}
	words.flag(cmd)
	return cmd
}

func numberArg(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("%s takes the number of one generation; `z2mha shelf list` shows them", cmd.Name())}
	}
	if n, err := strconv.Atoi(args[0]); err != nil || n < 1 {
		return usageError{fmt.Errorf("%q is no number of a generation; `z2mha shelf list` shows them", args[0])}
	}
	return nil
}

func accept(cmd *cobra.Command, c *engine.Controller, net string, number int, words typed) error {
	why, err := c.WhyRefused(net, number)
	if err != nil {
		return err
	}
	console.Refused(cmd.OutOrStdout(), number, why)
	if err := words.ask(cmd, fmt.Sprintf("accept %d", number), fmt.Sprintf("accept %d", number)); err != nil {
		return err
	}
	if _, err := c.Accept(net, number, whoami()+" on the command line"); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "generation %d is what the network is from now on\n", number)
	return captureNow(cmd.Context(), cmd, c, net, false)
}

// captureNow brings what the network is now to the stand-bys, and says what it could not.
func captureNow(ctx context.Context, cmd *cobra.Command, c *engine.Controller, net string, accept bool) error {
	got, err := c.Capture(ctx, engine.CaptureRequest{Network: net, Reason: byHand, Live: true, AcceptChange: accept}, teller(cmd).Watch)
	for node, why := range got.Unreachable {
		err = errors.Join(err, fmt.Errorf("%s was not reached: %w", node, why))
	}
	if got.Refused != 0 {
		console.Refused(cmd.OutOrStdout(), got.Refused, got.Why)
		return errors.Join(err, &exitError{exitRefused, fmt.Errorf("the capture is refused and reaches nobody; if it is right, say so: z2mha accept %d", got.Refused)})
	}
	if err == nil && got.Run == "" {
		fmt.Fprintf(cmd.OutOrStdout(), "nothing to do: every stand-by has generation %d\n", got.Generation)
	}
	return errors.Join(err, endedError(got.Ended))
}
