package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"z2mha/internal/config"
	"z2mha/internal/console"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/version"
)

// flags are what commands have in common.
type flags struct {
	config  string
	network string
	verbose bool
	quiet   bool // the demo keeps warnings of its configuration to itself
}

func newRoot() *cobra.Command {
	var f flags
	root := &cobra.Command{
		Use:   "z2mha",
		Short: "Keep a Zigbee network alive on two or more Zigbee2MQTT hosts",
		Long: "z2mha keeps stand-by Zigbee2MQTT hosts ready and moves the network to one of them,\n" +
			"without re-pairing a device and without ever letting two coordinators speak.",
		Version:       version.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVarP(&f.config, "config", "c", defaultConfig(), "configuration file; $Z2MHA_CONFIG names another default")
	root.PersistentFlags().StringVarP(&f.network, "network", "n", "", "network, when there is more than one")
	root.PersistentFlags().BoolVarP(&f.verbose, "verbose", "v", false, "log every action to standard error")
	root.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("there is no command %q; `z2mha help` lists them", args[0])}
		}
		return nil
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(listCommand(&f), preflightCommand(&f), syncCommand(&f), switchoverCommand(&f),
		acceptCommand(&f), failoverCommand(&f), seedCommand(&f), restoreCommand(&f), shelfCommand(&f),
		fenceCommand(&f), stopCommand(&f), startCommand(&f), repairCommand(&f), returnCommand(&f), acknowledgeCommand(&f), holdCommand(&f), releaseCommand(&f),
		whyCommand(&f), replayCommand(),
		serveCommand(&f), backupCommand(&f), healthcheckCommand(&f), checkConfigCommand(&f), demoCommand(), simulatedCommand(), exitCodesTopic())
	return root
}

func defaultConfig() string {
	if p := os.Getenv("Z2MHA_CONFIG"); p != "" {
		return p
	}
	return "z2mha.yaml"
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: "0  done, or nothing to do\n" +
			"1  failed; the message says in which state things are\n" +
			"2  the command line or the configuration cannot be used\n" +
			"3  refused; nothing was changed\n" +
			"4  taken back; who serves the home is as it was before\n" +
			"5  a person must look; nothing else acts until then",
	}
}

// withController runs f with everything the configuration describes.
func withController(ctx context.Context, f *flags, lock bool, do func(*engine.Controller) error) (err error) {
	cfg, err := config.Load(f.config)
	if err != nil {
		return err
	}
	if !f.quiet {
		for _, w := range cfg.Warnings {
			fmt.Fprintf(os.Stderr, "warning: %s\n", w)
		}
	}
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	app, err := wire(ctx, cfg, once(cfg, lock, log), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.close()) }()
	return do(app.controller)
}

func listCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Show networks, nodes and who is active", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withController(cmd.Context(), f, false, func(c *engine.Controller) error {
				all, err := c.List(cmd.Context(), f.network)
				if err == nil {
					console.Networks(cmd.OutOrStdout(), all)
				}
				return err
			})
		},
	}
}

func preflightCommand(f *flags) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "preflight", Short: "Check whether the network could move now; changes nothing on the hosts", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// It opens the stand-bys' sticks, so no run may be under way.
			return withController(cmd.Context(), f, true, func(c *engine.Controller) error {
				a, err := c.Preflight(cmd.Context(), f.network, to)
				if err != nil {
					return err
				}
				console.Checks(cmd.OutOrStdout(), a)
				if len(a.Blocking()) > 0 {
					return &exitError{exitRefused, errors.New("not ready for a switchover")}
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "node that should take over")
	return cmd
}

// byHand is the reason that the journal of a run gives.
const byHand = "asked for on the command line"

func acceptFlag(cmd *cobra.Command, accept *bool) {
	cmd.Flags().BoolVar(accept, "accept-change", false,
		"take the active's data although it tells of another network than the last copy, or of far fewer devices")
}

func syncCommand(f *flags) *cobra.Command {
	var accept bool
	cmd := &cobra.Command{
		Use: "sync", Short: "Bring the stand-bys up to date: data, and the memory of their sticks", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withController(cmd.Context(), f, true, func(c *engine.Controller) error {
				return captureNow(cmd.Context(), cmd, c, f.network, accept)
			})
		},
	}
	acceptFlag(cmd, &accept)
	return cmd
}

