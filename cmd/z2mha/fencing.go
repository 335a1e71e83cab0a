package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
)

func fenceCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "fence", Short: "What can take the radio of a node away without asking the node"}
	cmd.AddCommand(fenceCheckCommand(f))
	return cmd
}

func fenceCheckCommand(f *flags) *cobra.Command {
	var test bool
	var words typed
	cmd := &cobra.Command{
		Use: "check [NODE]", Short: "Ask every fence whether it could cut now; changes nothing",
		Long: "Ask every fence of the configuration whether it could cut the power of its node now. Nothing is switched.\n" +
			"With --test the fences of one stand-by really cut, and it is looked whether host and stick are gone then: a fence\n" +
			"that was never tried may cut something else. Switch the power on again yourself afterwards.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			node := ""
			if len(args) == 1 {
				node = args[0]
			}
			if test && node == "" {
				return usageError{errors.New("name the node whose fences are to cut: z2mha fence check NODE --test")}
			}
			return withController(cmd.Context(), f, test, func(c *engine.Controller) error {
				if !test {
					return sayFences(cmd.OutOrStdout(), c.CheckFences, cmd, f.network, node)
				}
				if err := words.ask(cmd, "test the fences of "+node, "cut the power of "+node); err != nil {
					return err
				}
				return sayFences(cmd.OutOrStdout(), c.TestFences, cmd, f.network, node)
			})
		},
	}
	cmd.Flags().BoolVar(&test, "test", false, "really cut the power of NODE, which must be a stand-by; asks you to type the words")
	words.flag(cmd)
	return cmd
}

type fencesOf func(ctx context.Context, net, node string) ([]engine.FenceCheck, error)

// sayFences prints one line for each fence, and fails when one could not cut.
func sayFences(w io.Writer, ask fencesOf, cmd *cobra.Command, net, node string) error {
	checks, err := ask(cmd.Context(), net, node)
	if err != nil {
		return err
	}
	if len(checks) == 0 {
		return &network.RefusedError{What: "fence check", Why: "no fence is configured",
			Remedy: "add some with fence: under a node in z2mha.yaml; until then a host that is lost waits for a person"}
	}
	bad := 0
	for _, c := range checks {
		says := c.Saw
		if says == "" {
			says = "could cut now"
		}
		if c.Err != nil {
			bad, says = bad+1, "✗ "+c.Err.Error()
		} else {
			says = "✓ " + says
		}
		fmt.Fprintf(w, "%s: %s\n  %s\n", c.Node, c.Fence, says)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d fences would give no proof", bad, len(checks))
	}
	return nil
}
