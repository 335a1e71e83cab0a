package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"z2mha/internal/console"
	"z2mha/internal/failover/engine"
	"z2mha/internal/world/demo"
	"z2mha/internal/world/z2msim"
)

const simulated = "simulated-zigbee2mqtt"

func demoCommand() *cobra.Command {
	var keep, tour bool
	var listen string
	cmd := &cobra.Command{
		Use: "demo", Short: "A home with emulated sticks, and its page", Args: noArgs,
		Long: "Put a home together on this machine (two SSH hosts, two emulated sticks, a broker, a lamp) and serve its page,\n" +
			"on which the network can be moved, until Ctrl-C. With --tour the network moves there and back by itself, and the\n" +
			"demonstration ends. Needs no root, no network and no hardware.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			play := demo.Stay
			if tour {
				play = demo.Tour
			}
			return play(cmd.Context(), demo.Options{
				Out: cmd.OutOrStdout(), Program: []string{self, simulated}, Keep: keep,
				Log: slog.New(slog.DiscardHandler), Listen: listen, Serve: serveDemo,
				Move: func(ctx context.Context, config, to string) error {
					return move(ctx, config, to, teller(cmd))
				},
			})
		},
	}
	cmd.Flags().BoolVar(&tour, "tour", false, "move the network there and back, then end")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "where the page is served")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the home's files for a look")
	return cmd
}

// move is `z2mha switchover --to NODE` without the command line around it.
func move(ctx context.Context, config, to string, t *console.Teller) error {
	return withController(ctx, &flags{config: config, quiet: true}, true, func(c *engine.Controller) error {
		ended, err := c.Switchover(ctx, engine.Request{To: to, Reason: "the demo"}, t.Watch)
		if err != nil {
			return err
		}
		return endedError(ended)
	})
}

// simulatedCommand is the Zigbee2MQTT of the demo's hosts, which start it as a
// process of its own.
func simulatedCommand() *cobra.Command {
	return &cobra.Command{
		Use: simulated, Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			code := z2msim.Run(cmd.Context(), z2msim.Options{DataDir: os.Getenv("ZIGBEE2MQTT_DATA"), Stdout: cmd.OutOrStdout()})
			if code != 0 {
				return &exitError{code, fmt.Errorf("ended with code %d", code)}
			}
			return nil
		},
	}
}