func switchoverCommand(f *flags) *cobra.Command {
	var to string
	var dryRun, accept, careful, yield bool
	cmd := &cobra.Command{
		Use: "switchover", Short: "Move the network to another node", Args: noArgs,
		Long: "Move the network to another node. Every step is verified; when one cannot be, the move is taken back.\n" +
			"A run that was cut off earlier is finished or taken back first.\n" +
			"To a stand-by that is kept ready it takes a few seconds. --careful reads the old stick whole in between.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := engine.Request{Network: f.network, To: to, Reason: byHand, AcceptChange: accept, Careful: careful, Yield: yield}
			return withController(cmd.Context(), f, !dryRun, func(c *engine.Controller) error {
				if dryRun {
					p, steps, err := c.DryRun(cmd.Context(), r)
					if err == nil {
						console.Plan(cmd.OutOrStdout(), p, steps)
					}
					return alreadyActive(cmd, err)
				}
				ended, err := c.Switchover(cmd.Context(), r, teller(cmd).Watch)
				if err != nil {
					return alreadyActive(cmd, err)
				}
				return endedError(ended)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "node that takes over; may be left out when there is one stand-by")
	acceptFlag(cmd, &accept)
	cmd.Flags().BoolVar(&yield, "let-zigbee2mqtt-restore", false,
		"for a stick of another firmware: Zigbee2MQTT restores its backup there, which takes about 20 s longer and is on air as another network meanwhile")
	cmd.Flags().BoolVar(&careful, "careful", false, "read the memory of the old stick whole, although the stand-by is kept ready; takes about a minute")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print every step and remote command, change nothing")
	return cmd
}

func alreadyActive(cmd *cobra.Command, err error) error {
	if errors.Is(err, engine.ErrAlreadyActive) {
		fmt.Fprintf(cmd.OutOrStdout(), "nothing to do: %v\n", err)
		return nil
	}
	return err
}

func teller(cmd *cobra.Command) *console.Teller {
	return console.NewTeller(cmd.OutOrStdout(), term.IsTerminal(int(os.Stdout.Fd())))
}

// endedError gives a run's end its exit code.
func endedError(e engine.Ended) error {
	switch e.Outcome {
	case plan.RolledBack:
		switch e.Plan.Kind {
		case plan.KindStart, plan.KindFailover, plan.KindRepair:
			return &exitError{exitRolledBack, fmt.Errorf("taken back, %s is silent again: %w", e.Plan.To, e.Err)}
		case plan.KindReturn, plan.KindSilence:
			return &exitError{exitRolledBack, fmt.Errorf("taken back, %s is active again: %w", e.Plan.To, e.Err)}
		}
		return &exitError{exitRolledBack, fmt.Errorf("taken back, %s is active again: %w", e.Plan.From, e.Err)}
	case plan.NeedsHelp:
		return &exitError{exitNeedsHelp, e.Err}
	case plan.GivenUp:
		var unconfirmed *engine.UnconfirmedError
		if errors.As(e.Err, &unconfirmed) { // the ladder was climbed: more than nothing was done
			return &exitError{exitFailed, fmt.Errorf("given up, nothing was started: %w", e.Err)}
		}
		var refused *network.RefusedError
		if errors.As(e.Err, &refused) {
			return e.Err
		}
		if e.Plan.Kind == plan.KindStop {
			return fmt.Errorf("%s may be stopped and is not proven silent: %w", e.Plan.From, e.Err)
		}
		if e.Plan.Kind == plan.KindReturn || e.Plan.Kind == plan.KindSilence {
			return fmt.Errorf("given up, %s goes on: %w", e.Plan.To, e.Err)
		}
		return fmt.Errorf("given up, %s was not touched: %w", e.Plan.From, e.Err)
	}
	return e.Err
}

func checkConfigCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "check-config [FILE]", Short: "Read the configuration and say what is wrong with it",
		RunE: func(cmd *cobra.Command, args []string) error {
			path := f.config
			switch len(args) {
			case 0:
			case 1:
				path = args[0]
			default:
				return usageError{fmt.Errorf("check-config takes one file, not %d", len(args))}
			}
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			for _, w := range cfg.Warnings {
				fmt.Fprintf(cmd.OutOrStdout(), "warning: %s\n", w)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is good; networks: %s\n", path, networkNames(cfg))
			return nil
		},
	}
}

func networkNames(cfg *config.Config) string {
	var names []string
	for _, n := range cfg.Networks {
		names = append(names, n.Name)
	}
	return strings.Join(names, ", ")
}

func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usageError{err}
	}
	return nil
}
