package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"z2mha/internal/console"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/memory"
	"z2mha/internal/storage/notes"
)

func failoverCommand(f *flags) *cobra.Command {
	var to string
	var dryRun, unplugged, risk bool
	var words typed
	cmd := &cobra.Command{
		Use: "failover", Short: "Move the network away from a node that cannot serve any more", Args: noArgs,
		Long: "Move the network away from a node whose Zigbee2MQTT, stick or host is broken. The other node starts on the last good\n" +
			"copy, so nothing is paired again. When the broken host can be reached its stick is silenced; when it cannot, what is\n" +
			"configured as its fence cuts its power. Where there is no fence, or none works, unplug the stick or cut the power, and\n" +
			"say so with --confirm-unplugged: two coordinators on air would ruin the network.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			confirmed, from := "", ""
			about := func() (err error) { // after what the word is about
				if from, err = lastActive(f); err == nil && from != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "This is about %s, which was active last.\n", from)
				}
				return err
			}
			err := withController(cmd.Context(), f, !dryRun, func(c *engine.Controller) error {
				if unplugged {
					confirmed = confirmation()
				}
				r := engine.Request{Network: f.network, To: to, Reason: byHand, Confirmed: confirmed}
				if risk && !dryRun {
					if err := errors.Join(about(), words.ask(cmd, "failover without proof", decide.RiskWords)); err != nil {
						return err
					}
					r.AcceptRisk, r.From = decide.RiskWords, from
				}
				if dryRun {
					p, steps, err := c.PlanFailover(cmd.Context(), f.network, to, confirmed)
					if err == nil {
						console.Plan(cmd.OutOrStdout(), p, steps)
					}
					return err
				}
				if unplugged {
					if err := errors.Join(about(), words.ask(cmd, "failover", unpluggedWords)); err != nil {
						return err
					}
					r.From = from
				}
				ended, err := c.Failover(cmd.Context(), r, teller(cmd).Watch)
				return errors.Join(err, endedError(ended))
			})
			if locked, busy := errors.AsType[*durable.LockedError](err); busy && !risk && !dryRun {
				if unplugged {
					if err := errors.Join(about(), words.ask(cmd, "failover", unpluggedWords)); err != nil {
						return err
					}
					confirmed = confirmation()
				}
				return handOver(cmd, f, locked, status.Errand{Verb: string(desk.Failover), From: from, To: to, Confirmed: confirmed})
			}
			return err
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "node that takes over; may be left out when there is one stand-by")
	cmd.Flags().BoolVar(&unplugged, "confirm-unplugged", false, "the stick of the broken node has no power, and stays without until its host was looked at")
	cmd.Flags().BoolVar(&risk, "accept-risk", false, "go on when nobody can prove that the old node is silent; asks you to type \""+decide.RiskWords+"\"")
	cmd.MarkFlagsMutuallyExclusive("confirm-unplugged", "accept-risk")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print every step and remote command, change nothing")
	words.flag(cmd)
	return cmd
}

// unpluggedWords are typed by somebody who has seen it.
const unpluggedWords = "the stick is unplugged"

func confirmation() string {
	return fmt.Sprintf("%s confirmed on the command line at %s that its stick has no power", whoami(), time.Now().Format(time.DateTime))
}

// lastActive is the node on record as the active one, "" when there is none.
func lastActive(f *flags) (string, error) {
	around := here(f)
	cfg, err := around.peek()
	if err != nil {
		return "", err
	}
	names, err := namedNetworks(cfg, f.network)
	if err != nil || len(names) != 1 {
		return "", err
	}
	r, err := memory.New(filepath.Join(cfg.State, "records"), durable.Disk{}).Load(names[0])
	return r.Active, err
}

// handOver gives an errand to the server that works in the same state directory; any other
// error comes back as it is. What becomes of it is told where the server tells it.
func handOver(cmd *cobra.Command, f *flags, err error, e status.Errand) error {
	if _, busy := errors.AsType[*durable.LockedError](err); !busy {
		return err
	}
	around := here(f)
	cfg, loadErr := around.peek()
	if loadErr != nil {
		return errors.Join(err, loadErr)
	}
	names, namedErr := namedNetworks(cfg, f.network)
	if namedErr != nil {
		return errors.Join(err, namedErr)
	}
	if len(names) != 1 {
		return &network.RefusedError{What: e.Verb, Why: "the configuration has several networks", Remedy: "name one with --network"}
	}
	kept := notes.New(filepath.Join(cfg.State, "notes"), durable.Disk{})
	e.At, e.By = time.Now(), whoami()+" on the command line"
	if err := kept.Change(names[0], func(n *status.Notes) { n.Errand = &e }); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: a server works here, and takes this up with its next look; its page and its log tell what becomes of it\n", names[0])
	return nil
}

func seedCommand(f *flags) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "seed", Short: "Restart Zigbee2MQTT once, to load the stand-bys' sticks for the first time", Args: noArgs,
		Long: "The first time, the memory of the active stick must be read whole, and that needs one restart of Zigbee2MQTT: the\n" +
			"home has no Zigbee for that long. From then on the stand-bys are kept ready without any interruption.\n" +
			"A switchover does the same on its way.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withController(cmd.Context(), f, !dryRun, func(c *engine.Controller) error {
				if dryRun {
					p, steps, err := c.PlanSeed(cmd.Context(), f.network)
					if err == nil {
						console.Plan(cmd.OutOrStdout(), p, steps)
					}
					return err
				}
				ended, err := c.Seed(cmd.Context(), engine.Request{Network: f.network, Reason: byHand}, teller(cmd).Watch)
				return errors.Join(err, endedError(ended))
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print every step and remote command, change nothing")
	return cmd
}

func restoreCommand(f *flags) *cobra.Command {
	var dryRun bool
	var words typed
	cmd := &cobra.Command{
		Use: "restore GENERATION", Short: "Bring a kept generation back onto the active node",
		Long: "Stop Zigbee2MQTT on the active node, give it the data of a kept generation, and its stick the devices and keys that go\n" +
			"with them; then start it again. What is there now is kept first. Devices that were paired since are not in it and have\n" +
			"to be paired again; `z2mha shelf compare` shows which.",
		Args: numberArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := strconv.Atoi(args[0])
			if err != nil {
				return usageError{err}
			}
			return withController(cmd.Context(), f, !dryRun, func(c *engine.Controller) error {
				p, steps, err := c.PlanRestore(cmd.Context(), f.network, number)
				if err != nil {
					return err
				}
				if dryRun {
					console.Plan(cmd.OutOrStdout(), p, steps)
					return nil
				}
				if err := words.ask(cmd, "restore", fmt.Sprintf("restore %d", number)); err != nil {
					return err
				}
				ended, err := c.Restore(cmd.Context(), engine.Request{Network: f.network, Reason: byHand, Generation: number}, teller(cmd).Watch)
				return errors.Join(err, endedError(ended))
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print every step and remote command, change nothing")
	words.flag(cmd)
	return cmd
}
