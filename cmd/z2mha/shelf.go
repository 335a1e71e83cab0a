package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"z2mha/internal/config"
	"z2mha/internal/console"
	"z2mha/internal/failover/generation"
	"z2mha/internal/storage/durable"
	"z2mha/internal/storage/memory"
	"z2mha/internal/storage/shelf"
	"z2mha/internal/z2m"
)

// shelfCommand is all about what was captured. Every part of it works beside a server.
func shelfCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "shelf", Short: "Look at what was captured, take it out, put something in",
		Long: "Each capture of the active node's data is kept under a number: a generation. These commands work on what this\n" +
			"machine has kept, whether or not a server runs; they touch no host.",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(shelfList(f), shelfShow(f), shelfCompare(f), shelfExport(f), shelfImport(f),
		shelfPin(f, "pin", "Never remove a generation", (*shelf.Shelf).Pin),
		shelfPin(f, "unpin", "Let a generation be removed when it is old", (*shelf.Shelf).Unpin), shelfPrune(f))
	return cmd
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("there is no command %q; `%s --help` lists them", args[0], cmd.CommandPath())}
	}
	return nil
}

// stored is what the commands below work on.
type stored struct {
	cfg     *config.Config
	network string // the only one, or the one that was named
	shelf   *shelf.Shelf
}

// openStored opens the shelf beside a server that may be running.
func openStored(f *flags) (stored, error) {
	around := here(f)
	cfg, err := around.peek()
	if err != nil {
		return stored{}, err
	}
	s := stored{cfg: cfg}
	s.shelf, err = shelf.Open(filepath.Join(cfg.State, "shelf"), shelf.Options{Beside: true})
	return s, err
}

// openNetwork also wants to know which network is meant.
func openNetwork(f *flags) (stored, error) {
	s, err := openStored(f)
	if err != nil {
		return s, err
	}
	names, err := namedNetworks(s.cfg, f.network)
	if err == nil && len(names) > 1 {
		err = usageError{fmt.Errorf("which network? say --network with one of %s", networkNames(s.cfg))}
	}
	if err != nil {
		return s, err
	}
	s.network = names[0]
	return s, nil
}

func (s stored) get(arg string) (generation.Generation, error) {
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 {
		return generation.Generation{}, usageError{fmt.Errorf("%q is no number of a generation; `z2mha shelf list` tells them", arg)}
	}
	return s.shelf.Get(s.network, n)
}

// latest is the number of the newest usable generation, 0 when there is none.
func (s stored) latest() int {
	g, err := s.shelf.Latest(s.network)
	if err != nil {
		return 0
	}
	return g.Number
}

func (s stored) tidier() tidier {
	return newTidier(s.cfg, s.shelf, memory.New(filepath.Join(s.cfg.State, "records"), durable.Disk{}))
}

// files reads the files of a generation.
func (s stored) files(g generation.Generation) z2m.Files {
	return func(path string) ([]byte, error) {
		f, ok := g.File(path)
		if !ok {
			return nil, fs.ErrNotExist
		}
		r, err := s.shelf.Open(f.SHA256)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(r)
	}
}

// exactly is for commands that take so many words.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("give %s", what)}
		}
		return nil
	}
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func shelfList(f *flags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the generations of each network", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := openStored(f)
			if err != nil {
				return err
			}
			names, err := namedNetworks(s.cfg, f.network)
			if err != nil {
				return err
			}
			all := map[string][]generation.Generation{}
			var damaged error
			for _, name := range names {
				list, err := s.shelf.List(name)
				all[name], damaged = list, errors.Join(damaged, err)
				if !asJSON {
					console.Generations(cmd.OutOrStdout(), name, list)
				}
			}
			if asJSON {
				return errors.Join(printJSON(cmd.OutOrStdout(), all), damaged)
			}
			return damaged
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print all that is known, by network, for programs")
	return cmd
}

func shelfShow(f *flags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show NUMBER", Short: "Show one generation: network, devices, files", Args: exactly(1, "the number of a generation"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := openNetwork(f)
			if err != nil {
				return err
			}
			g, err := s.get(args[0])
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(cmd.OutOrStdout(), g)
			}
			console.Generation(cmd.OutOrStdout(), g, s.latest())
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print all that is known, for programs")
	return cmd
}

