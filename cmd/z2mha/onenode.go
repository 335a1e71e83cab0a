package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"z2mha/internal/config"
	"z2mha/internal/console"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/holds"
	"z2mha/internal/storage/notes"
)

func stopCommand(f *flags) *cobra.Command {
	return oneNodeCommand(f, "stop NODE", "Stop Zigbee2MQTT on one node and silence its stick",
		"Stop Zigbee2MQTT on one node, reset its stick and read back that it is silent. When that is the active node the home\n"+
			"has no Zigbee until a node is started again. The node is also kept from starting at boot.",
		oneNodeVerb{do: (*engine.Controller).StopNode, preview: (*engine.Controller).PlanStop})
}

func startCommand(f *flags) *cobra.Command {
	return oneNodeCommand(f, "start [NODE]", "Start the node that was active last, when nobody is",
		"Start Zigbee2MQTT on the node that was active last, while nobody is. All other sticks are proven silent first, and the\n"+
			"counters on the node's own stick are raised above everything the network may have used.",
		oneNodeVerb{verb: desk.Start, accept: true, held: true, do: (*engine.Controller).StartNode, preview: (*engine.Controller).PlanStart})
}

func repairCommand(f *flags) *cobra.Command {
	return oneNodeCommand(f, "repair [NODE]", "Restart Zigbee2MQTT on the active node in place, its stick included",
		"End Zigbee2MQTT on the active node, also when it hangs, reset its stick, and start it again. No data is moved, and the home\n"+
			"has no Zigbee for about a minute. When it does not work again the node ends silent, so that a stand-by may take over.",
		oneNodeVerb{verb: desk.Repair, accept: true, do: (*engine.Controller).Repair, preview: (*engine.Controller).PlanRepair})
}

func returnCommand(f *flags) *cobra.Command {
	return oneNodeCommand(f, "return [NODE]", "Make a node that was active once a stand-by again",
		"Stop Zigbee2MQTT on a node that was active once and came back, silence its stick, and give it what the network is now. The\n"+
			"active node goes on; it is restarted only when the other one has used frame counters above its own. What is on the node is kept.",
		oneNodeVerb{verb: desk.Return, do: (*engine.Controller).Return, preview: (*engine.Controller).PlanReturn})
}

type oneNodeVerb struct {
	verb    desk.Verb // for a server that runs; "" when it must be asked on its page
	accept  bool      // it may take data that are unlike the last copy
	held    bool      // a person may want it while the network is on hold
	do      func(*engine.Controller, context.Context, engine.Request, engine.Watch) (engine.Ended, error)
	preview func(*engine.Controller, context.Context, string, string) (plan.Plan, []engine.Explained, error)
}

func oneNodeCommand(f *flags, use, short, long string, verb oneNodeVerb) *cobra.Command {
	var dryRun, accept, held bool
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("one node at a time, not %d", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			node := ""
			if len(args) == 1 {
				node = args[0]
			}
			err := withController(cmd.Context(), f, !dryRun, func(c *engine.Controller) error {
				if dryRun {
					p, steps, err := verb.preview(c, cmd.Context(), f.network, node)
					if err == nil {
						console.Plan(cmd.OutOrStdout(), p, steps)
					}
					return err
				}
				ended, err := verb.do(c, cmd.Context(), engine.Request{Network: f.network, To: node, Reason: byHand, AcceptChange: accept, DespiteHold: held}, teller(cmd).Watch)
				return errors.Join(err, endedError(ended))
			})
			if accept || verb.verb == "" {
				return err
			}
			return handOver(cmd, f, err, status.Errand{Verb: string(verb.verb), To: node, DespiteHold: held})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print every step and remote command, change nothing")
	if verb.held {
		cmd.Flags().BoolVar(&held, "despite-hold", false, "do it although the network is on hold, which it stays")
	}
	if verb.accept {
		cmd.Flags().BoolVar(&accept, "accept-change", false,
			"start although its data are unlike the last copy, or its stick is older than its data")
	}
	return cmd
}

func holdCommand(f *flags) *cobra.Command {
	return holding(f, "hold", "Watch the network and do nothing, until it is released", true)
}

func releaseCommand(f *flags) *cobra.Command {
	return holding(f, "release", "Release a hold", false)
}

// acknowledgeCommand notes it where a server looks, so it works beside one.
func acknowledgeCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "acknowledge", Short: "Say that the last failover is dealt with, so that another one may follow", Args: noArgs,
		Long: "After a failover by itself there is no second one for a while (policy.cool_down), so that a network does not wander\n" +
			"about at night. When you have looked and all is well again, this ends that time.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			around := here(f)
			cfg, err := around.peek()
			if err != nil {
				return err
			}
			names, err := namedNetworks(cfg, f.network)
			if err != nil {
				return err
			}
			kept := notes.New(filepath.Join(cfg.State, "notes"), durable.Disk{})
			for _, name := range names {
				err := kept.Change(name, func(n *status.Notes) { n.Acknowledged, n.By = time.Now(), whoami()+" on the command line" })
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: acknowledged\n", name)
			}
			return nil
		},
	}
}

// holding changes a file that a server reads before each act, so it works beside one.
func holding(f *flags, use, short string, on bool) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			around := here(f)
			cfg, err := around.peek()
			if err != nil {
				return err
			}
			names, err := namedNetworks(cfg, f.network)
			if err != nil {
				return err
			}
			h := holds.New(filepath.Join(cfg.State, "holds"), durable.Disk{})
			for _, name := range names {
				if err := hold(h, name, on); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", name, map[bool]string{true: "on hold", false: "not held"}[on])
			}
			return nil
		},
	}
}

// hold leaves a hold as it is: it may be one that only a person may release.
func hold(h *holds.Holds, network string, on bool) error {
	was, err := h.Load(network)
	switch {
	case !on:
		return h.Save(network, status.Hold{})
	case err == nil && was.On:
		return nil
	}
	return h.Save(network, status.Hold{On: true, Since: time.Now(), By: whoami() + " on the command line"})
}

// namedNetworks is the one that was named, or all.
func namedNetworks(cfg *config.Config, name string) ([]string, error) {
	var all []string
	for _, n := range cfg.Networks {
		if name == "" || n.Name == name {
			all = append(all, n.Name)
		}
	}
	if len(all) == 0 {
		return nil, usageError{fmt.Errorf("there is no network %q; the configuration has %s", name, networkNames(cfg))}
	}
	return all, nil
}

func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("user %d", os.Getuid())
}