func shelfCompare(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "compare NUMBER NUMBER", Short: "Tell how two generations differ: devices, counters, configuration",
		Long: "Tell how two generations differ: devices, counters, files and configuration. Keys, passwords and everything that\n" +
			"stands in a secret file are told as changed and not shown.",
		Args: exactly(2, "the numbers of two generations, the older one first"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := openNetwork(f)
			if err != nil {
				return err
			}
			was, err := s.get(args[0])
			if err != nil {
				return err
			}
			is, err := s.get(args[1])
			if err != nil {
				return err
			}
			configuration, err := s.compareConfiguration(was, is)
			if err != nil {
				return err
			}
			console.Comparison(cmd.OutOrStdout(), was, is, generation.Compare(was, is), configuration)
			return nil
		},
	}
}

// compareConfiguration returns nothing where one of the two has no configuration, as an
// imported image of a stick.
func (s stored) compareConfiguration(was, is generation.Generation) ([]string, error) {
	for _, g := range []generation.Generation{was, is} {
		if _, ok := g.File(z2m.ConfigurationFile); !ok {
			return nil, nil
		}
	}
	return z2m.CompareConfiguration(s.files(was), s.files(is))
}

func shelfPin(f *flags, use, short string, mark func(*shelf.Shelf, string, int) (generation.Generation, error)) *cobra.Command {
	return &cobra.Command{
		Use: use + " NUMBER", Short: short, Args: exactly(1, "the number of a generation"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := openNetwork(f)
			if err != nil {
				return err
			}
			g, err := s.get(args[0])
			if err != nil {
				return err
			}
			if _, err := mark(s.shelf, s.network, g.Number); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "generation %d of %s: %sned\n", g.Number, s.network, use)
			return nil
		},
	}
}

func shelfPrune(f *flags) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "prune", Short: "Remove what the configuration does not keep", Args: noArgs,
		Long: "Remove generations, stick images and records of runs that the configuration (shelf:) does not keep, and the\n" +
			"contents that nothing names any more. A server does that by itself. Never removed are the newest good generation,\n" +
			"pinned ones, and what is staged or on a stick.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := openStored(f)
			if err != nil {
				return err
			}
			names, err := namedNetworks(s.cfg, f.network)
			if err != nil {
				return err
			}
			do, would := s.tidier().tidy, ""
			if dryRun {
				do, would = s.tidier().surplus, "would be "
			}
			for _, name := range names {
				t, pruneErr := do(name)
				err = errors.Join(err, pruneErr)
				if pruneErr == nil || t.Shelf.Bytes+t.Runs.Bytes > 0 {
					printTidied(console.Plain(cmd.OutOrStdout()), name, would, t)
				}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be removed, remove nothing")
	return cmd
}

func printTidied(w io.Writer, net, would string, t tidied) {
	if t.Shelf.Bytes+t.Runs.Bytes == 0 {
		fmt.Fprintf(w, "%s: nothing is to be removed\n", net)
	} else {
		var numbers []string
		for _, n := range t.Shelf.Generations {
			numbers = append(numbers, strconv.Itoa(n))
		}
		list := ""
		if len(numbers) > 0 {
			list = " (" + strings.Join(numbers, ", ") + ")"
		}
		fmt.Fprintf(w, "%s: %sremoved: generations: %d%s, stick images: %d, contents: %d, records of runs: %d; %s\n", net, would, len(numbers), list,
			t.Shelf.Images, t.Shelf.Blobs, len(t.Runs.Runs), console.Bytes(t.Shelf.Bytes+t.Runs.Bytes))
	}
	for _, path := range slices.Concat(t.Shelf.Damaged, t.Runs.Damaged) {
		fmt.Fprintf(w, "  cannot be read, and is left alone: %s\n", path)
	}
	if len(t.Shelf.Damaged) > 0 {
		fmt.Fprintln(w, "  while there is such a file, no content is removed: it may be all that names it; move it elsewhere to go on without it")
	}
}
